"""Who may relay, and what hides in a recipient: the filter at a Postfix that would take all of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.mailhost import Mailhost, without_received

CONFIG = """\
domains = ["rig.test"]
[relay]
allow = ["192.0.2.0/24"]
always = ["partner.test"]
"""
LITERAL_IS_OURS = """\
domains = ["rig.test", "127.0.0.1"]
[relay]
allow = []
"""
NO_ROUTING = """\
domains = ["rig.test"]
[relay]
routing = false
default = "allow"
allow = ["192.0.2.0/24"]
always = ["partner.test"]
"""
REFUSED = ["550 5.7.1 relaying prohibited"]
FRIEND, STRANGER = "127.0.0.1", "127.0.0.2"  # to Postfix; to the filter both are strangers


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[Mailhost]:
    filters = {"inbound": CONFIG, "literal": LITERAL_IS_OURS, "no-routing": NO_ROUTING}
    parameters = {
        "mynetworks": f"{FRIEND}/32, 192.0.2.1/32",
        "relay_domains": "relay.test, partner.test",
        "virtual_alias_maps": "inline:{ info@rig.test=info@elsewhere.test, all@rig.test=a@elsewhere.test }",
        "transport_maps": "inline:{ moved.rig.test=$default_transport }",
    }
    with Mailhost(module_place, filters, parameters=parameters) as running:
        yield running


def test_good_mail_is_delivered_byte_for_byte(host: Mailhost) -> None:
    message = b"From: anna@out.test\r\nX-Odd:\t \xff\r\n folded\r\n\r\n.dot\r\n\x00\xff" + b"x" * 900 + b"\r\n\r\n"
    host.send("<bob@rig.test>", message=message)
    (delivery,) = host.delivered()
    assert (delivery.sender, delivery.recipients) == ("anna@out.test", ("bob@rig.test",))
    assert without_received(delivery.data) == message


def test_a_relay_attempt_is_refused_though_postfix_trusts_the_client(host: Mailhost) -> None:
    assert host.send("<x@elsewhere.test>", source=FRIEND) == REFUSED
    assert host.reached() == []
    host.send("<x@elsewhere.test>", source=FRIEND, listener="unfiltered")
    assert host.reached() == ["x@elsewhere.test"]


def test_what_the_allow_list_grants_postfix_can_still_refuse(host: Mailhost) -> None:
    assert host.send("<x@elsewhere.test>", ADDR="192.0.2.1")[0] == "250 2.1.5 Ok"
    assert host.send("<x@elsewhere.test>", ADDR="192.0.2.2") == ["454 4.7.1 <x@elsewhere.test>: Relay access denied"]
    assert host.reached() == ["x@elsewhere.test"]


def test_a_refused_recipient_does_not_stop_the_others(host: Mailhost) -> None:
    replies = host.send("<bob@rig.test>", "<x@elsewhere.test>", "<carol@rig.test>", source=FRIEND)
    assert replies[:3] == ["250 2.1.5 Ok", *REFUSED, "250 2.1.5 Ok"]
    assert host.reached() == ["bob@rig.test", "carol@rig.test"]


# What is refused to everybody, and where Postfix alone would take it to.
HIDDEN = {
    "<x%elsewhere.test@rig.test>": "x@elsewhere.test",
    "<x%elsewhere.test>": "x@elsewhere.test",
    "<x%elsewhere.test@>": "x@elsewhere.test",
    "<x%elsewhere.test.@rig.test>": "x@elsewhere.test",
    "<x%elsewhere.test%rig.test@rig.test>": "x@elsewhere.test",
    "<x%elsewhere.test@[127.0.0.1]>": "x@elsewhere.test",
    "<x%elsewhere.test@partner.test>": "x%elsewhere.test@partner.test",
    "<elsewhere.test!x@partner.test>": "elsewhere.test!x@partner.test",
    "<x%[192.0.2.9]@rig.test>": "x@[192.0.2.9]",
    '<"x%elsewhere.test"@rig.test>': "x@elsewhere.test",
    '<"x@elsewhere.test"@rig.test>': "x@elsewhere.test",
    "<x@elsewhere.test@rig.test>": "x@elsewhere.test",
    "<x\\@elsewhere.test@rig.test>": "x@elsewhere.test",
    "<@rig.test:x@elsewhere.test>": "x@elsewhere.test",
    "<@rig.test,@b.rig.test:x@elsewhere.test>": "x@elsewhere.test",
    "<@rig.test:x%elsewhere.test@rig.test>": "x@elsewhere.test",
    "<elsewhere.test!x>": "x@elsewhere.test",
    "<elsewhere.test!x@rig.test>": "x@elsewhere.test",
    "<rig.test!elsewhere.test!x>": "x@elsewhere.test",
    '<"elsewhere.test!x"@rig.test>': "x@elsewhere.test",
    "<Joe <x@elsewhere.test>>": "x@elsewhere.test",
    "<bob@rig.test <x@elsewhere.test>>": "x@elsewhere.test",
    "<group:x@elsewhere.test;>": "x@elsewhere.test",
    "<x@elsewhere.test (@rig.test)>": "x@elsewhere.test",
    "<(bob@rig.test)x@elsewhere.test>": "x@elsewhere.test",
    "<x(>)%elsewhere.test@rig.test>": "x@elsewhere.test",
    "<x @ elsewhere.test>": "x@elsewhere.test",
    "<x@elsewhere.test.>": "x@elsewhere.test",
    "<x@ELSEWHERE.TEST>": "x@ELSEWHERE.TEST",
    "x@elsewhere.test": "x@elsewhere.test",
    "<x@[127.0.0.1]>": "x@[127.0.0.1]",
    "<x@[IPv6:::1]>": "x@[IPv6:::1]",
    "<x@[192.0.2.9]>": "x@[192.0.2.9]",
    "<x@evilrig.test>": "x@evilrig.test",
    "<IMCEASMTP-x+40elsewhere+2Etest@rig.test>": "IMCEASMTP-x+40elsewhere+2Etest@rig.test",
    '<"IMCEA x@elsewhere.test"@rig.test>': '"IMCEA x"@elsewhere.test',
}


@pytest.mark.parametrize(("recipient", "elsewhere"), HIDDEN.items(), ids=HIDDEN)
def test_what_postfix_would_take_elsewhere_is_refused(host: Mailhost, recipient: str, elsewhere: str) -> None:
    host.send(recipient, source=FRIEND, listener="unfiltered")
    assert host.reached() == [elsewhere]
    host.sink.clear()
    assert host.send(recipient, source=FRIEND) == REFUSED
    assert host.reached() == []


@pytest.mark.parametrize(
    "recipient",
    [
        "<x%relay.test@rig.test>",
        "<x%relay.test>",
        '<"x@relay.test"@rig.test>',
        "<@rig.test:x@relay.test>",
        "<relay.test!x>",
        "<x@relay.test>",
    ],
)
def test_strangers_reach_the_domains_of_postfix_only_without_the_filter(host: Mailhost, recipient: str) -> None:
    host.send(recipient, source=STRANGER, listener="unfiltered")
    assert host.reached() == ["x@relay.test"]
    host.sink.clear()
    assert host.send(recipient, source=STRANGER) == REFUSED
    assert host.reached() == []


OURS = {
    "<bob@rig.test>": "bob@rig.test",
    "<BOB@RIG.Test>": "BOB@RIG.Test",
    "<bob@rig.test.>": "bob@rig.test",
    "<bob@sub.rig.test>": "bob@sub.rig.test",
    '<"bob"@rig.test>': "bob@rig.test",
    '<"bob smith"@rig.test>': '"bob smith"@rig.test',
    "<b\\ob@rig.test>": "bob@rig.test",
    "<alice>": "alice@rig.test",
    "alice": "alice@rig.test",
    "<postmaster>": "postmaster@rig.test",
    "<Postmaster>": "Postmaster@rig.test",
    "<bob (at home)@rig.test>": "bob@rig.test",
    "<bob@(our)rig.test>": "bob@rig.test",
    " <bob@rig.test>": "bob@rig.test",
    "<\tbob @ rig.test >": "bob@rig.test",
    "<Bob <bob@rig.test>>": "bob@rig.test",
    "<@elsewhere.test:bob@rig.test>": "bob@rig.test",
    "<bob%rig.test@rig.test>": "bob@rig.test",
    "<rig.test!bob>": "bob@rig.test",
    '<"bob@rig.test"@rig.test>': "bob@rig.test",
    "<müller@rig.test>": "müller@rig.test",
    "<bob+tag@rig.test>": "bob+tag@rig.test",
    "<bob=elsewhere.test@rig.test>": "bob=elsewhere.test@rig.test",
    "<x@partner.test>": "x@partner.test",
    "<info@rig.test>": "info@elsewhere.test",
    "<INFO>": "info@elsewhere.test",
    '<@elsewhere.test:"info"@rig.test>': "info@elsewhere.test",
    "<x@moved.rig.test>": "x@moved.rig.test",
}


@pytest.mark.parametrize(("recipient", "reached"), OURS.items(), ids=OURS)
def test_every_way_to_write_an_address_of_ours_passes(host: Mailhost, recipient: str, reached: str) -> None:
    assert host.send(recipient, source=FRIEND)[0] == "250 2.1.5 Ok"
    assert host.reached() == [reached]


def test_a_literal_is_ours_when_the_domains_name_it(host: Mailhost) -> None:
    replies = host.send("<bob@[127.0.0.1]>", "<x@[192.0.2.9]>", source=FRIEND, listener="literal")
    assert replies[:2] == ["250 2.1.5 Ok", *REFUSED]
    assert host.reached() == ["bob@[127.0.0.1]"]


@pytest.mark.parametrize("recipient", ["<x@elsewhere.test>", "<x@partner.test>", "<x%partner.test@rig.test>"])
def test_without_routing_nobody_relays_anywhere(host: Mailhost, recipient: str) -> None:
    assert host.send(recipient, ADDR="192.0.2.1", listener="no-routing") == REFUSED
    assert host.send("<bob@rig.test>", ADDR="192.0.2.1", listener="no-routing")[0] == "250 2.1.5 Ok"


def test_a_next_hop_outside_is_no_relay(place: Path) -> None:
    parameters = {"relayhost": "$rig_sink", "default_transport": "smtp", "local_transport": "smtp:$rig_sink"}
    with Mailhost(place, {"inbound": CONFIG}, parameters=parameters, domains=()) as host:
        assert host.send("<bob@rig.test>", "<x@elsewhere.test>")[:2] == ["250 2.1.5 Ok", *REFUSED]
        assert host.reached() == ["bob@rig.test"]


def test_a_local_user_is_not_ours_where_postfix_completes_the_name_to_an_address_elsewhere(place: Path) -> None:
    with Mailhost(place, {"inbound": CONFIG}, parameters={"myorigin": "elsewhere.test"}) as host:
        host.send("<alice>", listener="unfiltered")
        assert host.reached() == ["alice@elsewhere.test"]
        assert host.send("<alice>", '<"alice">', "<bob@rig.test>")[:3] == [*REFUSED, *REFUSED, "250 2.1.5 Ok"]
