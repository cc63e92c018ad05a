"""One quarantine directory, opened once; everything in it is reached relative to that."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, NamedTuple

from turfmilter.config.descent import CAREFULLY, open_directory
from turfmilter.core.held.message import Flag, NewerFormat, NotAMessage, State, Unopenable, in_every_zone, state_of
from turfmilter.stores.format import newer
from turfmilter.stores.links import Links

_INFO = ":2,"  # before the flags of Maildir
LETTERS = {Flag.REVIEWED: "S", Flag.RELEASED: "P", Flag.DELETED: "T", Flag.FLAGGED: "F"}  # Maildir's, for our flags

_NONE: frozenset[Flag] = frozenset()


class HeldFile(NamedTuple):
    """One file as the directory lists it, in the `part` "new" or "cur" of the Maildir.

    If another program put it there, its name can be any text.
    """

    name: str
    part: str

    @property
    def id(self) -> str:
        """The name without the flags."""
        return self.name.partition(_INFO)[0]

    @property
    def flags(self) -> frozenset[str]:
        """The flags as Maildir has them, also if the file is in new/."""
        return frozenset(self.name.partition(_INFO)[2])

    @property
    def noted(self) -> frozenset[Flag]:
        """Those of the flags that mean something to us."""
        letters = self.name.partition(_INFO)[2]
        # Most messages of a long list have none.
        return frozenset(flag for flag, letter in LETTERS.items() if letter in letters) if letters else _NONE

    @property
    def state(self) -> State:
        """The state that the flags mean."""
        return state_of(self.noted)

    def flagged(self, flags: frozenset[str]) -> HeldFile:
        """Return the same message with these flags; its file is then in cur, as Maildir requires."""
        # Maildir requires them in ASCII order; otherwise mutt takes the name for that of another message.
        return HeldFile(f"{self.id}{_INFO}{''.join(sorted(flags))}", "cur")


_PARTS = ("tmp", "new", "cur")
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_BUFFER = 16 * 1024  # bytes: block and header of most messages in one read
_TRIES = 10  # each fails only if another process changes the flags of the same message at that moment


class OpenMaildir:
    """One quarantine directory, opened.  `newer` is the reason why nothing may be changed in it, or ""."""

    def __init__(self, path: Path) -> None:
        """Raises Unopenable."""
        self.path = path
        with ExitStack() as opened:
            try:
                self.root = open_directory(path)
                opened.callback(os.close, self.root)
                self._parts = {part: _opened(opened, part, _DIRECTORY | os.O_NOFOLLOW, self.root) for part in _PARTS}
                self.newer = newer(self.root)
                self._links = Links(self.root, self._parts)
            except OSError as error:
                raise Unopenable(f"quarantine {path / str(error.filename)}: {error.strerror}") from error
            self._opened = opened.pop_all()

    def __enter__(self) -> OpenMaildir:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._opened.close()

    def files(self) -> Iterator[tuple[HeldFile, int]]:
        """Yield every file with its inode.  A file that is renamed meanwhile may come twice, or not at all."""
        for part, entry in self._entries():
            yield HeldFile(entry.name, part), entry.inode()

    def paths(self) -> set[str]:
        """Return all files as PART/NAME/INODE; no part contains a slash.  Sets of 100,000 are compared quickly."""
        return {f"{part}/{entry.name}/{entry.inode()}" for part, entry in self._entries()}

    def changed(self) -> tuple[int, int]:
        """Return when new and cur last changed (a file was added, removed or renamed), in ns: ctimes cannot be set."""
        new, cur = (os.fstat(self._parts[part]).st_ctime_ns for part in ("new", "cur"))
        return new, cur

    def stat(self, file: HeldFile) -> os.stat_result:
        """Return the status of the file itself, not of what it links to.  Raises FileNotFoundError."""
        return os.stat(file.name, dir_fd=self._parts[file.part], follow_symlinks=False)

    def open(self, file: HeldFile) -> BinaryIO:
        """Open the file for reading.  Raises FileNotFoundError, and NotAMessage if it is not a file of its own."""
        try:
            descriptor = os.open(file.name, CAREFULLY, dir_fd=self._parts[file.part])
        except FileNotFoundError:
            raise
        except OSError as error:
            raise NotAMessage(_instead(self.stat(file)) or f"it cannot be read: {error.strerror}") from error
        with ExitStack() as closing:
            closing.callback(os.close, descriptor)
            if strange := _instead(os.fstat(descriptor)) or self._linked_outside(descriptor):
                raise NotAMessage(strange)
            closing.pop_all()
        return io.BufferedReader(io.FileIO(descriptor, "rb"), _BUFFER)

    @property
    def owner(self) -> int:
        """The uid to which the directory belongs."""
        return os.fstat(self.root).st_uid

    def require_changeable(self) -> None:
        """Raise NewerFormat if a newer version of the program has written here."""
        if self.newer:
            raise NewerFormat(f"quarantine {self.path}: {self.newer}; nothing was changed")

    def change(self, file: HeldFile, *, add: str = "", remove: str = "") -> HeldFile:
        """Add and remove flags, whatever others do to them meanwhile, and return the file under its new name.

        Raises FileNotFoundError if the message is gone, FileExistsError if another file has the new name, and
        NewerFormat.
        """
        self.require_changeable()
        for _ in range(_TRIES):
            changed = file.flagged(file.flags.difference(remove).union(add))
            try:
                if changed.flags == file.flags:
                    self.stat(file)  # raises if it is gone
                    return file
                self._rename(file, changed)
            except FileNotFoundError:
                file = self.again(file)
            else:
                return changed
        raise FileNotFoundError(file.name)

    def remove(self, file: HeldFile) -> None:
        """Remove the file permanently.  Raises FileNotFoundError and NewerFormat."""
        self.require_changeable()
        os.unlink(file.name, dir_fd=self._parts[file.part])

    def again(self, file: HeldFile) -> HeldFile:
        """Return the message under the name that it has now.  Raises FileNotFoundError if it is gone."""
        for _ in range(_TRIES):  # a rename in cur may hide it from one look at the directory
            for found, _ in self.files():
                if found.id == file.id:
                    return found
        raise FileNotFoundError(file.name)

    def _entries(self) -> Iterator[tuple[str, os.DirEntry[str]]]:
        for part in ("new", "cur"):
            with os.scandir(self._parts[part]) as entries:
                for entry in entries:
                    if not entry.name.startswith("."):  # Maildir: such files are not messages
                        yield part, entry

    def _rename(self, file: HeldFile, changed: HeldFile) -> None:
        with suppress(FileNotFoundError):
            self.stat(changed)
            raise FileExistsError(f"{changed.part}/{changed.name} exists as well; nothing was done to either")
        os.rename(file.name, changed.name, src_dir_fd=self._parts[file.part], dst_dir_fd=self._parts[changed.part])

    def _linked_outside(self, descriptor: int) -> str:
        """Return what is wrong if the file also has a name outside this quarantine; "" if it has none.

        Two names within it are normal while a message is delivered, after a crash at that moment, and permanently if
        an IMAP server has copied it: Dovecot creates a link.
        """
        for _ in range(_TRIES):
            before = os.fstat(descriptor)
            names = self._links.count(before) if before.st_nlink > 1 else 1
            links = os.fstat(descriptor).st_nlink  # again: a name may come or go while we look
            if names >= links:
                return ""
            if links == before.st_nlink:
                return f"a file of {links} links: another one is outside the quarantine"
        return "a file whose links change again and again"


def written(status: os.stat_result) -> datetime:
    """Return the mtime of a file, UTC; 1970 if it is far outside the calendar, as any program can set it."""
    with suppress(ValueError, OverflowError, OSError):
        time = datetime.fromtimestamp(status.st_mtime, UTC)
        if in_every_zone(time):
            return time
    return datetime.fromtimestamp(0, UTC)


def _opened(stack: ExitStack, name: str, flags: int, within: int) -> int:
    descriptor = os.open(name, flags, dir_fd=within)
    stack.callback(os.close, descriptor)
    return descriptor


def _instead(status: os.stat_result) -> str:
    """Return what it is, "" if it is a regular file."""
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFIFO: "a pipe", stat.S_IFDIR: "a directory"}
    kind = stat.S_IFMT(status.st_mode)
    return "" if kind == stat.S_IFREG else f"{kinds.get(kind, 'a device or a socket')}, not a message"
