"""Who may relay: the steps of Exchange's RelayFlags in their order, and what stands around them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from ipaddress import ip_address
from itertools import product
from typing import Any

import pytest

from rig.tables import StoppedClock, hosts
from turfmilter.core.accounts import Accounts
from turfmilter.core.finding import Finding
from turfmilter.core.session import Connection, Lookup, Recipient, Session
from turfmilter.rules.relay import Relay

NOTHING = hosts()
LISTED, OTHER = "192.0.2.7", "198.51.100.7"
HERE, ELSEWHERE = "10.0.0.1", "10.0.0.2"
OUTSIDE = Recipient("<x@there.example>", (), "x@there.example")
OURS = Recipient("<alice@ours.example>", (), "alice@ours.example")
STRICTEST = Relay(
    domains=hosts("ours.example"),
    always=NOTHING,
    routing=True,
    deny=NOTHING,
    allow=NOTHING,
    interfaces=NOTHING,
    accounts=None,
    accounts_need_tls=False,
    default_allows=False,
    clock=StoppedClock(),
)


def rule(**parts: Any) -> Relay:
    """The strictest rule, but for these parts."""
    return replace(STRICTEST, **parts)


def client(address: str = OTHER, **known: Any) -> Session:
    """A session of a client, with what is known of its connection."""
    return Session(Connection(client=ip_address(address), local_address=ip_address(ELSEWHERE), **known))


def may_relay(relay: Relay, session: Session) -> bool:
    return relay.at_rcpt(session, OUTSIDE) is None


def exchange(flags: int, *, denied: bool, allowed: bool, interface: bool, authenticated: bool) -> bool:
    """Whether Exchange 5.5 relays: RelayFlags bit by bit, the first hit decides (Q193922, Q206968)."""
    if flags == 0:
        return True
    if flags & 1 and denied:
        return False
    if flags & 2 and allowed:
        return True
    if flags & 4 and interface:
        return True
    if flags & 8 and authenticated:
        return True
    return flags == 1


@pytest.mark.parametrize("flags", range(16))
def test_all_relay_flags_do_as_exchange_did_for_all_clients(flags: int) -> None:
    for denied, allowed, interface, authenticated in product([False, True], repeat=4):
        relay = rule(
            deny=hosts(*(["192.0.2.0/24"] if denied else []), "203.0.113.1") if flags & 1 else NOTHING,
            allow=hosts(*(["192.0.2.0/25"] if allowed else []), "203.0.113.2") if flags & 2 else NOTHING,
            interfaces=hosts(HERE) if flags & 4 else NOTHING,
            accounts=Accounts() if flags & 8 else None,
            default_allows=flags in (0, 1),
        )
        local_address = ip_address(HERE if interface else ELSEWHERE)
        connection = Connection(client=ip_address(LISTED), local_address=local_address)
        session = Session(connection, account="alice" if authenticated else "")
        expected = exchange(flags, denied=denied, allowed=allowed, interface=interface, authenticated=authenticated)
        assert may_relay(relay, session) == expected, (denied, allowed, interface, authenticated)
        assert relay.at_rcpt(session, OURS) is None


@pytest.mark.parametrize(
    ("parts", "session", "finding"),
    [
        ({}, client(), Finding("relay", "not allowed")),
        ({"routing": False}, client(), Finding("relay", "routing off")),
        (
            {"deny": hosts("198.51.100.0/24"), "default_allows": True},
            client(),
            Finding("relay", "deny list", hosts("198.51.100.0/24").match_address(ip_address(OTHER), date(2027, 1, 31))),
        ),
        (
            {"allow": hosts("office.example")},
            client(lookup=Lookup.TEMP),
            Finding("relay", "client name", unavailable=True),
        ),
    ],
)
def test_a_finding_says_what_was_seen(parts: dict[str, Any], session: Session, finding: Finding) -> None:
    assert rule(**parts).at_rcpt(session, OUTSIDE) == finding


EVERYTHING = {
    "allow": hosts("0.0.0.0/0", "::/0"),
    "interfaces": hosts("0.0.0.0/0"),
    "accounts": Accounts(),
    "default_allows": True,
    "always": hosts("there.example"),
}


def test_without_routing_nobody_relays_whatever_else_is_set() -> None:
    relay = rule(**EVERYTHING, routing=False)
    session = replace(client(), account="alice", tls=True)
    assert not may_relay(relay, session)
    assert relay.at_rcpt(session, OURS) is None


def test_deny_beats_everything_behind_it() -> None:
    parts = {**EVERYTHING, "always": NOTHING}
    assert may_relay(rule(**parts), replace(client(), account="alice"))
    assert not may_relay(rule(**parts, deny=hosts(OTHER)), replace(client(), account="alice"))


@pytest.mark.parametrize(
    ("always", "text", "resolved", "passes"),
    [
        ("partner.example", "<x@partner.example>", "", True),
        ("partner.example", "<x@a.partner.example>", "", True),
        ("=partner.example", "<x@partner.example>", "", True),
        ("=partner.example", "<x@a.partner.example>", "", False),
        ("partner.example", "<x@there.example>", "", False),
        ("partner.example", "<x@xpartner.example>", "", False),
        ("partner.example", "<x%partner.example@ours.example>", "x@partner.example", True),
        ("partner.example", "<x%ours.example@partner.example>", "x%ours.example@partner.example", True),
        ("partner.example", "<x%there.example@partner.example>", "x%there.example@partner.example", False),
        ("partner.example", "<x%partner.example@there.example>", "x%partner.example@there.example", False),
        ("partner.example", '<"x@there.example"@partner.example>', '"x@there.example"@partner.example', False),
        ("partner.example", "<@there.example:x@partner.example>", "x@partner.example", True),
        ("partner.example", "<@partner.example:x@there.example>", "x@there.example", False),
        ("partner.example", "<x%partner.example>", "x@there.example", False),
        ("partner.example", "<there.example!x@partner.example>", "x@there.example", False),
        ("192.0.2.99", "<x@[192.0.2.99]>", "x@[192.0.2.99]", True),
        ("192.0.2.99", "<x@[192.0.2.98]>", "x@[192.0.2.98]", False),
    ],
)
def test_always_opens_its_domains_to_everyone_and_nothing_behind_them(
    always: str, text: str, resolved: str, passes: bool
) -> None:
    recipient = Recipient(text, (), resolved)
    denied = rule(always=hosts(always), deny=hosts("0.0.0.0/0"))
    assert (denied.at_rcpt(client(), recipient) is None) == passes
    assert replace(denied, routing=False).at_rcpt(client(), recipient) is not None


@pytest.mark.parametrize(
    ("domains", "text", "ours"),
    [
        (["ours.example"], "<x@a.b.ours.example>", True),
        (["=ours.example"], "<x@ours.example>", True),
        (["=ours.example"], "<x@a.ours.example>", False),
        (["ours.example", "!guests.ours.example"], "<x@a.guests.ours.example>", False),
        (["ours.example", "!guests.ours.example"], "<x@a.ours.example>", True),
        (["ours.example", "!guests.ours.example", "a.guests.ours.example"], "<x@a.guests.ours.example>", True),
        (["ours.example expires=2027-01-31"], "<x@ours.example>", True),
        (["ours.example expires=2027-01-30"], "<x@ours.example>", False),
        (["192.0.2.25"], "<x@[192.0.2.25]>", True),
        (["192.0.2.25"], "<x@[IPv6:::ffff:192.0.2.25]>", True),
        (["192.0.2.0/24", "!192.0.2.25"], "<x@[192.0.2.25]>", False),
        (["192.0.2.0/24", "!192.0.2.25"], "<x@[192.0.2.26]>", True),
        (["2001:db8::/32"], "<x@[IPv6:2001:db8::25]>", True),
        (["ours.example"], "<x@[192.0.2.25]>", False),
        (["192.0.2.25"], "<x@192.0.2.25>", False),
        ([], "<x@ours.example>", False),
        ([], "<x>", True),
    ],
)
def test_ours_are_the_names_and_addresses_that_domains_lists(domains: list[str], text: str, ours: bool) -> None:
    resolved = text.strip("<>")
    assert (rule(domains=hosts(*domains)).at_rcpt(client(), Recipient(text, (), resolved)) is None) == ours


@pytest.mark.parametrize(
    ("entry", "address", "matches"),
    [
        ("192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "::ffff:192.0.2.7", True),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.0;255.255.255.0", "192.0.2.255", True),
        ("192.0.2.0/24", "192.0.3.0", False),
        ("192.0.2.5-192.0.2.7", "192.0.2.8", False),
        ("::/0", "192.0.2.7", False),
        ("0.0.0.0/0", "2001:db8::7", False),
        ("2001:db8::/32", "2001:db8::7", True),
    ],
)
def test_allow_and_deny_match_the_clients_address(entry: str, address: str, matches: bool) -> None:
    assert may_relay(rule(allow=hosts(entry)), client(address)) == matches
    assert may_relay(rule(deny=hosts(entry), default_allows=True), client(address)) != matches


@pytest.mark.parametrize("part", ["allow", "deny"])
def test_an_exception_takes_a_client_off_a_list(part: str) -> None:
    table = {part: hosts("192.0.2.0/24", "!192.0.2.7", "isp.example", "!good.isp.example")}
    listed = part == "allow"
    relay = rule(**table, default_allows=part == "deny")
    assert may_relay(relay, client("192.0.2.8")) == listed
    assert may_relay(relay, client("192.0.2.7")) != listed
    assert may_relay(relay, client(name="x.isp.example", claimed="x.isp.example", lookup=Lookup.OK)) == listed
    assert may_relay(relay, client(name="good.isp.example", claimed="good.isp.example", lookup=Lookup.OK)) != listed


def test_an_exception_on_allow_leaves_the_later_steps() -> None:
    relay = rule(allow=hosts("192.0.2.0/24", "!192.0.2.7"), accounts=Accounts())
    assert not may_relay(relay, client("192.0.2.7"))
    assert may_relay(relay, replace(client("192.0.2.7"), account="alice"))


@pytest.mark.parametrize(
    ("interfaces", "local_address", "passes"),
    [
        (["10.0.0.1"], "10.0.0.1", True),
        (["10.0.0.0/8"], "10.0.0.1", True),
        (["10.0.0.0/8", "!10.0.0.1"], "10.0.0.1", False),
        (["10.0.0.2"], "10.0.0.1", False),
        (["10.0.0.1"], None, False),
        (["office.example"], "10.0.0.1", False),
    ],
)
def test_interfaces_are_about_the_local_address(interfaces: list[str], local_address: str | None, passes: bool) -> None:
    reached = ip_address(local_address) if local_address else None
    session = Session(Connection(client=ip_address("10.0.0.1"), name="office.example", local_address=reached))
    assert may_relay(rule(interfaces=hosts(*interfaces)), session) == passes


@pytest.mark.parametrize(
    ("names", "account", "passes"),
    [
        (None, "alice", True),
        (None, "", False),
        ({"alice"}, "alice", True),
        ({"alice"}, "ALICE", True),
        ({"alice"}, "alice@mx.ours.example", True),
        ({"alice"}, "alice@there.example", True),
        ({"alice@ours.example"}, "alice@ours.example", True),
        ({"alice@ours.example"}, "Alice@OURS.example", True),
        ({"alice@ours.example"}, "alice@there.example", False),
        ({"alice@ours.example"}, "alice", False),
        ({"alice"}, "malice", False),
        ({"alice"}, "bob", False),
        ({"alice"}, "bob@alice", False),
        ({"alice"}, "@alice", False),
        ({"alice"}, "", False),
        (set(), "alice", False),
        (set(), "", False),
    ],
)
def test_accounts_are_named_with_or_without_their_realm(names: set[str] | None, account: str, passes: bool) -> None:
    accounts = Accounts(None if names is None else frozenset(names))
    assert may_relay(rule(accounts=accounts), replace(client(), account=account)) == passes


@pytest.mark.parametrize(("needed", "tls", "passes"), [(False, False, True), (True, True, True), (True, False, False)])
def test_authentication_may_need_tls(needed: bool, tls: bool, passes: bool) -> None:
    relay = rule(accounts=Accounts(), accounts_need_tls=needed)
    assert may_relay(relay, replace(client(), account="alice", tls=tls)) == passes


def test_tls_alone_is_no_authentication() -> None:
    assert not may_relay(rule(accounts=Accounts(), accounts_need_tls=True), replace(client(), tls=True))


def test_without_accounts_authentication_allows_nobody() -> None:
    assert not may_relay(rule(), replace(client(), account="alice", tls=True))


@pytest.mark.parametrize(
    ("known", "allowed"),
    [
        ({"name": "pc.office.example", "claimed": "pc.office.example", "lookup": Lookup.OK}, True),
        ({"name": "office.example", "claimed": "office.example", "lookup": Lookup.OK}, True),
        ({"claimed": "pc.office.example", "lookup": Lookup.FORGED}, False),
        ({"claimed": "pc.office.example", "lookup": Lookup.FAIL}, False),
        ({"name": "pc.xoffice.example", "claimed": "pc.xoffice.example", "lookup": Lookup.OK}, False),
        ({"lookup": Lookup.FAIL}, False),
    ],
)
def test_a_name_allows_only_when_it_is_confirmed(known: dict[str, Any], allowed: bool) -> None:
    assert may_relay(rule(allow=hosts("office.example")), client(**known)) == allowed


@pytest.mark.parametrize(
    ("known", "denied"),
    [
        ({"name": "pc.isp.example", "claimed": "pc.isp.example", "lookup": Lookup.OK}, True),
        ({"claimed": "pc.isp.example", "lookup": Lookup.FORGED}, True),
        ({"claimed": "pc.isp.example", "lookup": Lookup.TEMP}, True),
        ({"claimed": "pc.isp.example", "lookup": Lookup.FAIL}, True),
        ({"claimed": "pc.xisp.example", "lookup": Lookup.FORGED}, False),
        ({"lookup": Lookup.FAIL}, False),
    ],
)
def test_a_name_denies_also_when_it_is_only_claimed(known: dict[str, Any], denied: bool) -> None:
    relay = rule(deny=hosts("isp.example"), default_allows=True)
    finding = relay.at_rcpt(client(**known), OUTSIDE)
    assert (finding is not None and finding.what == "deny list") == denied


def test_an_address_entry_decides_before_any_name() -> None:
    known = {"name": "pc.isp.example", "claimed": "pc.isp.example", "lookup": Lookup.OK}
    assert may_relay(rule(deny=hosts("isp.example", "!198.51.100.0/24"), default_allows=True), client(**known))
    assert not may_relay(rule(allow=hosts("=pc.isp.example", "!198.51.100.0/24")), client(**known))


NAMELESS = client(lookup=Lookup.TEMP)
UNCONFIRMED = client(lookup=Lookup.TEMP, claimed="pc.office.example")


@pytest.mark.parametrize(
    ("parts", "session"),
    [
        ({"allow": hosts("office.example")}, NAMELESS),
        ({"allow": hosts("office.example")}, UNCONFIRMED),
        ({"allow": hosts("office.example"), "accounts": Accounts()}, NAMELESS),
        ({"deny": hosts("isp.example"), "default_allows": True}, NAMELESS),
        ({"deny": hosts("isp.example"), "allow": hosts("0.0.0.0/0")}, NAMELESS),
        ({"deny": hosts("isp.example"), "accounts": Accounts()}, replace(NAMELESS, account="alice")),
        ({"deny": hosts("isp.example"), "interfaces": hosts(ELSEWHERE)}, NAMELESS),
        ({"deny": hosts("isp.example"), "allow": hosts("office.example")}, NAMELESS),
        ({"deny": hosts("isp.example"), "allow": hosts("office.example")}, UNCONFIRMED),
    ],
)
def test_what_hangs_on_a_name_that_dns_did_not_tell_is_unavailable(parts: dict[str, Any], session: Session) -> None:
    finding = rule(**parts).at_rcpt(session, OUTSIDE)
    assert finding is not None and finding.unavailable


@pytest.mark.parametrize(
    ("parts", "session", "passes"),
    [
        ({}, NAMELESS, False),
        ({"default_allows": True}, NAMELESS, True),
        ({"allow": hosts("203.0.113.1")}, NAMELESS, False),
        ({"allow": hosts("office.example", "198.51.100.0/24")}, NAMELESS, True),
        ({"allow": hosts("office.example", "!198.51.100.0/24")}, NAMELESS, False),
        ({"allow": hosts("office.example"), "accounts": Accounts()}, replace(NAMELESS, account="alice"), True),
        ({"allow": hosts("office.example"), "interfaces": hosts(ELSEWHERE)}, NAMELESS, True),
        ({"allow": hosts("office.example"), "default_allows": True}, NAMELESS, True),
        ({"deny": hosts("isp.example", "198.51.100.0/24"), "default_allows": True}, NAMELESS, False),
        ({"deny": hosts("isp.example", "!198.51.100.0/24"), "default_allows": True}, NAMELESS, True),
        ({"deny": hosts("isp.example"), "default_allows": True}, UNCONFIRMED, True),
        ({"deny": hosts("isp.example")}, NAMELESS, False),
        ({"deny": hosts("isp.example"), "allow": hosts("203.0.113.1")}, NAMELESS, False),
        ({"deny": hosts("isp.example"), "allow": hosts("!198.51.100.0/24", "office.example")}, NAMELESS, False),
    ],
)
def test_dns_trouble_that_changes_nothing_is_no_matter(parts: dict[str, Any], session: Session, passes: bool) -> None:
    finding = rule(**parts).at_rcpt(session, OUTSIDE)
    assert finding is None if passes else finding is not None and not finding.unavailable


@pytest.mark.parametrize("lookup", [Lookup.OK, Lookup.FAIL, Lookup.FORGED])
def test_only_a_temporary_failure_leaves_a_name_open(lookup: Lookup) -> None:
    finding = rule(allow=hosts("office.example")).at_rcpt(client(lookup=lookup), OUTSIDE)
    assert finding == Finding("relay", "not allowed")


def test_dns_trouble_never_touches_mail_for_us() -> None:
    relay = rule(deny=hosts("isp.example"), allow=hosts("office.example"))
    assert relay.at_rcpt(NAMELESS, OURS) is None


def test_a_client_without_an_address_matches_no_entry() -> None:
    session = Session(Connection())
    assert not may_relay(rule(allow=hosts("0.0.0.0/0", "::/0")), session)
    assert may_relay(rule(accounts=Accounts()), replace(session, account="alice"))


def test_an_entry_counts_up_to_its_last_day() -> None:
    clock = StoppedClock(date(2027, 1, 31))
    relay = rule(allow=hosts("192.0.2.7 expires=2027-01-31"), clock=clock)
    assert may_relay(relay, client(LISTED))
    clock.day = date(2027, 2, 1)
    assert not may_relay(relay, client(LISTED))


def test_an_entry_behind_one_that_expired_decides() -> None:
    clock = StoppedClock(date(2027, 2, 1))
    deny = hosts("192.0.2.0/24", "!192.0.2.7 expires=2027-01-31")
    assert not may_relay(rule(deny=deny, default_allows=True, clock=clock), client(LISTED))
