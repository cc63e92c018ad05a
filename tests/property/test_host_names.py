"""A table of names against a naive loop over the entries, written from the specification; and what changed in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from turfmilter.core.table.entries import table_file
from turfmilter.core.table.hosts import HostTable

DAYS = [date(2027, 1, 1) + timedelta(days) for days in range(3)]
NAMES = st.sampled_from(["example", "x.example", "a.x.example", "b.a.x.example", "ax.example", "a-b.x.example"])
TODAY = st.sampled_from([*DAYS, DAYS[-1] + timedelta(1)])


@dataclass(frozen=True)
class Drawn:
    """A generated entry."""

    name: str
    exact: bool
    exception: bool
    expires: date | None

    @property
    def text(self) -> str:
        """The entry without its notes."""
        return f"{'!' * self.exception}{'=' * self.exact}{self.name}"

    @property
    def line(self) -> str:
        """The entry with them."""
        return f"{self.text} expires={self.expires}" if self.expires else self.text

    def matches(self, name: str) -> bool:
        """Whether the entry matches, according to the specification."""
        return name == self.name or (not self.exact and name.endswith(f".{self.name}"))


DRAWN = st.lists(st.builds(Drawn, NAMES, st.booleans(), st.booleans(), st.sampled_from([None, *DAYS])), max_size=12)


def table_of(drawn: list[Drawn], exception_wins: bool, leave_out: int = 0) -> HostTable:
    lines = ("" if line == leave_out else one.line for line, one in enumerate(drawn, 1))
    return HostTable([table_file("hosts", "\n".join(lines))], exception_wins=exception_wins)


@given(DRAWN, NAMES, TODAY, st.booleans(), st.sampled_from([None, False, True]))
def test_the_table_answers_as_a_naive_loop_does(
    drawn: list[Drawn], name: str, today: date, exception_wins: bool, only: bool | None
) -> None:
    standing = [one for one in drawn if one.matches(name) and (one.expires is None or today <= one.expires)]
    candidates = [one for one in standing if only is None or one.exception is only]
    best = max(candidates, key=lambda one: (len(one.name), one.exact, one.exception is exception_wins), default=None)
    entry = table_of(drawn, exception_wins).match_name(name, today, exception=only)
    assert (entry and entry.text) == (best and best.text)


@given(DRAWN, NAMES, st.booleans())
def test_an_entry_that_is_reported_to_make_no_difference_makes_none(
    drawn: list[Drawn], name: str, exception_wins: bool
) -> None:
    whole = table_of(drawn, exception_wins)
    for line in {problem.where.line for problem in whole.warnings if "duplicate" not in problem.wrong}:
        rest = table_of(drawn, exception_wins, leave_out=line)
        for today in [*DAYS, DAYS[-1] + timedelta(1)]:
            before, after = whole.match_name(name, today), rest.match_name(name, today)
            assert (before and before.exception) == (after and after.exception)


@given(DRAWN, DRAWN)
def test_what_came_and_what_went_is_the_difference_of_the_lines(new: list[Drawn], old: list[Drawn]) -> None:
    came, went = {one.line for one in new}, {one.line for one in old}
    changes = table_of(new, exception_wins=True).changes(table_of(old, exception_wins=True))
    assert changes == (len(came - went), len(went - came))
