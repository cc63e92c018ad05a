"""Copies that Postfix makes of mail that is held from its recipients, as the page about the turf rule describes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.postfixhost import PostfixHost

CONFIG = """\
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""
COPIES = {
    "recipient_bcc_maps": ("inline:{ bob@rig.test=archive@rig.test }", "archive@rig.test"),
    "always_bcc": ("all@rig.test", "all@rig.test"),
    "sender_bcc_maps": ("inline:{ x@turf.test=senders@rig.test }", "senders@rig.test"),
}


@pytest.fixture(scope="module", params=COPIES)
def copying(module_place: Path, request: pytest.FixtureRequest) -> Iterator[tuple[PostfixHost, str]]:
    """A mail host that makes copies in one way, and where they go."""
    value, where = COPIES[str(request.param)]
    filters = {"inbound": CONFIG, "never-in-part": f"{CONFIG}exempt = []\n"}
    place = module_place / str(request.param)
    place.mkdir()
    with PostfixHost(place, filters, parameters={str(request.param): value}) as running:
        yield running, where


@pytest.fixture(autouse=True)
def empty(copying: tuple[PostfixHost, str]) -> None:
    copying[0].clear()


def test_a_message_that_is_held_from_some_is_copied_all_the_same(copying: tuple[PostfixHost, str]) -> None:
    host, where = copying
    host.send("<postmaster@rig.test>", "<bob@rig.test>", sender="<x@turf.test>")
    assert sorted(host.reached()) == sorted(["postmaster@rig.test", where])
    assert len(host.filter.held()) == 1


def test_a_message_that_is_held_for_all_is_not_copied(copying: tuple[PostfixHost, str]) -> None:
    host, _ = copying
    host.send("<bob@rig.test>", "<carol@rig.test>", sender="<x@turf.test>")
    assert host.reached() == []
    assert len(host.filter.held()) == 1


def test_without_exempt_recipients_nothing_is_copied(copying: tuple[PostfixHost, str]) -> None:
    host, _ = copying
    host.send("<postmaster@rig.test>", "<bob@rig.test>", sender="<x@turf.test>", listener="never-in-part")
    assert host.reached() == []
    assert len(host.filters["never-in-part"].held()) == 1
