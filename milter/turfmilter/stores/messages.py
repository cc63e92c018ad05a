"""The held messages of one quarantine directory, as the review desk sees them through the port."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import UTC, datetime
from functools import cached_property
from itertools import takewhile
from operator import itemgetter
from typing import BinaryIO

from turfmilter.core.held.message import Flag, Message, Status, fold_id, shown_id
from turfmilter.core.held.selection import By, Group, Selection
from turfmilter.core.held.summary import Held
from turfmilter.core.ports import Progress
from turfmilter.stores.files import locked
from turfmilter.stores.index import Index
from turfmilter.stores.ledger import Ledger
from turfmilter.stores.opened import LETTERS, HeldFile, OpenMaildir, written
from turfmilter.stores.room import DirectoryRoom


class MaildirMessages:
    """Implements ports.HeldMessages for `maildir`.

    `progress` is shown the files that must be read for the index.  The index is opened when it is first needed: a
    message can be found by its id, and released, without it.
    """

    def __init__(self, maildir: OpenMaildir, progress: Progress) -> None:
        self.name = str(maildir.path)
        self.ledger = Ledger(maildir.root)
        self.room = DirectoryRoom(maildir.root)
        self._maildir = maildir
        self._progress = progress
        self._closing = ExitStack()

    def __enter__(self) -> MaildirMessages:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def newest(self, selection: Selection, limit: int = 0) -> list[Held]:
        """Return the selected messages, the newest first, at most `limit`; each was compared with its file."""
        return [Held(self.message(one.file), one.summary) for one in self._index.newest(selection, limit)]

    def count(self, selection: Selection) -> int:
        """Return the number of selected messages."""
        return self._index.count(selection)

    def groups(self, selection: Selection, by: By) -> list[Group]:
        """Return the selected messages, counted by what they have in common."""
        return self._index.groups(selection, by)

    def quarters(self, selection: Selection) -> Mapping[datetime, int]:
        """Return how many of the selected messages were held in each quarter of an hour, by its beginning, UTC."""
        return self._index.quarters(selection)

    def every(self) -> Iterator[Message]:
        """Yield a message for each file of the directory."""
        return (self.message(file) for file, _ in self._maildir.files())

    def named(self, beginnings: Sequence[str]) -> list[list[Message]]:
        """Return for each of `beginnings` the messages whose id begins so; the directory is read once for all."""
        listing = _Listing(file for file, _ in self._maildir.files())
        return [[self.message(file) for file in listing.beginning(text)] for text in beginnings]

    def again(self, message: Message) -> Message:
        """Return the message with its flags as they are now.  Raises FileNotFoundError if it is gone."""
        file = _file(message)
        with suppress(FileNotFoundError):
            self._maildir.stat(file)  # the directory is read only if the name has changed
            return message
        return self.message(self._maildir.again(file))

    def status(self, message: Message) -> Status:
        """Return the size of its file, and its ctime: when it was last renamed.  Raises FileNotFoundError."""
        status = self._maildir.stat(_file(message))
        return Status(status.st_size, datetime.fromtimestamp(status.st_ctime, UTC))

    def open(self, message: Message) -> OpenFile:
        """Open its file.  Raises FileNotFoundError, NotAMessage and OSError."""
        return OpenFile(self._maildir.open(_file(message)))

    def require_changeable(self) -> None:
        """Raise NewerFormat if a newer version of the program has written to the directory."""
        self._maildir.require_changeable()

    def mark(self, message: Message, *, add: Collection[Flag] = (), remove: Collection[Flag] = ()) -> Message:
        """Add and remove flags by renaming its file.  Raises FileNotFoundError, FileExistsError and NewerFormat."""
        return self.message(self._maildir.change(_file(message), add=_letters(add), remove=_letters(remove)))

    def remove(self, message: Message) -> None:
        """Remove its file.  Raises FileNotFoundError, NewerFormat and OSError."""
        self._maildir.remove(_file(message))

    def message(self, file: HeldFile) -> Message:
        """Return the message that is in `file`."""
        return Message(file.id, file.noted, self.name, f"{file.part}/{file.name}")

    @cached_property
    def _index(self) -> Index:
        return self._closing.enter_context(Index(self._maildir, self._progress))


class OpenFile:
    """Implements ports.OpenMessage for an open `file` of a Maildir."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    @property
    def size(self) -> int:
        """The bytes of the file."""
        return os.fstat(self.file.fileno()).st_size

    @property
    def written(self) -> datetime:
        """The mtime of the file, UTC; see opened.written."""
        return written(os.fstat(self.file.fileno()))

    def lock(self) -> AbstractContextManager[None]:
        """Lock the file (flock): its other names are locked as well.  Raises BlockingIOError and OSError."""
        return locked(self.file.fileno(), wait=False)

    def __enter__(self) -> OpenFile:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # it was only read: whatever was done with it is done
            self.file.close()


class _Listing:
    """Files in the order of their ids, so that those whose ids begin alike are next to each other."""

    def __init__(self, files: Iterable[HeldFile]) -> None:
        self._files = sorted(
            ((fold_id(shown_id(file.id)), file) for file in files), key=lambda one: (one[0], one[1].id)
        )

    def beginning(self, text: str) -> list[HeldFile]:
        """Return the files whose folded id begins as `text` does; none if that is "" when folded."""
        folded = fold_id(text)
        if not folded:
            return []
        rest = range(bisect_left(self._files, folded, key=itemgetter(0)), len(self._files))
        some = takewhile(lambda found: found[0].startswith(folded), map(self._files.__getitem__, rest))
        return [file for _, file in some]


def _file(message: Message) -> HeldFile:
    part, _, name = message.key.partition("/")
    return HeldFile(name, part)


def _letters(flags: Collection[Flag]) -> str:
    return "".join(LETTERS[flag] for flag in flags)
