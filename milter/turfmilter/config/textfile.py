"""Reading a whole text file, or saying why not."""

from __future__ import annotations

from pathlib import Path


class TextFileError(Exception):
    """A file cannot be read as text; the sentence begins with its path, and the line if there is one."""


def read_text(path: Path) -> str:
    """The UTF-8 text in `path`.  Raises TextFileError."""
    try:
        if path.exists() and not path.is_file():  # a pipe or a device would keep us waiting, or never end
            raise TextFileError(f"{path}: not a file")
        content = path.read_bytes()
    except OSError as error:
        raise TextFileError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TextFileError(f"{path}:{line}: not UTF-8; save the file in that encoding") from None
