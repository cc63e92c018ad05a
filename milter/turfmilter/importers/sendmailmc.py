"""sendmail.mc: the m4 macros that say whose mail Sendmail accepts, and how much of it.

See cf/README of Sendmail.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from turfmilter.core.table.entry import Where

_MACRO = re.compile(
    r"\b(?P<name>define|FEATURE|TRUST_AUTH_MECH|LOCAL_DOMAIN|RELAY_DOMAIN|RELAY_DOMAIN_FILE|include)"
    r"\(\s*(?P<arguments>(?:`[^']*'|[^()`'])*)\)"
)
_ARGUMENT = re.compile(r"`([^']*)'|([^\s,`']+)")


@dataclass(frozen=True, slots=True)
class Macro:
    """One use of a macro: its name, its arguments without quotes, and its place."""

    name: str
    arguments: tuple[str, ...]
    where: Where

    @property
    def first(self) -> str:
        """The first argument, which names what is defined or which feature it is; "" if there is none."""
        return self.arguments[0] if self.arguments else ""

    @property
    def second(self) -> str:
        """The second argument, "" if there is none."""
        return self.arguments[1] if len(self.arguments) > 1 else ""

    def __str__(self) -> str:
        return f"{self.name}({', '.join(self.arguments)})"


def read_mc(text: str, source: str) -> Iterator[Macro]:
    """Yield the macros in the text of a sendmail.mc; `dnl` and what follows it on its line is a comment."""
    live = re.sub(r"(?m)\bdnl\b.*$|^#.*$", "", text)  # only within lines, so that the numbers of lines are kept
    for found in _MACRO.finditer(live):
        arguments = tuple((quoted or bare).strip() for quoted, bare in _ARGUMENT.findall(found["arguments"]))
        yield Macro(found["name"], arguments, Where(source, live.count("\n", 0, found.start()) + 1))
