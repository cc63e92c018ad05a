"""Whose mail is held: the turf table, compared with sender and authors, and who is exempt."""

from __future__ import annotations

from datetime import date

import pytest

from rig.rules import TODAY, senders, spares
from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.readings import read_sender
from turfmilter.core.finding import Finding
from turfmilter.core.session import Connection, Envelope, Recipient, Sender, Session
from turfmilter.rules.turf import Exempt, TurfAuthor, TurfSender, UnreadableAuthor


def message(sender: str = "<news@fine.example>", *froms: str, account: str = "", today: date = TODAY) -> Session:
    """A session whose header has been received."""
    envelope = Envelope(Sender(sender, (), read_sender(sender)))
    return Session(Connection(), account=account, envelope=envelope, authors=read_authors(froms), today=today)


def of_sender(text: str, *lines: str) -> str:
    """The entry that the sender `text` matches, "" for none."""
    return _entry(TurfSender(senders(*lines), spares()).at_mail(message(text)))


def of_author(froms: list[str], *lines: str) -> str:
    """The entry that the author in these From: fields matches, "" for none."""
    return _entry(TurfAuthor(senders(*lines), spares()).at_headers(message("<news@fine.example>", *froms)))


def _entry(finding: Finding | None) -> str:
    return finding.matched.text if finding and finding.matched else ""


@pytest.mark.parametrize(
    ("line", "inside", "outside"),
    [
        ("user@bad.example", ["user@bad.example", "USER@Bad.Example."], ["a@bad.example", "user@a.bad.example"]),
        ("@bad.example", ["a@bad.example", "a@b.bad.example"], ["a@xbad.example", "a@example", "bad.example"]),
        ("=@bad.example", ["a@bad.example"], ["a@b.bad.example"]),
        ("user@", ["user@a.example", "user@[192.0.2.1]", "user"], ["a@user.example", "xuser@a.example"]),
        ("<>", [""], ["a@bad.example", "a"]),
        (".", [""], ["a@bad.example"]),
        ("@[192.0.2.1]", ["a@[192.0.2.1]", "a@[IPv6:::ffff:192.0.2.1]"], ["a@192.0.2.1", "a@[192.0.2.2]"]),
        ("news*@bad.example", ["news@bad.example", "newsletter@bad.example"], ["anews@bad.example"]),
        ("*-bounces*@bad.example", ["a-bounces@bad.example", "a-bounces+b@bad.example"], ["a@bad.example"]),
        ("straße@bad.example", ["straße@bad.example", "STRAßE@bad.example"], ["strasse@bad.example"]),
        ("STRASSE@bad.example", ["strasse@bad.example"], ["straße@bad.example"]),
        ('"Straße 1"@bad.example', ['"straße 1"@bad.example'], ['"strasse 1"@bad.example']),
        ("STRAẞE-*@bad.example", ["straße-1@bad.example"], ["strasse-1@bad.example"]),
        ("ß@", ["ß@a.example"], ["ss@a.example"]),
        (
            "@bücher.example",
            ["a@BÜCHER.example", "a@xn--bcher-kva.example", "a@ä_.bücher.example"],
            ["a@bucher.example"],
        ),
    ],
)
def test_senders_on_the_table_are_found(line: str, inside: list[str], outside: list[str]) -> None:
    assert [address for address in inside + outside if of_sender(f"<{address}>", line)] == inside


