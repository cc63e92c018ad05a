"""Who may connect: networks and names, at each recipient and at once, and who is let through all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.postfixhost import PostfixHost
from rig.zone import claimed, named

EXCEPT = """\
domains = ["rig.test"]
[connect]
deny = [
    "192.0.2.0/24", "!192.0.2.77", "198.51.100.10-198.51.100.20", "2001:db8:bad::/48", "127.0.0.1", "127.0.0.66",
    "dialup.test",
]
allow = ["192.0.2.128/25", "=mail.dialup.test", "192.0.2.66", "2001:db8:bad:1::/64"]
"""
ONLY = """\
domains = ["rig.test"]
[connect]
default = "deny"
allow = ["192.0.2.0/24", "2001:db8::/32", "partner.test"]
deny = ["192.0.2.66", "=bad.partner.test"]
"""
AT_ONCE = 'reply_at = "connect"\nspare_authenticated = false\n'
FILTERS = {
    "inbound": EXCEPT,
    "only": ONLY,
    "except-at-once": EXCEPT + AT_ONCE,
    "only-at-once": ONLY + AT_ONCE,
    "unspared": EXCEPT + "spare_authenticated = false\n",
    "trial": EXCEPT + 'mode = "trial"\n',
    "own-words": EXCEPT + 'on_error = "tempfail"\nreply = "554 5.7.0 not you"\n',
}
# What each client is called by DNS: the last number of its address says which case it is.
ZONE = (
    named("203.0.113.11", "host.dialup.test")
    + claimed("203.0.113.12", "host.dialup.test")
    + named("203.0.113.13", "mail.dialup.test")
    + claimed("203.0.113.14", "mail.dialup.test")
    + named("203.0.113.15", "a.partner.test")
    + claimed("203.0.113.16", "a.partner.test")
    + named("203.0.113.17", "bad.partner.test")
    + named("203.0.113.18", "one.out.test", "PARTNER.Test")
    + named("2001:db9::15", "six.partner.test")
    + claimed("2001:db9::12", "host.dialup.test")
    + claimed("203.0.113.19", "broken.partner.test")
)
BROKEN = {"broken.partner.test": "A", "20.113.0.203.in-addr.arpa": "PTR"}
TAKEN = "250 2.1.5 Ok"
REFUSED = "550 5.7.1 connection refused by local policy"
LATER = "451 4.7.1 cannot verify the client at the moment, try again later"
BOB = "<bob@rig.test>"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    with PostfixHost(module_place, FILTERS, zone=ZONE, broken=BROKEN) as running:
        yield running


def reply(host: PostfixHost, listener: str = "inbound", recipient: str = BOB, **client: str) -> str:
    """What a client hears that sends to one recipient."""
    return host.send(recipient, listener=listener, **client)[0]


NETWORKS = {
    "192.0.2.1": REFUSED,
    "192.0.2.77": TAKEN,
    "192.0.2.66": TAKEN,
    "192.0.2.128": TAKEN,
    "192.0.3.1": TAKEN,
    "198.51.100.9": TAKEN,
    "198.51.100.10": REFUSED,
    "198.51.100.20": REFUSED,
    "IPV6:2001:db8:bad::1": REFUSED,
    "IPV6:2001:db8:bad:1::1": TAKEN,
    "IPV6:2001:db8::1": TAKEN,
    "IPV6:::ffff:192.0.2.1": REFUSED,
    "IPV6:::1": TAKEN,
}
DENIED_NAMES = {
    "203.0.113.11": REFUSED,
    "203.0.113.12": REFUSED,
    "203.0.113.13": TAKEN,
    "203.0.113.14": REFUSED,
    "203.0.113.15": TAKEN,
    "203.0.113.20": TAKEN,
    "IPV6:2001:db9::12": REFUSED,
}
LISTED_ONLY = {
    "192.0.2.1": TAKEN,
    "192.0.2.66": REFUSED,
    "IPV6:2001:db8::1": TAKEN,
    "IPV6:2001:db9::1": REFUSED,
    "203.0.113.1": REFUSED,
    "203.0.113.15": TAKEN,
    "203.0.113.16": REFUSED,
    "203.0.113.17": REFUSED,
    "203.0.113.18": TAKEN,
    "IPV6:2001:db9::15": TAKEN,
    "203.0.113.19": LATER,
    "203.0.113.20": LATER,
}


@pytest.mark.parametrize(("client", "heard"), {**NETWORKS, **DENIED_NAMES}.items(), ids=str)
def test_all_except_the_clients_listed_may_connect(host: PostfixHost, client: str, heard: str) -> None:
    assert reply(host, ADDR=client) == heard
    assert host.reached() == (["bob@rig.test"] if heard == TAKEN else [])


@pytest.mark.parametrize(("client", "heard"), LISTED_ONLY.items(), ids=str)
def test_only_the_clients_listed_may_connect(host: PostfixHost, client: str, heard: str) -> None:
    assert reply(host, "only", ADDR=client) == heard
    assert host.reached() == (["bob@rig.test"] if heard == TAKEN else [])


@pytest.mark.parametrize(
    ("listener", "clients"), [("except-at-once", {**NETWORKS, **DENIED_NAMES}), ("only-at-once", LISTED_ONLY)]
)
def test_at_once_the_same_clients_are_refused_before_any_recipient(
    host: PostfixHost, listener: str, clients: dict[str, str]
) -> None:
    heard = {client: reply(host, listener, ADDR=client, LOGIN="alice") for client in clients}
    assert heard == clients


def test_the_name_that_postfix_has_confirmed_is_final(host: PostfixHost) -> None:
    assert reply(host, "only", ADDR="203.0.113.1", NAME="mail.partner.test") == TAKEN
    assert reply(host, "only", ADDR="203.0.113.1", NAME="bad.partner.test") == REFUSED
    assert reply(host, ADDR="203.0.113.15", NAME="x.dialup.test") == REFUSED


POSTMASTERS = {
    "<postmaster@rig.test>": TAKEN,
    "<Postmaster@RIG.test>": TAKEN,
    "<postmaster@sub.rig.test>": TAKEN,
    "<postmaster>": TAKEN,
    "<postmaster@elsewhere.test>": REFUSED,
    "<postmaster%elsewhere.test@rig.test>": REFUSED,
    "<@rig.test:postmaster@elsewhere.test>": REFUSED,
    "<postmaster@rig.test <x@elsewhere.test>>": REFUSED,
    "<postmaster+x@rig.test>": REFUSED,
    "<abuse@rig.test>": REFUSED,
}


@pytest.mark.parametrize(("recipient", "heard"), POSTMASTERS.items(), ids=str)
def test_our_postmaster_is_reached_from_anywhere(host: PostfixHost, recipient: str, heard: str) -> None:
    assert reply(host, recipient=recipient, ADDR="192.0.2.1") == heard


def test_authenticated_clients_are_spared_unless_configured_otherwise(host: PostfixHost) -> None:
    assert reply(host, ADDR="192.0.2.1", LOGIN="alice") == TAKEN
    assert reply(host, "only", ADDR="203.0.113.1", LOGIN="alice") == TAKEN
    assert reply(host, "unspared", ADDR="192.0.2.1", LOGIN="alice") == REFUSED


def test_a_local_submission_comes_from_no_client(host: PostfixHost) -> None:
    assert reply(host, source="127.0.0.1") == REFUSED
    host.postfix.run("sendmail", "-f", "root@rig.test", "bob@rig.test", stdin=b"Subject: x\n\nhello\n")
    assert host.reached() == ["bob@rig.test"]


def test_words_and_answer_can_be_the_administrators_own(host: PostfixHost) -> None:
    assert reply(host, "own-words", ADDR="192.0.2.1") == "554 5.7.0 not you"
    assert reply(host, "own-words", ADDR="203.0.113.20") == LATER


def test_in_trial_the_log_shows_which_clients_would_have_been_rejected(host: PostfixHost) -> None:
    assert reply(host, "trial", ADDR="192.0.2.1") == TAKEN
    assert ' trial="connect reject 192.0.2.0/24 connect.deny[0] bob@rig.test" ' in host.filters["trial"].said(
        "192.0.2.1 "
    )


def test_a_refusal_names_client_recipient_and_entry(host: PostfixHost) -> None:
    reply(host, ADDR="192.0.2.99")
    said = host.filter.said("client=192.0.2.99 ")
    assert said.startswith("NOQUEUE: ")
    assert ' sender=anna@out.test nrcpt=1 rcpt=bob@rig.test verdict=reject rule=connect entry="192.0.2.0/24 con' in said
    assert f' reply="{REFUSED}" ' in said
