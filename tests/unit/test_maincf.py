"""The domains that main.cf says Postfix receives mail for; e2e/test_received.py compares them with a real Postfix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pytest

from turfmilter.core.address.mailbox import parse_address
from turfmilter.core.table.entries import made_elsewhere
from turfmilter.core.table.entry import listed
from turfmilter.core.table.hosts import HostTable
from turfmilter.importers.maincf import PARENT_STYLE, Received, read_received, words
from turfmilter.importers.mastercf import read_services

TODAY = date(2026, 6, 15)


class Files:
    """Files and tables by their names."""

    def __init__(self, contents: Mapping[str, Sequence[str]]) -> None:
        self._contents = contents

    def lines(self, path: str) -> Sequence[str]:
        return self._contents[path]

    def keys(self, table: str) -> Sequence[str]:
        return self._contents[table]


def read(contents: Mapping[str, Sequence[str]] | None = None, **parameters: str) -> Received:
    return read_received(parameters, Files(contents or {}))


def ours(found: Received, *names: str) -> list[str]:
    """Those of the names that are Postfix's own."""
    table = HostTable([made_elsewhere("main.cf", found.entries)], exception_wins=True)
    return [name for name in names if listed(table.match_name(name, TODAY))]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", []),
        (" , ,", []),
        ("a.test,b.test  c.test,\td.test", ["a.test", "b.test", "c.test", "d.test"]),
        ("inline:{ {a.test = x}, b.test=y } c.test", ["inline:{ {a.test = x}, b.test=y }", "c.test"]),
        ("{ unix:/s, default_action=tempfail }, inet:h:1", ["{ unix:/s, default_action=tempfail }", "inet:h:1"]),
        ("a } b", ["a", "}", "b"]),
        ("{ a", ["{ a"]),
    ],
)
def test_commas_and_blanks_separate_words_except_in_braces(value: str, expected: list[str]) -> None:
    assert list(words(value)) == expected


def test_every_parameter_counts_and_each_domain_is_itself_alone() -> None:
    found = read(
        mydestination="mx.a.test, a.test",
        relay_domains="b.test",
        virtual_alias_domains="c.test",
        virtual_mailbox_domains="D.test",
    )
    assert ours(found, "a.test", "mx.a.test", "b.test", "c.test", "d.test") == [
        "a.test",
        "mx.a.test",
        "b.test",
        "c.test",
        "d.test",
    ]
    assert ours(found, "x.a.test", "x.b.test", "x.c.test", "x.d.test", "test", "e.test") == []
    assert found.problems == found.unlisted == ()


@pytest.mark.parametrize(
    ("style", "relay_domains", "names", "expected"),
    [
        ("mynetworks,relay_domains", "b.test", ["b.test", "x.b.test", "y.x.b.test", "xb.test"], 3),
        ("mynetworks", "b.test", ["b.test", "x.b.test"], 1),
        ("mynetworks", ".b.test", ["x.b.test", "y.x.b.test", "b.test"], 2),
        ("mynetworks", ".b.test b.test", ["x.b.test", "b.test"], 2),
        ("relay_domains", "!x.b.test, b.test", ["b.test", "y.b.test", "x.b.test", "y.x.b.test"], 2),
    ],
)
def test_subdomains_are_received_where_postfix_receives_them(
    style: str, relay_domains: str, names: list[str], expected: int
) -> None:
    found = read(relay_domains=relay_domains, **{PARENT_STYLE: style})
    assert ours(found, *names) == names[:expected]
    assert found.problems == ()


def test_a_dotted_name_matches_nothing_outside_relay_domains() -> None:
    found = read(mydestination=".a.test")
    assert ours(found, "a.test", "x.a.test") == []
    assert str(found.problems[0]).startswith('main.cf mydestination: ".a.test": matches nothing in Postfix')


