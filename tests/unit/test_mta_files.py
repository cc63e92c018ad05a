"""Files of Postfix and Sendmail as sources: what their lines mean, and every problem with its line."""

# ruff: noqa: E501 - one sentence a line, as the administrator sees it

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("$mydomain", 'list:1: "$mydomain": a variable of main.cf; write its value, which postconf -x shows'),
        ("a.test, !/etc/more", 'list:1: "!/etc/more": a file inside a list, or a regular expression; a file is named in the configuration: "postfix:PATH"'),
        ("/^a/ OK", 'list:1: "/^a/": a file inside a list, or a regular expression; a file is named in the configuration: "postfix:PATH"'),
        ("a.test hash:/etc/more", 'list:1: "hash:/etc/more": a table inside a list; its source is named in the configuration: "postfix:PATH"'),
        ("relay_domains = a.test", 'list:1: "relay_domains =": a line of main.cf; name a file that holds nothing but the list'),
        ("relay_domains=a.test", 'list:1: "relay_domains=a.test": a line of main.cf; name a file that holds nothing but the list'),
        ("if 192.0.2.0/24", 'list:1: "if": a condition; write the entries into a file: of your own'),
        ("!a.test OK", 'list:1: "!a.test": a "!" in a table: Postfix takes it for a part of the key, or for everything else; write the entries into a file: of your own'),
        ("a.test OK\nb.test", 'list:2: "b.test": a line of a list, and line 1 is of a table; in a table a result stands behind each entry'),
        ("b.test\na.test OK", 'list:2: "a.test": OK stands behind it, as in a table, and line 1 is of a list; in a list, commas separate the entries of one line'),
        ("a.test OK\nb.test REJECT", 'list:2: "b.test": REJECT behind it, and OK in line 1; a list says one thing; the others belong into a file of their own'),
        ("a.test OK\nb.test dunno", 'list:2: "b.test": dunno behind it, and OK in line 1; a list says one thing; the others belong into a file of their own'),
        ("a.test 550 no\nb.test dunno", 'list:2: "b.test": dunno behind it, and 550 in line 1; a list says one thing; the others belong into a file of their own'),
        (".a.test", 'list:1: ".a.test": the subdomains without the domain itself, which no entry says here; add a.test to the file, or write a.test and !=a.test into a file: of your own'),
        ("a.test, !b.a.test", None),
        ("a.test, .a.test, !b.a.test", 'list:1: "!b.a.test": "a.test" in line 1 decides before it in Postfix, and would not here; the most specific one must stand first'),
        ("192.0.2.0/24\n!192.0.2.66", 'list:2: "!192.0.2.66": "192.0.2.0/24" in line 1 decides before it in Postfix, and would not here; the most specific one must stand first'),
        ("!mx.a.test\n192.0.2.0/24", 'list:2: "192.0.2.0/24": "!mx.a.test" in line 1 decides before it in Postfix, and would not here; the most specific one must stand first'),
        ("192.0.2.0/24\n!mx.a.test", None),
        ("a.test\n!a.test", 'list:2: "!a.test": "a.test" in line 1 decides before it in Postfix, and would not here; the most specific one must stand first'),
        ("user@a.test OK", 'list:1: "user@a.test": a mail address in a list of hosts; probably meant a.test'),
        ("192.0.2.17/24", 'list:1: "192.0.2.17/24": host bits are set in the network; probably meant 192.0.2.0/24 or 192.0.2.17'),
        ("a..test", 'list:1: "a..test": two dots in a row; probably meant =a.test'),
    ],
)  # fmt: skip
def test_what_a_file_of_postfix_cannot_say_here_is_named(text: str, says: str | None) -> None:
    _, problems = postfix(text, "list")
    assert [str(problem) for problem in problems] == ([says] if says else [])


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


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("To:a.test RELAY", ["a line of the access map", "a line of the access map"]),
        ("user@a.test", ["a mail address in a class file"]),
        ("192.0.2.0/24", ["a network that Sendmail does not know"]),
        ("192.0.2.1-192.0.2.9", ["a network that Sendmail does not know"]),
        ("=a.test", ["no mark of Sendmail's"]),
        ("!a.test", ["no mark of Sendmail's"]),
        (".a.test", ["the subdomains without the domain itself, which no entry says here"]),
        ("300.1", ['"300.1.0.0" is not an address']),
    ],
)
def test_what_a_class_file_cannot_hold_is_named(text: str, wrong: list[str]) -> None:
    assert [problem.wrong for problem in sendmail(text)[1]] == wrong
