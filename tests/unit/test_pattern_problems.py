"""Messages about entries that are invalid, or valid but doubtful."""

from __future__ import annotations

from functools import partial

import pytest

from rig.golden import Golden, report
from turfmilter.core.table.entry import Parse, Problem, Where
from turfmilter.core.table.pattern import PatternError, doubt, parse_host, parse_sender

HOSTS = [
    "192.168.1.17/24",
    "192.168.1.17;255.255.255.0",
    "2001:db8::1/32",
    "::1/64",
    "::ffff:0:0/95",
    "::ffff:192.0.2.1/120",
    "192.0.2.20-192.0.2.10",
    "192.0.2.1-2001:db8::1",
    "192.0.2.10-20",
    "192.0.2.10-300",
    "192.0.2.0/255.0.255.0",
    "192.0.2.0/0.0.0.255",
    "192.0.2.0;24",
    "192.0.2.0/33",
    "2001:db8::/ffff::",
    "2001:db8::/129",
    "192.0.2.0/",
    "192.0.2.256",
    "010.0.0.1",
    "192.0.2",
    "192.0.2.",
    "192.0.2.*",
    "10/8",
    "10.0.0/8",
    "192.0.2.1:25",
    "fe80::1%eth0",
    "fe80::%eth0/64",
    "joe@isp.example",
    "@isp.example",
    "joe@",
    "[192.0.2.1]",
    "[2001:db8::]/32",
    "=192.0.2.1",
    ".isp.example",
    "*.isp.example",
    "=.isp.example",
    "isp..example",
    "isp.example..",
    "isp.example,b.example",
    "*",
    ".",
    "=",
    "-isp.example",
    "bücher_.example",
    "isp.example/24",
    "isp.example:25",
    '"isp.example"',
    f"{'a' * 64}.example",
    f"{'abcdefg.' * 32}example",
    "192.0.2.1 192.0.2.2",
    "a.example b.example",
    "",
    "$mynetworks",
    "${proxy_interfaces}",
    "$relay_domains",
    "/etc/postfix/relay_domains",
    "./clients",
    "hash:/etc/postfix/access",
    "mysql:/etc/postfix/clients.cf",
    "/^mx[0-9]+\\./",
    "/dialup/i",
    "mx\\d+.isp.example",
    "*.*",
    "IPv6:2001:db8::1",
    "[IPv6:2001:db8::1]",
    "[192.0.2.1]:25",
    "http://isp.example/",
    "Connect:192.0.2.1",
    "To:isp.example",
    "From:isp.example",
    '"192.0.2.1",',
    "\u201cisp.example\u201d",
    "192.0.2.0/24,",
    "regex:isp",
]

SENDERS = [
    "isp.example",
    "joe",
    "192.0.2.1",
    "10.0.0.0/8",
    "*.isp.example",
    ".isp.example",
    "=isp.example",
    "@*.isp.example",
    "=@*.isp.example",
    "joe@*.isp.example",
    "*@*.isp.example",
    "@isp.*",
    "@..isp.example",
    "joe@.isp.example",
    "=@.isp.example",
    "=joe@isp.example",
    "!joe@isp.example",
    "#@isp.example",
    "#joe@isp.example",
    "@192.0.2.1",
    "joe@192.0.2.1",
    "@[192.0.2.0/24]",
    "@[joe]",
    "a*b*c*@isp.example",
    "news*@",
    "*@",
    "@",
    "=@",
    '""@isp.example',
    "a@b@isp.example",
    "a,b@isp.example",
    "joe@isp.example,",
    '"joe@isp.example',
    "<joe@isp.example>",
    "joe smith@isp.example",
    "joe\x00@isp.example",
    "@bücher_.example",
    "@isp..example",
    f"joe@{'a' * 64}.example",
    "*.xyz",
    ".xyz",
    "*",
    "@*",
    "*@*",
    "*@*.*",
    "joe@*",
    "joe@*.*",
    "joe@isp.*",
    "/^joe@/",
    "/casino/i",
    "^.*@isp\\.example$",
    "@isp\\.example",
    "$mydomain",
    "@$mydomain",
    "/etc/postfix/sender_access",
    "~/turf.table",
    "regexp:/etc/postfix/sender_access",
    "From:isp.example",
    "From:joe@isp.example",
    "To:joe@",
    "Connect:192.0.2.1",
    "mailto:joe@isp.example",
    "SMTP:joe@isp.example",
    "https://isp.example/unsubscribe?user=joe",
    "blacklist_from",
    "'joe@isp.example'",
    '"joe@isp.example",',
    "joe@isp.example;",
    "*casino*",
    "null",
    "re:.*@isp",
]


def problem(parse: Parse, text: str) -> list[Problem]:
    with pytest.raises(PatternError) as caught:
        parse(text)
    return [Problem(Where("turf.table", 3), text, caught.value.wrong, caught.value.meant)]


def test_invalid_entries_of_a_list_of_hosts_are_reported(golden: Golden) -> None:
    golden("table", report(HOSTS, partial(problem, parse_host)))


def test_invalid_entries_of_a_list_of_mail_addresses_are_reported(golden: Golden) -> None:
    golden("table", report(SENDERS, partial(problem, parse_sender)))


def test_doubtful_entries_are_reported(golden: Golden) -> None:
    golden(
        "table", report(["@com", "*@isp.example", ".*@isp.example"], lambda text: doubt(text, parse_sender(text)) or ())
    )
    golden(
        "table",
        report(
            ["com", "all", "unknown", "mynetworks", "permit_mynetworks", "=all"],
            lambda text: doubt(text, parse_host(text)) or (),
        ),
    )


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_sender, "@isp.example"),
        (parse_sender, "=@com"),
        (parse_sender, "user@localhost"),
        (parse_sender, "@[192.0.2.1]"),
        (parse_sender, "news*@isp.example"),
        (parse_sender, "<>"),
        (parse_host, "isp.example"),
        (parse_host, "=localhost"),
        (parse_host, "192.0.2.0/24"),
    ],
)
def test_an_ordinary_entry_is_not_doubted(parse: Parse, text: str) -> None:
    assert doubt(text, parse(text)) is None


@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000, "0" * 5000 + "24"])
@pytest.mark.parametrize("form", ["192.0.2.0/{}", "::/{}", "192.0.2.0;{}", "192.0.2.0-{}", "{}", "192.0.2.{}", "::{}"])
def test_a_number_of_more_digits_than_python_reads_is_a_problem_like_any_other(form: str, digits: str) -> None:
    with pytest.raises(PatternError):
        parse_host(form.format(digits))
