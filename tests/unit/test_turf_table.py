"""Editing a turf table by command."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from types import FrameType

import pytest

from rig.desk import SLIP, Desk
from turfmilter.core.address.addressed import Addressed
from turfmilter.core.address.authors import read_authors
from turfmilter.core.table.entries import Entries, table_file
from turfmilter.core.table.entry import listed, parse_line
from turfmilter.core.table.pattern import Address, Domain
from turfmilter.core.table.senders import SenderTable
from turfmilter.review.turftable import AlreadyThere, NotEdited, TurfTable, doubts, exceptions_for, meaning
from turfmilter.stores.files import rewrite

TODAY = date(2026, 11, 22)
TABLE = """\
# our turf table

@spam.example   # since 2024
!news@spam.example expires=2027-01-31 why="ticket 4711" by=anna

# the end
"""


@pytest.fixture
def table(tmp_path: Path) -> TurfTable:
    path = tmp_path / "turf.table"
    path.write_text(TABLE)
    return TurfTable(path, "ada", rewrite)


def test_an_entry_comes_at_the_end_and_nothing_else_changes(table: TurfTable) -> None:
    entry, warnings = table.add("@Junk.example", TODAY, expires=date(2027, 2, 20), why="a lot of it")
    assert table.path.read_text() == (
        TABLE + '@Junk.example expires=2027-02-20 why="a lot of it" by=ada # 2026-11-22\n'
    )
    assert (str(entry.where), entry.expires, entry.by, warnings) == ("turf.table:7", date(2027, 2, 20), "ada", [])
    assert meaning(entry) == "this means junk.example and every subdomain; =@junk.example is for only it"


def test_an_entry_goes_and_nothing_else_changes(table: TurfTable) -> None:
    (gone,) = table.remove("@SPAM.example.")
    assert gone.text == "@spam.example"
    assert table.path.read_text() == TABLE.replace("@spam.example   # since 2024\n", "")


def test_what_was_added_can_be_undone(table: TurfTable) -> None:
    table.add("!boss@spam.example", TODAY)
    table.remove("!boss@spam.example")
    assert table.path.read_text() == TABLE


def test_all_spellings_of_an_entry_go(table: TurfTable) -> None:
    table.path.write_text("*@x.example\n=@x.example\n@x.example\n")
    assert len(table.remove("=@X.example")) == 2
    assert table.path.read_text() == "@x.example\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "@x.example by=ada # 2026-11-22\n"),
        ("@a.example", "@a.example\n@x.example by=ada # 2026-11-22\n"),
        ("@a.example\r\n", "@a.example\r\n@x.example by=ada # 2026-11-22\r\n"),
        ("\ufeff@a.example\n\n", "\ufeff@a.example\n\n@x.example by=ada # 2026-11-22\n"),
        ("#\x0b\u2028\x85 one line\n", "#\x0b\u2028\x85 one line\n@x.example by=ada # 2026-11-22\n"),
    ],
)
def test_the_file_keeps_its_habits(table: TurfTable, before: str, after: str) -> None:
    table.path.write_bytes(before.encode())
    table.add("@x.example", TODAY)
    assert table.path.read_bytes() == after.encode()
    table.remove("@x.example")
    assert table.path.read_bytes() in (before.encode(), before.encode() + b"\n")


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("spam.example", 'turf.table:7: "spam.example": the "@" is missing; @spam.example (and every subdomain)'),
        ("@x REJECT", '"REJECT" follows the entry'),
        ("", "is not one entry"),
        ("# comment", "is not one entry"),
        ("@x.example why=mine", '"@x.example why=mine" would be read as "@x.example"'),
        ("@x.example # mine", '"@x.example # mine" would be read as "@x.example"'),
        ('@x.example why="\ufeff', "is not one entry"),
        ("@a.example\n@b.example", "is not one entry"),
        ("@192.0.2.1", "an address without its brackets"),
    ],
)
def test_nonsense_is_refused_with_the_sentences_of_the_loader(table: TurfTable, entry: str, said: str) -> None:
    with pytest.raises(NotEdited, match=re.escape(said)):
        table.add(entry, TODAY)
    assert table.path.read_text() == TABLE


@pytest.mark.parametrize("entry", ["@spam.example", "@Spam.Example."])
def test_an_entry_does_not_come_twice(table: TurfTable, entry: str) -> None:
    with pytest.raises(AlreadyThere, match=r'turf\.table:3: "@spam\.example" is already there'):
        table.add(entry, TODAY)
    assert table.path.read_text() == TABLE


def test_a_note_of_several_lines_is_refused(table: TurfTable) -> None:
    with pytest.raises(NotEdited, match="one line"):
        table.add("@x.example", TODAY, why="a\nb")


def test_an_entry_that_has_expired_does_not_stand_in_the_way(table: TurfTable) -> None:
    table.path.write_text("@x.example expires=2026-11-21\n")
    table.add("@x.example", TODAY)
    assert table.path.read_text().endswith("\n@x.example by=ada # 2026-11-22\n")


def test_a_useless_entry_is_warned_about(table: TurfTable) -> None:
    _, (warning,) = table.add("@mail.spam.example", TODAY)
    assert warning == (
        'turf.table:7: "@mail.spam.example": changes nothing: "@spam.example" (turf.table:3) gives the same answer'
    )


def test_a_table_that_is_broken_already_is_not_touched(table: TurfTable) -> None:
    table.path.write_text("@a.example\nbroken.example\n")
    with pytest.raises(NotEdited, match=r'turf\.table:2: "broken\.example": the "@" is missing'):
        table.add("@x.example", TODAY)


def test_removing_what_is_not_there_is_said(table: TurfTable) -> None:
    with pytest.raises(NotEdited, match=r'"@x\.example" is not in '):
        table.remove("@x.example")
    with pytest.raises(NotEdited, match='the "@" is missing'):
        table.remove("x.example")


@pytest.mark.parametrize("content", [None, b"\xff\n"])
def test_a_table_that_cannot_be_read_is_said(table: TurfTable, content: bytes | None) -> None:
    if content is None:
        table.path.unlink()
    else:
        table.path.write_bytes(content)
    with pytest.raises(NotEdited, match=re.escape(str(table.path))):
        table.add("@x.example", TODAY)


def test_owner_mode_and_links_stay(table: TurfTable, tmp_path: Path) -> None:
    table.path.chmod(0o604)
    os.chown(table.path, 65534, 65534)
    link = tmp_path / "link.table"
    link.symlink_to(table.path)
    TurfTable(link, "ada", rewrite).add("@x.example", TODAY)
    status = table.path.stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o604, 65534, 65534)
    assert link.is_symlink()
    assert "@x.example" in table.path.read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.table", "turf.table"]


def test_edits_at_the_same_time_are_all_made(table: TurfTable) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: TurfTable(table.path, "ada", rewrite).add(f"@x{n}.example", TODAY), range(60)))
    assert len(table.path.read_text().splitlines()) == len(TABLE.splitlines()) + 60


@pytest.mark.parametrize(
    ("author", "exception"),
    [
        ("anna@evil.example", "!anna@evil.example"),
        ('"a b"@evil.example', '!"a b"@evil.example'),
        ('"com why="@evil.example', '!"com why="@evil.example'),
        ("Anna <anna@evil.example>", "!anna@evil.example"),
        ('"#x"@evil.example', '!"#x"@evil.example'),
        ('"a # b"@evil.example', '!"a # b"@evil.example'),
        ('"a\\"b"@evil.example', '!"a\\"b"@evil.example'),
        ('"*"@evil.example', '!"*"@evil.example'),
        ("*@evil.example", '!"*"@evil.example'),
        ("=@evil.example", '!"="@evil.example'),
        ("!x@evil.example", '!"!x"@evil.example'),
    ],
)
def test_an_exception_is_for_one_address_whatever_its_author_made_of_it(
    tmp_path: Path, author: str, exception: str
) -> None:
    table = SenderTable([table_file("turf.table", "@evil.example")])
    desk = Desk(tmp_path / "quarantine")
    with desk.maildir:
        file = desk.hold(SLIP, f"From: {author}\r\n\r\nhello\r\n".encode())
        assert exceptions_for(desk.place(file), table, TODAY) == ([exception], [])
    path = tmp_path / "turf.table"
    path.write_text("@evil.example\n")
    added, _ = TurfTable(path, "ada", rewrite).add(exception, TODAY)
    assert added.text == exception
    assert path.read_text() == f"@evil.example\n{exception} by=ada # 2026-11-22\n"
    both = SenderTable([table_file("turf.table", path.read_text())])
    assert ([entry.text for entry in both], both.problems) == (["@evil.example", exception], [])


def exceptions(directory: Path, sender: str, author: str, *listed: str) -> tuple[list[str], list[str]]:
    """The exceptions for a message by `sender` and `author`, and why there are no more."""
    table = SenderTable([table_file("turf.table", "\n".join(listed))])
    desk = Desk(directory / "quarantine")
    with desk.maildir:
        file = desk.hold(replace(SLIP, sender=Addressed(sender)), f"From: {author}\r\n\r\nhello\r\n".encode())
        return exceptions_for(desk.place(file), table, TODAY)


@pytest.mark.parametrize(
    ("originators", "expected"), [(False, ["!x@evil.example"]), (True, ["!x@evil.example", "!y@evil.example"])]
)
def test_an_originator_gets_an_exception_where_the_rule_compares_it(
    tmp_path: Path, originators: bool, expected: list[str]
) -> None:
    table = SenderTable([table_file("turf.table", "@evil.example\n!z@evil.example")])
    desk = Desk(tmp_path / "quarantine")
    text = b"From: x@evil.example\r\nSender: y@evil.example\r\nResent-From: a@fine.example, z@evil.example\r\n\r\n"
    with desk.maildir:
        place = desk.place(desk.hold(SLIP, text))
        assert exceptions_for(place, table, TODAY, originators=originators) == (expected, [])


def test_where_an_author_can_be_read_in_several_ways_each_gets_an_exception(tmp_path: Path) -> None:
    entries, doubts = exceptions(tmp_path, "", '"@com why="@evil.example', "@evil.example")
    assert entries[0] == '!"@com why="@evil.example'
    table = SenderTable([table_file("turf.table", "\n".join(["@evil.example", *entries]))])
    authors = read_authors(['"@com why="@evil.example']).mailboxes
    assert [author for author in authors if listed(table.match(author, TODAY))] == []
    assert {type(entry.pattern) for entry in table} == {Domain, Address}
    assert doubts == []


NUMBERED = "news-17-4711815@lists.example"


@pytest.mark.parametrize(
    ("sender", "entry", "allowed", "offered"),
    [
        ("prvs=1234abcdef=anna@isp.example", "@isp.example", "!anna@isp.example", ""),
        ("btv1==1234abcdef0==Anna@isp.example", "@isp.example", "!anna@isp.example", ""),
        ("SRS0=HHHH=TT=isp.example=anna@forwarder.example", "@isp.example", "!anna@isp.example", ""),
        ("SRS1=HH=f.example==HH=TT=isp.example=anna@g.example", "@isp.example", "!anna@isp.example", ""),
        (NUMBERED, "@lists.example", "", "turfctl turf add '!news-17-*@lists.example'"),
        ("news-anna=example.org@lists.example", "@lists.example", "", "turfctl turf add '!news-*@lists.example'"),
        ("prvs=1234abcdef=" + NUMBERED, "@lists.example", "", "turfctl turf add '!news-17-*@lists.example'"),
        (
            "SRS0=HHHH=TT=isp.example=anna@forwarder.example",
            "@forwarder.example",
            "",
            "turfctl turf add '!srs0=*=isp.example=anna@forwarder.example'",
        ),
        (
            "0102018f3a2b9c1d-aa-000000@big.example",
            "@big.example",
            "",
            "turfctl turf add '!=@big.example', which matches every address of the domain",
        ),
        ("anna+shop@isp.example", "@isp.example", "!anna+shop@isp.example", ""),
    ],
)
def test_the_exception_for_a_sender_is_one_that_matches_its_next_message(
    tmp_path: Path, sender: str, entry: str, allowed: str, offered: str
) -> None:
    entries, doubts = exceptions(tmp_path, sender, "ok@fine.example", entry)
    assert entries == [allowed][: bool(allowed)]
    assert [doubt.endswith(offered) for doubt in doubts] == [True][: bool(offered)]


def test_an_exception_for_the_author_is_added_all_the_same(tmp_path: Path) -> None:
    entries, doubts = exceptions(tmp_path, NUMBERED, "News <news@lists.example>", "@lists.example")
    assert (entries, len(doubts)) == (["!news@lists.example"], 1)


@pytest.mark.parametrize(
    ("entry", "doubt"),
    [
        (
            "!prvs=1234abcdef=anna@isp.example",
            "prvs=1234abcdef=anna@isp.example: BATV has added a tag, which soon is another one;"
            " what matches it each time is added with: turfctl turf add '!anna@isp.example'",
        ),
        (
            NUMBERED + " why=x",
            f"{NUMBERED} looks like an address that is another one in each message (VERP, SRS);"
            " what matches it each time is added with: turfctl turf add 'news-17-*@lists.example'",
        ),
        ("!news-*@lists.example", ""),
        ("anna@isp.example", ""),
        ("@isp.example", ""),
        ("<>", ""),
        ("nonsense", ""),
    ],
)
def test_an_entry_that_matches_one_message_only_is_doubted(entry: str, doubt: str) -> None:
    assert doubts(entry) == [doubt][: bool(doubt)]


@pytest.mark.parametrize("author", ['"a\x1bb"@evil.example', '"a\u202eb"@evil.example'])
def test_an_author_that_no_line_can_hold_gets_no_exception(tmp_path: Path, author: str) -> None:
    path = tmp_path / "turf.table"
    path.write_text("@evil.example\n")
    with pytest.raises(NotEdited, match="is not one entry"):
        TurfTable(path, "ada", rewrite).add(f"!{author}", TODAY)
    assert path.read_text() == "@evil.example\n"


def _parsed_lines(act: Callable[[], object]) -> int:
    """How many lines of tables are made into entries meanwhile."""
    parsed = 0

    def count(frame: FrameType, event: str, _what: object) -> None:
        nonlocal parsed
        parsed += event == "call" and frame.f_code in (parse_line.__code__, Entries.__getitem__.__code__)

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return parsed


@pytest.mark.parametrize(
    "act",
    [
        lambda table: table.add("!user7@domain7.example", TODAY),
        lambda table: table.require_addable("@domain7.example", TODAY),
        lambda table: table.remove("user7@domain7.example"),
        lambda table: list(SenderTable([table_file("t", table.path.read_text())]).holding("domain77.")),
    ],
    ids=["add", "require_addable", "remove", "list"],
)
def test_of_a_large_table_only_the_lines_in_question_become_entries(
    table: TurfTable, act: Callable[[TurfTable], object]
) -> None:
    table.path.write_text("".join(f"user{n}@domain{n}.example\n" for n in range(5000)))
    assert 0 < _parsed_lines(lambda: act(table)) < 20


HOSTILE = "\x1b[2J\u202e\x9b"


@pytest.mark.parametrize(
    ("text", "act"),
    [
        (f"@x.example\nbroken{HOSTILE}.example\n", lambda table: table.add("@y.example", TODAY)),
        (f'@x.example why="{HOSTILE}" {HOSTILE}=1\n', lambda table: table.add("@y.example", TODAY)),
        (f'"a{HOSTILE}b"@x.example\n', lambda table: table.remove(f'"c{HOSTILE}d"@x.example')),
        (f"@x.example\n#@{HOSTILE}.example\n", lambda table: table.remove(f"{HOSTILE}@y.example")),
        ("@x.example\n", lambda table: table.remove(HOSTILE)),
        ("@x.example\n", lambda table: table.add(f"@{HOSTILE}.example", TODAY)),
    ],
)
def test_nothing_in_a_table_reaches_a_terminal_as_it_is(
    table: TurfTable, text: str, act: Callable[[TurfTable], object]
) -> None:
    table.path.write_text(text)
    with pytest.raises(NotEdited) as told:
        act(table)
    assert all(line.isprintable() for line in str(told.value).split("\n")), ascii(str(told.value))
    assert table.path.read_text() == text
