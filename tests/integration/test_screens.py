"""Golden screens: the commands about held messages on terminals of 80 and 120 columns, in UTF-8 and in ASCII."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from rig.answers import Answer, answers
from rig.golden import Golden
from rig.morning import MORNING, fill
from rig.quarantine import reviewed

pytestmark = pytest.mark.timeout(400)  # the first test waits for all screens
SCREENS = [(80, "C.UTF-8"), (120, "C.UTF-8"), (80, "C"), (120, "C")]
COMMANDS: list[tuple[str, ...]] = [
    ("list",),
    ("list", "--all", "--limit", "5"),
    ("list", "--state", "deleted"),
    ("list", "--sender", "@nothing.example"),
    *(("list", "--group-by", by) for by in ("sender", "author", "domain", "recipient", "client", "entry")),
    ("delete", "--dry-run", "--sender", "@evil.example"),
    ("release", "--dry-run", "--sender", "@evil.example"),
    ("undelete", "--dry-run", "--subject", "deleted"),
    ("stats", "--days", "1"),
    ("verify",),
    ("expire", "--dry-run"),
]
ENVIRONMENT = {"TZ": "CET-1CEST,M3.5.0,M10.5.0/3", "PAGER": "cat", "TERM": "xterm"}
# What depends on the time of the last change of a file, or on the width: these are shown once.
UNTOUCHED = [name for name, one in MORNING.items() if not one.flags]


@dataclass(frozen=True)
class Screens:
    """What is printed on each screen, and the ids of the messages by name."""

    quarantine: Path
    ids: Mapping[str, str]
    seen: Mapping[tuple[int, str], Mapping[tuple[str, ...], Answer]]


@pytest.fixture(scope="module")
def screens(module_place: Path) -> Screens:
    quarantine, config = reviewed(module_place, more='[quarantine]\nfloor = "0%"')
    ids = fill(quarantine)
    shows = [("show", ids[name]) for name in UNTOUCHED]
    seen = {
        (columns, locale): answers(
            config,
            COMMANDS + (shows if (columns, locale) in (SCREENS[0], SCREENS[3]) else []),
            terminal=True,
            columns=columns,
            environment={**ENVIRONMENT, "LC_ALL": locale},
        )
        for columns, locale in SCREENS
    }
    return Screens(quarantine, ids, seen)


def shown(screens: Screens, screen: tuple[int, str], command: tuple[str, ...]) -> str:
    """What a person sees, and the exit status."""
    answer = screens.seen[screen][command]
    text = answer.said.decode("utf-8" if screen[1] == "C.UTF-8" else "ascii").replace("\r\n", "\n")
    assert all(char == "\n" or char.isprintable() for char in text)
    return f"$ turfctl {' '.join(command)}\n{text}" + (f"[{answer.status}]\n" if answer.status else "")


@pytest.mark.parametrize(("columns", "locale"), SCREENS)
def test_commands_look_as_agreed(golden: Golden, screens: Screens, columns: int, locale: str) -> None:
    text = "\n".join(shown(screens, (columns, locale), command) for command in COMMANDS)
    hide = {str(screens.quarantine): "DIR", datetime.now(ZoneInfo("Europe/Berlin")).date().isoformat(): "TODAY"}
    golden("screens", text, hide)


@pytest.mark.parametrize(("columns", "locale"), [SCREENS[0], SCREENS[3]])
@pytest.mark.parametrize("name", UNTOUCHED)
def test_messages_look_as_agreed(golden: Golden, screens: Screens, name: str, columns: int, locale: str) -> None:
    text = shown(screens, (columns, locale), ("show", screens.ids[name]))
    golden("screens_show", text, {str(screens.quarantine): "DIR"})
