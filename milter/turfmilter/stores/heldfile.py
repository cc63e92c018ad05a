"""The name of one file in the quarantine: which message it is, and what has been done with it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

REVIEWED, RELEASED, DELETED = "S", "P", "T"  # the flags of Maildir that are our states
_INFO = ":2,"  # before the flags of Maildir


class State(Enum):
    """What has been done with a message; of several, what cannot be overlooked."""

    UNREVIEWED = "unreviewed"
    REVIEWED = "reviewed"
    RELEASED = "released"
    DELETED = "deleted"


class HeldFile(NamedTuple):
    """One file as the directory lists it, in the `part` "new" or "cur".

    The name of one that was put in by hand may be anything.
    """

    name: str
    part: str

    @property
    def id(self) -> str:
        """The name without the flags."""
        return self.name.partition(_INFO)[0]

    @property
    def flags(self) -> frozenset[str]:
        """The flags, in new/ as in cur/."""
        return frozenset(self.name.partition(_INFO)[2])

    @property
    def state(self) -> State:
        """What the flags say."""
        for flag, state in ((DELETED, State.DELETED), (RELEASED, State.RELEASED), (REVIEWED, State.REVIEWED)):
            if flag in self.flags:
                return state
        return State.UNREVIEWED

    def flagged(self, flags: frozenset[str]) -> HeldFile:
        """The same message with these flags; it then stands in cur, where they belong."""
        # Maildir wants them in the order of ASCII, and mutt takes the name for another one where they are not.
        return HeldFile(f"{self.id}{_INFO}{''.join(sorted(flags))}", "cur")
