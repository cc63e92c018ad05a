"""Python with all its modules, readable by root alone: imports after the change of user fail.

A program may have been installed so on purpose, or by a restrictive umask: pip follows it.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

import turfmilter

_SCRIPT = 'mount --make-rprivate / && while [ "$1" != -- ]; do mount --rbind "$1" "$2"; shift 2; done; shift; exec "$@"'
# Notes what is imported or read of the environment by anybody but root, whether it can be or not.
_HOOK = """\
import os, sys

_notes = os.open({notes!r}, os.O_WRONLY | os.O_APPEND)

def _note(event, args):
    if event not in ("import", "open") or not os.geteuid():
        return
    if event == "open" and not os.fsdecode(args[0] if isinstance(args[0], (str, bytes)) else "").startswith({here!r}):
        return
    os.write(_notes, f"{{event}} {{args[0]}}\\n".encode(errors="replace"))

sys.addaudithook(_note)
"""


class RootOnly:
    """A copy of the environment that runs the tests, in `place`, for programs of their own mount namespace.

    Needs root.
    """

    def __init__(self, place: Path) -> None:
        self._here = place / "environment"
        self._notes = place / "imported"
        self._notes.touch()
        self._here.mkdir(mode=0o700)
        (self._here / "hook").mkdir()
        (self._here / "hook" / "sitecustomize.py").write_text(
            _HOOK.format(notes=str(self._notes), here=str(self._here))
        )
        self._mounts = self._mount_points()

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line of Python with these arguments."""
        mounts = [str(word) for pair in self._mounts.items() for word in pair]
        paths = [self._here / "hook", *map(self._inside, (Path(path) for path in _paths()))]
        python = self._inside(Path(sys.executable).resolve())
        home = f"PYTHONHOME={self._inside(Path(sys.base_prefix))}"
        variables = [home, f"PYTHONPATH={os.pathsep.join(map(str, paths))}", "PYTHONDONTWRITEBYTECODE=1"]
        return [
            *("unshare", "--mount", "sh", "-c", _SCRIPT, "sh", *mounts, "--"),
            *("env", *variables, str(python), *map(str, arguments)),
        ]

    def imported(self) -> list[str]:
        """What was imported or opened too late, in order, without what does not exist and cannot be imported."""
        return [line for line in dict.fromkeys(self._notes.read_text().splitlines()) if _exists(line)]

    def _mount_points(self) -> dict[Path, Path]:
        """Where the directories are outside, and where they appear in here."""
        outside = [Path(sys.base_prefix)]
        for path in map(Path, _paths()):
            if not any(path.is_relative_to(other) for other in outside):
                outside.append(path)
        points = {}
        for number, path in enumerate(outside):
            points[path] = self._here / str(number)
            points[path].mkdir()
        return points

    def _inside(self, path: Path) -> Path:
        outside = next(one for one in self._mounts if path.is_relative_to(one))
        return self._mounts[outside] / path.relative_to(outside)


def _exists(line: str) -> bool:
    event, _, name = line.partition(" ")
    try:
        return event != "import" or find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _paths() -> list[str]:
    """The directories that modules come from, the product's first; the tests' own are left out."""
    source = str(Path(turfmilter.__file__).parents[1])
    tests = str(Path(__file__).parents[1])
    return [source, *(path for path in sys.path if Path(path).is_dir() and path not in (source, tests))]
