"""An edit that looks at few lines sees what a table of all of them would."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turfmilter.core.table.entries import table_file
from turfmilter.core.table.entry import Where, parse_line
from turfmilter.core.table.pattern import parse_sender
from turfmilter.core.table.senders import SenderTable
from turfmilter.core.table.survey import survey, twins

DOMAINS = st.sampled_from(["a.test", "b.a.test", "c.b.a.test", "other.test", "A.Test.", "[192.0.2.1]"])
LOCALS = st.sampled_from(["x", "x*", "*y", "x*y", "X", '"x"', '"a b"', ""])
PATTERNS = st.one_of(
    st.builds(lambda local, domain: f"{local}@{domain}", LOCALS, DOMAINS),
    st.builds(lambda domain: f"=@{domain}", DOMAINS),
    st.builds(lambda local: f"{local}@", LOCALS),
    st.just("<>"),
)
NOTES = st.sampled_from(["", "", " expires=2026-01-31", ' why="a b" # c', "\t# c", " REJECT"])
ENTRIES = st.builds(lambda sign, pattern, notes: f"{sign}{pattern}{notes}", st.sampled_from(["", "!"]), PATTERNS, NOTES)
LINES = st.one_of(ENTRIES, st.sampled_from(["", "# comment", "\ufeff@a.test", "#@a.test", "broken", "@com"]))


@given(lines=st.lists(LINES, max_size=12), new=ENTRIES, ending=st.sampled_from(["\n", "\r\n"]))
def test_a_survey_finds_what_the_whole_table_reports_about_an_entry(lines: list[str], new: str, ending: str) -> None:
    text = "".join(f"{line}{ending}" for line in [*lines, new])
    where = Where("turf.table", len(lines) + 1)
    mine, _ = parse_line(new, where, parse_sender)
    if mine is None:
        return
    whole, found = SenderTable([table_file("turf.table", text)]), survey("turf.table", text, mine.pattern)
    assert found.problems == whole.problems
    near = SenderTable([found.near])
    assert [w for w in near.warnings if w.where == where] == [w for w in whole.warnings if w.where == where]
    same = [one for one in whole if (one.pattern, one.exception) == (mine.pattern, mine.exception)]
    assert twins("turf.table", text, mine) == same
    assert [one for one in near if (one.pattern, one.exception) == (mine.pattern, mine.exception)] == same


@given(lines=st.lists(LINES, max_size=12), text=st.sampled_from(["", "a.test", "A.TEST", "!", "x", "why"]))
def test_the_entries_that_hold_a_text_are_those_of_the_whole_table_that_do(lines: list[str], text: str) -> None:
    table = SenderTable([table_file("turf.table", "\n".join(lines))])
    assert list(table.holding(text)) == [entry for entry in table if text.casefold() in entry.text.casefold()]
