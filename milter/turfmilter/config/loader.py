"""Loads the configuration from a file, and reports all of its problems together."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import date
from itertools import takewhile
from pathlib import Path

from turfmilter.config.checks import check
from turfmilter.config.descent import open_file
from turfmilter.config.given import Notes, in_short, messages
from turfmilter.config.received import Postfix, Remembered
from turfmilter.config.schema import Config
from turfmilter.config.socketspec import SocketSpec
from turfmilter.config.syntax import explain_syntax
from turfmilter.config.textfile import TextFileError, Texts
from turfmilter.config.walker import Walker

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")


class ConfigError(Exception):
    """The configuration cannot be used.  `problems` are messages, in the order of the file.

    `files` are those that it names: fixing one of them may fix the configuration.  `rest` is the configuration with
    the defaults for keys that are wrong, or None if the file is not even TOML.
    """

    def __init__(
        self,
        problems: tuple[str, ...],
        files: tuple[Path, ...] = (),
        rest: Config | None = None,
        unusable: Callable[[str], bool] = lambda _: False,
    ) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.files = files
        self.rest = rest
        self._unusable = unusable

    def readable(self, keys: Iterable[str]) -> Config | None:
        """Return `rest` if all of these top-level keys are valid, else None; other keys may have their defaults."""
        return None if any(map(self._unusable, keys)) else self.rest


def load(
    path: Path,
    *,
    postfix: Postfix | None = None,
    socket: SocketSpec | None = None,
    today: date | None = None,
    kept: Mapping[str, str] | None = None,
    tables: bool = True,
) -> Config:
    """Return the configuration in the file `path`.  Raises ConfigError with everything that is wrong in it.

    `postfix` is queried for "postfix:main.cf".  Without it, `domains` lacks those domains; a caller that needs only
    other keys need not wait for Postfix.  `socket` replaces the socket in the file.  Entries that have expired on
    `today` cause warnings; without it, they cause none.  `kept` are the `texts` of a configuration that was loaded
    earlier: then no file is read, and Postfix is not queried.

    With `tables` False, only the file `path` is read: each key in it that holds a table has the value Unread, whose use
    raises UnreadError, and neither its entries nor their combination with other keys are checked.
    """
    path, texts = path.absolute(), Texts(kept)
    asked = Remembered(postfix, texts) if postfix or kept else None
    config = configure(
        parsed(path, texts), path.parent, postfix=asked, socket=socket, today=today, texts=texts, tables=tables
    )
    return replace(config, files=(path, *config.files), texts=texts.used)


def configure(
    table: Mapping[str, object],
    folder: Path,
    *,
    postfix: Postfix | None = None,
    socket: SocketSpec | None = None,
    today: date | None = None,
    texts: Texts | None = None,
    tables: bool = True,
) -> Config:
    """Return the configuration in a TOML table; paths are relative to `folder`.  Raises ConfigError."""
    notes = Notes(folder, postfix, texts or Texts(), today, tables)
    config = Walker(Config, notes).read(Config(), table)
    config = replace(config, written=frozenset(notes.written), socket=socket or config.socket)
    check(config, notes)
    if notes.problems:
        raise ConfigError(messages(notes.problems), tuple(notes.files), config, notes.unusable)
    return replace(config, warnings=messages(notes.warnings), files=tuple(dict.fromkeys(notes.files)))


def parsed(path: Path, texts: Texts | None = None) -> dict[str, object]:
    """Parse the TOML in the file `path`, without checking its keys.  Raises ConfigError."""
    try:
        text = (texts or Texts()).file(path).removeprefix("\ufeff")  # as some editors save UTF-8
        return tomllib.loads(text)
    except TextFileError as error:
        raise ConfigError((in_short(error),)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((in_short(_syntax(path, text, str(error))),)) from None
    except (ValueError, RecursionError):  # tomllib does not catch these, which come from limits of Python
        raise ConfigError((f"{path}: a number is too long, or lists are nested too deeply",)) from None


def glimpsed(path: Path) -> dict[str, object]:
    """Return the top-level keys that have a line of their own in the file `path`, which need not be valid TOML."""
    found: dict[str, object] = {}
    try:
        with os.fdopen(open_file(path), "rb") as file:
            text = file.read().decode(errors="replace")
    except OSError:
        return found
    for line in takewhile(lambda line: not line.lstrip().startswith("["), text.removeprefix("\ufeff").split("\n")):
        with suppress(ValueError, RecursionError):
            found |= tomllib.loads(line)
    return found


def _syntax(path: Path, text: str, said: str) -> str:
    """Return tomllib's message with the place in front of it, as editors and compilers write it."""
    place = _PLACE.search(said)
    said = _PLACE.sub("", said)
    lines = text.split("\n")
    if place and place["line"]:
        what = explain_syntax(said, lines[int(place["line"]) - 1], int(place["column"]))
        return f"{path}:{place['line']}:{place['column']}: {what}"
    last = len(text.splitlines())
    return f"{path}:{last}: {explain_syntax(said, lines[last - 1], len(lines[last - 1]) + 1)}"


def every_turf_file(config: Config) -> tuple[Path, ...]:
    """Return the files that `tables` in [turf] names, followed by those of every listener, without duplicates."""
    return tuple(dict.fromkeys(file for name in ("", *config.listener) for file in turf_files(config, name)))


def turf_files(config: Config, listener: str) -> tuple[Path, ...]:
    """Return the table files with which a message at `listener` ("" for none) is compared, in the order of `tables`."""
    folder = config.files[0].parent
    return tuple(folder / name for name in config.at(listener).turf.tables.table_files)
