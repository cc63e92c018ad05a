"""A table of mail addresses against a naive loop over the entries, written from the specification."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from fnmatch import fnmatchcase

from hypothesis import given
from hypothesis import strategies as st

from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.table.entries import table_file
from turfmilter.core.table.senders import SenderTable

DAYS = [date(2027, 1, 1) + timedelta(days) for days in range(3)]
LOCALS = st.text("ab", min_size=1, max_size=3)
DOMAINS = st.sampled_from(["x.example", "a.x.example", "b.a.x.example", "ax.example", "[192.0.2.1]", "[2001:db8::1]"])
GLOBS = st.from_regex(r"\A([ab]{0,2}\*[ab]{1,2}|[ab]{1,2}\*|[ab]?\*[ab]\*[ab]?)\Z")


@dataclass(frozen=True)
class Drawn:
    """A generated entry: the row of the specification's table, and the text left and right of the "@"."""

    row: str
    local: str
    domain: str
    exception: bool
    expires: date | None

    @property
    def text(self) -> str:
        """The entry as an administrator writes it."""
        texts = {
            "empty": "<>",
            "address": f"{self.local}@{self.domain}",
            "glob": f"{self.local}@{self.domain}",
            "exact": f"=@{self.domain}",
            "domain": f"@{self.domain}",
            "local": f"{self.local}@",
        }
        sign = "!" if self.exception else ""
        notes = f" expires={self.expires}" if self.expires else ""
        return f"{sign}{texts[self.row]}{notes}"

    def matches(self, mailbox: Mailbox) -> bool:
        """The right column of the specification's table."""
        if (mailbox.local, mailbox.domain) == ("", ""):
            return self.row == "empty"
        same_domain = mailbox.domain == self.domain
        return {
            "empty": False,
            "address": same_domain and mailbox.local == self.local,
            "glob": same_domain and fnmatchcase(mailbox.local, self.local),
            "exact": same_domain,
            "domain": same_domain or mailbox.domain.endswith(f".{self.domain}"),
            "local": mailbox.local == self.local,
        }[self.row]

    def specificity(self) -> tuple[int, int, bool]:
        """Exact address before glob (more characters first) before =@ before @ (deeper first) before user@."""
        literal = self.domain.startswith("[")  # @[192.0.2.1] and =@[192.0.2.1] are the same entry
        rank = ["empty", "address", "glob", "exact", "domain", "local"].index(self.row) - (
            self.row == "domain" and literal
        )
        finer = {"glob": -len(self.local.replace("*", "")), "domain": 0 if literal else -self.domain.count(".")}
        return rank, finer.get(self.row, 0), not self.exception


@st.composite
def drawn(draw: st.DrawFn) -> Drawn:
    row = draw(st.sampled_from(["empty", "address", "glob", "exact", "domain", "local"]))
    local = draw(GLOBS) if row == "glob" else draw(LOCALS)
    return Drawn(row, local, draw(DOMAINS), draw(st.booleans()), draw(st.sampled_from([None, *DAYS])))


MAILBOXES = st.one_of(
    st.just(Mailbox("", "")),
    st.builds(Mailbox, LOCALS, st.just("")),
    st.builds(Mailbox, st.text("ab", max_size=4), DOMAINS),
    st.builds(Mailbox, st.text(), st.text()),
)
TODAY = st.sampled_from([*DAYS, DAYS[-1] + timedelta(1)])


def table_of(tables: list[Drawn], leave_out: int = 0) -> SenderTable:
    lines = ("" if line == leave_out else one.text for line, one in enumerate(tables, 1))
    table = SenderTable([table_file("turf", "\n".join(lines))])
    assert not table.problems
    return table


def holds(table: SenderTable, mailbox: Mailbox, today: date) -> bool:
    entry = table.match(mailbox, today)
    return entry is not None and not entry.exception


@given(st.lists(drawn(), max_size=15), st.lists(MAILBOXES, min_size=1), TODAY)
def test_the_table_answers_as_a_naive_loop_does(tables: list[Drawn], mailboxes: list[Mailbox], today: date) -> None:
    table = table_of(tables)
    standing = [one for one in tables if one.expires is None or today <= one.expires]
    for mailbox in mailboxes:
        entry = table.match(mailbox, today)
        candidates = sorted((one for one in standing if one.matches(mailbox)), key=Drawn.specificity)
        assert (entry and entry.exception) == (candidates[0].exception if candidates else None)
        if entry:
            best = [one.text.split()[0] for one in candidates if one.specificity() == candidates[0].specificity()]
            assert entry.text in best


@given(st.lists(drawn(), max_size=15), drawn(), st.lists(MAILBOXES, min_size=1), TODAY)
def test_adding_an_entry_that_is_no_exception_never_lets_more_mail_through(
    tables: list[Drawn], added: Drawn, mailboxes: list[Mailbox], today: date
) -> None:
    plain = Drawn(added.row, added.local, added.domain, exception=False, expires=added.expires)
    before = table_of(tables)
    for place in (0, len(tables)):
        after = table_of([*tables[:place], plain, *tables[place:]])
        for mailbox in mailboxes:
            assert holds(after, mailbox, today) >= holds(before, mailbox, today)


@given(st.lists(drawn(), max_size=15), st.lists(MAILBOXES, min_size=1), TODAY)
def test_an_entry_that_is_reported_to_make_no_difference_makes_none(
    tables: list[Drawn], mailboxes: list[Mailbox], today: date
) -> None:
    whole = table_of(tables)
    useless = {problem.where.line for problem in whole.warnings if "duplicate" not in problem.wrong}
    for line in useless:
        rest = table_of(tables, leave_out=line)
        for mailbox in mailboxes:
            before, after = whole.match(mailbox, today), rest.match(mailbox, today)
            assert (before and before.exception) == (after and after.exception)
