"""A recipient is ours only if every reading of its text is ours, and where something hides, the MTA agrees.

What the MTAs make of a text was seen on Postfix 3.7.11 and Sendmail 8.17.1 with `ours.example` as their own.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.rules import clients, domains, hosts
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.address.readings import read, read_sender
from turfmilter.core.session import Connection, Recipient, Session
from turfmilter.rules.relay import Relay

RULE = Relay(
    domains=domains("ours.example", "bücher.example", "192.0.2.25", "2001:db8::25"),
    always=domains(),
    routing=True,
    deny=clients(exception_refuses=False),
    allow=clients(exception_refuses=True),
    interfaces=hosts(),
    accounts=None,
    accounts_need_tls=False,
    default_allows=False,
)
STRANGER = Session(Connection())


def is_ours(text: str, resolved: str = "") -> bool:
    return RULE.at_rcpt(STRANGER, Recipient(text, (), resolved)) is None


def addresses(text: str) -> list[str]:
    return [str(mailbox) for mailbox in read(text).mailboxes]


PLAIN = [
    "alice@ours.example",
    "<alice@ours.example>",
    "<Alice@OURS.Example>",
    "<alice@ours.example.>",
    "<alice@mail.ours.example>",
    "<a+b@ours.example>",
    "<bounce-17+user=there.example@ours.example>",
    "<SRS0=HHH=TT=there.example=user@ours.example>",
    "<prvs=1234abcdef=user@ours.example>",
    "<a/b@ours.example>",
    "</G=john/S=doe/@ours.example>",
    "<O'Brien@ours.example>",
    "<john.doe@ours.example>",
    "<john..doe.@ours.example>",
    "<.john@ours.example>",
    "<#1@ours.example>",
    "<a&b*c$d{e}f|g~h^i`j?k@ours.example>",
    "<imcea@ours.example>",
    "<imceasmtp@ours.example>",
    "<ximceasmtp-a+40there.example@ours.example>",
    "<jörg@ours.example>",
    "<用户@ours.example>",
    "<jörg@BÜCHER.example>",
    "<alice@xn--bcher-kva.example>",
]


@pytest.mark.parametrize("text", PLAIN)
@pytest.mark.parametrize("resolved", ["", "alice", "alice@ours.example", "alice@there.example"])
def test_a_plain_address_of_ours_needs_nothing_more(text: str, resolved: str) -> None:
    """What the MTA then makes of it is the administrator's own alias or transport."""
    assert read(text).plain
    assert is_ours(text, resolved)


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("alice", "alice@ours.example"),
        ("<alice>", "alice"),
        ("<postmaster>", "postmaster@ours.example"),
        ('<"alice"@ours.example>', "alice@ours.example"),
        ('<"john doe"@ours.example>', '"john doe"@ours.example'),
        ('<"john..doe"@ours.example>', '"john..doe"@ours.example'),
        ('<"a,b;c:d<e>"@ours.example>', '"a,b;c:d<e>"@ours.example'),
        ("<a\\lice@ours.example>", "alice@ours.example"),
        ("<a\\lice@ours.example>", "a\\lice"),
        ("<alice@[192.0.2.25]>", "alice@[192.0.2.25]"),
        ("<alice@[192.0.2.25]>", "alice"),
        ("<alice@[IPv6:2001:db8::25]>", "alice@[ipv6:2001:db8::25]"),
        ("<alice@[ipv6:2001:DB8:0:0::25]>", "alice"),
        ("<alice@[IPv6:::ffff:192.0.2.25]>", "alice@[ipv6:::ffff:192.0.2.25]"),
        ("<@there.example:alice@ours.example>", "alice@ours.example"),
        ("<@there.example,@other.example:alice@ours.example>", "alice"),
        ("<@a.example:@b.example:alice@ours.example>", "alice@ours.example"),
        ("<ours.example!alice>", "alice@ours.example"),
        ("<alice%ours.example>", "alice@ours.example"),
        ("<alice%ours.example@ours.example>", "alice@ours.example"),
        ("<mail.ours.example!alice@ours.example>", "alice@mail.ours.example"),
        ('<"alice@ours.example"@ours.example>', "alice@ours.example"),
        ("<IMCEASMTP-alice+40ours+2Eexample@ours.example>", "imceasmtp-alice+40ours+2eexample@ours.example"),
        ("<IMCEAEX-_O=ORG_CN=ALICE@ours.example>", "imceaex-_o=org_cn=alice@ours.example"),
        ("<Joe <alice@ours.example>>", "alice@ours.example"),
        ("<alice (comment)@ours.example>", "alice@ours.example"),
        ("<alice (x@there.example)@ours.example>", "alice@ours.example"),
        ("<(a (nested \\) one))alice@(c)ours.example(.there.example)>", "alice@ours.example"),
        ("<alice(\\()@ours.example>", "alice@ours.example"),
        ("<\talice@ours.example >", "alice@ours.example"),
        ("<alice @ ours . example>", "alice@ours.example"),
        ("<alice@ours.example@ours.example>", "alice@ours.example"),
        ("<@ours.example>", "mailer-daemon@ours.example"),
        ("<😀@ours.example>", "😀@ours.example"),
        ("<\uff41lice@ours.example>", "\uff41lice@ours.example"),
        ("<हिन्दी@ours.example>", "हिन्दी@ours.example"),
        ("<\udce9t\udce9@ours.example>", "\udce9t\udce9"),
        ("<a\x01b@ours.example>", "a\x01b@ours.example"),
    ],
)
def test_an_odd_spelling_of_ours_passes_when_the_mta_agrees(text: str, resolved: str) -> None:
    assert not read(text).plain
    assert is_ours(text, resolved)
    assert not is_ours(text, "alice@there.example")
    assert not is_ours(text, "")


