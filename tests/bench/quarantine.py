"""How quickly a full quarantine is reviewed: `PYTHONPATH=milter:tests python tests/bench/quarantine.py [MESSAGES]`."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rig.filter import make_quarantine
from rig.program import ENVIRONMENT
from rig.quarantine import command, hold
from rig.workplace import workplace

MESSAGES = 100_000
_TEXT = b"Received: from mail.test (mail.test [192.0.2.1])\r\n\tby mx.test; Mon, 2 Mar 2026 10:00:00 +0000\r\n" * 6
_BODY = b"It pays to read this offer to its end.\r\n" * 200  # 8 kB: much spam is no longer


def main(messages: int) -> None:
    """Print one line for each figure."""
    with workplace() as folder:
        quarantine, config = folder / "quarantine", folder / "turfmilter.toml"
        fill(quarantine, messages)
        config.write_text(f'domains = ["example.org"]\n[turf]\ndirectory = "{quarantine}"\n')
        for what, options in (
            ("list, the first time", ()),
            ("list, the newest 50", ()),
            ("search by sender", ("--sender", "@s7.turf.example")),
            ("search by subject", ("--subject", "number 77")),
            ("grouped by sender", ("--group-by", "sender")),
        ):
            seconds, busy = listed(config, *options)
            print(f"{what:<24} {seconds:6.2f} s, {busy:6.2f} s of them at work, with {messages} held", flush=True)


def fill(quarantine: Path, messages: int) -> None:
    """Synthetic messages of 500 senders, held in the last 30 days."""
    make_quarantine(quarantine)
    now = datetime.now(UTC)
    for number in range(messages):
        sender = f"offer{number}@s{number % 500}.turf.example"
        head = f"From: Offer <{sender}>\r\nTo: anna@example.org\r\nSubject: offer number {number}\r\n\r\n".encode()
        hold(
            quarantine,
            _TEXT + head + _BODY,
            sender=f"{sender} SIZE=9000",
            time=now - timedelta(seconds=30 * 86_400 * number // messages),
        )


def listed(config: Path, *options: str) -> tuple[float, float]:
    """The seconds that one turfctl takes from its start to its end, and for how many of them it has a processor."""
    begin, before = time.monotonic(), _busy()
    subprocess.run(command(config, "list", *options), env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begin, _busy() - before


def _busy() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else MESSAGES)
