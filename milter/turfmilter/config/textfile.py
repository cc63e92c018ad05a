"""Reads whole text files, safely, and keeps what was read."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from turfmilter.config.descent import Strange, open_file
from turfmilter.config.hints import source_of_index


class TextFileError(Exception):
    """A file cannot be read as text; the message begins with its path, and the line number if there is one."""


class Texts:
    """The texts from which a configuration is loaded, by name: each is read only once.

    If `kept` is given, all texts come from there, and nothing is read.
    """

    def __init__(self, kept: Mapping[str, str] | None = None) -> None:
        self.used: dict[str, str] = {}
        self._kept = kept

    def file(self, path: Path) -> str:
        """Return the text of a file, whose name is its path.  Raises TextFileError."""
        return self.get(str(path), lambda: read_text(path))

    def is_file(self, path: Path) -> bool:
        """Return True if there is such a file, or, with `kept`, if there was one."""
        return path.is_file() if self._kept is None else str(path) in self._kept

    def get(self, name: str, fetch: Callable[[], str]) -> str:
        """Return the text called `name`; `fetch` returns it the first time.  Raises TextFileError."""
        if name not in self.used:
            if self._kept is not None and name not in self._kept:
                raise TextFileError(f"{name}: not in the copy")
            self.used[name] = fetch() if self._kept is None else self._kept[name]
        return self.used[name]


def read_text(path: Path, most: int = -1) -> str:
    """Return the UTF-8 text in `path`, at most its first `most` bytes (-1: all).  Raises TextFileError."""
    try:
        with os.fdopen(open_file(path), "rb") as file:
            content = file.read(most)
    except Strange as error:
        raise TextFileError(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise TextFileError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        source = source_of_index(str(path))
        if source:
            raise TextFileError(f"{path}: an index, not text; name the file from which it was made: {source}") from None
        line = content.count(b"\n", 0, error.start) + 1
        raise TextFileError(f"{path}:{line}: not UTF-8; save the file in that encoding") from None
