"""Reading a whole text file, or saying why not."""

from __future__ import annotations

import os
from pathlib import Path

from turfmilter.config.descent import Strange, open_file


class TextFileError(Exception):
    """A file cannot be read as text; the sentence begins with its path, and the line if there is one."""


def read_text(path: Path) -> str:
    """The UTF-8 text in `path`.  Raises TextFileError."""
    try:
        with os.fdopen(open_file(path), "rb") as file:
            content = file.read()
    except Strange as error:
        raise TextFileError(f"{path}: {error.strerror}") from None
    except OSError as error:
        raise TextFileError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TextFileError(f"{path}:{line}: not UTF-8; save the file in that encoding") from None
