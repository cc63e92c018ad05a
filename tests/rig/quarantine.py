"""A quarantine filled by the test itself: quick, because nothing is flushed to disk."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rig import wait
from rig.filter import give, make_quarantine
from rig.program import ENVIRONMENT, as_user
from turfmilter.core.ports import Slip
from turfmilter.stores.block import head, render
from turfmilter.stores.name import new_id

MESSAGE = b"From: Spam <spam@turf.example>\r\nSubject: hello\r\n\r\nworld\r\n"
TIME = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)


def slip(**given: object) -> Slip:
    """What is said of a message; all but the `given` is the same for all."""
    return Slip(
        **{
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
        }
        | given  # type: ignore[arg-type]
    )


def hold(quarantine: Path, message: bytes = MESSAGE, *, file: str = "new/{id}", **given: object) -> str:
    """Put a message there as the filter does, and return its id; `file` says under which name."""
    said = slip(**given)
    id = new_id(said.time)
    path = quarantine / file.format(id=id)
    path.write_bytes(render(head(id, said), hashlib.sha256(message).hexdigest()) + message)
    path.chmod(0o640)
    give(path)
    return id


def reviewed(place: Path, settings: str = "", *, more: str = "") -> tuple[Path, Path]:
    """An empty quarantine in `place`, and a configuration that names it, with `settings` in its [turf] section."""
    quarantine = make_quarantine(place / "quarantine")
    config = place / "turfmilter.toml"
    config.write_text(f'domains = ["example.org"]\n[turf]\ndirectory = "{quarantine}"\n{settings}\n{more}\n')
    return quarantine, config


def turfctl(config: Path, *arguments: str, user: str | None = None, **options: Any) -> subprocess.CompletedProcess[str]:
    """What turfctl says, and how it leaves.  Nobody sits at a terminal, so nobody can be asked."""
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
    """The command line of turfctl, for what it does in the quarantine."""
    start = "from turfmilter.cli.turfctl import main; main(prog_name='turfctl')"
    return [*as_user(user), sys.executable, "-c", start, "-c", str(config), "quarantine", *arguments]
