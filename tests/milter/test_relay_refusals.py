"""The relay rule over the milter's socket: each recipient gets its own answer, and each refusal its own line."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from rig.dnsserver import Conduct, DnsServer
from rig.filter import Filters
from rig.milterclient import Macro
from rig.zone import claimed, named

RELAY = """
domains = ["rig.test", "127.0.0.5"]
[relay]
deny = ["198.51.100.66"]
allow = ["198.51.100.0/24", "partner.test"]
interfaces = ["10.0.0.25"]
authenticated = ["alice"]
authenticated_needs_tls = true
always = ["customer.test"]
"""
DENIED_BY_NAME = """
domains = ["rig.test"]
[relay]
deny = ["jail.test", "!free.jail.test"]
allow = ["192.0.2.0/24"]
"""
SOFT = """
domains = ["rig.test"]
[relay]
allow = []
reply = "450 4.7.1 not yet"
"""
REFUSED = "550 5.7.1 relaying prohibited"
UNSURE = "451 4.7.1 cannot verify the client at the moment, try again later"
LOGIN = {"auth_type": "PLAIN", "auth_authen": "alice", "tls_version": "TLSv1.3"}


NOBODY, FORGED, CONFIRMED, SILENT, HALF = "192.0.2.9", "192.0.2.20", "192.0.2.21", "192.0.2.30", "192.0.2.31"
JAILED, FREE, IMPOSTOR, HERS = "192.0.2.40", "192.0.2.41", "192.0.2.42", "mx.partner.test"
ZONE = "".join(
    [
        named(CONFIRMED, HERS),
        named("2001:db8::21", "mx6.partner.test"),
        claimed(FORGED, HERS),
        claimed(HALF, "broken.partner.test"),
        claimed(JAILED, "x.jail.test"),
        named(FREE, "free.jail.test"),
        claimed(IMPOSTOR, "free.jail.test"),
    ]
)
UNTOLD = {"client_resolve": "TEMP"}


def pointer(address: str) -> str:
    """The name that is asked for the names of `address`."""
    return ip_address(address).reverse_pointer


@pytest.fixture(scope="module")
def dns() -> Iterator[DnsServer]:
    with DnsServer(ZONE) as server:
        for address in (SILENT, "198.51.100.7", "198.51.100.66"):
            server.tell(Conduct.SERVFAIL, pointer(address), "PTR")
        server.tell(Conduct.SERVFAIL, "broken.partner.test", "A", "AAAA")
        yield server


@pytest.fixture
def named_filters(filters: Filters, dns: DnsServer) -> Filters:
    """Filters that look names up at `dns`."""
    host, port = dns.address
    return lambda settings: filters(f'{settings}[dns]\nnameservers = ["{host}:{port}"]\n')


def test_each_recipient_gets_its_own_answer_and_the_message_goes_on_for_the_others(named_filters: Filters) -> None:
    relay = named_filters(RELAY)
    with relay.session() as client:
        told = client.message("<a@out.test>", ["<b@rig.test>", "<c@elsewhere.test>", "<d@rig.test>", "<e@other.test>"])
    assert [str(answer) for answer in told.rcpts] == ["continue", REFUSED, "continue", REFUSED]
    assert str(told.end) == "accept"
    assert [(r["verdict"], r["nrcpt"], r["rcpt"]) for r in relay.records()] == [
        ("reject", 1, ["c@elsewhere.test"]),
        ("reject", 1, ["e@other.test"]),
        ("accept", 2, ["b@rig.test", "d@rig.test"]),
    ]


def test_a_refusal_says_who_asked_for_what(named_filters: Filters) -> None:
    relay = named_filters(RELAY)
    with relay.session("client.out.test", "192.0.2.9") as client:
        client.message(("<a@out.test>", "SIZE=100"), [("<c@elsewhere.test>", "NOTIFY=NEVER")])
    (line,) = relay.records()
    assert line == {
        "queue_id": "NOQUEUE",
        "client": "192.0.2.9",
        "name": "client.out.test",
        "helo": "client.out.test",
        "listener": "mx.rig.test",
        "sender": "a@out.test",
        "nrcpt": 1,
        "rcpt": ["c@elsewhere.test"],
        "verdict": "reject",
        "rule": "relay",
        "reply": REFUSED,
        "gen": 1,
        **({"ms": line["ms"]} if "ms" in line else {}),
    }


def test_when_every_recipient_is_refused_there_is_no_message(named_filters: Filters) -> None:
    relay = named_filters(RELAY)
    with relay.session() as client:
        told = client.message("<a@out.test>", ["<c@elsewhere.test>", "<d@elsewhere.test>"])
    assert [name for name, _ in told.steps] == ["mail", "rcpt", "rcpt"]
    assert [line["verdict"] for line in relay.records()] == ["reject", "reject"]


@pytest.mark.parametrize(
    ("name", "address", "macros", "answer"),
    [
        ("[192.0.2.9]", "192.0.2.9", {}, REFUSED),
        ("[198.51.100.7]", "198.51.100.7", {}, "continue"),
        ("[198.51.100.66]", "198.51.100.66", {}, REFUSED),
        ("mx.partner.test", "192.0.2.9", {}, "continue"),
        ("mx.partner.test", "2001:db8::7", {}, "continue"),
        # A name that DNS does not confirm in both directions lets nobody relay, whatever the MTA shows of it.
        ("[192.0.2.20]", FORGED, {"client_ptr": HERS, "client_resolve": "FORGED"}, REFUSED),
        ("[192.0.2.9]", NOBODY, {"client_ptr": HERS, "client_resolve": "FORGED"}, REFUSED),
        ("[192.0.2.9]", NOBODY, {"client_name": HERS, "client_resolve": "FAIL"}, REFUSED),
        ("[192.0.2.9]", NOBODY, UNTOLD, REFUSED),
        # One that DNS confirms does, whatever the MTA thought of it.
        ("[192.0.2.21]", CONFIRMED, {}, "continue"),
        ("[192.0.2.21]", CONFIRMED, {"client_ptr": HERS, "client_resolve": "FORGED"}, "continue"),
        ("[192.0.2.21]", CONFIRMED, UNTOLD, "continue"),
        ("[IPv6:2001:db8::21]", "2001:db8::21", UNTOLD, "continue"),
        # One that could not be looked up or confirmed just now might be later.
        ("[192.0.2.30]", SILENT, {}, UNSURE),
        ("[192.0.2.31]", HALF, {}, UNSURE),
        ("[198.51.100.7]", "198.51.100.7", UNTOLD, "continue"),
        ("[198.51.100.66]", "198.51.100.66", UNTOLD, REFUSED),
        # Sendmail's spelling of the unknown, and of local addresses.
        ("[IPv6:2001:db8:0:0:0:0:0:7]", "2001:db8::7", {"client_name": "[IPv6:2001:db8:0:0:0:0:0:7]"}, REFUSED),
        ("[192.0.2.9]", "192.0.2.9", {"daemon_addr": "10.0.0.25"}, "continue"),
        ("[192.0.2.9]", "192.0.2.9", {"daemon_addr": "0.0.0.0", "if_addr": "10.0.0.25"}, "continue"),
        ("[192.0.2.9]", "192.0.2.9", {"daemon_addr": "10.0.0.26", "if_addr": "10.0.0.25"}, REFUSED),
    ],
)
def test_the_client_decides_whether_it_may_relay(
    named_filters: Filters, name: str, address: str, macros: Macro, answer: str
) -> None:
    with named_filters(RELAY).session(name, address, macros=macros) as client:
        told = client.message("<a@out.test>", ["<c@elsewhere.test>"])
    assert [str(answer) for answer in told.rcpts] == [answer]


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        (JAILED, REFUSED),
        (IMPOSTOR, REFUSED),
        (FREE, "continue"),
        (NOBODY, "continue"),
        (HALF, "continue"),
        (SILENT, UNSURE),
        ("198.51.100.7", REFUSED),
    ],
)
def test_a_name_may_deny_what_an_address_allows(named_filters: Filters, address: str, answer: str) -> None:
    """If a name decides but DNS fails, no client that may relay is refused permanently, and no other client relays."""
    with named_filters(DENIED_BY_NAME).session(f"[{address}]", address) as client:
        told = client.message("<a@out.test>", ["<c@elsewhere.test>", "<b@rig.test>"])
    assert [str(answer) for answer in told.rcpts] == [answer, "continue"]


def test_names_that_the_mta_has_confirmed_are_not_looked_up_again(named_filters: Filters, dns: DnsServer) -> None:
    relay = named_filters(RELAY)
    for name, address in (("[192.0.2.50]", "192.0.2.50"), (HERS, "192.0.2.51"), ("[192.0.2.52]", "192.0.2.52")):
        with relay.session(name, address) as client:
            client.message("<a@out.test>", ["<c@elsewhere.test>"])
    assert [dns.count(pointer(f"192.0.2.{last}"), "PTR") for last in (50, 51, 52)] == [1, 0, 1]


def test_without_a_list_of_names_dns_is_left_alone(named_filters: Filters, dns: DnsServer) -> None:
    with named_filters(SOFT).session("[192.0.2.60]", "192.0.2.60") as client:
        client.message("<a@out.test>", ["<c@elsewhere.test>"])
    with named_filters(RELAY).session("[192.0.2.61]", "192.0.2.61") as client:
        client.message("<a@out.test>", ["<c@elsewhere.test>"])
    assert [dns.count(pointer(f"192.0.2.{last}"), "PTR") for last in (60, 61)] == [0, 1]


def test_a_client_of_several_messages_is_looked_up_once(named_filters: Filters, dns: DnsServer) -> None:
    with named_filters(RELAY).session("[192.0.2.70]", "192.0.2.70") as client:
        for _ in range(3):
            client.message("<a@out.test>", ["<c@elsewhere.test>", "<d@elsewhere.test>"])
    assert dns.count(pointer("192.0.2.70"), "PTR") == 1


@pytest.mark.parametrize(
    ("macros", "answer"),
    [
        (LOGIN, "continue"),
        ({**LOGIN, "auth_authen": "alice@mx.rig.test"}, "continue"),
        ({**LOGIN, "auth_authen": "ALICE"}, "continue"),
        ({**LOGIN, "auth_authen": "mallory"}, REFUSED),
        ({**LOGIN, "auth_authen": ""}, REFUSED),
        ({**LOGIN, "auth_type": "ANONYMOUS"}, REFUSED),
        ({**LOGIN, "auth_type": ""}, REFUSED),
        ({**LOGIN, "tls_version": ""}, REFUSED),
        # MAIL's AUTH= parameter: anybody may claim it.
        ({"auth_author": "alice", "tls_version": "TLSv1.3"}, REFUSED),
        ({**LOGIN, "auth_authen": b"alice\xff"}, REFUSED),
    ],
)
def test_an_account_may_relay_only_as_itself_and_over_tls(named_filters: Filters, macros: Macro, answer: str) -> None:
    with named_filters(RELAY).session() as client:
        client.macros.learn(macros)
        told = client.message(("<a@out.test>", "AUTH=alice"), ["<c@elsewhere.test>"])
    assert [str(answer) for answer in told.rcpts] == [answer]


def test_tls_that_starts_after_the_first_helo_counts(named_filters: Filters) -> None:
    with named_filters(RELAY).session() as client:
        client.helo("again", macros={"tls_version": "TLSv1.3"})
        client.mail("<a@out.test>", macros={"auth_type": "PLAIN", "auth_authen": "alice"})
        assert str(client.rcpt("<c@elsewhere.test>")) == "continue"


@pytest.mark.parametrize(
    ("recipient", "resolved", "answer"),
    [
        ("<b@RIG.test>", "b@rig.test", "continue"),
        ("<b@sub.rig.test>", "b@sub.rig.test", "continue"),
        ("<c@customer.test>", "c@customer.test", "continue"),
        ("<postmaster>", "postmaster@rig.test", "continue"),
        ("<b@[127.0.0.5]>", "b@[127.0.0.5]", "continue"),
        ("<b@[127.0.0.6]>", "b@[127.0.0.6]", REFUSED),
        ("<x%elsewhere.test@rig.test>", "x@elsewhere.test", REFUSED),
        ('<"x@elsewhere.test"@rig.test>', "x@elsewhere.test", REFUSED),
        ("<@rig.test:x@elsewhere.test>", "x@elsewhere.test", REFUSED),
        ("<@elsewhere.test:b@rig.test>", "b@rig.test", "continue"),
        ("<b%rig.test@rig.test>", "b@rig.test", "continue"),
        # What hides in the text is ours, what the MTA makes of it is not.
        ("<b%rig.test@rig.test>", "x@elsewhere.test", REFUSED),
        ("<b%rig.test@rig.test>", b"\xff@rig.test", REFUSED),
        ("<b%rig.test@rig.test>", None, REFUSED),
        # An alias or a transport of the administrator's own may lead anywhere.
        ("<info@rig.test>", "ext@elsewhere.test", "continue"),
    ],
)
def test_a_recipient_is_ours_only_if_every_reading_of_it_is(
    named_filters: Filters, recipient: str, resolved: str | bytes | None, answer: str
) -> None:
    with named_filters(RELAY).session() as client:
        client.mail("<a@out.test>")
        assert str(client.rcpt(recipient, macros={"rcpt_addr": resolved})) == answer


@pytest.mark.parametrize(
    ("address", "port", "macros", "answer"),
    [
        # sendmail(1) of Postfix: loopback, port 0, no client macros.
        ("127.0.0.1", 0, {}, "continue"),
        ("::1", 0, {}, "continue"),
        # sendmail -bs of Sendmail: on pipes AF_UNSPEC without any daemon macro, or a unix socket.
        (None, 0, {"daemon_name": None, "daemon_addr": None, "daemon_port": None}, "continue"),
        ("/run/smtp.sock", 0, {}, "continue"),
        # Whatever else looks odd is a client.
        (None, 0, {}, REFUSED),
        (None, 0, {"daemon_addr": None, "daemon_port": None}, REFUSED),
        ("127.0.0.1", 0, {"client_resolve": "OK"}, REFUSED),
        ("127.0.0.1", 40000, {}, REFUSED),
        ("127.0.0.1", 40000, {"client_resolve": None, "client_name": None, "client_ptr": None}, REFUSED),
        ("192.0.2.9", 0, {}, REFUSED),
    ],
)
def test_only_a_local_submission_is_never_refused_a_recipient(
    named_filters: Filters, address: str | None, port: int, macros: Macro, answer: str
) -> None:
    with named_filters(RELAY).session("localhost", address, port, macros=macros) as client:
        told = client.message("root@rig.test", ["c@elsewhere.test"])
    assert [str(answer) for answer in told.rcpts] == [answer]


def test_a_local_submission_is_logged_as_one(named_filters: Filters) -> None:
    relay = named_filters(RELAY)
    with relay.session("localhost", "/run/smtp.sock", 0) as client:
        client.message("root@rig.test", ["c@elsewhere.test"])
    (line,) = relay.records()
    assert (line["client"], line["verdict"], line["rcpt"]) == ("local", "accept", ["c@elsewhere.test"])


def test_a_reply_that_asks_to_try_again_is_a_temporary_refusal(named_filters: Filters) -> None:
    relay = named_filters(SOFT)
    with relay.session() as client:
        told = client.message("<a@out.test>", ["<b@rig.test>", "<c@elsewhere.test>"])
    assert [str(answer) for answer in told.rcpts] == ["continue", "450 4.7.1 not yet"]
    assert [(line["verdict"], line.get("reply")) for line in relay.records()] == [
        ("tempfail", "450 4.7.1 not yet"),
        ("accept", None),
    ]
