"""The wording that tests expect, in one file for each area: a rewording is one diff of tests/golden/AREA.txt.

With GOLDEN=write in the environment the tests write what they see instead of comparing it; review the diff.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

_GOLDEN = Path(__file__).parents[1] / "golden"
_ENTRY = re.compile(r"^=== (.+)\n((?:(?!=== ).*\n)*)", re.MULTILINE)


class Golden:
    """What one test sees, compared with its entries in the files of tests/golden.

    `test` names the entries: "FILE::TEST", with "#2" and so on when a test compares more than once.
    """

    def __init__(self, test: str) -> None:
        self._test = test
        self._compared = 0

    def __call__(self, area: str, text: str, hide: Mapping[str, str] | None = None) -> None:
        """Fail unless `text` is the entry of this test in the file of `area`.

        `hide` maps what differs in every run, such as a temporary directory, to what the file has instead.
        """
        self._compared += 1
        name = self._test if self._compared == 1 else f"{self._test}#{self._compared}"
        for varying, shown in (hide or {}).items():
            text = text.replace(varying, shown)
        seen = text if text.endswith("\n") else f"{text}\n"
        assert "=== " not in {line[:4] for line in seen.splitlines()}, "such a line begins an entry"
        if os.environ.get("GOLDEN") == "write":
            _write(area, name, seen)
        assert seen == entries(area).get(name), f"not what tests/golden/{area}.txt has for {name}:\n{seen}"


def report(cases: Iterable[str], said: Callable[[str], Iterable[object]]) -> str:
    """Each case on a line, as Python writes it, and below it, indented, what the program says about it."""
    return "".join("\n    ".join([repr(case), *map(str, said(case))]) + "\n" for case in cases)


def entries(area: str) -> dict[str, str]:
    """The entries of one area by name."""
    path = _file(area)
    return dict(_ENTRY.findall(path.read_text())) if path.exists() else {}


def areas() -> list[str]:
    """The areas that have a file."""
    return sorted(path.stem for path in _GOLDEN.glob("*.txt"))


def _write(area: str, name: str, text: str) -> None:
    found = {**entries(area), name: text}
    _file(area).write_text("".join(f"=== {name}\n{found[name]}" for name in sorted(found)))


def _file(area: str) -> Path:
    return _GOLDEN / f"{area}.txt"
