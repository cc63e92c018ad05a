"""The section [events]."""

from __future__ import annotations

from dataclasses import dataclass

from turfmilter.config.kinds.numbers import Seconds
from turfmilter.config.kinds.words import Command
from turfmilter.config.setting import setting


@dataclass(frozen=True, slots=True)
class EventsConfig:
    """A command that is run when something happens that an administrator wants to know at once.

    It is run as the filter's user, without a shell, and receives one JSON object on standard input. Mail never waits
    for it. For each kind of event, it runs at most 100 times an hour.
    """

    command: tuple[str, ...] = setting(
        Command(),
        [],
        "The program, by its absolute path, and its arguments. With [], nothing is run.",
        example=["/usr/local/sbin/turfmilter-event", "postmaster@example.org"],
    )
    timeout: float = setting(
        Seconds(300),
        30.0,
        "Seconds after which the program is killed, with all processes of its group.",
        example=10.0,
    )