def test_what_one_parameter_excludes_another_receives() -> None:
    found = read(relay_domains="!a.test, b.test", mydestination="a.test")
    assert ours(found, "a.test", "b.test") == ["a.test", "b.test"]


def test_an_exception_behind_what_it_is_an_exception_to_does_nothing_in_postfix_and_is_reported() -> None:
    found = read(relay_domains="b.test, !x.b.test", **{PARENT_STYLE: "relay_domains"})
    (problem,) = found.problems
    assert not problem.warning
    assert '"b.test"' in str(problem)


def test_files_and_tables_are_read_where_they_are_named() -> None:
    contents = {
        "/list": ["# a comment", "a.test, b.test", "  /list", "/more !c.test"],
        "/more": ["d.test"],
        "hash:/relay": ["e.test"],
        "inline:{ {f.test=x} }": ["f.test"],
    }
    found = read(contents, mydestination="/list", relay_domains="proxy:hash:/relay !inline:{ {f.test=x} }")
    names = ["a.test", "b.test", "d.test", "e.test"]
    assert ours(found, *names, "c.test", "f.test") == names
    assert [str(entry.where) for entry in found.entries][:2] == ["/list:2", "/list:2"]


def test_of_a_virtual_table_only_domains_count() -> None:
    contents = {"hash:/virtual": ["a.test", "@a.test", "x@b.test", "root", "@c.test"]}
    found = read(contents, virtual_alias_domains="hash:/virtual")
    assert ours(found, "a.test", "b.test", "c.test", "root") == ["a.test"]
    assert found.problems == ()


@pytest.mark.parametrize(
    "table",
    ["mysql:/etc/postfix/d.cf", "ldap:relay", "pcre:/r", "regexp:/r", "proxy:pgsql:/p", "static:x", "unionmap:{a:b}"],
)
def test_a_table_that_cannot_be_listed_is_named(table: str) -> None:
    found = read(virtual_mailbox_domains=f"a.test {table}")
    assert found.unlisted == (("virtual_mailbox_domains", table),)
    assert ours(found, "a.test") == ["a.test"]


def test_an_address_literal_is_an_address() -> None:
    found = read(mydestination="[192.0.2.1] [IPv6:2001:db8::1] 192.0.2.2")
    table = HostTable([made_elsewhere("main.cf", found.entries)], exception_wins=True)
    listed_ones = [
        bool(table.match_address(parse_address(a), TODAY)) for a in ("192.0.2.1", "2001:db8::1", "192.0.2.2")
    ]
    assert listed_ones == [True, True, False]
    assert [problem.entry for problem in found.problems] == ["192.0.2.2"]


@pytest.mark.parametrize("word", ["=a.test", "a@b.test", "*", "*.a.test", "a..b"])
def test_what_is_not_a_domain_is_left_out_with_a_warning(word: str) -> None:
    found = read(mydestination=f"{word} good.test")
    assert [problem.warning for problem in found.problems] == [True]
    assert [entry.text for entry in found.entries] == ["good.test"]


def test_services_have_the_options_that_are_printed_for_them() -> None:
    services = read_services(
        [
            "smtp       inet  n       -       y       -       -       smtpd",
            "[::1]:10026 inet n       -       y       -       -       smtpd -o smtpd_milters=",
            "submission inet  n       -       y       -       -       smtpd -o syslog_name=postfix/submission",
            "relay      unix  -       -       y       -       -       smtp",
            "smtpd      pass  -       -       y       -       -       smtpd",
        ],
        ["[::1]:10026/inet/smtpd_milters =", "submission/inet/syslog_name = postfix/submission"],
    )
    assert [service.name for service in services if service.takes_mail] == [
        "smtp",
        "[::1]:10026",
        "submission",
        "smtpd",
    ]
    assert [service.name for service in services if service.loopback] == ["[::1]:10026"]
    assert services[1].options == {"smtpd_milters": ""}
    assert services[2].options == {"syslog_name": "postfix/submission"}