# Each leads outside, mostly to there.example or 198.51.100.1: on one of the MTAs, or on a host behind them.
HIDING = [
    "<x@there.example>",
    "x@there.example",
    "<x@THERE.example.>",
    "<x@[198.51.100.1]>",
    "<x@[IPv6:2001:db8::1]>",
    "<x@[IPv6:::ffff:198.51.100.1]>",
    "<x@198.51.100.1>",
    "<x@oursXexample>",
    "<x@xours.example>",
    "<x@ours.example.there.example>",
    "<x@ours>",
    "<@there.example>",
    "<x%there.example>",
    "<x%there.example@ours.example>",
    "<x%[198.51.100.1]@ours.example>",
    "<x%ours.example%there.example@ours.example>",
    "<x%there.example%ours.example@ours.example>",
    "<x%there.example@ours.example@ours.example>",
    "<x@there.example@ours.example>",
    "<there.example!x>",
    "<there.example!x@ours.example>",
    "<ours.example!there.example!x@ours.example>",
    "<there.example!ours.example!x@ours.example>",
    "<there.example!x%ours.example@ours.example>",
    "<ours.example!x%there.example@ours.example>",
    "<wow!@ours.example>",
    '<"x@there.example"@ours.example>',
    '<"x%there.example"@ours.example>',
    '<"there.example!x"@ours.example>',
    '<"x%there.example@ours.example"@ours.example>',
    '<"x\\"@there.example"@ours.example>',
    '<"x@[198.51.100.1]"@ours.example>',
    '<"\\"x@there.example\\"@ours.example"@ours.example>',
    '<"@there.example:x@ours.example"@there.example>',
    '<"@ours.example:x@there.example"@ours.example>',
    '<"(c)x@there.example"@ours.example>',
    '<"<x@there.example>"@ours.example>',
    "<x\\@there.example@ours.example>",
    "<x\\%there.example@ours.example>",
    "<there.example\\!x@ours.example>",
    "<@ours.example:x@there.example>",
    "<@ours.example,@ours.example:x@there.example>",
    "<@ours.example:x%there.example@ours.example>",
    "<@ours.example:there.example!x>",
    '<@ours.example:"x%there.example"@ours.example>',
    '<@ours.example:"x@there.example"@ours.example>',
    "<IMCEASMTP-x+40there.example@ours.example>",
    "<imceasmtp-x+40there+2eexample@ours.example>",
    "<IMCEAX400-x+25there.example@ours.example>",
    "<IMCEA-there.example+21x@ours.example>",
    "<ImCeAsMtP-IMCEASMTP-x+2B40there+2Eexample@ours.example>",
    "<IMCEASMTP-x%there.example@ours.example>",
    "<IMCEASMTP-x+40there.example>",
    '<"IMCEA x@there.example"@ours.example>',
    '<"IMCEASMTP-x@there.example"@ours.example>',
    '<"IMCEASMTP-x+40there.example"@ours.example>',
    '<"IMCEASMTP x+40there.example"@ours.example>',
    "<x\uff20there.example@ours.example>",
    "<x\uff05there.example@ours.example>",
    "<x﹪there.example@ours.example>",
    "<there.example\uff01x@ours.example>",
    '<"x\uff20there.example"@ours.example>',
    "<[x@[198.51.100.1]>",
    "<[@[198.51.100.1]@ours.example>",
    "<a[b@there.example]c@ours.example>",
    "<[x%there.example]@ours.example>",
    "<x@there.example <alice@ours.example>>",
    "<x%there.example <alice@ours.example>>",
    '<"x@there.example <>"@ours.example>',
    '<"x@there.example <alice@ours.example>"@ours.example>',
]


