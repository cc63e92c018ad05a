"""The filter's log in its text form, read as strictly as it promises to be written."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = r"[A-Za-z0-9@._:/+*!%\[\]-]+"
_VALUE = rf'(?:<>|{_WORD}|"(?:[^"\\]|\\.)*")'
_PAIR = re.compile(rf"([a-z]+)=({_VALUE}(?:,{_VALUE})*)(?: |$)")
_RECORD = re.compile(rf"{_VALUE}: (?:{_PAIR.pattern})+")
_NOTICE = re.compile(r"(?:info|warning|error): .*")


def records(lines: Iterable[str]) -> list[dict[str, str]]:
    """The lines about messages and refusals as pairs.  Raises AssertionError for a line that is no whole one."""
    found = []
    for line in lines:
        if line.isprintable() and _RECORD.fullmatch(line):
            found.append(dict(_PAIR.findall(line.partition(": ")[2])))
        elif not (line.isprintable() and _NOTICE.fullmatch(line)):
            raise AssertionError(f"not a line of the log: {line!a}")
    return found
