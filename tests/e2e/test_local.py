"""Mail that programs of the host itself submit with sendmail(1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.postfixhost import PostfixHost

CONFIG = """\
domains = ["rig.test"]
[relay]
allow = []
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""
NEWS = b"To: bob@rig.test\nSubject: nightly\n\nall is well\n"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    with PostfixHost(module_place, {"inbound": CONFIG}) as running:
        yield running


@pytest.fixture
def rejecting(place: Path) -> Iterator[PostfixHost]:
    with PostfixHost(place, {"inbound": CONFIG + 'answer = "reject"\n'}) as running:
        yield running


def submit(host: PostfixHost, *arguments: str) -> None:
    """Hand a message to sendmail(1)."""
    host.postfix.run("sendmail", *arguments, stdin=NEWS)


@pytest.mark.parametrize("other", ["bob", "bob@rig.test", "rig.test!bob", "bob%rig.test", "@a.test:bob@rig.test"])
def test_it_is_held_whole_because_no_recipient_can_be_removed_reliably(host: PostfixHost, other: str) -> None:
    submit(host, "-f", "x@turf.test", "postmaster", other)
    assert host.reached() == []
    assert host.postfix.queue() == []
    assert [held.recipients for held in host.filter.held()] == [["postmaster@rig.test", "bob@rig.test"]]


def test_a_refusal_comes_back_as_a_bounce_and_the_copy_is_kept(rejecting: PostfixHost) -> None:
    submit(rejecting, "-f", "x@turf.test", "bob")
    (bounce,) = rejecting.delivered()
    assert (bounce.sender, bounce.recipients) == ("<>", ("x@turf.test",))
    assert b"Diagnostic-Code: X-Postfix; message refused by local policy" in bounce.data
    assert [held.recipients for held in rejecting.filter.held()] == [["bob@rig.test"]]


def test_smtp_on_standard_input_is_local_too(host: PostfixHost) -> None:
    session = b"HELO x\r\nMAIL FROM:<cron@rig.test>\r\nRCPT TO:<x@elsewhere.test>\r\nDATA\r\n" + NEWS + b".\r\nQUIT\r\n"
    said = host.postfix.run("sendmail", "-bs", stdin=session)
    assert re.findall(r"(?m)^\d+", said) == ["220", "250", "250", "250", "354", "250", "221"]
    assert host.reached() == ["x@elsewhere.test"]


def test_a_client_on_loopback_is_not_a_local_submission(host: PostfixHost) -> None:
    assert host.send("<x@elsewhere.test>", source="127.0.0.1") == ["550 5.7.1 relaying prohibited"]
    assert host.send("<x@elsewhere.test>", ADDR="127.0.0.1", PORT="0", HELO="localhost") == [
        "550 5.7.1 relaying prohibited"
    ]
