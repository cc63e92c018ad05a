"""Who may relay: the steps of Exchange's RelayFlags in their order, and the checks around them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from ipaddress import ip_address
from itertools import product
from typing import Any

import pytest

from rig.rules import TODAY, Unasked, clients, domains, hosts, names
from turfmilter.core.clients import ClientTable
from turfmilter.core.finding import Finding
from turfmilter.core.session import Accounts, Connection, Known, Recipient, Session
from turfmilter.rules.relay import Relay


def allowing(*lines: str) -> ClientTable:
    return clients(*lines, exception_refuses=True)


def denying(*lines: str) -> ClientTable:
    return clients(*lines, exception_refuses=False)


LISTED, OTHER = "192.0.2.7", "198.51.100.7"
HERE, ELSEWHERE = "10.0.0.1", "10.0.0.2"
OUTSIDE = Recipient("<x@there.example>", (), "x@there.example")
OURS = Recipient("<alice@ours.example>", (), "alice@ours.example")
STRICTEST = Relay(
    domains=domains("ours.example"),
    always=domains(),
    routing=True,
    deny=denying(),
    allow=allowing(),
    interfaces=hosts(),
    accounts=None,
    accounts_need_tls=False,
    default_allows=False,
)


def rule(**parts: Any) -> Relay:
    """The strictest rule, except for these parts."""
    return replace(STRICTEST, **parts)


def client(address: str = OTHER, dns: Known | Unasked = Unasked()) -> Session:  # noqa: B008
    """A session of a client; without `dns`, the test fails if the rule asks for its name."""
    return Session(Connection(client=ip_address(address), local_address=ip_address(ELSEWHERE), names=dns), today=TODAY)


def may_relay(relay: Relay, session: Session) -> bool:
    return relay.at_rcpt(session, OUTSIDE) is None


def exchange(flags: int, *, denied: bool, allowed: bool, interface: bool, authenticated: bool) -> bool:
    """Whether Exchange 5.5 relays: RelayFlags bit by bit, the first match decides (Q193922, Q206968)."""
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
            deny=denying(*(["192.0.2.0/24"] if denied else []), "203.0.113.1") if flags & 1 else denying(),
            allow=allowing(*(["192.0.2.0/25"] if allowed else []), "203.0.113.2") if flags & 2 else allowing(),
            interfaces=hosts(*([HERE] if flags & 4 else [])),
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
        ({}, client(), Finding("relay")),
        ({"routing": False}, client(), Finding("relay", "routing off")),
        (
            {"deny": denying("198.51.100.0/24"), "default_allows": True},
            client(),
            Finding("relay", matched=hosts("198.51.100.0/24").match_address(ip_address(OTHER), TODAY)),
        ),
        (
            {"allow": allowing("office.example")},
            client(dns=names(failed=True)),
            Finding("relay", "client name unknown", unavailable=True),
        ),
    ],
)
def test_a_finding_tells_what_was_seen(parts: dict[str, Any], session: Session, finding: Finding) -> None:
    assert rule(**parts).at_rcpt(session, OUTSIDE) == finding


EVERYTHING = {
    "allow": allowing("0.0.0.0/0", "::/0"),
    "interfaces": hosts("0.0.0.0/0"),
    "accounts": Accounts(),
    "default_allows": True,
    "always": domains("there.example"),
}


def test_without_routing_no_client_relays_whatever_else_is_set() -> None:
    relay = rule(**EVERYTHING, routing=False)
    session = client()._replace(account="alice", tls=True)
    assert not may_relay(relay, session)
    assert relay.at_rcpt(session, OURS) is None


def test_deny_beats_all_later_steps() -> None:
    parts = {**EVERYTHING, "always": domains()}
    assert may_relay(rule(**parts), client()._replace(account="alice"))
    assert not may_relay(rule(**parts, deny=denying(OTHER)), client()._replace(account="alice"))


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
def test_always_opens_its_domains_to_all_clients_and_hides_no_other_recipient(
    always: str, text: str, resolved: str, passes: bool
) -> None:
    recipient = Recipient(text, (), resolved)
    denied = rule(always=domains(always), deny=denying("0.0.0.0/0"))
    assert (denied.at_rcpt(client(), recipient) is None) == passes
    assert replace(denied, routing=False).at_rcpt(client(), recipient) is not None


@pytest.mark.parametrize(
    ("listed", "text", "ours"),
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
def test_ours_are_the_names_and_addresses_that_domains_lists(listed: list[str], text: str, ours: bool) -> None:
    resolved = text.strip("<>")
    assert (rule(domains=domains(*listed)).at_rcpt(client(), Recipient(text, (), resolved)) is None) == ours


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
    assert may_relay(rule(allow=allowing(entry)), client(address)) == matches
    assert may_relay(rule(deny=denying(entry), default_allows=True), client(address)) != matches


@pytest.mark.parametrize("part", ["allow", "deny"])
def test_an_exception_removes_a_client_from_a_list(part: str) -> None:
    listed = part == "allow"
    table = clients("192.0.2.0/24", "!192.0.2.7", "isp.example", "!good.isp.example", exception_refuses=listed)
    relay = rule(**{part: table}, default_allows=not listed)
    assert may_relay(relay, client("192.0.2.8")) == listed
    assert may_relay(relay, client("192.0.2.7")) != listed
    assert may_relay(relay, client(dns=names("x.isp.example"))) == listed
    assert may_relay(relay, client(dns=names("good.isp.example"))) != listed


def test_an_exception_on_allow_leaves_the_later_steps() -> None:
    relay = rule(allow=allowing("192.0.2.0/24", "!192.0.2.7"), accounts=Accounts())
    assert not may_relay(relay, client("192.0.2.7"))
    assert may_relay(relay, client("192.0.2.7")._replace(account="alice"))


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
        ({"straße"}, "Straße", True),
        ({"straße"}, "strasse", False),
        ({"strasse"}, "straße", False),
        ({"strasse"}, "STRAẞE@mx.ours.example", False),
        ({"alice"}, "alice\u017f", False),
        ({"sam"}, "\u017fam", False),
        ({"fi"}, "\ufb01", False),
        ({"jörg"}, "JÖRG", True),
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
    assert may_relay(rule(accounts=accounts), client()._replace(account=account)) == passes


@pytest.mark.parametrize(("needed", "tls", "passes"), [(False, False, True), (True, True, True), (True, False, False)])
def test_authentication_may_need_tls(needed: bool, tls: bool, passes: bool) -> None:
    relay = rule(accounts=Accounts(), accounts_need_tls=needed)
    assert may_relay(relay, client()._replace(account="alice", tls=tls)) == passes


def test_tls_alone_does_not_count_as_authentication() -> None:
    assert not may_relay(rule(accounts=Accounts(), accounts_need_tls=True), client()._replace(tls=True))


def test_without_accounts_authentication_allows_no_client() -> None:
    assert not may_relay(rule(), client()._replace(account="alice", tls=True))


@pytest.mark.parametrize(
    ("dns", "allowed"),
    [
        (names("pc.office.example"), True),
        (names("office.example"), True),
        (names("pc.there.example", "pc.office.example"), True),
        (names("pc.office.example", failed=True), True),
        (names(claimed=["pc.office.example"]), False),
        (names("pc.there.example", claimed=["pc.office.example"]), False),
        (names("pc.xoffice.example"), False),
        (names(), False),
    ],
)
def test_a_name_allows_only_when_it_is_confirmed(dns: Known, allowed: bool) -> None:
    assert may_relay(rule(allow=allowing("office.example")), client(dns=dns)) == allowed


@pytest.mark.parametrize(
    ("dns", "denied"),
    [
        (names("pc.isp.example"), True),
        (names("pc.there.example", "pc.isp.example"), True),
        (names(claimed=["pc.isp.example"]), True),
        (names("pc.there.example", claimed=["pc.isp.example"]), True),
        (names(claimed=["pc.isp.example"], failed=True), True),
        (names(claimed=["pc.xisp.example"]), False),
        (names(), False),
    ],
)
def test_a_name_denies_also_when_it_is_only_claimed(dns: Known, denied: bool) -> None:
    relay = rule(deny=denying("isp.example"), default_allows=True)
    finding = relay.at_rcpt(client(dns=dns), OUTSIDE)
    assert (finding is not None and finding.matched is not None) == denied


def test_an_address_entry_decides_before_any_name() -> None:
    assert may_relay(rule(deny=denying("isp.example", "!198.51.100.0/24"), default_allows=True), client())
    assert not may_relay(rule(allow=allowing("=pc.isp.example", "!198.51.100.0/24")), client())
    assert may_relay(rule(allow=allowing("!pc.isp.example", "198.51.100.0/24")), client())


NAMED, IN = denying("isp.example"), hosts(ELSEWHERE)


@pytest.mark.parametrize(
    ("parts", "session", "passes"),
    [
        ({}, client(), False),
        ({"interfaces": IN}, client(), True),
        ({"accounts": Accounts()}, client()._replace(account="alice"), True),
        ({"default_allows": True}, client(), True),
        ({"allow": allowing("office.example"), "interfaces": IN}, client(), True),
        ({"allow": allowing("office.example"), "accounts": Accounts()}, client()._replace(account="alice"), True),
        ({"allow": allowing("office.example"), "default_allows": True}, client(), True),
        ({"allow": allowing("office.example", OTHER)}, client(), True),
        ({"deny": denying("isp.example", OTHER), "allow": allowing("office.example")}, client(), False),
        ({"deny": denying("isp.example", f"!{OTHER}"), "interfaces": IN}, client(), True),
        ({"deny": NAMED, "allow": allowing("office.example"), "routing": False}, client(), False),
        ({"deny": NAMED, "allow": allowing("office.example"), "always": domains("there.example")}, client(), True),
    ],
)
def test_dns_is_asked_last_and_not_at_all_where_no_name_can_change_the_answer(
    parts: dict[str, Any], session: Session, passes: bool
) -> None:
    """The lookup of these clients fails the test if the rule waits for it."""
    assert may_relay(rule(**parts), session) == passes


@pytest.mark.parametrize("parts", [{}, {"default_allows": True}, {"interfaces": IN}, {"accounts": Accounts()}])
def test_a_deny_list_of_names_is_asked_before_the_steps_that_grant(parts: dict[str, Any]) -> None:
    with pytest.raises(AssertionError, match="DNS was waited for"):
        rule(deny=NAMED, **parts).at_rcpt(client(), OUTSIDE)
    assert rule(deny=NAMED, **parts).at_rcpt(client(), OURS) is None


@pytest.mark.parametrize(
    ("parts", "needed"),
    [
        ({}, False),
        ({"deny": denying("192.0.2.0/24"), "allow": allowing("192.0.2.7")}, False),
        ({"deny": denying("isp.example")}, True),
        ({"allow": allowing("192.0.2.7", "office.example")}, True),
        ({"always": domains("there.example")}, False),
    ],
)
def test_names_are_looked_up_only_for_lists_of_clients_that_hold_one(parts: dict[str, Any], needed: bool) -> None:
    assert rule(**parts).needs_names == needed


NAMELESS = client(dns=names(failed=True))
UNCONFIRMED = client(dns=names(claimed=["pc.office.example"], failed=True))


@pytest.mark.parametrize(
    ("parts", "session"),
    [
        ({"allow": allowing("office.example")}, NAMELESS),
        ({"allow": allowing("office.example")}, UNCONFIRMED),
        ({"allow": allowing("office.example"), "accounts": Accounts()}, NAMELESS),
        ({"deny": denying("isp.example"), "default_allows": True}, NAMELESS),
        ({"deny": denying("isp.example"), "allow": allowing("0.0.0.0/0")}, NAMELESS),
        ({"deny": denying("isp.example"), "accounts": Accounts()}, NAMELESS._replace(account="alice")),
        ({"deny": denying("isp.example"), "interfaces": IN}, NAMELESS),
        ({"deny": denying("isp.example"), "allow": allowing("office.example")}, NAMELESS),
        ({"deny": denying("isp.example"), "allow": allowing("office.example")}, UNCONFIRMED),
        ({"deny": denying("isp.example", "!good.isp.example"), "default_allows": True}, NAMELESS),
    ],
)
def test_what_hangs_on_a_name_that_dns_did_not_tell_is_unavailable(parts: dict[str, Any], session: Session) -> None:
    finding = rule(**parts).at_rcpt(session, OUTSIDE)
    assert finding == Finding("relay", "client name unknown", unavailable=True)


@pytest.mark.parametrize(
    ("parts", "session", "passes"),
    [
        ({}, NAMELESS, False),
        ({"default_allows": True}, NAMELESS, True),
        ({"allow": allowing("203.0.113.1")}, NAMELESS, False),
        ({"allow": allowing("office.example", "198.51.100.0/24")}, NAMELESS, True),
        ({"allow": allowing("office.example", "!198.51.100.0/24")}, NAMELESS, False),
        ({"allow": allowing("office.example"), "accounts": Accounts()}, NAMELESS._replace(account="alice"), True),
        ({"allow": allowing("office.example"), "interfaces": IN}, NAMELESS, True),
        ({"allow": allowing("office.example"), "default_allows": True}, NAMELESS, True),
        ({"deny": denying("isp.example", "198.51.100.0/24"), "default_allows": True}, NAMELESS, False),
        ({"deny": denying("isp.example", "!198.51.100.0/24"), "default_allows": True}, NAMELESS, True),
        ({"deny": denying("isp.example"), "default_allows": True}, UNCONFIRMED, True),
        ({"deny": denying("isp.example")}, NAMELESS, False),
        ({"deny": denying("isp.example"), "allow": allowing("203.0.113.1")}, NAMELESS, False),
        ({"deny": denying("isp.example"), "allow": allowing("!198.51.100.0/24", "office.example")}, NAMELESS, False),
    ],
)
def test_a_dns_failure_that_cannot_change_the_result_is_ignored(
    parts: dict[str, Any], session: Session, passes: bool
) -> None:
    finding = rule(**parts).at_rcpt(session, OUTSIDE)
    assert finding is None if passes else finding is not None and not finding.unavailable


@pytest.mark.parametrize("dns", [names("pc.there.example"), names(claimed=["pc.office.example"]), names()])
def test_only_a_temporary_failure_leaves_a_name_open(dns: Known) -> None:
    finding = rule(allow=allowing("office.example")).at_rcpt(client(dns=dns), OUTSIDE)
    assert finding == Finding("relay")


@pytest.mark.parametrize("default_allows", [False, True])
def test_trouble_with_the_deny_list_matters_only_when_a_step_grants(default_allows: bool) -> None:
    """Otherwise the refusal is permanent, because the client would be refused whatever its name is."""
    finding = rule(deny=NAMED, default_allows=default_allows).at_rcpt(NAMELESS, OUTSIDE)
    assert finding is not None
    assert (finding.what, finding.unavailable) == (("client name unknown", True) if default_allows else ("", False))


def test_dns_trouble_never_touches_mail_for_us() -> None:
    relay = rule(deny=denying("isp.example"), allow=allowing("office.example"))
    assert relay.at_rcpt(NAMELESS, OURS) is None


def test_a_client_without_an_address_matches_no_entry() -> None:
    session = Session(Connection())
    assert not may_relay(rule(allow=allowing("0.0.0.0/0", "::/0")), session)
    assert may_relay(rule(accounts=Accounts()), session._replace(account="alice"))


def test_an_entry_counts_up_to_its_last_day() -> None:
    relay = rule(allow=allowing("192.0.2.7 expires=2027-01-31"))
    assert may_relay(relay, client(LISTED)._replace(today=date(2027, 1, 31)))
    assert not may_relay(relay, client(LISTED)._replace(today=date(2027, 2, 1)))


def test_an_entry_behind_one_that_expired_decides() -> None:
    deny = denying("192.0.2.0/24", "!192.0.2.7 expires=2027-01-31")
    today = date(2027, 2, 1)
    assert not may_relay(rule(deny=deny, default_allows=True), client(LISTED)._replace(today=today))
