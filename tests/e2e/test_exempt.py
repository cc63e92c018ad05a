"""Recipients who get their mail whoever sent it, together with others who do not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.mailhost import MESSAGE
from e2e.postfixhost import PostfixHost, queue_id, without_received

CONFIG = """\
domains = ["rig.test", "bücher.test"]
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""
FILTERS = {
    "inbound": CONFIG,
    "own-list": CONFIG + 'exempt = ["security@rig.test", "@desk.rig.test", "!boss@desk.rig.test"]\n',
}
UNCLEAR = "451 4.3.0 cannot handle these recipients together, send them one by one"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    parameters = {
        "virtual_alias_maps": "inline:{ info@rig.test=info@elsewhere.test, abuse@rig.test=bob@rig.test }",
        "mynetworks": "0.0.0.0/0",
    }
    domains = ("rig.test", "desk.rig.test", "xn--bcher-kva.test", "bücher.test")
    with PostfixHost(module_place, FILTERS, parameters=parameters, domains=domains) as running:
        yield running


# Further spellings than those of tests/cases/turf-exempt.txt.
SURE = {
    '<"Bob Smith"@rig.test>': '"Bob Smith"@rig.test',
    '<"bob@elsewhere.test">': '"bob@elsewhere.test"',
    "bob": "bob",
    "<Bob>": "Bob",
    "<@a.test:bob>": "@a.test:bob",
    "<bob+tag@rig.test>": "bob+tag@rig.test",
    "<bob.@rig.test>": "bob.@rig.test",
    "<b..b@rig.test>": "b..b@rig.test",
    '<"müller"@rig.test>': '"müller"@rig.test',
    "<Müller@bücher.test>": "Müller@bücher.test",
    "<bob@xn--bcher-kva.test>": "bob@xn--bcher-kva.test",
    f"<{'b' * 300}@rig.test>": f"{'b' * 300}@rig.test",
    " <bob@rig.test>": "bob@rig.test",
}


@pytest.mark.parametrize(("recipient", "named"), SURE.items(), ids=SURE)
def test_the_exempt_get_it_and_the_others_do_not_however_they_are_written(
    host: PostfixHost, recipient: str, named: str
) -> None:
    host.send("<postmaster@rig.test>", recipient, sender="<x@turf.test> SMTPUTF8")
    (delivery,) = host.delivered()
    assert delivery.recipients == ("postmaster@rig.test",)
    assert without_received(delivery.data) == MESSAGE
    (held,) = host.filter.held()
    assert (held.recipients, held.message) == ([named.replace(" ", r"\x20")], MESSAGE)


@pytest.mark.parametrize(
    "recipient",
    [
        '<"b\\ob"@rig.test>',
        "<bob@[127.0.0.1]>",
        "<\tbob@rig.test>",
        '<bob."smith"@rig.test>',
        "<group:bob@rig.test;>",
        "<@rig.test>",
    ],
)
def test_where_a_recipient_cannot_be_removed_reliably_the_client_keeps_the_message(
    host: PostfixHost, recipient: str
) -> None:
    replies = host.send("<postmaster@rig.test>", recipient, sender="<x@turf.test>")
    assert replies == ["250 2.1.5 Ok", "250 2.1.5 Ok", UNCLEAR]
    assert host.reached() == []
    assert (host.filter.held(), host.filter.half_written()) == ([], [])


@pytest.mark.parametrize("recipient", ["<b\\ob@rig.test>", "<Bob <bob@rig.test>>", "<bob@rig.test.>"])
def test_alone_any_spelling_can_be_held(host: PostfixHost, recipient: str) -> None:
    host.send(recipient, sender="<x@turf.test>")
    assert host.reached() == []
    assert len(host.filter.held()) == 1


def test_an_exempt_alias_receives_the_mail_that_its_member_does_not(host: PostfixHost) -> None:
    host.send("<abuse@rig.test>", "<carol@rig.test>", "<dave@rig.test>", sender="<x@turf.test>")
    assert host.reached() == ["bob@rig.test"]
    assert [held.recipients for held in host.filter.held()] == [["carol@rig.test", "dave@rig.test"]]


@pytest.mark.parametrize(
    "exempt", ["<postmaster>", "<Postmaster@RIG.test>", "<abuse@sub.rig.test>", '<"abuse"@rig.test>']
)
def test_mail_for_the_exempt_alone_is_not_held(host: PostfixHost, exempt: str) -> None:
    taken = queue_id(host.send(exempt, sender="<x@turf.test>")[-1])
    assert len(host.reached()) == 1
    assert host.filter.held() == []
    assert " verdict=accept rule=turf " in host.filter.said(f"^{taken}: ")


def test_the_list_can_be_any_other(host: PostfixHost) -> None:
    recipients = ("<postmaster>", "<security@rig.test>", "<a@desk.rig.test>", "<boss@desk.rig.test>")
    host.send(*recipients, sender="<x@turf.test>", listener="own-list")
    assert sorted(host.reached()) == ["a@desk.rig.test", "security@rig.test"]
    assert [held.recipients for held in host.filters["own-list"].held()] == [["postmaster", "boss@desk.rig.test"]]


@pytest.mark.parametrize(
    "hidden",
    [
        "<postmaster%evil.test@rig.test>",
        '<"postmaster@rig.test"@rig.test>',
        '<"postmaster @rig.test">',
        '<"postmaster "@rig.test>',
        "<postmaster\uff20rig.test>",
        "<\uff50ostmaster@rig.test>",
    ],
)
def test_no_recipient_is_exempt_by_what_its_address_hides(host: PostfixHost, hidden: str) -> None:
    host.send(hidden, sender="<x@turf.test>", source="127.0.0.1")
    assert host.reached() == []
