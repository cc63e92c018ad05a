"""The authors of a message: what a reader sees in From:, however it is written."""

from __future__ import annotations

import pytest

from turfmilter.core.authors import Authors, read_authors
from turfmilter.core.mailbox import Mailbox


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
        "alice@ours.example <bob@there.example>",
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
        "Bob <bob (x)@there.example>",
        "<bob @ there.example>",
        "<bob@there . example>",
        "bob @ there.example",
        "bob@ there.example",
        '"bob"@there.example',
        '<"bob"@there.example>',
        "b\\ob@there.example",
        "<@ours.example:bob@there.example>",
        "<@ours.example,@other.example:bob@there.example>",
        "Friends: bob@there.example;",
        "Friends: Bob <bob@there.example>;",
        "Friends:bob@there.example",
        "bob@there.example,",
        ", bob@there.example",
        "bob@there.example;",
        "Bob bob@there.example",
        "Bob\tbob@there.example\tSmith",
        "Bob\r\n <bob@there.example>",
        "Bob\n\t<bob@there.example>",
        "\r\n bob@there.example",
        "<bob@there.\r\n example>",
        "Bob <bob@there.example",
        "Bob <<bob@there.example>>",
        "Bob <bob@there.example>>",
        "Bob <bob@there.example> Smith",
        "bob@there.example, bob@there.example",
        "bob@there.example, nobody",
        "bob@there.example, <>",
        "bob@there.example, <unreadable:x@y>",
        'bob@there.example, x@"y"',
        'x@"y", bob@there.example',
        "x@, bob@there.example",
        "<" + "x" * 1000 + " @y>, bob@there.example",
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
        ("<a@there.example> <b@there.example>", ["a@there.example", "b@there.example"]),
        ("<a@there.example><b@there.example>", ["a@there.example", "b@there.example"]),
        ("a@there.example; b@there.example", ["a@there.example", "b@there.example"]),
        ("<@a,@b:a@there.example>, b@there.example", ["a@there.example", "b@there.example"]),
        ("a@[192.0.2.1]", ["a@[192.0.2.1]"]),
        ("A <a@[IPv6:2001:DB8:0::1]>", ["a@[2001:db8::1]"]),
        ("a@bücher.example", ["a@xn--bcher-kva.example"]),
        ("用户 <用户@例え.example>", ["用户@xn--r8jz45g.example"]),
        ('"a b"@there.example', ["a b@there.example"]),
        ('"a@ours.example"@there.example', ["a@ours.example@there.example"]),
        ("a@ours.example@there.example", ["a@ours.example@there.example"]),
        ("a%ours.example@there.example", ["a%ours.example@there.example"]),
        ("=?utf-8?q?a?=@there.example", ["=?utf-8?q?a?=@there.example"]),
        ("@there.example", ["@there.example"]),
        ("a@x%.there.example", ["a@x%.there.example"]),
        ("a@\udce9.there.example", ["a@\udce9.there.example"]),
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
        "(bob@there.example)",
        '"bob@there.example"',
        "=?utf-8?q?bob=40there=2Eexample?=",
        "Bob (Smith <bob@there.example>",
        'bob@"there.example"',
        "bob@there.example>",
        "<" + "x" * 1000 + " @there.example>",
        "\x00\x01\x7f",
        "\udcff\udcfe",
    ],
)
def test_an_author_that_cannot_be_read_is_said_to_be_so(value: str) -> None:
    assert read_authors([value]) == Authors((), readable=False)


@pytest.mark.parametrize(
    "value",
    [
        '"Bob <bob@there.example>',
        "bob@there.example (",
        "Bob <bob@there.example> (",
        'Bob <bob@there.example> "',
        "(Bob) bob@there.example \\",
    ],
)
def test_what_is_left_open_hides_no_author(value: str) -> None:
    assert read_authors([value]) == Authors((Mailbox("bob", "there.example"),), readable=False)


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
    "pairs of angles": (f"<{BOB}>" * 3_000, True),
    "groups": (f"g:{BOB};" * 2_500, True),
    "commas": ("," * 64_000 + BOB, True),
    "words": ("x " * 32_000 + BOB, True),
    "folds": ("\r\n " * 20_000 + BOB, True),
    "open comments": ("(" * 64_000 + BOB, False),
    "routes": ("<" + "@a:" * 20_000 + f"{BOB}>", False),
    "open angles": ("<" * 64_000, False),
    "quotes": ('"' * 63_999, False),
    "ats": ("@" * 64_000, False),
    "brackets": ("@[" * 32_000, False),
    "blanks": (" " * 64_000, False),
}


@pytest.mark.parametrize(("value", "readable"), MONSTERS.values(), ids=MONSTERS)
def test_a_monster_is_read_in_bounded_time(value: str, readable: bool) -> None:
    assert found(value) == ([BOB] if readable else [])


def test_the_longest_plain_author_is_one_like_any_other() -> None:
    assert found("a" * 64_000 + "@there.example") == ["a" * 64_000 + "@there.example"]
