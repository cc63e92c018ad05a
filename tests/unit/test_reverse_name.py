"""Whether the client's address has a name: required, in the sender's domain, or added to the header."""

from __future__ import annotations

import pytest

from rig.rules import Unasked, clients, names, session
from turfmilter.core.address.mailbox import parse_address
from turfmilter.core.session import Connection, Known, Session
from turfmilter.rules.reverse_name import RemoveForged, RequireName, StampName, TooManyResults, bears, iprev_field

NOBODY = clients(exception_refuses=True)
MATCH, FORGED, NONE, TEMP = names("mail.out.example"), names(claimed=["x.example"]), names(), names(failed=True)


def said(rule: RequireName, seen: Session) -> str:
    finding = rule.at_rcpt(seen, None)
    return "pass" if finding is None else "unavailable" if finding.unavailable else finding.what


@pytest.mark.parametrize(
    ("dns", "expected"), [(MATCH, "pass"), (FORGED, "fail"), (NONE, "permerror"), (TEMP, "unavailable")]
)
def test_require_wants_a_confirmed_name(dns: Known, expected: str) -> None:
    assert said(RequireName(NOBODY, False), session(dns=dns)) == expected


@pytest.mark.parametrize(
    ("sender", "dns", "expected"),
    [
        ("<a@out.example>", MATCH, "pass"),
        ("<a@mail.out.example>", MATCH, "pass"),
        ("<a@OUT.Example.>", MATCH, "pass"),
        ("<a@other.example>", MATCH, "pass is not enough"),
        ("<a@ut.example>", MATCH, "pass is not enough"),
        ("<a@deep.mail.out.example>", MATCH, "pass is not enough"),
        ("<>", MATCH, "pass"),
        ('<"">', NONE, "pass"),
        ("<ceo>", NONE, "permerror"),
        ('<"ceo">', NONE, "permerror"),
        ("<@a:ceo>", NONE, "permerror"),
        ("<ceo>", MATCH, "pass is not enough"),
        ("<>", NONE, "pass"),
        ("<a@other.example>", names("mail.out.example", failed=True), "unavailable"),
    ],
)
def test_match_sender_wants_a_name_of_the_senders_domain(sender: str, dns: Known, expected: str) -> None:
    assert said(RequireName(NOBODY, True), session(dns=dns, sender=sender)) == expected.split(" is ")[0]


def test_authenticated_and_trusted_clients_are_spared_without_asking_dns() -> None:
    trusting = RequireName(clients("192.0.2.0/24", exception_refuses=True), False)
    assert said(trusting, session("192.0.2.9", dns=Unasked())) == "pass"
    assert said(RequireName(NOBODY, False), session(account="anna", dns=Unasked())) == "pass"


def test_a_client_without_an_address_has_no_name_to_require() -> None:
    assert said(RequireName(NOBODY, False), Session(Connection())) == "pass"


@pytest.mark.parametrize(
    ("dns", "value"),
    [
        (MATCH, "mx.ours.example;\n\tiprev=pass policy.iprev=192.0.2.9 (mail.out.example)"),
        (FORGED, "mx.ours.example;\n\tiprev=fail policy.iprev=192.0.2.9 (x.example)"),
        (NONE, "mx.ours.example;\n\tiprev=permerror policy.iprev=192.0.2.9"),
        (TEMP, "mx.ours.example;\n\tiprev=temperror policy.iprev=192.0.2.9"),
    ],
)
def test_stamp_writes_the_result(dns: Known, value: str) -> None:
    finding = StampName("").at_end(session(dns=dns))
    assert finding is not None
    assert [(change.name, change.value, change.index) for change in finding.changes] == [
        ("Authentication-Results", value, 0)
    ]


def test_stamp_uses_the_configured_name_and_quotes_ipv6() -> None:
    client = parse_address("2001:db8::9")
    assert client is not None
    assert iprev_field("auth.example", "pass", client, "a.example").endswith('policy.iprev="2001:db8::9" (a.example)')
    finding = StampName("auth.example").at_end(session(dns=MATCH))
    assert finding is not None
    assert finding.changes[0].value.startswith("auth.example;")


