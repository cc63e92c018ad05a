"""How many names a file has within its quarantine: an IMAP server that copies a message adds one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC

_Place = tuple[str, str]  # the mailbox within the Maildir, "" for the quarantine itself, and the part of it


class Links:
    """Counts the names of files in the quarantine with the descriptor `root`; `parts` are tmp, new and cur of it."""

    def __init__(self, root: int, parts: Mapping[str, int]) -> None:
        self._root = root
        self._parts = parts
        self._known: Mapping[int, list[tuple[_Place, str]]] = {}

    def count(self, status: os.stat_result) -> int:
        """Return how many names the file with this `status` has; each is checked at this moment.

        All directories are read only if fewer names are known than the file has links: 1,000 copies cost one reading.
        """
        found = self._confirmed(status)
        if found < status.st_nlink:
            self._known = self._read()
            found = self._confirmed(status)
        return found

    def _confirmed(self, status: os.stat_result) -> int:
        return sum(self._is(place, name, status) for place, name in self._known.get(status.st_ino, ()))

    def _is(self, place: _Place, name: str, status: os.stat_result) -> bool:
        with suppress(OSError), self._opened(place) as directory:
            return os.path.samestat(os.stat(name, dir_fd=directory, follow_symlinks=False), status)
        return False

    def _read(self) -> Mapping[int, list[tuple[_Place, str]]]:
        """Return the names of files that have several, by inode."""
        names: dict[int, list[tuple[_Place, str]]] = defaultdict(list)
        for place in self._places():
            with suppress(OSError), self._opened(place) as directory, os.scandir(directory) as entries:
                for entry in entries:
                    names[entry.inode()].append((place, entry.name))
        return {inode: some for inode, some in names.items() if len(some) > 1}

    def _places(self) -> Iterator[_Place]:
        yield from (("", part) for part in self._parts)
        with os.scandir(self._root) as entries:
            # Maildir++: a mailbox within another is a directory whose name begins with a dot.
            boxes = [one.name for one in entries if one.name.startswith(".") and one.is_dir(follow_symlinks=False)]
        yield from ((box, part) for box in boxes for part in self._parts)

    @contextmanager
    def _opened(self, place: _Place) -> Iterator[int]:
        """Open the directory without following symbolic links."""
        box, part = place
        if not box:
            yield self._parts[part]
            return
        with ExitStack() as opened:
            within = os.open(box, _DIRECTORY, dir_fd=self._root)
            opened.callback(os.close, within)
            directory = os.open(part, _DIRECTORY, dir_fd=within)
            opened.callback(os.close, directory)
            yield directory
