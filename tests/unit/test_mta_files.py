"""Postfix's and Sendmail's files as sources: what their lines mean, and every problem with its line."""

from __future__ import annotations

import pytest

from rig.golden import Golden, report
from turfmilter.core.table.entry import Entry, Problem
from turfmilter.core.table.pattern import parse_host, parse_sender
from turfmilter.importers.postfix import read_postfix
from turfmilter.importers.sendmail import read_sendmail
from turfmilter.importers.words import Of


def postfix(text: str, name: str = "relay_domains", of: Of = Of.DOMAINS) -> tuple[list[Entry], list[Problem]]:
    return read_postfix(text.split("\n"), name, parse_sender if of is Of.SENDERS else parse_host, of)


def sendmail(text: str, name: str = "relay-domains", of: Of = Of.DOMAINS) -> tuple[list[Entry], list[Problem]]:
    return read_sendmail(text.split("\n"), name, parse_sender if of is Of.SENDERS else parse_host, of)


def shown(entries: list[Entry]) -> list[str]:
    return [f"{entry.where.line} {entry.text}" for entry in entries]


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a.test\nb.test\n", ["1 a.test", "2 b.test"]),
        ("a.test, b.test,c.test d.test", ["1 a.test", "1 b.test", "1 c.test", "1 d.test"]),
        ("a.test localhost", ["1 a.test", "1 localhost"]),
        ("a.test b.test", ["1 a.test", "1 b.test"]),
        ("a.test,\n  b.test\n\tc.test", ["1 a.test", "2 b.test", "3 c.test"]),
        ("# comment\n  # another\n\na.test # a third, b.test\n", ["4 a.test"]),
        ("\ufeffa.test\r\nb.test\r\n", ["1 a.test", "2 b.test"]),
        ("127.0.0.0/8 [::1]/128 192.0.2.1", ["1 127.0.0.0/8", "1 [::1]/128", "1 192.0.2.1"]),
        ("!192.0.2.66, 192.0.2.0/24", ["1 !192.0.2.66", "1 192.0.2.0/24"]),
        ("a.test OK\nb.test\tx y, z\n", ["1 a.test", "2 b.test"]),
        ("a.test OK\n  go.on.test\n# comment\n  and.on.test\nb.test OK", ["1 a.test", "5 b.test"]),
        ("a.test # ours\nb.test OK", ["1 a.test", "2 b.test"]),
        ("a.test relay:[mx.b.test]\nb.test smtp:c.test:25", ["1 a.test", "2 b.test"]),
        ("192.0.2.0/24 permit\n2001:db8::/32 permit", ["1 192.0.2.0/24", "2 2001:db8::/32"]),
    ],
)
def test_a_file_of_postfix_is_a_list_or_a_table(text: str, entries: list[str]) -> None:
    found, problems = postfix(text, "mydestination")
    assert (shown(found), problems) == (entries, [])


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("spam@a.test REJECT go away\nb.test 550 5.7.1 no\nuser@ REJECT", ["1 spam@a.test", "2 b.test", "3 user@"]),
        ('"a b"@a.test REJECT\n<> REJECT', ['1 "a b"@a.test', "2 <>"]),
        ("info@a.test x@b.test, y@b.test\n@c.test z@b.test", ["1 info@a.test", "2 @c.test"]),
    ],
)
def test_a_table_of_postfix_may_hold_mail_addresses(text: str, entries: list[str]) -> None:
    found, problems = postfix(text, "sender_access", Of.SENDERS)
    assert (shown(found), problems) == (entries, [])


UNUSABLE_IN_POSTFIX = [
    "$mydomain",
    "a.test, !/etc/more",
    "/^a/ OK",
    "a.test hash:/etc/more",
    "relay_domains = a.test",
    "relay_domains=a.test",
    "if 192.0.2.0/24",
    "!a.test OK",
    "a.test OK\nb.test",
    "b.test\na.test OK",
    "a.test OK\nb.test REJECT",
    "a.test OK\nb.test dunno",
    "a.test 550 no\nb.test dunno",
    ".a.test",
    "a.test, !b.a.test",
    "a.test, .a.test, !b.a.test",
    "192.0.2.0/24\n!192.0.2.66",
    "!mx.a.test\n192.0.2.0/24",
    "192.0.2.0/24\n!mx.a.test",
    "a.test\n!a.test",
    "user@a.test OK",
    "192.0.2.17/24",
    "a..test",
]


def test_what_a_file_of_postfix_cannot_express_here_is_reported(golden: Golden) -> None:
    golden("config", report(UNUSABLE_IN_POSTFIX, lambda text: postfix(text, "list")[1]))


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("a.test\n  b.test c.test\n", ["1 a.test", "2 b.test", "2 c.test"]),
        ("# comment\n\na.test#b.test\n192.0.2 # net", ["3 a.test", "4 192.0.2"]),
        ("\ufeffA.test\r\n[192.0.2.1]\r\nIPv6:2001:db8::1", ["1 A.test", "2 [192.0.2.1]", "3 IPv6:2001:db8::1"]),
        ("a.test\n.a.test", ["1 a.test"]),
    ],
)
def test_a_class_file_of_sendmail_holds_words(text: str, entries: list[str]) -> None:
    found, problems = sendmail(text)
    assert (shown(found), problems) == (entries, [])


@pytest.mark.parametrize(
    ("word", "ours"),
    [
        ("10", "10.0.0.0/8"),
        ("172.16", "172.16.0.0/16"),
        ("192.0.2", "192.0.2.0/24"),
        ("192.0.2.1", "192.0.2.1"),
        ("[192.0.2.1]", "192.0.2.1"),
        ("IPv6:2001:db8", "2001:db8::/32"),
        ("ipv6:2001:DB8:0:1", "2001:db8:0:1::/64"),
        ("IPv6:2001:db8:0:0:0:0:0:7", "2001:db8::7"),
        ("IPv6:2001:db8::7", "2001:db8::7"),
        ("[IPv6:2001:db8::7]", "2001:db8::7"),
    ],
)
def test_a_network_of_sendmail_is_the_beginning_of_its_addresses(word: str, ours: str) -> None:
    [entry], problems = sendmail(word, of=Of.CLIENTS)
    assert (entry.pattern, problems) == (parse_host(ours), [])


UNUSABLE_IN_SENDMAIL = [
    "To:a.test RELAY",
    "user@a.test",
    "192.0.2.0/24",
    "192.0.2.1-192.0.2.9",
    "=a.test",
    "!a.test",
    ".a.test",
    "300.1",
]


def test_what_a_class_file_cannot_contain_is_reported(golden: Golden) -> None:
    golden("config", report(UNUSABLE_IN_SENDMAIL, lambda text: sendmail(text, "list")[1]))
