"""Who may connect: only or all except the clients listed; the most specific entry decides across both lists."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rig.rules import Unasked, domains, names, session
from turfmilter.core.clients import ClientTable
from turfmilter.core.session import Connection, Known, Recipient, Session
from turfmilter.core.table.entries import table_file
from turfmilter.rules.connect import ConnectAtOnce, ConnectAtRcpt

ANYBODY = Recipient("<anybody@ours.example>")


def both(allow: str, deny: str) -> ClientTable:
    """The allow list, and the deny list as its exceptions, as the configuration joins them."""
    denied = replace(table_file("deny", "\n".join(deny.split())), negated=True)
    return ClientTable([table_file("allow", "\n".join(allow.split())), denied], exception_refuses=True)


def rule(allow: str = "", deny: str = "", default: str = "allow", spare: bool = True) -> ConnectAtRcpt:
    return ConnectAtRcpt(both(allow, deny), default == "allow", domains("ours.example"), spare)


def said(rule: ConnectAtRcpt, seen: Session, recipient: Recipient = ANYBODY) -> str:
    finding = rule.at_rcpt(seen, recipient)
    if finding is None:
        return "pass"
    return "unavailable" if finding.unavailable else f"refuse {finding.matched.text if finding.matched else 'default'}"


@pytest.mark.parametrize(
    ("allow", "deny", "default", "client", "expected"),
    [
        ("", "", "allow", "192.0.2.9", "pass"),
        ("", "", "deny", "192.0.2.9", "refuse default"),
        ("192.0.2.9", "", "deny", "192.0.2.9", "pass"),
        ("192.0.2.9", "", "deny", "::ffff:192.0.2.9", "pass"),
        ("192.0.2.8", "", "deny", "192.0.2.9", "refuse default"),
        ("", "192.0.2.0/24", "allow", "192.0.2.9", "refuse 192.0.2.0/24"),
        ("", "192.0.2.0;255.255.255.0", "allow", "192.0.2.9", "refuse 192.0.2.0;255.255.255.0"),
        ("192.0.2.9", "192.0.2.0/24", "allow", "192.0.2.9", "pass"),
        ("192.0.2.0/24", "192.0.2.9", "deny", "192.0.2.9", "refuse 192.0.2.9"),
        ("192.0.2.0/25", "192.0.2.0/24", "allow", "192.0.2.9", "pass"),
        ("192.0.2.0/24", "192.0.2.5-192.0.2.10", "deny", "192.0.2.9", "refuse 192.0.2.5-192.0.2.10"),
        ("192.0.2.0/24", "192.0.2.0/24", "allow", "192.0.2.9", "refuse 192.0.2.0/24"),
        ("", "192.0.2.0/24 !192.0.2.9", "allow", "192.0.2.9", "pass"),
        ("192.0.2.0/24 !192.0.2.9", "", "deny", "192.0.2.9", "refuse !192.0.2.9"),
        ("2001:db8::/32", "2001:db8:1::/48", "deny", "2001:db8:1::5", "refuse 2001:db8:1::/48"),
        ("2001:db8::/32", "2001:db8:1::/48", "deny", "2001:db8:2::5", "pass"),
    ],
)
def test_the_most_specific_address_entry_decides_and_dns_is_not_asked(
    allow: str, deny: str, default: str, client: str, expected: str
) -> None:
    assert said(rule(allow, deny, default), session(client)) == expected


GOOD, BAD = names("mail.good.example"), names("mail.bad.example")


@pytest.mark.parametrize(
    ("allow", "deny", "default", "dns", "expected"),
    [
        ("good.example", "", "deny", GOOD, "pass"),
        ("=good.example", "", "deny", GOOD, "refuse default"),
        ("good.example", "", "deny", names(claimed=["mail.good.example"]), "refuse default"),
        ("good.example", "", "deny", names(), "refuse default"),
        ("good.example", "", "deny", names(failed=True), "unavailable"),
        ("good.example", "", "deny", names("mail.good.example", failed=True), "pass"),
        ("", "bad.example", "allow", BAD, "refuse bad.example"),
        ("", "bad.example", "allow", names(claimed=["mail.bad.example"]), "refuse bad.example"),
        ("", "bad.example", "allow", names(failed=True), "unavailable"),
        ("", "bad.example !mail.bad.example", "allow", BAD, "pass"),
        ("", "bad.example !mail.bad.example", "allow", names(claimed=["mail.bad.example"]), "refuse bad.example"),
        ("mail.bad.example", "bad.example", "allow", BAD, "pass"),
        ("bad.example", "mail.bad.example", "deny", BAD, "refuse mail.bad.example"),
        (
            "good.example",
            "bad.example",
            "deny",
            names("a.good.example", claimed=["b.bad.example"]),
            "refuse bad.example",
        ),
        ("good.example", "x.bad.example", "deny", names("a.good.example", "b.bad.example"), "pass"),
        ("mail.bad.example", "bad.example", "deny", names(claimed=["mail.bad.example"], failed=True), "unavailable"),
        (
            "mail.bad.example",
            "bad.example",
            "deny",
            names(claimed=["x.bad.example"], failed=True),
            "refuse bad.example",
        ),
        ("good.example", "", "deny", names(claimed=["mail.good.example"], failed=True), "unavailable"),
        ("good.example", "", "deny", names(claimed=["mail.other.example"], failed=True), "refuse default"),
        ("192.0.2.9", "bad.example", "allow", Unasked(), "pass"),
    ],
)
def test_trust_needs_a_confirmed_name_and_a_refusal_does_not(
    allow: str, deny: str, default: str, dns: Known | Unasked, expected: str
) -> None:
    assert said(rule(allow, deny, default), session(dns=dns)) == expected


@pytest.mark.parametrize(
    ("recipient", "expected"),
    [
        ("<postmaster@ours.example>", "pass"),
        ("<Postmaster@OURS.example>", "pass"),
        ("<postmaster>", "pass"),
        ("postmaster", "pass"),
        ("<postmaster@elsewhere.example>", "refuse 192.0.2.9"),
        ("<postmaster%elsewhere.example@ours.example>", "refuse 192.0.2.9"),
        ('<"postmaster@elsewhere.example"@ours.example>', "refuse 192.0.2.9"),
        ("<webmaster@ours.example>", "refuse 192.0.2.9"),
        ("<postmaster@[192.0.2.1]>", "refuse 192.0.2.9"),
        ("<(>", "refuse 192.0.2.9"),
    ],
)
def test_every_client_can_reach_postmaster_at_our_domains(recipient: str, expected: str) -> None:
    assert said(rule(deny="192.0.2.9"), session(), Recipient(recipient)) == expected


@pytest.mark.parametrize(
    "recipient",
    [
        r'<"post\master"@ours.example>',
        "<post master@ours.example>",
        "<postmaster(x)>",
        "<@a.example:postmaster@ours.example>",
    ],
)
def test_an_odd_spelling_of_postmaster_passes_when_the_mta_delivers_to_postmaster(recipient: str) -> None:
    denied = rule(deny="192.0.2.9")
    for resolved in ("postmaster@ours.example", "postmaster"):
        assert said(denied, session(), Recipient(recipient, (), resolved)) == "pass"
    for resolved in ("", '"post master"@ours.example', "post@ours.example", "postmaster@elsewhere.example", "post"):
        assert said(denied, session(), Recipient(recipient, (), resolved)) == "refuse 192.0.2.9"


@pytest.mark.parametrize(("spare", "expected"), [(True, "pass"), (False, "refuse 192.0.2.9")])
def test_authenticated_clients_are_spared_unless_told_otherwise(spare: bool, expected: str) -> None:
    assert said(rule(deny="192.0.2.9", spare=spare), session(account="anna")) == expected


def test_at_connect_there_are_no_exemptions() -> None:
    at_once = ConnectAtOnce(both("", "192.0.2.9"), True)
    finding = at_once.at_connect(session(account="anna"))
    assert finding is not None
    assert finding.matched is not None
    assert str(finding.matched) == "192.0.2.9 deny:1"


def test_a_client_without_an_address_is_listed_nowhere() -> None:
    assert said(rule(deny="0.0.0.0/0"), Session(Connection())) == "pass"
    assert said(rule(allow="0.0.0.0/0", default="deny"), Session(Connection())) == "refuse default"
