"""Every row of the pattern language, and what each spelling means."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from turfmilter.core.table.pattern import (
    Address,
    Domain,
    Glob,
    Interval,
    IntervalKind,
    Local,
    Name,
    Pattern,
    PatternError,
    parse_host,
    parse_sender,
)


def interval(first: str, last: str, kind: IntervalKind) -> Interval:
    return Interval(ip_address(first).version, int(ip_address(first)), int(ip_address(last)), kind)


def network(text: str) -> Interval:
    both_ends = ip_network(text)
    return interval(str(both_ends[0]), str(both_ends[-1]), IntervalKind.NETWORK)


HOSTS = {
    "192.0.2.1": interval("192.0.2.1", "192.0.2.1", IntervalKind.ADDRESS),
    "2001:db8::1": interval("2001:db8::1", "2001:db8::1", IntervalKind.ADDRESS),
    "2001:DB8:0:0::0001": interval("2001:db8::1", "2001:db8::1", IntervalKind.ADDRESS),
    "::ffff:192.0.2.1": interval("192.0.2.1", "192.0.2.1", IntervalKind.ADDRESS),
    "::FFFF:C000:201": interval("192.0.2.1", "192.0.2.1", IntervalKind.ADDRESS),
    "192.0.2.0/24": network("192.0.2.0/24"),
    "192.0.2.0/255.255.255.0": network("192.0.2.0/24"),
    "192.0.2.0;255.255.255.0": network("192.0.2.0/24"),
    "0.0.0.0/0": network("0.0.0.0/0"),
    "0.0.0.0;0.0.0.0": network("0.0.0.0/0"),
    "128.0.0.0/128.0.0.0": network("128.0.0.0/1"),
    "::/0": network("::/0"),
    "2001:db8::/32": network("2001:db8::/32"),
    "::ffff:192.0.2.0/120": network("192.0.2.0/24"),
    "::ffff:0:0/96": network("0.0.0.0/0"),
    "::ffff:192.0.2.1/128": interval("192.0.2.1", "192.0.2.1", IntervalKind.ADDRESS),
    "192.0.2.1/32": interval("192.0.2.1", "192.0.2.1", IntervalKind.ADDRESS),
    "192.0.2.1;255.255.255.255": interval("192.0.2.1", "192.0.2.1", IntervalKind.ADDRESS),
    "2001:db8::1/128": interval("2001:db8::1", "2001:db8::1", IntervalKind.ADDRESS),
    "192.0.2.10-192.0.2.20": interval("192.0.2.10", "192.0.2.20", IntervalKind.RANGE),
    "192.0.2.0-192.0.2.255": interval("192.0.2.0", "192.0.2.255", IntervalKind.RANGE),
    "2001:db8::1-2001:db8::ff": interval("2001:db8::1", "2001:db8::ff", IntervalKind.RANGE),
    "::ffff:192.0.2.1-192.0.2.9": interval("192.0.2.1", "192.0.2.9", IntervalKind.RANGE),
    "192.0.2.1-192.0.2.1": interval("192.0.2.1", "192.0.2.1", IntervalKind.ADDRESS),
    "isp.example": Name("isp.example", exact=False),
    "ISP.Example.": Name("isp.example", exact=False),
    "=isp.example": Name("isp.example", exact=True),
    "bücher.example": Name("xn--bcher-kva.example", exact=False),
    "=Bücher。example": Name("xn--bcher-kva.example", exact=True),
    "_spf.isp.example": Name("_spf.isp.example", exact=False),
    "1-2-3-4.isp.example": Name("1-2-3-4.isp.example", exact=False),
    "192.0.2.1-9.isp.example": Name("192.0.2.1-9.isp.example", exact=False),
    "localhost": Name("localhost", exact=False),
}

SENDERS = {
    "user@isp.example": Address("user", "isp.example"),
    "User@ISP.Example.": Address("user", "isp.example"),
    "STRASSE@isp.example": Address("strasse", "isp.example"),
    "straße@isp.example": Address("straße", "isp.example"),
    "a#b@isp.example": Address("a#b", "isp.example"),
    "SRS0=HHH=TT=orig.example=joe@isp.example": Address("srs0=hhh=tt=orig.example=joe", "isp.example"),
    "a..b.@isp.example": Address("a..b.", "isp.example"),
    '"joe"@isp.example': Address("joe", "isp.example"),
    '"Joe Smith"@isp.example': Address("joe smith", "isp.example"),
    '"Straße 1"@isp.example': Address("straße 1", "isp.example"),
    r'"a\"b\\c"@isp.example': Address(r'a"b\c', "isp.example"),
    '"a@b"@isp.example': Address("a@b", "isp.example"),
    '"#joe"@isp.example': Address("#joe", "isp.example"),
    '"=joe"@isp.example': Address("=joe", "isp.example"),
    '"a*b"@isp.example': Address("a*b", "isp.example"),
    "user@localhost": Address("user", "localhost"),
    "user@bücher.example": Address("user", "xn--bcher-kva.example"),
    "@isp.example": Domain("isp.example", exact=False),
    "@.isp.example": Domain("isp.example", exact=False),
    "@com": Domain("com", exact=False),
    "=@isp.example": Domain("isp.example", exact=True),
    "*@isp.example": Domain("isp.example", exact=True),
    "**@isp.example": Domain("isp.example", exact=True),
    "user@": Local("user"),
    '"Joe Smith"@': Local("joe smith"),
    "user@[192.0.2.1]": Address("user", "[192.0.2.1]"),
    "user@[IPv6:2001:DB8::0:1]": Address("user", "[2001:db8::1]"),
    "@[192.0.2.1]": Domain("[192.0.2.1]", exact=True),
    "=@[192.0.2.1]": Domain("[192.0.2.1]", exact=True),
    "@[IPv6:::ffff:192.0.2.1]": Domain("[192.0.2.1]", exact=True),
    "<>": Address("", ""),
    ".": Address("", ""),
    "news*@isp.example": Glob("news*", "isp.example"),
    "*-Bounces@isp.example": Glob("*-bounces", "isp.example"),
    "a*b*c@isp.example": Glob("a*b*c", "isp.example"),
    "a**b@isp.example": Glob("a*b", "isp.example"),
    "news*@[192.0.2.1]": Glob("news*", "[192.0.2.1]"),
}


@pytest.mark.parametrize(("text", "pattern"), HOSTS.items(), ids=HOSTS)
def test_an_entry_in_a_list_of_hosts_means(text: str, pattern: Pattern) -> None:
    assert parse_host(text) == pattern


@pytest.mark.parametrize(("text", "pattern"), SENDERS.items(), ids=SENDERS)
def test_an_entry_in_a_list_of_mail_addresses_means(text: str, pattern: Pattern) -> None:
    assert parse_sender(text) == pattern


@pytest.mark.parametrize(
    ("glob", "fitting", "other"),
    [
        ("news*", ["news", "news-1"], ["new", "xnews"]),
        ("*-bounces", ["-bounces", "list-bounces"], ["bounces", "list-bounces-1"]),
        ("a*b", ["ab", "axb", "abb"], ["a", "b", "ba", "abc"]),
        ("ab*ba", ["abba", "abxba"], ["aba", "ab", "ba"]),
        ("a*b*c", ["abc", "axxbxxc", "abbc"], ["ac", "acb", "abcd"]),
        ("ab*b*bc", ["abbbc", "abxbxbc"], ["abbc", "abc", "abxbc"]),
        ("*mid*", ["mid", "amidst"], ["mi-d", ""]),
        ("**", ["", "x"], []),
        ("a.c*", ["a.cx"], ["abcx"]),
        ("a[bc]*", ["a[bc]"], ["ab"]),
    ],
)
def test_a_glob_matches_any_run_of_characters_and_nothing_else(glob: str, fitting: list[str], other: list[str]) -> None:
    pattern = Glob(glob, "isp.example")
    assert [local for local in fitting + other if pattern.matches(local)] == fitting


@pytest.mark.parametrize("parse", [parse_host, parse_sender])
def test_an_error_has_its_two_halves_apart(parse: type) -> None:
    with pytest.raises(PatternError) as caught:
        parse("isp..example@" if parse is parse_host else "isp.example")
    assert caught.value.wrong
    assert str(caught.value) == caught.value.wrong
