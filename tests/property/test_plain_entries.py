"""Plain entries, which are recognised without the careful parser, are read exactly as it reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from ipaddress import IPv4Address, IPv6Address
from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from turfmilter.core.table.entries import HOSTS, SENDERS, Language
from turfmilter.core.table.entry import Where, parse_entry, parse_line
from turfmilter.core.table.pattern import PatternError, made_of, parse_host
from turfmilter.core.table.plain import plain_interval, without_notes

WHERE = Where("table", 1)
# Text that makes a name, an IP address or a mail address valid or invalid, more often than chance would produce it.
MARKS = 'aZ09_-.@=!*#/;:[]<>% \t\r\n"\\'
WORDS = ["..", "--", "xn--", "example", "com", "255", "256", "a" * 62, "::", "ffff", "2001:db8", "/24", "/032"]
LETTERS = ["ü", "ß", "İ", "\u212a", "²", "\ufeff"]
PIECES = st.sampled_from([*MARKS, *WORDS, *LETTERS])
NAMES = st.from_regex(r"\A[=@]{0,2}[a-zA-Z0-9_+.-]{0,8}@?([a-zA-Z0-9_-]{1,6}\.){0,3}[a-zA-Z0-9_-]{1,4}\Z")
ADDRESSES = st.one_of(
    st.builds(str, st.builds(IPv4Address, st.integers(0, 2**32 - 1))),
    st.builds(str, st.builds(IPv6Address, st.integers(0, 2**128 - 1))),
    st.from_regex(r"\A[0-9a-fA-F]{0,5}(:{1,2}[0-9a-fA-F]{0,5}){1,8}\Z"),
    st.from_regex(r"\A[0-9]{1,3}(\.[0-9]{1,3}){2,4}\Z"),
)
NETWORKS = st.builds("{}/{}".format, ADDRESSES, st.one_of(st.integers(0, 130), st.sampled_from(["00", "+1", "", " 8"])))
NOTES = ["expires=2027-01-31", "expires=2027-02-30", "expires=", "expires=20270131", "why=", 'why="', 'why="a b"']
NOTES += ["by=anna", 'by="A. N. Other"', r'why="a \" by=x"', 'why="a"b', "# words", "#", "by=#1", "who=anna", "by", "!"]
BLANKS = st.sampled_from([" ", " ", "\t", "  ", "", "\n", "\xa0"])
NOTED = st.builds(
    lambda sign, entry, notes: sign + entry + "".join(blank + note for blank, note in notes),
    st.sampled_from(["", "!", "!!", " ", "\ufeff", "#"]),
    st.sampled_from(
        ["@isp.example", "=@isp.example", "a@isp.example", "a@", "a*@isp.example", "192.0.2.1", "isp.example"]
    ),
    st.lists(st.tuples(BLANKS, st.sampled_from(NOTES)), max_size=4),
)
LINES = st.one_of(st.lists(PIECES, max_size=12).map("".join), NAMES, ADDRESSES, NETWORKS, st.text(max_size=20))


@pytest.mark.parametrize("language", [SENDERS, HOSTS], ids=["senders", "hosts"])
@given(LINES)
@example("a" * 63 + ".example")
@example("@" + "a" * 64 + ".example")
@example("@isp.example\n")
@example("::ffff:192.0.2.1")
@example("::ffff:c000:201")
@example("::/0")
@example("@0-.A")
@example("a.b-.c")
def test_plain_entries_are_read_as_the_careful_parser_reads_them(language: Language, line: str) -> None:
    parts = language.plain(line)
    if parts is None:
        return
    assert language.split(line) == parts
    for read in (parse_line, parse_entry):
        entry, problems = read(line, WHERE, language.parse)
        assert entry is not None
        assert not problems
        assert (entry.pattern, entry.text, entry.exception, entry.expires) == (made_of(parts), line, False, None)


@given(st.one_of(ADDRESSES, NETWORKS))
def test_plain_addresses_are_read_as_the_careful_parser_reads_them(text: str) -> None:
    parts = plain_interval(text)
    assert parts is None or made_of(parts) == parse_host(text)


@pytest.mark.parametrize(
    ("plain", "line"),
    [
        *((SENDERS.plain, line) for line in ("@isp.example", "=@isp.example", "Joe.Smith+x@Mail-1.isp.example")),
        *(
            (SENDERS.plain, line)
            for line in ("@xn--bcher-kva.example", "news_1@4u.example", "joe@a--b.example", "Joe+x@")
        ),
        *((HOSTS.plain, line) for line in ("isp.example", "=MX1.isp.example", "4u.example", "192.0.2.1", "0.0.0.0/0")),
        *((HOSTS.plain, line) for line in ("192.0.2.0/24", "2001:db8::/32", "::1", "2001:DB8:1:2:3:4:5:6/128")),
    ],
)
def test_common_entries_of_big_tables_are_plain(plain: Callable[[str], object], line: str) -> None:
    assert plain(line)


@pytest.mark.parametrize("line", ["", "# words", "!@isp.example", "@isp.example by=anna", "@com", "*@isp.example"])
def test_entries_that_need_more_are_not_plain(line: str) -> None:
    assert SENDERS.plain(line) is None
    assert HOSTS.plain(line) is None


@pytest.mark.parametrize("language", [SENDERS, HOSTS], ids=["senders", "hosts"])
@given(st.one_of(NOTED, NOTED, LINES))
@example("!192.0.2.1 why= by=a=b expires=0001-01-01")
def test_a_sign_and_notes_are_read_as_the_careful_parser_reads_them(language: Language, line: str) -> None:
    word, exception, expires = without_notes(line) or ("", False, None)
    parts = language.plain(word)
    if parts is None:
        return
    for read in (parse_line, parse_entry):
        entry, problems = read(line, WHERE, language.parse)
        assert entry is not None
        assert not problems
        assert (entry.pattern, entry.exception, entry.expires) == (made_of(parts), exception, expires)


@pytest.mark.parametrize("sign", ["", "!"])
@pytest.mark.parametrize(
    "notes", [*permutations(["expires=2027-01-31", 'why="seen in a trap"', "by=anna"]), ("by=anna",)]
)
def test_notes_in_any_order_need_no_careful_parser(sign: str, notes: Sequence[str]) -> None:
    expires = date(2027, 1, 31) if len(notes) > 1 else None
    assert without_notes(" ".join([f"{sign}@isp.example", *notes])) == ("@isp.example", sign == "!", expires)


@pytest.mark.parametrize("note", ["expires=2027-01-31", "why=spam", 'by="anna"'])
def test_a_note_that_appears_twice_is_left_to_the_careful_parser(note: str) -> None:
    assert without_notes(f"@isp.example {note}")
    assert without_notes(f"@isp.example {note} {note}") is None


def test_an_address_that_the_careful_parser_rejects_is_not_plain() -> None:
    with pytest.raises(PatternError):
        parse_host("192.0.2.01")
    assert plain_interval("192.0.2.01") is None