@pytest.mark.parametrize(
    "text",
    [
        "<user@bad.example>",
        "user@bad.example",
        '<"user"@bad.example>',
        "<us\\er@bad.example>",
        "<@fine.example:user@bad.example>",
        "<user(x@fine.example)@bad.example>",
        "<User <user@bad.example>>",
        "<user@bad.example",
        "<user@bad.example.>",
        '<"user@bad.example>',
        "<user,user@bad.example>",
        "<user@bad.example>>",
        "<user@bad.example;>",
        "<user@bad.example(>",
        "<user%bad.example>",
        "<bad.example!user>",
        '<"user@bad.example">',
        "<user\\@bad.example>",
        "<;user%bad.example>",
        "<:user%bad.example>",
        "<,user%bad.example>",
        "<user%%bad.example>",
        "<user%bad.example%>",
        "<user%bad.example@>",
        "<user%bad.example;>",
        "<user%bad.example@fine.example>",
        "<bad.example!user%>",
        "<bad.example!!user>",
        "<!bad.example!user>",
        "<bad.example !user>",
        "<bad.example!user@fine.example>",
        "<user@bad.example%>",
        "<user@bad.example!>",
        "<user@bad.example@>",
        "<user@bad .example>",
        "<user@ba\\d.example>",
        "<user@ba\\\\d.example>",
        '<user@"bad.example">',
        '<"user@bad.example"@fine.example>',
        "<user\uff20bad.example>",
        "<user\uff05bad\uff0eexample>",
        "<user@ba\u00add.example>",
        "<user%x bad.example>",
        "<IMCEASMTP-user+40bad.example@fine.example>",
        "<" + "@a:" * 20_000 + "user@bad.example>",
    ],
)
def test_a_sender_is_found_however_it_is_spelled(text: str) -> None:
    assert of_sender(text, "@bad.example") == "@bad.example"


@pytest.mark.parametrize(
    ("froms", "entry"),
    [
        (["Bad <user@bad.example>"], "@bad.example"),
        (["Bad <user@a.BAD.example>"], "@bad.example"),
        (["user@fine.example"], ""),
        (['"user@bad.example" <user@fine.example>'], ""),
        (["user@bad.example <user@fine.example>"], "@bad.example"),
        (["user@bad .example"], "@bad.example"),
        (["'user@bad.example'"], "@bad.example"),
        (["Bad [user@bad.example]"], "@bad.example"),
        (["user@[bad.example]"], "@bad.example"),
        (["<mailto:user@bad.example>"], "@bad.example"),
        (["=?utf-8?q?user=40bad=2Eexample?="], "@bad.example"),
        (["=?utf-8?q?user=40bad=2Eexample?= <user@fine.example>"], ""),
        (["user\uff20bad.example <user@fine.example>"], "@bad.example"),
        (["bad.example!user <user@fine.example>"], "@bad.example"),
        (["user%bad.example@fine.example"], "@bad.example"),
        (["user@bad.example: user@fine.example;"], "@bad.example"),
        (["user@fine.example", "Bad [user@bad.example]"], "@bad.example"),
        (["user@good.bad.example <user@fine.example>"], ""),
        (["user@fine.example", "user@bad.example"], "@bad.example"),
        (["user@fine.example, Bad <user@bad.example>"], "@bad.example"),
        (["Us: user@fine.example, user@bad.example;"], "@bad.example"),
        (['x@"y", user@bad.example'], "@bad.example"),
        (['"unclosed', "user@bad.example"], "@bad.example"),
        (["user@good.bad.example"], ""),
        (["user@good.bad.example", "user@bad.example"], "@bad.example"),
        ([""], ""),
        ([], ""),
    ],
)
def test_any_of_several_authors_is_enough(froms: list[str], entry: str) -> None:
    assert of_author(froms, "@bad.example", "!@good.bad.example") == entry


def test_sender_and_author_are_looked_at_apart() -> None:
    session = message("<user@bad.example>", "user@fine.example")
    table = senders("@bad.example")
    sender, author = TurfSender(table, spares()), TurfAuthor(table, spares())
    assert [_what(rule.at_mail(session)) for rule in (sender, author)] == ["sender", ""]
    assert [_what(rule.at_headers(session)) for rule in (sender, author)] == ["", ""]
    session = message("<user@fine.example>", "user@bad.example")
    assert [_what(rule.at_mail(session)) for rule in (sender, author)] == ["", ""]
    assert [_what(rule.at_headers(session)) for rule in (sender, author)] == ["", "author"]


def _what(finding: Finding | None) -> str:
    return finding.what if finding else ""


