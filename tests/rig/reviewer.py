"""An administrator who reviews held messages with turfctl on a terminal."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from rig.quarantine import TIME, command, hold
from rig.terminal import Terminal

KEYS = "n:next p:prev r:release a:+allow d:delete m:mark u:undo v:view ?:help q:quit"  # the last line of each screen
_LETTER = "From: Spam <spam@turf.example>\r\nTo: Anna <anna@example.org>\r\nSubject: letter {}\r\n\r\nIts text.\r\n"


def reviewing(config: Path) -> list[str]:
    """The command line of turfctl review."""
    return [*(word for word in command(config) if word != "quarantine"), "review"]


def review(config: Path, *arguments: str, **terminal: Any) -> Terminal:
    """A review on a terminal; its size and environment can be given."""
    return Terminal([*reviewing(config), *arguments], **terminal)


def letters(quarantine: Path, number: int, **given: Any) -> list[str]:
    """Hold so many messages, and return their ids in the order of the review: the newest first."""
    times = [TIME - timedelta(minutes=age) for age in range(number)]
    return [
        hold(quarantine, _LETTER.format(number).encode(), time=time, **given) for number, time in enumerate(times, 1)
    ]
