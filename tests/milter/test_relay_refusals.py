"""The relay rule over the milter's socket: each recipient gets its own answer, and each refusal its own line."""

from __future__ import annotations

import pytest

from rig.filter import Filters
from rig.milterclient import Macro

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
SOFT = """
domains = ["rig.test"]
[relay]
allow = []
reply = "450 4.7.1 not yet"
"""
REFUSED = "550 5.7.1 relaying prohibited"
UNSURE = "451 4.7.1 cannot verify the client at the moment, try again later"
LOGIN = {"auth_type": "PLAIN", "auth_authen": "alice", "tls_version": "TLSv1.3"}


def test_each_recipient_gets_its_own_answer_and_the_message_goes_on_for_the_others(filters: Filters) -> None:
    relay = filters(RELAY)
    with relay.session() as client:
        told = client.message("<a@out.test>", ["<b@rig.test>", "<c@elsewhere.test>", "<d@rig.test>", "<e@other.test>"])
    assert [str(answer) for answer in told.rcpts] == ["continue", REFUSED, "continue", REFUSED]
    assert str(told.end) == "accept"
    assert [(r["verdict"], r["nrcpt"], r["rcpt"]) for r in relay.records()] == [
        ("reject", 1, ["c@elsewhere.test"]),
        ("reject", 1, ["e@other.test"]),
        ("accept", 2, ["b@rig.test", "d@rig.test"]),
    ]


def test_a_refusal_says_who_asked_for_what(filters: Filters) -> None:
    relay = filters(RELAY)
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


def test_when_every_recipient_is_refused_there_is_no_message(filters: Filters) -> None:
    relay = filters(RELAY)
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
        # A name that DNS does not confirm in both directions lets nobody relay.
        ("[192.0.2.9]", "192.0.2.9", {"client_ptr": "mx.partner.test", "client_resolve": "FORGED"}, REFUSED),
        ("[192.0.2.9]", "192.0.2.9", {"client_name": "mx.partner.test", "client_resolve": "FAIL"}, REFUSED),
        # One that could not be looked up just now might do so later.
        ("[192.0.2.9]", "192.0.2.9", {"client_resolve": "TEMP"}, UNSURE),
        ("[198.51.100.7]", "198.51.100.7", {"client_resolve": "TEMP"}, "continue"),
        ("[198.51.100.66]", "198.51.100.66", {"client_resolve": "TEMP"}, REFUSED),
        # Sendmail's spelling of the unknown, and of local addresses.
        ("[IPv6:2001:db8:0:0:0:0:0:7]", "2001:db8::7", {"client_name": "[IPv6:2001:db8:0:0:0:0:0:7]"}, REFUSED),
        ("[192.0.2.9]", "192.0.2.9", {"daemon_addr": "10.0.0.25"}, "continue"),
        ("[192.0.2.9]", "192.0.2.9", {"daemon_addr": "0.0.0.0", "if_addr": "10.0.0.25"}, "continue"),
        ("[192.0.2.9]", "192.0.2.9", {"daemon_addr": "10.0.0.26", "if_addr": "10.0.0.25"}, REFUSED),
    ],
)
def test_the_client_decides_whether_it_may_relay(
    filters: Filters, name: str, address: str, macros: Macro, answer: str
) -> None:
    with filters(RELAY).session(name, address, macros=macros) as client:
        told = client.message("<a@out.test>", ["<c@elsewhere.test>"])
    assert [str(answer) for answer in told.rcpts] == [answer]


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
def test_an_account_may_relay_only_as_itself_and_over_tls(filters: Filters, macros: Macro, answer: str) -> None:
    with filters(RELAY).session() as client:
        client.macros.learn(macros)
        told = client.message(("<a@out.test>", "AUTH=alice"), ["<c@elsewhere.test>"])
    assert [str(answer) for answer in told.rcpts] == [answer]


def test_tls_that_starts_after_the_first_helo_counts(filters: Filters) -> None:
    with filters(RELAY).session() as client:
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
    filters: Filters, recipient: str, resolved: str | bytes | None, answer: str
) -> None:
    with filters(RELAY).session() as client:
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
    filters: Filters, address: str | None, port: int, macros: Macro, answer: str
) -> None:
    with filters(RELAY).session("localhost", address, port, macros=macros) as client:
        told = client.message("root@rig.test", ["c@elsewhere.test"])
    assert [str(answer) for answer in told.rcpts] == [answer]


def test_a_local_submission_is_logged_as_one(filters: Filters) -> None:
    relay = filters(RELAY)
    with relay.session("localhost", "/run/smtp.sock", 0) as client:
        client.message("root@rig.test", ["c@elsewhere.test"])
    (line,) = relay.records()
    assert (line["client"], line["verdict"], line["rcpt"]) == ("local", "accept", ["c@elsewhere.test"])


def test_a_reply_that_asks_to_come_back_is_a_temporary_refusal(filters: Filters) -> None:
    relay = filters(SOFT)
    with relay.session() as client:
        told = client.message("<a@out.test>", ["<b@rig.test>", "<c@elsewhere.test>"])
    assert [str(answer) for answer in told.rcpts] == ["continue", "450 4.7.1 not yet"]
    assert [(line["verdict"], line.get("reply")) for line in relay.records()] == [
        ("tempfail", "450 4.7.1 not yet"),
        ("accept", None),
    ]