@pytest.mark.parametrize(
    ("lines", "address", "entry"),
    [
        (["@bad.example", "!user@bad.example"], "user@bad.example", ""),
        (["!user@bad.example", "@bad.example"], "user@bad.example", ""),
        (["@bad.example", "!user@bad.example"], "a@bad.example", "@bad.example"),
        (
            ["@bad.example", "!@good.bad.example", "user@good.bad.example"],
            "user@good.bad.example",
            "user@good.bad.example",
        ),
        (["@bad.example", "!@good.bad.example"], "a@x.good.bad.example", ""),
        (["@bad.example", "!=@bad.example"], "a@bad.example", ""),
        (["@bad.example", "!=@bad.example"], "a@b.bad.example", "@bad.example"),
        (["user@", "!user@fine.example"], "user@fine.example", ""),
        (["user@bad.example", "!user@bad.example"], "user@bad.example", ""),
        (["<>", "!<>"], "", ""),
        (["!<>"], "", ""),
    ],
)
def test_the_most_specific_entry_decides_and_an_exception_wins_a_tie(
    lines: list[str], address: str, entry: str
) -> None:
    assert of_sender(f"<{address}>", *lines) == entry
    if address:
        assert of_author([address], *lines) == entry


def test_a_finding_names_its_entry_with_file_and_line() -> None:
    finding = TurfSender(senders("# our list", "@bad.example why=spam"), spares()).at_mail(message("<a@bad.example>"))
    assert finding is not None
    assert (finding.rule, finding.what, str(finding.matched)) == ("turf", "sender", "@bad.example table:2")


@pytest.mark.parametrize(
    ("day", "found"),
    [(date(2027, 1, 30), True), (date(2027, 1, 31), True), (date(2027, 2, 1), False), (date(2030, 1, 1), False)],
)
def test_an_entry_expires_after_its_last_day(day: date, found: bool) -> None:
    table = senders("@bad.example expires=2027-01-31")
    assert (TurfSender(table, spares()).at_mail(message("<a@bad.example>", today=day)) is not None) == found
    assert (TurfAuthor(table, spares()).at_headers(message("<a@b>", "a@bad.example", today=day)) is not None) == found


def test_time_goes_on_while_a_rule_stands() -> None:
    rule = TurfSender(senders("@bad.example", "!user@bad.example expires=2027-01-31"), spares())
    assert rule.at_mail(message("<user@bad.example>", today=date(2027, 1, 31))) is None
    assert _entry(rule.at_mail(message("<user@bad.example>", today=date(2027, 2, 1)))) == "@bad.example"


@pytest.mark.parametrize(
    ("froms", "found"),
    [
        (["a@fine.example"], False),
        (["a@fine.example", "b@fine.example"], False),
        ([], True),
        ([""], True),
        (["Bob"], True),
        (["undisclosed-recipients:;"], True),
        (['"Bob <a@bad.example>'], True),
        (["a@fine.example", "<>"], True),
    ],
)
def test_an_unreadable_author_is_a_finding_of_its_own(froms: list[str], found: bool) -> None:
    finding = UnreadableAuthor(spares()).at_headers(message("<a@fine.example>", *froms))
    assert finding == (Finding("unreadable_author") if found else None)


def test_before_the_header_was_seen_there_is_no_finding() -> None:
    session = message()._replace(authors=None)
    assert TurfAuthor(senders("@bad.example"), spares()).at_headers(session) is None
    assert UnreadableAuthor(spares()).at_headers(session) is None


def test_before_mail_there_is_no_sender() -> None:
    """In particular, it does not read it as the empty sender."""
    assert TurfSender(senders("<>"), spares()).at_mail(Session(Connection())) is None


EXEMPT = senders("postmaster@", "abuse@", "@open.example", "!secret@open.example")


