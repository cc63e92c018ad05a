"""The authors of a message: what a reader sees in From:, however it is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rig.steps import steps
from turfmilter.core.address.authors import Authors, read_authors
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.address.sightings import sightings


def found(*fields: str) -> list[str]:
    return [str(mailbox) for mailbox in read_authors(fields).mailboxes]


BOB = "bob@there.example"


@pytest.mark.parametrize(
    "value",
    [
        "bob@there.example",
        " bob@there.example",
        "bob@there.example ",
        "BOB@There.Example",
        "bob@there.example.",
        "<bob@there.example>",
        " <bob@there.example>",
        "Bob <bob@there.example>",
        "Bob<bob@there.example>",
        "Bob B. Smith <bob@there.example>",
        '"Smith, Bob" <bob@there.example>',
        '"Bob \\"the @\\" Smith" <bob@there.example>',
        '"alice@ours.example" <bob@there.example>',
        '"<alice@ours.example>" <bob@there.example>',
        '"alice@ours.example, Bob" <bob@there.example>',
        '"alice@ours.example>" <bob@there.example>',
        "=?utf-8?q?B=C3=B6b?= <bob@there.example>",
        "=?utf-8?b?PGFsaWNlQG91cnMuZXhhbXBsZT4=?= <bob@there.example>",
        "Böb <bob@there.example>",
        "B\udcf6b <bob@there.example>",
        "Bob [work] <bob@there.example>",
        "Bob [work <bob@there.example>",
        "Bob; <bob@there.example>",
        "bob@there.example (Bob)",
        "(Bob) bob@there.example",
        "bob(Bob)@there.example",
        "bob@(here is)there.example",
        "bob@there.example (alice@ours.example)",
        "bob@there.example (a (nested \\) one) comment)",
        "Bob (<alice@ours.example>) <bob@there.example>",
        '"bob"@there.example',
        '<"bob"@there.example>',
        "<@ours.example:bob@there.example>",
        "<@ours.example,@other.example:bob@there.example>",
        "Friends: bob@there.example;",
        "Friends: Bob <bob@there.example>;",
        "Friends:bob@there.example",
        "bob@there.example,",
        ", bob@there.example",
        "bob@there.example;",
        "Bob\r\n <bob@there.example>",
        "Bob\n\t<bob@there.example>",
        "\r\n bob@there.example",
        "bob@there.example, bob@there.example",
        "bob@there.example, nobody",
        "Smith, Bob <bob@there.example>",
        "bob@there.example <bob@there.example>",
        "'Bob@there.example' <bob@there.example>",
        "Bob@There.Example <bob@there.example.>",
        "Bob 100% sure! <bob@there.example>",
        "Yahoo!Bob <bob@there.example>",
        "Bob\uff20There <bob@there.example>",
        "=?iso-8859-1?Q?a%b.c!d?= <bob@there.example>",
        "=?utf-8?q?alice=40ours.example?= <bob@there.example>",
        "\"'alice@ours.example' via list\" <bob@there.example>",
        "alice (alice@ours.example) <bob@there.example>",
        "bob . smith <bob@there.example>",
        "Bob\x0b<bob@there.example>",
        "100% =?utf-8?q?sure?= <bob@there.example>",
        "Re: Bob <bob@there.example>",
        '"B\\"o\\"b" (a \\) b) <bob@there.example>',
        '"alice@ours.example" (alice@ours.example) <bob@there.example>',
    ],
)
def test_the_author_is_bob(value: str) -> None:
    assert read_authors([value]) == Authors(read_authors([BOB]).mailboxes, readable=True)
    assert found(value) == [BOB]


@pytest.mark.parametrize(
    ("value", "authors"),
    [
        ("a@there.example, b@there.example", ["a@there.example", "b@there.example"]),
        ("A <a@there.example>, b@there.example (B)", ["a@there.example", "b@there.example"]),
        ('"A, B" <a@there.example>, <b@there.example>', ["a@there.example", "b@there.example"]),
        ("a@there.example,b@there.example,,c@x.example", ["a@there.example", "b@there.example", "c@x.example"]),
        ("Us: a@there.example, B <b@there.example>;", ["a@there.example", "b@there.example"]),
        ("Us: a@there.example;, b@there.example", ["a@there.example", "b@there.example"]),
        ("a@there.example; b@there.example", ["a@there.example", "b@there.example"]),
        ("<@a,@b:a@there.example>, b@there.example", ["a@there.example", "b@there.example"]),
        ("a@[192.0.2.1]", ["a@[192.0.2.1]"]),
        ("A <a@[IPv6:2001:DB8:0::1]>", ["a@[2001:db8::1]"]),
        ("a@bücher.example", ["a@xn--bcher-kva.example"]),
        ("用户 <用户@例え.example>", ["用户@xn--r8jz45g.example"]),
        ('"a b"@there.example', ["a b@there.example"]),
    ],
)
def test_the_authors_are_found_in_their_order(value: str, authors: list[str]) -> None:
    assert found(value) == authors
    assert read_authors([value]).readable


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "\r\n ",
        "bob",
        "Bob Smith",
        "<>",
        "Bob <>",
        "bob@",
        "<bob@>",
        "undisclosed-recipients:;",
        "Bob: ;",
        "\x00\x01\x7f",
        "\udcff\udcfe",
    ],
)
def test_an_author_that_cannot_be_read_is_said_to_be_so(value: str) -> None:
    assert read_authors([value]) == Authors((), readable=False)


# Each may be read as bob@there.example, by some program or by a person, and is not plainly that alone.
BOB_AMONG_OTHERS = [
    '"Bob <bob@there.example>',
    "bob@there.example (",
    "Bob <bob@there.example> (",
    'Bob <bob@there.example> "',
    "(Bob) bob@there.example \\",
    "bob@there.example <alice@ours.example>",
    "bob@there.example <alice@ours.example>, carol@ours.example",
    "alice@ours.example <bob@there.example>",
    "bob @ there . example <alice@ours.example>",
    "bob@there.example via list <list@ours.example>",
    "bob@there.example: alice@ours.example;",
    "Us: alice@ours.example; bob@there.example <alice@ours.example>",
    "(bob@there.example)",
    '"bob@there.example"',
    '"bob@there.example", alice@ours.example',
    "'bob@there.example'",
    "`bob@there.example`",
    "*bob@there.example*",
    "Bob [bob@there.example]",
    "Bob {bob@there.example} <alice@ours.example>",
    "<mailto:bob@there.example>",
    "mailto:bob@there.example <alice@ours.example>",
    "Bob bob@there.example",
    "Bob\tbob@there.example\tSmith",
    "Bob <bob@there.example",
    "Bob <<bob@there.example>>",
    "Bob <bob@there.example>>",
    "Bob <bob@there.example> Smith",
    "<alice@ours.example> <bob@there.example>",
    "<alice@ours.example><bob@there.example>",
    "<alice@ours.example> bob@there.example",
    "bob@there.example>",
    "bob@there.example, <>",
    "bob@there.example, <unreadable:x@y>",
    'bob@there.example, x@"y"',
    'x@"y", bob@there.example',
    "x@, bob@there.example",
    "<" + "x" * 1000 + " @y>, bob@there.example",
    "Bob (Smith <bob@there.example>",
    'bob@"there.example"',
    "=?utf-8?q?bob=40there=2Eexample?=",
    "=?utf-8?b?Ym9iQHRoZXJlLmV4YW1wbGU=?=",
    "=?utf-8?q?Bob_=3Cbob=40there=2Eexample=3E?=",
    "<=?utf-8?q?bob=40there=2Eexample?=>",
    "=?utf-8?q?bob?=@there.example",
    "bob@=?utf-8?q?there?=.example",
    "x" * 17_000 + " =?utf-8?q?bob=40there.example?=",
    "bob\uff20there.example",
    "bob\ufe6bthere\uff0eexample <alice@ours.example>",
    "bob@\uff54\uff48\uff45\uff52\uff45.example <alice@ours.example>",
    "Bob \uff1cbob\uff20there\u3002example\uff1e",
    "bob%there.example <alice@ours.example>",
    "there.example!bob <alice@ours.example>",
    "there.example!bob",
    "bob\uff05there.example",
    "bob%there.example@ours.example",
    "<there.example!bob@ours.example>",
    '"bob@there.example"@ours.example',
    "bob@there.example@ours.example",
    "alice@ours.example@bob@there.example",
    "bob@the\\re.example",
    "bob@there.example\x00",
    "bob@there.example. Yours, Bob <alice@ours.example>",
    "bob@there.example|alice@ours.example",
    "b\\ob@there.example",
    "bob\\@there.example <alice@ours.example>",
    "bob\\@there.example, alice@ours.example",
    "bob@there\\.example <alice@ours.example>",
    "bob@=?utf-8?q?there.example?= <alice@ours.example>",
    "=?utf-8?q?bob?=@there.example <alice@ours.example>",
    "bob%=?utf-8?q?there.example?= <alice@ours.example>",
    "bob@the\u200bre.example <alice@ours.example>",
    "bob@the\u00adre.example <alice@ours.example>",
    "bob@there.example\u00a0<alice@ours.example>",
    "bob@there.example<alice@ours.example>",
    '"Bob" bob@there.example <alice@ours.example>',
    "Bob <bob@there.example> <alice@ours.example>",
    "<alice@ours.example>, <bob@there.example",
    "Bob <bob (x)@there.example>",
    "<bob @ there.example>",
    "<bob@there . example>",
    "bob @ there.example",
    "bob@ there.example",
    "<bob@there.\r\n example>",
    "<bob@there.example .>",
    "bob @ (x) there (y) . (z) example",
    "bob@there .example",
    "bob@there. example",
    "(" * 64_000 + BOB,
    "x " * 32_000 + BOB,
    f"<{BOB}>" * 1000,
]


@pytest.mark.parametrize("value", BOB_AMONG_OTHERS)
def test_whatever_can_be_read_as_an_author_is_one_and_the_field_is_unreadable(value: str) -> None:
    authors = read_authors([value])
    assert Mailbox("bob", "there.example") in authors.mailboxes
    assert not authors.readable
    assert authors.complete
    assert Mailbox("bob", "there.example") in read_authors(["alice@ours.example", value]).mailboxes
    assert not read_authors([value, "alice@ours.example"]).readable


@pytest.mark.parametrize(
    "domain",
    [
        "x%.there.example",
        "\udce9.there.example",
        "x..there.example",
        "-x.there.example",
        "x-.there.example",
        "x" * 64 + ".there.example",
        "x." * 124 + "there.example",
        "ä_.there.example",
        "x\u2028.there.example",
    ],
)
def test_a_domain_that_no_host_can_have_is_not_readable_and_counts_all_the_same(domain: str) -> None:
    for value in (f"a@{domain}", f"A <a@{domain}>", f"a@ours.example, A <a@{domain}>"):
        authors = read_authors([value])
        assert not authors.readable
        assert any(mailbox.domain.endswith("there.example") for mailbox in authors.mailboxes)


@pytest.mark.parametrize(
    "value", ["a@[nonsense]", "a@[192.0.2.999]", "a@192.0.2.1", "a@", "@there.example", '""@x.example']
)
def test_an_address_that_no_mailbox_can_have_is_not_readable(value: str) -> None:
    assert not read_authors([value]).readable
    assert not read_authors([BOB, value]).readable


def test_a_message_without_from_has_no_author() -> None:
    assert read_authors([]) == Authors((), readable=False)


def test_of_several_fields_all_authors_count() -> None:
    assert found("a@x.example", "B <b@x.example>, a@x.example") == ["a@x.example", "b@x.example"]
    assert read_authors(["a@x.example", "b@x.example"]).readable


@pytest.mark.parametrize("other", ["", "<>", '"unclosed'])
def test_one_unreadable_field_of_several_is_enough(other: str) -> None:
    assert read_authors([BOB, other]) == Authors(read_authors([BOB]).mailboxes, readable=False)
    assert read_authors([other, BOB]) == Authors(read_authors([BOB]).mailboxes, readable=False)


MONSTERS = {
    "addresses": ("bob@there.example, " * 3_000, True),
    "display name": ("x" * 64_000 + f" <{BOB}>", True),
    "quoted name": ('"' + "(" * 64_000 + f'" <{BOB}>', True),
    "comments": ("(" * 30_000 + ")" * 30_000 + BOB, True),
    "groups": (f"g:{BOB};" * 2_500, True),
    "commas": ("," * 64_000 + BOB, True),
    "folds": ("\r\n " * 20_000 + BOB, True),
    "routes": ("<" + "@a:" * 20_000 + f"{BOB}>", False),
    "open angles": ("<" * 64_000, False),
    "quotes": ('"' * 63_999, False),
    "brackets": ("@[" * 32_000, False),
    "blanks": (" " * 64_000, False),
}


@pytest.mark.parametrize(("value", "readable"), MONSTERS.values(), ids=MONSTERS)
def test_a_monster_is_read_like_any_other_field(value: str, readable: bool) -> None:
    assert found(value) == ([BOB] if readable else [])


GROWING: dict[str, Callable[[int], str]] = {
    "addresses": lambda size: f"{BOB}, " * (size // 19),
    "quoted name": lambda size: '"' + "(" * size + f'" <{BOB}>',
    "comments": lambda size: "(" * (size // 2) + ")" * (size // 2) + BOB,
    "open comments": lambda size: "(" * size + BOB,
    "pairs of angles": lambda size: f"<{BOB}>" * (size // 19),
    "groups": lambda size: f"g:{BOB};" * (size // 20),
    "words": lambda size: "x " * (size // 2) + BOB,
    "routes": lambda size: "<" + "@a:" * (size // 3) + f"{BOB}>",
    "open angles": lambda size: "<" * size,
    "quotes": lambda size: '"' * size,
    "brackets": lambda size: "@[" * (size // 2),
    "ats": lambda size: "@" * size,
    "bangs": lambda size: "a.b!" * (size // 4),
    "percent signs": lambda size: "a%" * (size // 2) + BOB,
    "encoded words": lambda size: "=?utf-8?q?bob=40there.example?= " * (size // 32),
    "a name of addresses": lambda size: "a@b.c " * (size // 6) + f"<{BOB}>",
    "international names": lambda size: "a@ü.example, " * (size // 13),
}


@pytest.mark.parametrize("make", GROWING.values(), ids=GROWING)
def test_reading_costs_no_more_than_the_length_of_the_field(make: Callable[[int], str]) -> None:
    assert cost(make(4000)) < 12 * cost(make(500))


def cost(value: str) -> int:
    """The steps of reading one field."""
    return steps(lambda: read_authors([value]))


FLOODS = {
    "ats": "@" * 64_000,
    "pairs of angles": f"<{BOB}>" * 6_000,
    "bangs": "a.b!" * 30_000,
    "wide": "\uff41\uff20" * 60_000,
    "international names": ", ".join(f"a@{label}.example" for label in map(chr, range(0x4E00, 0x4E00 + 1001))),
    "international names without a list": " ".join(f"a@{chr(0x4E00 + i)}.example" for i in range(1001)) + "<",
    "international names as a name": " ".join(f"a@{chr(0x4E00 + i)}.example" for i in range(1001)) + f"<{BOB}>",
    "one international name": "a@" + "ü." * 1001 + "example",
}


@pytest.mark.parametrize("value", FLOODS.values(), ids=FLOODS)
def test_what_is_too_much_to_read_is_said_to_be_so(value: str) -> None:
    assert not read_authors([BOB, value]).complete
    assert Mailbox("bob", "there.example") in read_authors([BOB, value]).mailboxes


def test_the_limits_are_those_of_all_fields_together() -> None:
    field = ", ".join(f"a@{chr(0x4E00 + i)}.example" for i in range(150))
    assert read_authors([field] * 3).complete
    assert not read_authors([field] * 4).complete


def test_the_longest_plain_author_is_one_like_any_other() -> None:
    assert found("a" * 64_000 + "@there.example") == ["a" * 64_000 + "@there.example"]


def test_the_end_of_a_literal_is_looked_for_nearby_only() -> None:
    """Reading to the end of the field for each of thousands of brackets would take seconds."""
    literals = [f"a@[{'1' * length}]" for length in (200, 256, 257, 100_000)]
    assert [any("[" in domain for _, domain in sightings(text)) for text in literals] == [True, True, False, False]
    assert found("x <a@[192.0.2.1]> <a@[192.0.2.2]>")[:2] == ["a@[192.0.2.1]", "a@[192.0.2.2]"]
