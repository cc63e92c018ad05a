"""The copy of the last good generation: the texts that it was made of, kept for a start with broken files."""

from __future__ import annotations

import json
import os
import secrets
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

NAME = "last-good.json"
_TEMPORARY = f".{NAME}."
_FORMAT = 1
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


class NoCopy(Exception):
    """There is no copy that could be used; the text says why."""


class NotKept(NoCopy):
    """There is none at all."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The `texts` of a configuration by their names, and since when it was in force."""

    since: datetime
    texts: Mapping[str, str]


class LastGood:
    """The copy in the state `directory`, which belongs to the filter's user.  Root must not look into it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, configuration: Path, copy: Copy) -> None:
        """Put `copy` in the place of the last one.  Raises OSError; then that one is still there, or already this one.

        `configuration` is the path of the configuration that it is a copy of.
        """
        whole = {
            "format": _FORMAT,
            "configuration": str(configuration),
            "since": copy.since.isoformat(timespec="seconds"),
            "texts": dict(copy.texts),
        }
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _write(directory, json.dumps(whole, indent=1).encode())
        finally:
            os.close(directory)

    def read(self, configuration: Path) -> Copy:
        """The copy of the configuration with this path.  Raises NoCopy."""
        path = self._directory / NAME
        try:
            found = json.loads(self._content())
            if found["format"] != _FORMAT or found["configuration"] != str(configuration):
                raise NoCopy(f"{path}: a copy of {found['configuration']}, or of another version of turfmilter")
            texts = {str(name): text for name, text in found["texts"].items() if isinstance(text, str)}
            return Copy(datetime.fromisoformat(found["since"]), texts)
        except FileNotFoundError:
            raise NotKept(f"{path}: does not exist") from None
        except OSError as error:
            raise NoCopy(f"{path}: cannot be read: {error.strerror}") from None
        except (AttributeError, LookupError, RecursionError, TypeError, ValueError):
            raise NoCopy(f"{path}: not what turfmilter writes") from None

    def _content(self) -> bytes:
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            descriptor = os.open(NAME, _OLD, dir_fd=directory)
        finally:
            os.close(directory)
        with os.fdopen(descriptor, "rb") as file:
            this = os.fstat(descriptor)
            # In a directory that others may write to, they could have put it there.
            if not stat.S_ISREG(this.st_mode) or this.st_uid not in (0, os.geteuid()):
                raise NoCopy(f"{self._directory / NAME}: not a file of the filter's user")
            return file.read()


def _write(directory: int, data: bytes) -> None:
    temporary = f"{_TEMPORARY}{secrets.token_hex(4)}"
    descriptor = os.open(temporary, _NEW, 0o600, dir_fd=directory)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, NAME, src_dir_fd=directory, dst_dir_fd=directory)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=directory)
        raise
    os.fsync(directory)
    for name in os.listdir(directory):
        if name.startswith(_TEMPORARY):  # of a process that was killed
            with suppress(OSError):
                os.unlink(name, dir_fd=directory)