@pytest.mark.parametrize(
    ("text", "exempt"),
    [
        ("<postmaster@ours.example>", True),
        ("<Postmaster@OURS.example.>", True),
        ("postmaster@ours.example", True),
        ("<abuse@a.ours.example>", True),
        ("<sales@open.example>", True),
        ("<secret@open.example>", False),
        ("<alice@ours.example>", False),
        ("<postmaster2@ours.example>", False),
        ("<xpostmaster@ours.example>", False),
        ("<postmaster+x@ours.example>", False),
        ("<alice@postmaster>", False),
        ("<po\u017ftmaster@ours.example>", False),
    ],
)
@pytest.mark.parametrize("resolved", ["", "alice@ours.example", "postmaster"])
def test_a_plain_recipient_is_exempt_by_its_own_text(text: str, exempt: bool, resolved: str) -> None:
    assert Exempt(EXEMPT)(Recipient(text, (), resolved), TODAY) == exempt


@pytest.mark.parametrize(
    ("text", "resolved"),
    [
        ("<postmaster>", "postmaster@ours.example"),
        ("<postmaster>", "postmaster"),
        ("POSTMASTER", "postmaster"),
        ('<"postmaster"@ours.example>', "postmaster@ours.example"),
        ("<post\\master@ours.example>", "postmaster@ours.example"),
        ("<@there.example:postmaster@ours.example>", "postmaster"),
        ("<postmaster@[192.0.2.25]>", "postmaster@[192.0.2.25]"),
        ("<postmaster@[192.0.2.25]>", "postmaster"),
        ("<postmaster (x)@ours.example>", "postmaster@ours.example"),
        ('<"sales"@open.example>', "sales@open.example"),
    ],
)
def test_an_odd_spelling_is_exempt_when_the_mta_delivers_to_an_exempt_address(text: str, resolved: str) -> None:
    exempt = Exempt(EXEMPT)
    assert exempt(Recipient(text, (), resolved), TODAY)
    for other in ("", "alice", "alice@ours.example", '"postmaster "@ours.example', '"postmaster @ours.example"', "@"):
        assert not exempt(Recipient(text, (), other), TODAY)


@pytest.mark.parametrize(
    "text",
    [
        '<"postmaster @ours.example">',
        '<"postmaster "@ours.example>',
        "<postmaster\uff20ours.example>",
        "<postmaster\ufe6bours.example>",
        "<\uff50ostmaster@ours.example>",
        "<postmaster%there.example@ours.example>",
        "<postmaster%ours.example@there.example>",
        "<there.example!postmaster@ours.example>",
        '<"postmaster@there.example"@ours.example>',
        '<"postmaster@ours.example">',
        '<"postmaster@ours.example>',
        "<x@there.example <postmaster@ours.example>>",
        "<alice@ours.example> <postmaster@ours.example>",
        "<alice@ours.example,postmaster@ours.example>",
        "<IMCEASMTP-postmaster+40ours.example@there.example>",
        '<"secret"@open.example>',
        "",
        "<>",
    ],
)
@pytest.mark.parametrize("resolved", ["", "postmaster", "postmaster@ours.example", '"postmaster "@ours.example'])
def test_of_several_readings_all_must_be_exempt(text: str, resolved: str) -> None:
    assert not Exempt(EXEMPT)(Recipient(text, (), resolved), TODAY)


def test_an_exemption_expires_too() -> None:
    exempt = Exempt(senders("postmaster@ expires=2027-01-31"))
    assert exempt(Recipient("<postmaster@ours.example>"), date(2027, 1, 31))
    assert not exempt(Recipient("<postmaster@ours.example>"), date(2027, 2, 1))


FLOOD = ", ".join(f"a{number}@fine.example" for number in range(3000))


def test_authors_beyond_what_is_read_are_neither_found_nor_let_pass() -> None:
    flood = [FLOOD, FLOOD, FLOOD, "news@bad.example"]
    finding = TurfAuthor(senders("@bad.example"), spares()).at_headers(message("<a@fine.example>", *flood))
    assert finding is not None
    assert finding.unavailable


def test_a_listed_author_is_found_before_the_others_are_too_many() -> None:
    assert of_author(["news@bad.example", FLOOD, FLOOD, FLOOD], "@bad.example") == "@bad.example"
