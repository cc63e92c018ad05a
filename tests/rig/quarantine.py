"""A quarantine filled by the test itself: quick, because nothing is flushed to disk."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rig import wait
from rig.filter import USER, give, make_quarantine, make_state
from rig.program import ENVIRONMENT, as_user
from turfmilter.core.address.addressed import Addressed, parted
from turfmilter.core.held.block import render
from turfmilter.core.report import Slip
from turfmilter.stores.name import new_id

MESSAGE = b"From: Spam <spam@turf.example>\r\nSubject: hello\r\n\r\nworld\r\n"
TIME = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)


def slip(**given: object) -> Slip:
    """The record of a message; all values except the `given` are always the same.

    Sender and recipients may be texts, with their parameters after the address.
    """
    said: dict[str, Any] = {
        "sender": "spam@turf.example SIZE=2000",
        "recipients": ("anna@example.org",),
        "client": "192.0.2.7",
        "name": "mail.turf.example",
        "helo": "turf",
        "account": "",
        "listener": "",
        "queue_id": "4Xb1cD",
        "time": TIME,
        "rule": "turf",
        "entry": "@turf.example turf.table:12",
    } | given
    said["sender"], said["recipients"] = party(said["sender"]), tuple(map(party, said["recipients"]))
    return Slip(**said)


def party(given: str | Addressed) -> Addressed:
    """A sender or recipient; in a text its parameters follow the address."""
    return parted(given) if isinstance(given, str) else given


def hold(quarantine: Path, message: bytes = MESSAGE, *, file: str = "new/{id}", **given: object) -> str:
    """Put a message there as the filter does, under the name `file`, and return its id."""
    said = slip(**given)
    id = new_id(said.time)
    path = quarantine / file.format(id=id)
    path.write_bytes(render(id, said, hashlib.sha256(message).hexdigest()) + message)
    path.chmod(0o640)
    give(path)
    return id


def reviewed(place: Path, settings: str = "", *, more: str = "") -> tuple[Path, Path]:
    """An empty quarantine in `place`, and a configuration that names it, with `settings` in its [turf] section."""
    quarantine = make_quarantine(place / "quarantine")
    config = place / "turfmilter.toml"
    state = make_state(place / "state")
    above = f'user = "{USER}"\ndomains = ["example.org"]\nstate = "{state}"\n'
    config.write_text(f'{above}[turf]\ndirectory = "{quarantine}"\n{settings}\n{more}\n')
    return quarantine, config


def turfctl(config: Path, *arguments: str, user: str | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """What turfctl prints, and its exit status.  There is no terminal, so it cannot ask."""
    return subprocess.run(
        command(config, *arguments, user=user),
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=wait.AMPLE,
        check=False,
        **options,
    )


def command(config: Path, *arguments: str, user: str | None = None) -> list[str]:
    """The command line of turfctl."""
    start = "from turfmilter.cli.turfctl import main; main(prog_name='turfctl')"
    return [*as_user(user), sys.executable, "-c", start, "-c", str(config), *arguments]


_LOOP = """
import json, sys
from turfmilter.cli.commands import command as look_up
from turfmilter.cli.turfctl import main
config, commands = sys.argv[1:]
for command in json.loads(commands):  # as at the start of each, when the process is root
    look_up(next((word for word in command if word != "quarantine"), ""))
for command in json.loads(commands):
    try:
        main(["-c", config, *command], prog_name="turfctl")
    except SystemExit as left:
        print(f"turfctl {' '.join(command)}: {left.code or 0}", flush=True)
"""


def in_turn(config: Path, commands: Sequence[Sequence[str]]) -> list[str | Path]:
    """The arguments of Python that do many commands of turfctl in one process, and print the exit status of each.

    From the first one on that opens a quarantine the process is no longer root.
    """
    return ["-c", _LOOP, config, json.dumps(commands)]


def ends(config: Path, commands: Sequence[Sequence[str]]) -> tuple[list[int], str]:
    """The exit status of each command, and what they printed.  Raises CalledProcessError if one ends the process."""
    done = subprocess.run(
        [sys.executable, *in_turn(config, commands)],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=wait.AMPLE,
        check=True,
    )
    statuses = [re.search(rf"(?m)^turfctl {re.escape(' '.join(one))}: (\d+)$", done.stdout) for one in commands]
    return [int(found[1]) for found in statuses if found], done.stdout
