"""Stores of held messages for the contract tests, with what others do to them from outside the ports."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from rig.filter import give, make_quarantine
from rig.quarantine import MESSAGE, hold, slip
from turfmilter.core.held.ledger import Line
from turfmilter.core.ports import HeldMessages
from turfmilter.desk import open_quarantines
from turfmilter.stores.maildir import Maildir


class Store(Protocol):
    """One store that many desks work with.  Each HeldMessages is opened anew, as by a process of its own."""

    def desk(self) -> HeldMessages:
        """Open the store once more; it is closed when the test ends."""

    def hold(self, message: bytes = MESSAGE, **slip: Any) -> str:
        """Hold a message, and return its id; see rig.quarantine.slip."""

    def put_by_hand(self, id: str, message: bytes = MESSAGE) -> None:
        """Put in a message without a block, under an id that may be any text."""

    def put_something_else(self, id: str) -> None:
        """Put in what is not a message."""

    def require_room(self) -> None:
        """Raise QuarantineError if the filter may hold no message."""

    def upgrade(self) -> None:
        """Leave the mark of a newer version of the program, which has changed the format."""

    def add_to_ledger(self, data: bytes) -> None:
        """Append bytes to the ledger: lines of an older version, or damaged ones."""

    def break_ledger(self) -> None:
        """Make it impossible to read the ledger and to write to it."""


class MaildirStore:
    """Implements Store with a quarantine directory in `place`."""

    def __init__(self, place: Path, stack: ExitStack) -> None:
        self._path = make_quarantine(place / "quarantine")
        self._stack = stack

    def desk(self) -> HeldMessages:
        [held] = self._stack.enter_context(open_quarantines([self._path], lambda files: files)).each
        return held

    def hold(self, message: bytes = MESSAGE, **slip: Any) -> str:
        return hold(self._path, message, **slip)

    def put_by_hand(self, id: str, message: bytes = MESSAGE) -> None:
        path = self._path / "new" / id
        path.write_bytes(message)
        give(path)

    def put_something_else(self, id: str) -> None:
        (self._path / "new" / id).symlink_to("/etc/passwd")

    def require_room(self) -> None:
        Maildir(self._path, floor=0).open(slip()).abandon()

    def upgrade(self) -> None:
        (self._path / "format").write_text("9\n")

    def add_to_ledger(self, data: bytes) -> None:
        with (self._path / "ledger").open("ab") as file:
            file.write(data)

    def break_ledger(self) -> None:
        (self._path / "ledger").unlink(missing_ok=True)
        (self._path / "ledger").mkdir()


def line(id: str, act: str = "delete", stage: str = "outcome", **given: object) -> Line:
    """A line of the ledger about the message `id`; all but the `given` is the same for all."""
    said: dict[str, object] = {
        "time": "2026-03-02T09:00:00Z",
        "who": "ada",
        "uid": 1000,
        "origin": "pts/0",
        "attempt": "a1b2c3d4",
        "recipients": (),
        "replies": (),
        "note": "done",
    }
    return Line(id=id, act=act, stage=stage, **said | given)  # type: ignore[arg-type]
