"""Addresses of ours and of others that only Postfix shows like this; tests/cases has what holds for every MTA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.postfixhost import PostfixHost, without_received

CONFIG = """\
domains = ["rig.test"]
[relay]
allow = ["192.0.2.0/24"]
always = ["partner.test"]
"""
REFUSED = ["550 5.7.1 relaying prohibited"]
FRIEND = "127.0.0.1"  # to Postfix; to the filter a stranger


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    parameters = {
        "mynetworks": f"{FRIEND}/32, 192.0.2.1/32",
        "relay_domains": "relay.test, partner.test",
        "virtual_alias_maps": "inline:{ info@rig.test=info@elsewhere.test, all@rig.test=a@elsewhere.test }",
        "transport_maps": "inline:{ moved.rig.test=$default_transport }",
    }
    with PostfixHost(module_place, {"inbound": CONFIG}, parameters=parameters) as running:
        yield running


def test_good_mail_is_delivered_byte_for_byte(host: PostfixHost) -> None:
    message = b"From: anna@out.test\r\nX-Odd:\t \xff\r\n folded\r\n\r\n.dot\r\n\x00\xff" + b"x" * 900 + b"\r\n\r\n"
    host.send("<bob@rig.test>", message=message)
    (delivery,) = host.delivered()
    assert (delivery.sender, delivery.recipients) == ("anna@out.test", ("bob@rig.test",))
    assert without_received(delivery.data) == message


# Those that Sendmail takes too are in tests/cases/relay-ours.txt.
OURS = {
    "<bob@sub.rig.test>": "bob@sub.rig.test",
    "<b\\ob@rig.test>": "bob@rig.test",
    "<alice>": "alice@rig.test",
    "alice": "alice@rig.test",
    "<Postmaster>": "Postmaster@rig.test",
    "<bob@(our)rig.test>": "bob@rig.test",
    " <bob@rig.test>": "bob@rig.test",
    "<\tbob @ rig.test >": "bob@rig.test",
    "<müller@rig.test>": "müller@rig.test",
    "<x@partner.test>": "x@partner.test",
    "<INFO>": "info@elsewhere.test",
    '<@elsewhere.test:"info"@rig.test>': "info@elsewhere.test",
}


@pytest.mark.parametrize(("recipient", "reached"), OURS.items(), ids=OURS)
def test_every_way_to_write_an_address_of_ours_passes(host: PostfixHost, recipient: str, reached: str) -> None:
    assert host.send(recipient, source=FRIEND)[0] == "250 2.1.5 Ok"
    assert host.reached() == [reached]


def test_a_next_hop_outside_is_not_a_relay(place: Path) -> None:
    parameters = {"relayhost": "$rig_sink", "default_transport": "smtp", "local_transport": "smtp:$rig_sink"}
    with PostfixHost(place, {"inbound": CONFIG}, parameters=parameters, domains=()) as host:
        assert host.send("<bob@rig.test>", "<x@elsewhere.test>")[:2] == ["250 2.1.5 Ok", *REFUSED]
        assert host.reached() == ["bob@rig.test"]


def test_a_local_user_is_not_ours_where_postfix_completes_the_name_to_an_address_elsewhere(place: Path) -> None:
    with PostfixHost(place, {"inbound": CONFIG}, parameters={"myorigin": "elsewhere.test"}) as host:
        host.send("<alice>", listener="unfiltered")
        assert host.reached() == ["alice@elsewhere.test"]
        assert host.send("<alice>", '<"alice">', "<bob@rig.test>")[:3] == [*REFUSED, *REFUSED, "250 2.1.5 Ok"]