@pytest.mark.parametrize(
    ("value", "ours"),
    [
        (" mx.ours.example; spf=pass", True),
        (" MX.Ours.EXAMPLE; none", True),
        (' "mx.ours.example"; none', True),
        (' "mx.ours\\.example"; none', True),
        (" (a comment) mx.ours.example; none", True),
        (" (a (nested \\) one)) mx.ours.example (b) ; none", True),
        ("\n\tmx.ours.example 1;\n\tspf=pass", True),
        (" mx.ours.example 1 (v)\n ; none", True),
        (" mx.ours.example.; none", True),
        (" mx.ours.example", True),
        ("mx.ours.example;", True),
        (" mx.ours.example spf=pass", True),
        (" mx.ours.example/1; spf=pass", True),
        (" mx.ours.example (x; spf=pass", True),
        (" mx.ours.example 1.0; spf=pass", True),
        (f" {'(' * 16_000}{')' * 16_000} mx.ours.example; spf=pass", True),
        (" mx .ours.example; none", True),
        (" mx. ours . example ; none", True),
        ("\n\tmx\n\t.ours\n\t(c) .example; none", True),
        (" mx (c) . (d) ours.example (e) 1; none", True),
        ("\xa0mx.ours.example\u3000; none", True),
        (" mx .ours.example .evil; none", False),
        (" mx ours.example; none", False),
        (" mx.ours.evil; none", False),
        (" mx.ours.example.evil; none", False),
        (" amx.ours.example; none", False),
        (" evil (mx.ours.example); none", False),
        (" evil; mx.ours.example; none", False),
        ("", False),
        (" (unclosed mx.ours.example; none", False),
        ('"mx.ours.example"; x="', True),
        ('(a) mx.ours.example; x="', True),
        ("(a) mx.ours.example; x=\\", True),
        ("(a (b)) mx.ours.example; spf=pass (", True),
        ('"mx.ours.example; spf=pass', True),
        ("\x0bmx.ours.example\x0c; spf=pass", True),
        ('other.example; x="mx.ours.example', False),
        ("(mx.ours.example; spf=pass", False),
    ],
)
def test_forged_results_are_distinguished_from_those_of_others(value: str, ours: bool) -> None:
    assert bears(value, "mx.ours.example") is ours


def test_forged_results_are_removed_last_first() -> None:
    seen = session()
    fields = {"authentication-results": [" mx.ours.example; a", " other; b", " MX.ours.example; c"]}
    finding = RemoveForged("").at_headers(Session(seen.connection, fields=fields))
    assert finding is not None
    assert [(change.value, change.index) for change in finding.changes] == [("", 3), ("", 1)]
    assert RemoveForged("other.example").at_headers(Session(seen.connection, fields=fields)) is None


def with_results(*values: str, client: str = "198.51.100.9", local: bool = False, reached: str = "") -> Session:
    """A session whose message has these results in its header, all in fields of their own."""
    local_address = parse_address(reached) if reached else None
    connection = Connection(parse_address(client), host="mx.ours.example", local=local, local_address=local_address)
    return Session(connection, fields={"authentication-results": list(values)})


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ([" mx.ours.example; none"] * 200, ""),
        ([" mx.ours.example; none"] * 201, "201 fields of 200"),
        ([" other.example; none"] * 14_000, "14000 fields of 200"),
        ([""] * 201, "201 fields of 200"),
        (["(" * 65_536] * 2, ""),
        (["(" * 65_536, "(" * 65_537], "131073 characters of 131072"),
        (["mx.ours.example;" + "x" * 60_000] * 3, "180048 characters of 131072"),
    ],
)
def test_more_results_than_are_read_are_too_many_and_none_is_removed(values: list[str], what: str) -> None:
    seen = with_results(*values)
    finding = TooManyResults().at_headers(seen)
    assert (finding.what if finding else "") == what
    if finding:
        assert RemoveForged("").at_headers(seen) is None


@pytest.mark.parametrize(
    ("client", "reached", "local", "itself"),
    [
        ("127.0.0.1", "", False, True),
        ("127.8.9.10", "127.0.0.1", False, True),
        ("::1", "", False, True),
        ("::ffff:127.0.0.1", "", False, True),
        ("192.0.2.25", "192.0.2.25", False, True),
        ("::ffff:192.0.2.25", "192.0.2.25", False, True),
        ("192.0.2.25", "::ffff:192.0.2.25", False, True),
        ("2001:db8::25", "2001:db8:0::25", False, True),
        ("192.0.2.26", "192.0.2.25", False, False),
        ("192.0.2.25", "", False, False),
        ("128.0.0.1", "127.0.0.1", False, False),
        # A program that submits its mail to the MTA itself may forge results; this is not a second pass.
        ("127.0.0.1", "", True, False),
    ],
)
def test_connections_of_this_host_to_itself_are_neither_stamped_nor_cleaned(
    client: str, reached: str, local: bool, itself: bool
) -> None:
    seen = with_results(" mx.ours.example; iprev=pass", client=client, reached=reached, local=local)
    assert seen.connection.from_itself is itself
    assert (RemoveForged("").at_headers(seen) is None) is itself
    flood = with_results(*[" mx.ours.example; none"] * 201, client=client, reached=reached, local=local)
    assert (TooManyResults().at_headers(flood) is None) is itself
    stamp = StampName("").at_end(seen._replace(connection=seen.connection._replace(names=NONE)))
    assert (stamp is None) is (itself or local)


def test_what_came_over_no_network_came_from_no_host() -> None:
    assert not Connection().from_itself
    assert not Connection(local_address=parse_address("192.0.2.25")).from_itself
