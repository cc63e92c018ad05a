"""What is said about entries that are none, or that are valid and yet odd: the exact sentences."""

from __future__ import annotations

import pytest

from turfmilter.core.table.entry import Parse, Problem, Where
from turfmilter.core.table.pattern import PatternError, doubt, parse_host, parse_sender

HOSTS = {
    "192.168.1.17/24": "host bits are set in the network; probably meant 192.168.1.0/24 or 192.168.1.17",
    "192.168.1.17;255.255.255.0": "host bits are set in the network; probably meant 192.168.1.0/24 or 192.168.1.17",
    "2001:db8::1/32": "host bits are set in the network; probably meant 2001:db8::/32 or 2001:db8::1",
    "::1/64": "host bits are set in the network; probably meant ::/64 or ::1",
    "::ffff:0:0/95": "host bits are set in the network; probably meant ::fffe:0:0/95 or ::ffff:0:0",
    "::ffff:192.0.2.1/120": "host bits are set in the network; probably meant 192.0.2.0/24 or ::ffff:192.0.2.1",
    "192.0.2.20-192.0.2.10": "the range runs backwards; probably meant 192.0.2.10-192.0.2.20",
    "192.0.2.1-2001:db8::1": "an IPv4 and an IPv6 address in one range; both ends must be of one family",
    "192.0.2.10-20": '"20" is not an address; probably meant 192.0.2.10-192.0.2.20',
    "192.0.2.10-300": '"300" is not an address',
    "192.0.2.0/255.0.255.0": "the ones in the mask 255.0.255.0 are not contiguous; a mask is written as 255.255.255.0",
    "192.0.2.0/0.0.0.255": "0.0.0.255 is an inverted mask; probably meant 192.0.2.0/24",
    "192.0.2.0;24": '"24" is not a mask for 192.0.2.0; probably meant 192.0.2.0/24',
    "192.0.2.0/33": '"33" is not a prefix length; for 192.0.2.0 it is a number from 0 to 32',
    "2001:db8::/ffff::": '"ffff::" is not a prefix length; for 2001:db8:: it is a number from 0 to 128',
    "2001:db8::/129": '"129" is not a prefix length; for 2001:db8:: it is a number from 0 to 128',
    "192.0.2.0/": '"" is not a prefix length; for 192.0.2.0 it is a number from 0 to 32',
    "192.0.2.256": '"192.0.2.256" is not an address',
    "010.0.0.1": '"010.0.0.1" is not an address; probably meant 10.0.0.1',
    "192.0.2": '"192.0.2" is not an address; probably meant 192.0.2.0/24',
    "192.0.2.": '"192.0.2." is not an address; probably meant 192.0.2.0/24',
    "192.0.2.*": '"192.0.2.*" is not an address; probably meant 192.0.2.0/24',
    "10/8": '"10" is not an address; probably meant 10.0.0.0/8',
    "10.0.0/8": '"10.0.0" is not an address; probably meant 10.0.0.0/8',
    "192.0.2.1:25": '"192.0.2.1:25" is not an address; probably meant 192.0.2.1',
    "fe80::1%eth0": "a zone after the address; probably meant fe80::1",
    "fe80::%eth0/64": "a zone after the address; probably meant fe80::/64",
    "joe@isp.example": "a mail address in a list of hosts; probably meant isp.example",
    "@isp.example": "a mail address in a list of hosts; probably meant isp.example",
    "joe@": "a mail address in a list of hosts",
    "[192.0.2.1]": "brackets are only for mail addresses; probably meant 192.0.2.1",
    "[2001:db8::]/32": "brackets are only for mail addresses; probably meant 2001:db8::/32",
    "=192.0.2.1": '"=" is only for names; probably meant 192.0.2.1',
    ".isp.example": "a dot before the name; probably meant isp.example",
    "*.isp.example": 'a "*" in a domain; probably meant isp.example, which matches every subdomain',
    "=.isp.example": "a dot before the name; probably meant =isp.example",
    "isp..example": "two dots in a row; probably meant isp.example",
    "isp.example..": "two dots in a row; probably meant isp.example",
    "isp.example,b.example": "a blank or a comma in the entry; each entry is written separately",
    "*": 'a "*" in a domain',
    ".": "the name is missing",
    "=": "the name is missing",
    "-isp.example": '"-isp.example" is not a name',
    "bücher_.example": '"bücher_.example" is not an international domain name (RFC 5891)',
    "isp.example/24": '"isp.example" is not an address',
    "isp.example:25": '"isp.example:25" is not an address',
    '"isp.example"': '""isp.example"" is not a name',
    f"{'a' * 64}.example": "the name is too long; a name has at most 253 characters, each label 63 (RFC 1035)",
    f"{'abcdefg.' * 32}example": "the name is too long; a name has at most 253 characters, each label 63 (RFC 1035)",
    "192.0.2.1 192.0.2.2": '"192.0.2.1 192.0.2.2" is not an address',
    "a.example b.example": "a blank or a comma in the entry; each entry is written separately",
    "": "the name is missing",
}

