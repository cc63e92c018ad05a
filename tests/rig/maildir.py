"""A Maildir that the quarantine's own store writes to, and what is then in it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from turfmilter.core.address.addressed import Addressed
from turfmilter.core.held.block import read_block
from turfmilter.core.report import Slip

SLIP = Slip(
    sender=Addressed("spam@turf.example"),
    recipients=(Addressed("anna@example.org"),),
    client="192.0.2.7",
    name="",
    helo="turf",
    account="",
    listener="",
    queue_id="4Xb1cD",
    time=datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC),
    rule="turf",
    entry="@turf.example turf.table:12",
)
MESSAGE = b"Subject: hello\r\n\r\nworld\r\n"


def made(path: Path) -> Path:
    """The directory with its three parts."""
    for part in ("tmp", "new", "cur"):
        (path / part).mkdir(parents=True)
    return path


def held(path: Path, part: str = "new") -> list[Path]:
    """The files in one part."""
    return sorted((path / part).iterdir())


def message(path: Path) -> bytes:
    """The message below the block, which must be whole and sealed."""
    with path.open("rb") as file:
        block = read_block(file)
        assert block.sealed
        assert block.intact(file)
        assert block.id == path.name
        file.seek(block.offset)
        return file.read()
