"""From a file to the Config, or to all of its problems at once."""

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
from turfmilter.config.given import Notes, in_short
from turfmilter.config.received import Postfix, Remembered
from turfmilter.config.schema import Config
from turfmilter.config.socketspec import SocketSpec
from turfmilter.config.textfile import TextFileError, Texts
from turfmilter.config.walker import Walker

_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)$")
# Where tomllib's sentence can be bettered, by its beginning.
_BETTER = {
    "Illegal character '\\n'": "the text does not end on this line; a quotation mark is missing",
    "Invalid statement": 'neither key = value nor [section]; a comment begins with "#"',
    "Invalid value": "no value; text stands in quotes, true and false in lower case",
    "Cannot overwrite a value": "this stands twice; take one of the two out",
    "Cannot declare": "this section stands twice; put its keys together",
    "Unclosed array": 'a list is not closed; a "]" or a comma is missing',
    "Expected newline": (
        'the line goes on behind the value; sizes, modes and addresses stand in quotes, such as "10 MiB"'
    ),
    "Expected '=' after a key": 'no "=" after the key; write key = value, or [section], or "#" before a comment',
}


class ConfigError(Exception):
    """The configuration cannot be used.  `problems` are sentences, in the order of the file.

    `files` are those that it names: mending one of them can mend it.  `rest` is what it says apart from the problems:
    keys that are wrong have their defaults there.  None if it is not even TOML.
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
        """The rest, if all of these top-level keys could be read; other keys may have their defaults there."""
        return None if any(map(self._unusable, keys)) else self.rest


def load(
    path: Path,
    *,
    postfix: Postfix | None = None,
    socket: SocketSpec | None = None,
    today: date | None = None,
    kept: Mapping[str, str] | None = None,
) -> Config:
    """The configuration in the file `path`.  Raises ConfigError with everything that is wrong in it.

    `postfix` is asked for what main.cf says.  Without it, `domains` lacks that: whoever reads the configuration for
    its other keys need not wait for Postfix.  `socket` takes the place of the one in the file.
    Entries that have expired `today` cause warnings; without it, they cause none.
    `kept` are the `texts` of a configuration that was loaded before: then no file is read, and Postfix is not asked.
    """
    path, texts = path.absolute(), Texts(kept)
    asked = Remembered(postfix, texts) if postfix or kept else None
    config = configure(parsed(path, texts), path.parent, postfix=asked, socket=socket, today=today, texts=texts)
    return replace(config, files=(path, *config.files), texts=texts.used)


def configure(
    table: Mapping[str, object],
    folder: Path,
    *,
    postfix: Postfix | None = None,
    socket: SocketSpec | None = None,
    today: date | None = None,
    texts: Texts | None = None,
) -> Config:
    """The configuration in a TOML table; relative paths begin at `folder`.  Raises ConfigError."""
    notes = Notes(folder, postfix, texts or Texts(), today)
    config = Walker(Config, notes).read(Config(), table)
    config = replace(config, written=frozenset(notes.written), socket=socket or config.socket)
    check(config, notes)
    if notes.problems:
        raise ConfigError(tuple(notes.problems), tuple(notes.files), config, notes.unusable)
    return replace(config, warnings=tuple(dict.fromkeys(notes.warnings)), files=tuple(dict.fromkeys(notes.files)))


def parsed(path: Path, texts: Texts | None = None) -> dict[str, object]:
    """The TOML in the file `path`, whatever it means.  Raises ConfigError."""
    try:
        text = (texts or Texts()).file(path).removeprefix("\ufeff")  # as some editors save UTF-8
        return tomllib.loads(text)
    except TextFileError as error:
        raise ConfigError((in_short(error),)) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError((in_short(_syntax(path, text, str(error))),)) from None
    except (ValueError, RecursionError):  # what tomllib lets through of Python's own limits
        raise ConfigError((f"{path}: a number is far too long, or lists are nested far too deeply",)) from None


def glimpsed(path: Path) -> dict[str, object]:
    """The top-level keys that stand on a line of their own in the file `path`, which may be no TOML as a whole."""
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
    """What tomllib said, with the place in front as editors and compilers have it."""
    place = _PLACE.search(said)
    said = _PLACE.sub("", said)
    what = next((better for beginning, better in _BETTER.items() if said.startswith(beginning)), said)
    if place and place["line"]:
        return f"{path}:{place['line']}:{place['column']}: {what}"
    return f"{path}:{len(text.splitlines())}: {what}"


def every_turf_file(config: Config) -> tuple[Path, ...]:
    """The table files that `tables` of [turf] names, and after these the ones of every listener, each once."""
    return tuple(dict.fromkeys(file for name in ("", *config.listener) for file in turf_files(config, name)))


def turf_files(config: Config, listener: str) -> tuple[Path, ...]:
    """The table files in which a message at `listener` is looked up, in the order of `tables`; "" is no listener."""
    folder = config.files[0].parent
    return tuple(folder / name for name in config.at(listener).turf.tables.table_files)