SENDERS = {
    "isp.example": 'the "@" is missing; @isp.example (and every subdomain) or =@isp.example',
    "joe": 'the "@" is missing; joe@ matches it at every domain',
    "192.0.2.1": 'the "@" is missing; @[192.0.2.1] matches an address literal',
    "10.0.0.0/8": 'the "@" is missing',
    "*.isp.example": 'the "@" is missing; @isp.example (and every subdomain) or =@isp.example',
    ".isp.example": 'the "@" is missing; @isp.example (and every subdomain) or =@isp.example',
    "=isp.example": 'the "@" is missing; @isp.example (and every subdomain) or =@isp.example',
    "@*.isp.example": 'a "*" in a domain; probably meant @isp.example, which matches every subdomain',
    "=@*.isp.example": 'a "*" in a domain; probably meant @isp.example, which matches every subdomain',
    "joe@*.isp.example": 'a "*" in a domain; probably meant @isp.example, which matches every subdomain',
    "*@*.isp.example": 'a "*" in a domain; probably meant @isp.example, which matches every subdomain',
    "@isp.*": 'a "*" in a domain',
    "@..isp.example": "a dot before the name; probably meant @isp.example",
    "joe@.isp.example": "a dot before the name; probably meant joe@isp.example",
    "=@.isp.example": "a dot before the name; probably meant =@isp.example",
    "=joe@isp.example": '"=" before a local part; probably meant joe@isp.example',
    "!joe@isp.example": '"!" before a local part; probably meant joe@isp.example',
    "#@isp.example": '"#" starts a comment; Exchange\'s exact domain is =@isp.example',
    "#joe@isp.example": '"#" starts a comment; probably meant "#joe"@isp.example',
    "@192.0.2.1": "an address without its brackets; probably meant @[192.0.2.1]",
    "joe@192.0.2.1": "an address without its brackets; probably meant joe@[192.0.2.1]",
    "@[192.0.2.0/24]": "[192.0.2.0/24] is not an address literal; such as [192.0.2.1] or [IPv6:2001:db8::1]",
    "@[joe]": "[joe] is not an address literal; such as [192.0.2.1] or [IPv6:2001:db8::1]",
    "a*b*c*@isp.example": 'more than two "*"; the local part may contain one or two',
    "news*@": 'a "*" without a domain; a domain must follow, as in news*@isp.example',
    "*@": 'a "*" without a domain; a domain must follow, as in *@isp.example',
    "@": "the local part is empty; <> is the empty sender",
    "=@": "the local part is empty; <> is the empty sender",
    '""@isp.example': "the local part is empty; <> is the empty sender",
    "a@b@isp.example": "an unquoted '@' in the local part; it is quoted as in \"a b\"@isp.example",
    "a,b@isp.example": "an unquoted ',' in the local part; it is quoted as in \"a b\"@isp.example",
    "joe@isp.example,": "a blank or a comma in the entry; each entry is written separately",
    '"joe@isp.example': 'an unquoted \'"\' in the local part; it is quoted as in "a b"@isp.example',
    "<joe@isp.example>": "angle brackets around an address; probably meant joe@isp.example",
    "joe smith@isp.example": "an unquoted ' ' in the local part; it is quoted as in \"a b\"@isp.example",
    "joe\x00@isp.example": "an unquoted '\\x00' in the local part; it is quoted as in \"a b\"@isp.example",
    "@bücher_.example": '"bücher_.example" is not an international domain name (RFC 5891)',
    "@isp..example": "two dots in a row; probably meant @isp.example",
    f"joe@{'a' * 64}.example": "the name is too long; a name has at most 253 characters, each label 63 (RFC 1035)",
}


def sentence(parse: Parse, text: str) -> str:
    with pytest.raises(PatternError) as caught:
        parse(text)
    return str(Problem(Where("turf.table", 3), text, caught.value.wrong, caught.value.meant))


@pytest.mark.parametrize(("text", "said"), HOSTS.items(), ids=map(repr, HOSTS))
def test_a_list_of_hosts_refuses(text: str, said: str) -> None:
    assert sentence(parse_host, text) == f'turf.table:3: "{text}": {said}'


@pytest.mark.parametrize(("text", "said"), SENDERS.items(), ids=map(repr, SENDERS))
def test_a_list_of_mail_addresses_refuses(text: str, said: str) -> None:
    assert sentence(parse_sender, text) == f'turf.table:3: "{text}": {said}'


@pytest.mark.parametrize(
    ("parse", "text", "said"),
    [
        (parse_sender, "@com", ('a single label: everything below ".com" matches', "=@com matches that name alone")),
        (parse_host, "com", ('a single label: everything below ".com" matches', "=com matches that name alone")),
        (parse_sender, "*@isp.example", ("this means =@isp.example", "@isp.example matches the subdomains too")),
    ],
)
def test_a_valid_entry_is_doubted(parse: Parse, text: str, said: tuple[str, str]) -> None:
    assert doubt(text, parse(text)) == said


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
