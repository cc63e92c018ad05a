"""A quarantine with a held message, and an administrator in front of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rig.nexthop import ScriptedNextHop
from turfmilter.core.address.addressed import Addressed
from turfmilter.core.held.ledger import Line
from turfmilter.core.report import Slip
from turfmilter.mta.smtp import NextHop
from turfmilter.review.administrator import Administrator
from turfmilter.review.quarantines import Place
from turfmilter.review.recorder import Recorder
from turfmilter.review.release import Released, Releaser
from turfmilter.stores.maildir import Maildir
from turfmilter.stores.messages import MaildirMessages
from turfmilter.stores.opened import HeldFile, OpenMaildir

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
SLIP = Slip(
    sender=Addressed("anna@out.test", ("BODY=8BITMIME",)),
    recipients=(Addressed("bob@rig.test", ("NOTIFY=NEVER",)), Addressed("carol@rig.test")),
    client="192.0.2.7",
    name="",
    helo="",
    account="",
    listener="",
    queue_id="4711",
    time=NOW,
    rule="turf",
    entry="@out.test turf.table:1",
)
MESSAGE = b"To: everybody@elsewhere.test\r\nCc: all@elsewhere.test\r\nSubject:x\r\n\r\n.dot\r\n"


class Syslog:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.is_there = True

    def send(self, lines: Sequence[tuple[int, str]], /) -> int:
        self.lines += [line for _, line in lines]
        return len(lines)


class Desk:
    """A quarantine with one held message, and the administrator in front of it."""

    def __init__(self, path: Path) -> None:
        for part in ("tmp", "new", "cur"):
            (path / part).mkdir(parents=True)
        self.path = path
        self.maildir = OpenMaildir(path)
        self.syslog = Syslog()
        self.held = MaildirMessages(self.maildir, lambda files: files)
        self.ledger = self.held.ledger
        self.recorder = Recorder(self.ledger, self.syslog, Administrator("ada", 1000, "pts/0"), lambda: NOW)
        self.file = self.hold()

    def hold(self, slip: Slip = SLIP, message: bytes = MESSAGE) -> HeldFile:
        draft = Maildir(self.path, floor=0).open(slip)
        draft.write(message)
        return HeldFile(draft.commit(), "new")

    def release(self, hop: ScriptedNextHop, *only: str, file: HeldFile | None = None, force: bool = False) -> Released:
        releaser = Releaser(self.held, self.recorder, NextHop("127.0.0.1", hop.port, "filter.rig.test", 20))
        return releaser.release(self.place(file or self.maildir.again(self.file)).message, only, force=force)

    def place(self, file: HeldFile | None = None) -> Place:
        """A file as the review desk sees it; by default the one that is held from the beginning."""
        return Place(self.held, self.held.message(file or self.file))

    def lines(self) -> list[Line]:
        return list(self.ledger.lines())

    def files(self) -> list[str]:
        return [f"{file.part}/{file.name}" for file, _ in self.maildir.files()]
