"""The copy of the last good configuration: its texts, kept for a start with broken files."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from turfmilter.config.descent import CAREFULLY
from turfmilter.stores.files import temporary, write_whole

NAME = "last-good.json"
SIZES = "last-good.sizes.json"  # apart, because the copy of a large table takes seconds to read
_FORMAT = 1


class NoCopy(Exception):
    """No copy can be used; the text says why."""


class NotKept(NoCopy):
    """No copy exists."""


@dataclass(frozen=True, slots=True)
class Copy:
    """The `texts` of a configuration by their names, since when it was in force, and the sizes of its tables."""

    since: datetime
    texts: Mapping[str, str]
    sizes: Mapping[str, int] = field(default_factory=dict)


class LastGood:
    """The copy in the state `directory`, which belongs to the filter's user.  Root must not read it."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def keep(self, configuration: Path, copy: Copy) -> None:
        """Replace the last copy by `copy`.  If this raises OSError, the file is the last one or already this one.

        `configuration` is the path of the configuration that was copied.
        """
        whole = {
            "format": _FORMAT,
            "configuration": str(configuration),
            "since": copy.since.isoformat(timespec="seconds"),
            "texts": dict(copy.texts),
        }
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            write_whole(directory, NAME, json.dumps(whole, indent=1).encode())
            known = {"configuration": str(configuration), "sizes": dict(copy.sizes)}
            write_whole(directory, SIZES, json.dumps(known).encode())
            _clean(directory)
        finally:
            os.close(directory)

    def read(self, configuration: Path) -> Copy:
        """Return the copy of the configuration with this path.  Raises NoCopy."""
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

    def sizes(self, configuration: Path) -> Mapping[str, int]:
        """Return the sizes of the tables of the configuration with this path, {} if they are not known."""
        try:
            found = json.loads(self._content(SIZES))
            if found["configuration"] != str(configuration):
                return {}
            return {str(path): int(size) for path, size in found["sizes"].items()}
        except (OSError, NoCopy, AttributeError, LookupError, RecursionError, TypeError, ValueError):
            return {}

    def _content(self, name: str = NAME) -> bytes:
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            descriptor = os.open(name, CAREFULLY, dir_fd=directory)
        finally:
            os.close(directory)
        with os.fdopen(descriptor, "rb") as file:
            this = os.fstat(descriptor)
            # If others may write to the directory, they could have put the file there.
            if not stat.S_ISREG(this.st_mode) or this.st_uid not in (0, os.geteuid()):
                raise NoCopy(f"{self._directory / name}: not a file of the filter's user")
            return file.read()


def _clean(directory: int) -> None:
    """Remove temporary files left by processes that were killed."""
    for name in os.listdir(directory):
        if name.startswith((temporary(NAME), temporary(SIZES))):
            with suppress(OSError):
                os.unlink(name, dir_fd=directory)
