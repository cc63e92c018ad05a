"""A case: what a client does, what it receives, and what is true at the end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MTAS = ("fake", "postfix", "sendmail")
Everyone = frozenset(MTAS)


def mta_of(name: str) -> str:
    """The MTA of a name such as "postfix" or "postfix3.10"."""
    return name.rstrip("0123456789.")


def version_of(name: str) -> tuple[int, int]:
    """The version in such a name; (0, 0) if there is none."""
    major, _, minor = name.removeprefix(mta_of(name)).partition(".")
    return int(major or 0), int(minor or 0)


@dataclass(frozen=True)
class Send:
    """Lines that the client sends in one go; lines that follow one another are pipelined."""

    lines: tuple[bytes, ...]


@dataclass(frozen=True)
class Receive:
    """What the client then receives: "250", "550 5.7.1 relaying prohibited" or "closed".

    `replies` are those of each MTA, and under a name such as "postfix3.10" that of this version and later ones.
    """

    line: int
    replies: Mapping[str, str]

    def reply(self, mta: str, version: tuple[int, int]) -> str:
        """The reply that is expected from this version of an MTA."""
        named = {version_of(name): reply for name, reply in self.replies.items() if mta_of(name) == mta}
        return named[max(one for one in named if one <= version)]


@dataclass(frozen=True)
class Do:
    """Something that happens besides: "tls", "filter is killed", "connect from 192.0.2.9 to submission", …"""

    line: int
    what: str


@dataclass(frozen=True)
class Submit:
    """A program on the mail host hands a message to sendmail(1), with these arguments."""

    line: int
    arguments: tuple[str, ...]


Step = Send | Receive | Do | Submit


@dataclass(frozen=True)
class Expected:
    """What must be true at the end, on the MTAs `on`."""

    line: int
    what: str
    value: str
    on: frozenset[str] = Everyone


@dataclass(frozen=True)
class Case:
    """One case of the file `file`, begun at `line`.

    `missing` is why an MTA cannot show it.  `harmless` cases are true without the filter's rules too: they show mail
    that must pass.
    """

    file: str
    line: int
    title: str
    client: str
    listener: str
    steps: tuple[Step, ...]
    expected: tuple[Expected, ...]
    missing: Mapping[str, str] = field(default_factory=dict)
    harmless: bool = False

    @property
    def mtas(self) -> list[str]:
        """Where it runs."""
        return [mta for mta in MTAS if mta not in self.missing]

    def at_end(self, what: str, mta: str) -> Iterable[Expected]:
        """All that is expected of one kind on one MTA."""
        return (one for one in self.expected if one.what == what and mta in one.on)


@dataclass(frozen=True)
class CaseFile:
    """Cases that share one configuration of the filter, as TOML text."""

    name: str
    filter: str
    cases: tuple[Case, ...]