@pytest.mark.parametrize("text", HIDING)
@pytest.mark.parametrize("resolved", ["x@there.example", "x@ours.example", "x", ""])
def test_an_address_outside_is_found_wherever_it_hides(text: str, resolved: str) -> None:
    """Also when the MTA takes it for its own: a host behind it may see what it did not."""
    assert not is_ours(text, resolved)


@pytest.mark.parametrize(
    "text",
    [
        "<",
        ">",
        "<alice@ours.example",
        "alice@ours.example>",
        "<alice@ours.example> x",
        "<alice@ours.example> <x@there.example>",
        "<x@there.example> <alice@ours.example>",
        "<<x@there.example> alice@ours.example>",
        "<alice@ours.example,x@there.example>",
        "<x@there.example,alice@ours.example>",
        "<list:alice@ours.example;>",
        "<list:x@there.example,alice@ours.example;>",
        "<x@there.example;@ours.example>",
        "<;alice@ours.example>",
        "<a:b:alice@ours.example>",
        "<there.example::alice@ours.example>",
        "<:include:/etc/passwd@ours.example>",
        "<@there.example:>",
        "<@there.example:@ours.example:>",
        "<@there.example!x:>",
        "<alice@>",
        "<alice@.>",
        "alice@.",
        "<@>",
        "<alice@..>",
        "<alice@ours.example..>",
        '<"alice@ours.example>',
        '<alice"@ours.example>',
        '<alice@"ours.example">',
        '<alice@ours."example">',
        "<alice(@ours.example>",
        "<alice)@ours.example)>",
        "<alice@ours.example(>",
        "<alice@ours.example)>",
        "<alice@ours.example\\>",
        "<alice@ou\\rs.example>",
        "<alice@[192.0.2.25>",
        "<alice@192.0.2.25]>",
        "<alice@\\[192.0.2.25]>",
        "<\\@ours.example:alice@ours.example>",
        "<alice@[192.0.2.25].ours.example>",
        "<alice@[198.51.100.1].ours.example>",
        "<alice@ours.example[198.51.100.1]>",
        "<alice@[ours.example]>",
        "<alice@[]>",
        "<alice@[[192.0.2.25]]>",
        "<alice@there.example%.ours.example>",
        "<alice@there.example!.ours.example>",
        "<alice@there.example\x1f.ours.example>",
        "<alice@there.example\u00a0.ours.example>",
        "<alice@ours.example\x1f>",
        "<alice@\x7fours.example>",
        "<alice@there.example\uff0f.ours.example>",
        "<alice@there.example|.ours.example>",
        '<"x@there.example("@ours.example>',
        '<"x@there.example["@ours.example>',
        "<\\.!x@ours.example>",
        "<" + "x" * 2000 + " @ours.example>",
        "<" + "(" * 300 + ")" * 299 + "alice@ours.example>",
        "<" + "ours.example!" * 64 + "alice@ours.example>",
        "<alice" + "%ours.example" * 64 + "@ours.example>",
    ],
)
def test_what_nobody_can_read_for_sure_is_not_ours(text: str) -> None:
    assert not is_ours(text, "alice@ours.example")
    assert not read(text).plain


