"""A table from many sources, some of them empty, against the same entries in one file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.table.entries import SENDERS, Entries, Source, made_elsewhere, table_file
from turfmilter.core.table.entry import Where, parse_entry
from turfmilter.core.table.pattern import parse_sender
from turfmilter.core.table.senders import SenderTable

TODAY = date(2027, 1, 2)
WORDS = ["a@x.test", "b@x.test", "a*@x.test", "=@x.test", "@x.test", "@y.x.test", "b@", "<>", '"a b"@x.test']
LINES = st.builds(
    "{}{}{}".format, st.sampled_from(["", "!"]), st.sampled_from(WORDS), st.sampled_from(["", " expires=2027-01-01"])
)
EMPTY_LINES = st.sampled_from(["", "# a comment", " ", "\u2028", "\ufeff"])
MAILBOXES = [Mailbox("a", "x.test"), Mailbox("b", "x.test"), Mailbox("c", "y.x.test"), Mailbox("", "")]
NAME = "somewhere"


def made(lines: list[str]) -> Source:
    """Return the source for a file in a foreign format."""
    found = (parse_entry(line, Where(NAME, number), parse_sender)[0] for number, line in enumerate(lines, 1))
    return made_elsewhere(NAME, [entry for entry in found if entry])


def inverted(line: str) -> str:
    """Return the line that means the same in a source with inverted entries."""
    return line.removeprefix("!") if line.startswith("!") else f"!{line}"


@st.composite
def drawn(draw: st.DrawFn) -> tuple[Source, list[str]]:
    """A source, and its entries with the sign that they have in it."""
    kind = draw(st.sampled_from(["a file", "a file of others", "the configuration"]))
    if kind == "the configuration":
        lines = [draw(LINES)]
        source = Source(NAME, lines[0])
    elif kind == "a file of others":
        lines = draw(st.lists(LINES, max_size=3))
        source = made(lines)
    else:
        lines = draw(st.lists(LINES | EMPTY_LINES, max_size=5))
        source = table_file(NAME, draw(st.sampled_from(["\n", "\r\n"])).join(lines))
        lines = [line for line in lines if line.strip("\ufeff\u2028 ")[:1] not in ("", "#")]
    if draw(st.booleans()):
        return replace(source, negated=True), list(map(inverted, lines))
    return source, lines


@given(st.lists(drawn(), max_size=6))
def test_an_entry_means_the_same_in_every_source(sources: list[tuple[Source, list[str]]]) -> None:
    table = SenderTable([source for source, _ in sources])
    one = SenderTable([table_file(NAME, "\n".join(line for _, lines in sources for line in lines))])
    assert not table.problems and not one.problems
    assert [(entry.pattern, entry.exception, entry.expires) for entry in table] == [
        (entry.pattern, entry.exception, entry.expires) for entry in one
    ]
    for mailbox in MAILBOXES:
        found, expected = table.match(mailbox, TODAY), one.match(mailbox, TODAY)
        assert (found and (found.pattern, found.exception)) == (expected and (expected.pattern, expected.exception))


def test_an_empty_foreign_file_hides_no_entry_of_the_next_source() -> None:
    table = SenderTable([made([]), Source(NAME, "a@x.test"), made([]), table_file(NAME, "b@x.test\nc@x.test")])
    assert [table.match(Mailbox(local, "x.test"), TODAY) is not None for local in "abc"] == [True] * 3
    entries = Entries([made([]), Source(NAME, "a@x.test")], SENDERS)
    assert [row for row, _ in entries.read()] == [1]
