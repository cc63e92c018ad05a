"""Writes a set of new files into a directory: all of them or none, and never over a file that is there."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from turfmilter.config.descent import open_directory

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Occupied(Exception):
    """A file of that name exists, so nothing was written; the text is the reason."""


def place(directory: Path, texts: Mapping[str, str]) -> None:
    """Write each text to the file of its name in `directory`, which is created if its parent exists.

    A file appears with its whole text, which is on disk by then, in the order of `texts`; if one cannot be written, all
    are removed again.  Raises Occupied if one of the names exists, and OSError.
    """
    with _directory(directory) as folder:
        taken = [name for name in texts if _exists(name, folder)]
        if taken:
            files = ", ".join(str(directory / name) for name in taken)
            raise Occupied(f"{files}: exists and is not overwritten; nothing was written; name another directory")
        placed: list[str] = []
        try:
            for name, text in texts.items():
                _place_one(name, text, folder)
                placed.append(name)
            os.fsync(folder)
        except OSError as error:
            for name in placed:
                os.unlink(name, dir_fd=folder)
            if isinstance(error, FileExistsError):
                raise Occupied(f"{directory}: another program writes to it; nothing was written") from None
            raise type(error)(error.errno, error.strerror, str(directory)) from None


def _place_one(name: str, text: str, folder: int) -> None:
    """Write one file under another name, and give it its own by a link, which fails if the name exists."""
    hidden = f".{name}.{os.getpid()}"
    with os.fdopen(os.open(hidden, _NEW, 0o644, dir_fd=folder), "w", encoding="utf-8") as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            os.link(hidden, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        finally:
            os.unlink(hidden, dir_fd=folder)


@contextmanager
def _directory(path: Path) -> Iterator[int]:
    """Open the directory, which is created if it does not exist; remove it again after an error, if it is empty."""
    path = path.absolute()
    above = open_directory(path.parent)
    try:
        created = _created(path.name, above)
        folder = open_directory(path)
        try:
            yield folder
        except (Occupied, OSError):
            if created:
                with suppress(OSError):
                    os.rmdir(path.name, dir_fd=above)
            raise
        finally:
            os.close(folder)
    finally:
        os.close(above)


def _created(name: str, above: int) -> bool:
    """Create the directory; return False if it exists."""
    try:
        os.mkdir(name, 0o755, dir_fd=above)
    except FileExistsError:
        return False
    return True


def _exists(name: str, folder: int) -> bool:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=folder, follow_symlinks=False)
        return True
    return False