# Each becomes ours.example, bücher.example or kiosk.example in programs that map (UTS 46); the MTAs do not.
ONLY_AFTER_MAPPING = [
    "our\u017f.example",
    "ou\u00adrs.example",
    "ours\u3002example",
    "\uff4furs.example",
    "\u24c4urs.example",
    "ours.exa\u200bmple",
    "\u212aiosk.example",
    "mail.\u212aiosk.example",
    "bu\u0308cher.example",
]


@pytest.mark.parametrize("domain", ONLY_AFTER_MAPPING)
def test_a_domain_that_is_ours_only_after_mapping_is_not_ours(domain: str) -> None:
    rule = replace(RULE, domains=domains("ours.example", "kiosk.example", "bücher.example"))
    for text in (f"<alice@{domain}>", f"alice@{domain}", f'<"alice"@{domain}>', f"<alice%{domain}@ours.example>"):
        for resolved in (f"alice@{domain}", "alice@ours.example", "alice", ""):
            assert rule.at_rcpt(STRANGER, Recipient(text, (), resolved)) is not None
            assert not read(text).plain
    assert rule.at_rcpt(STRANGER, Recipient('<"alice"@ours.example>', (), f"alice@{domain}")) is not None


@pytest.mark.parametrize(
    "domain", ["BÜCHER.example", "xn--bcher-kva.example", "XN--BCHER-KVA.Example.", "bücher.example"]
)
def test_an_international_domain_is_ours_as_it_is_spelled(domain: str) -> None:
    assert is_ours(f"<alice@{domain}>")
    assert is_ours('<"alice"@ours.example>', f"alice@{domain}")


def test_an_international_domain_whose_letters_have_marks_is_ours_when_the_mta_agrees() -> None:
    rule = replace(RULE, domains=domains("हिन्दी.example"))
    assert rule.at_rcpt(STRANGER, Recipient("<alice@हिन्दी.example>", (), "alice@हिन्दी.example")) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("<Alice@OURS.example.>", ["alice@ours.example"]),
        ("<x%b%a@ours.example>", ["x%b%a@ours.example", "x%b@a", "x@b"]),
        ("<a!b!x>", ["a!b!x", "b!x@a", "x@b"]),
        ("<a!x%b@ours.example>", ["a!x%b@ours.example", "a!x@b", "x%b@a", "x@a", "x@b"]),
        ('<"x@a"@ours.example>', ["x@a@ours.example", "x@a"]),
        ("<IMCEASMTP-x+40a@ours.example>", ["imceasmtp-x+40a@ours.example", "x@a"]),
        ('<"IMCEA x@a"@ours.example>', ["imcea x@a@ours.example", "imceax@a", "x@a"]),
        ("<x\uff20a@ours.example>", ["x\uff20a@ours.example", "x@a@ours.example", "x@a"]),
        ("<@a,@b:x@c>", ["x@c"]),
        ("<alice>", ["alice"]),
        ("<>", [""]),
        ("<alice@[IPv6:2001:DB8:0::1]>", ["alice@[2001:db8::1]"]),
        ('<" a "@ours.example>', [" a @ours.example"]),
        ("<\\ a\\ @ours.example>", [" a @ours.example"]),
        ('<"a\\"b\\\\c"@ours.example>', ['a"b\\c@ours.example']),
        ("<Joe (a comment) <alice@ours.example>>", ["alice@ours.example"]),
    ],
)
def test_the_readings_go_from_the_address_itself_to_the_innermost(text: str, found: list[str]) -> None:
    assert addresses(text) == found


@pytest.mark.parametrize("wrap", ["{}%{}@ours.example", "{1}!{0}@ours.example", '"{}@{}"@ours.example'])
def test_the_layers_that_somebody_may_need_are_read(wrap: str) -> None:
    local = "alice"
    for _ in range(4):
        local = wrap.format(local.replace("\\", "\\\\").replace('"', '\\"'), "ours.example").removesuffix(
            "@ours.example"
        )
    assert is_ours(f"<{local}@ours.example>", "alice@ours.example")


MONSTERS = {
    "more layers than anybody needs": "x" + "%a" * 40,
    "percent signs": "%" * 64_000,
    "percent layers": "x%" * 32_000 + "there.example",
    "bangs": "there.example!" * 4_000 + "x",
    "mixed layers": "x%y!" * 16_000 + "z",
    "routes": "@a:" * 21_000 + "x",
    "quotes": '"' * 64_000,
    "backslashes": "\\" * 64_000,
    "comments": "(" * 32_000 + ")" * 32_000 + "x",
    "open comments": "(" * 64_000,
    "angles": "<" * 32_000 + "x" + ">" * 32_000,
    "ats": "@" * 64_000,
    "brackets": "@[" * 32_000,
    "imcea": "IMCEA-" * 10_000 + "x",
    "plus signs": "IMCEA-" + "+2B" * 20_000 + "40x",
    "combining marks": "a" + "\u0315\u0300" * 16_000,
    "blanks": " " * 64_000,
    "ligatures": "\ufdfa" * 20_000,
}


@pytest.mark.parametrize("monster", MONSTERS.values(), ids=MONSTERS)
def test_a_monster_is_refused_without_being_unfolded(monster: str) -> None:
    assert not read(f"<{monster}@ours.example>")


@pytest.mark.parametrize(
    ("local", "domain"), [("a" * 64_000, "ours.example"), ("a", "a." * 32_000 + "example"), ("ü", "ü." * 20_000 + "x")]
)
def test_a_plain_monster_is_an_address_as_any_other(local: str, domain: str) -> None:
    assert read(f"<{local}@{domain}>").mailboxes == (Mailbox(local, domain),)


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ("<>", Mailbox("", "")),
        ("", Mailbox("", "")),
        ("<Bob@THERE.example.>", Mailbox("bob", "there.example")),
        ("bob@there.example", Mailbox("bob", "there.example")),
        ('<"bob"@there.example>', Mailbox("bob", "there.example")),
        ('<"bob smith"@there.example>', Mailbox("bob smith", "there.example")),
        ("<@a.example,@b.example:bob@there.example>", Mailbox("bob", "there.example")),
        ("<bob (x@other.example)@there.example>", Mailbox("bob", "there.example")),
        ("<Bob <bob@there.example>>", Mailbox("bob", "there.example")),
        ("<bob@[IPv6:2001:DB8:0::1]>", Mailbox("bob", "[2001:db8::1]")),
        ("<bob@bücher.example>", Mailbox("bob", "xn--bcher-kva.example")),
        ("<bob>", Mailbox("bob", "")),
        ("root@rig.test", Mailbox("root", "rig.test")),
    ],
)
def test_a_sender_is_read(text: str, mailbox: Mailbox) -> None:
    assert read_sender(text) == mailbox


@pytest.mark.parametrize(
    "text",
    [
        "<bob%there.example>",
        "<there.example!bob>",
        '<"bob@there.example">',
        "<bob\\@there.example>",
        '<"bob%there.example">',
        "<@ours.example:bob%there.example>",
    ],
)
def test_a_sender_without_a_domain_is_the_one_that_postfix_makes_of_it(text: str) -> None:
    assert read_sender(text) == Mailbox("bob", "there.example")


@pytest.mark.parametrize("text", ["<bob%there.example@ours.example>", '<"bob@there.example"@ours.example>'])
def test_a_sender_with_a_domain_is_what_it_says(text: str) -> None:
    """Postfix leaves these as they are."""
    assert read_sender(text).domain == "ours.example"


@pytest.mark.parametrize(
    ("text", "mailbox"),
    [
        ('<"bob@there.example>', Mailbox('"bob', "there.example")),
        ("<bob(@there.example>", Mailbox("bob(", "there.example")),
        ("<a,b@there.example>", Mailbox("a,b", "there.example")),
        ("<bob@there.example", Mailbox("bob", "there.example")),
        ("<" + "@a:" * 20_000 + "bob@THERE.example>", Mailbox("@a:" * 20_000 + "bob", "there.example")),
        ("<bob@there.example;>", Mailbox("bob", "there.example")),
        ("<bob@there.example(>", Mailbox("bob", "there.example")),
        ("<bob@there.example (@x.example", Mailbox("bob@there.example (", "x.example")),
        ("<bob@there.example(@", Mailbox("bob", "there.example")),
        ("<bob@ [192.0.2.1];>", Mailbox("bob", "[192.0.2.1]")),
        ("<bob\\>", Mailbox("bob\\", "")),
        ('"', Mailbox('"', "")),
    ],
)
def test_of_a_sender_that_cannot_be_read_the_domain_still_counts(text: str, mailbox: Mailbox) -> None:
    assert read_sender(text) == mailbox
