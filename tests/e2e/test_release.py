"""A held message goes on through a real Postfix: what was signed stays signed, and who it was held from gets it."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dkim
import pytest

from e2e.postfixhost import PostfixHost, without_received
from e2e.releasing import SPELLINGS, check_spelling, released, write_config
from rig.quarantine import turfctl

TURF = """\
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["file:../turf.table"]
"""
OTHER_FILTER = 'domains = ["rig.test"]\n[relay]\ndefault = "allow"\n'  # as the site has one beside ours
LOOPBACK_ONLY = "check_client_access inline:{127.0.0.1=OK}, reject"
SIGNED = (
    b"From:Anna  <anna@turf.test>\r\n"
    b"To: everybody@elsewhere.test\r\n"
    b"SUBJECT:  odd   spacing\t\r\n"
    b"\tand a fold \r\n"
    b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@turf.test>\r\n"
    b"\r\n"
    b".a dot, caf\xe9, blanks at the end  \r\n"
    b"\r\n"
    b".\r\n"
)
SELECTOR, DOMAIN = b"s1", b"turf.test"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    (module_place / "turf.table").write_text("@turf.test\n")
    listeners = {
        "loopback-only": {"smtpd_milters": "", "smtpd_client_restrictions": LOOPBACK_ONLY},
        "without-utf8": {"smtpd_milters": "", "smtputf8_enable": "no"},
        "without-8bit": {"smtpd_milters": "", "smtpd_discard_ehlo_keywords": "8bitmime"},
    }
    with PostfixHost(module_place, {"inbound": TURF, "others": OTHER_FILTER}, listeners=listeners) as running:
        yield running


@pytest.fixture
def config(module_place: Path, host: PostfixHost) -> Path:
    """As the filter's, with the service that has no filter."""
    (module_place / "turf.table").write_text("@turf.test\n")
    return write_config(module_place / "release.toml", host, "file:turf.table")


def signature() -> tuple[bytes, dict[bytes, bytes]]:
    """A DKIM-Signature over SIGNED with simple canonicalisation, which forgives nothing, and the record of its key."""
    private = openssl("genrsa", "-traditional", "2048")
    public = openssl("rsa", "-pubout", "-outform", "DER", given=private)
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    made = dkim.sign(SIGNED, SELECTOR, DOMAIN, private, canonicalize=(b"simple", b"simple"))
    return made, {SELECTOR + b"._domainkey." + DOMAIN + b".": record}


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def test_a_signature_that_was_valid_when_it_came_is_valid_when_it_leaves(host: PostfixHost, config: Path) -> None:
    made, records = signature()
    host.send("<bob@rig.test>", sender="<anna@turf.test>", message=made + SIGNED)
    (held,) = host.filter.held()
    (done,) = released(config, held["X-Quarantine-ID"])
    assert done["recipient"] == "bob@rig.test"
    assert done["reply"].startswith("250 2.0.0 Ok: queued as ")
    (delivery,) = host.delivered()
    assert without_received(delivery.data) == made + SIGNED
    assert dkim.verify(delivery.data, dnsfunc=lambda name, **_: records.get(name))
    assert (delivery.sender, delivery.recipients) == ("anna@turf.test", ("bob@rig.test",))


def test_only_recipients_that_it_was_held_from_receive_it(host: PostfixHost, config: Path) -> None:
    host.send("<bob@rig.test>", "<postmaster@rig.test>", "<carol@rig.test>", sender="<anna@turf.test>")
    assert host.reached() == ["postmaster@rig.test"]
    (held,) = host.filter.held()
    released(config, held["X-Quarantine-ID"], "--to", "carol@rig.test")
    released(config, held["X-Quarantine-ID"])
    assert sorted(host.reached()) == ["bob@rig.test", "carol@rig.test", "postmaster@rig.test"]


def test_a_selection_is_released_at_once(host: PostfixHost, config: Path) -> None:
    for number in range(3):
        host.send("<bob@rig.test>", sender=f"<{number}@turf.test>")
    host.send("<bob@rig.test>", sender="<other@x.turf.test>")
    assert len(released(config, "--sender", "=@turf.test")) == 3
    assert sorted(delivery.sender for delivery in host.delivered()) == ["0@turf.test", "1@turf.test", "2@turf.test"]


def test_what_is_allowed_is_not_held_again_and_can_be_undone(host: PostfixHost, config: Path) -> None:
    host.send("<bob@rig.test>", sender="<anna@turf.test>")
    (held,) = host.filter.held()
    done = turfctl(config, "release", "--yes", "--and-allow", "--for", "90d", held["X-Quarantine-ID"])
    assert done.returncode == 0
    table = config.with_name("turf.table")
    (line,) = [line for line in table.read_text().splitlines() if line.startswith("!")]
    assert line.startswith("!anna@turf.test expires=")
    assert f'why="released {held["X-Quarantine-ID"]}"' in line
    assert "undo it with: turfctl turf remove '!anna@turf.test'" in done.stdout
    assert "not listed" in in_turf(config, "check", "anna@turf.test")
    in_turf(config, "remove", "--yes", "!anna@turf.test")
    assert table.read_text() == "@turf.test\n"


def in_turf(config: Path, *arguments: str) -> str:
    done = turfctl(config, "turf", *arguments)
    done.check_returncode()
    return done.stdout


def test_a_next_hop_that_is_down_is_reported_and_loses_nothing(host: PostfixHost, config: Path) -> None:
    # Not anna: the daemon may still have the table with the exception of the test before.
    host.send("<bob@rig.test>", sender="<ben@turf.test>")
    (held,) = host.filter.held()
    config.write_text(config.read_text().replace("[release]\nport = ", "[release]\nport = 1 #"))
    assert released(config, held["X-Quarantine-ID"], status=1) == []
    assert host.reached() == []
    assert len(host.filter.held()) == 1


def received(host: PostfixHost) -> str:
    """The Received: field of the one message that was delivered."""
    (delivery,) = host.delivered()
    return delivery.data.partition(b"\r\n\tby ")[0].decode()


@pytest.mark.parametrize(
    ("address", "name", "seen"),
    [
        ("203.0.113.9", "mail.turf.test", "(mail.turf.test [203.0.113.9])"),
        ("203.0.113.9", "[UNAVAILABLE]", "(unknown [203.0.113.9])"),
        ("IPV6:2001:db8::9", "mail.turf.test", "(mail.turf.test [IPv6:2001:db8::9])"),
    ],
)
def test_the_mta_learns_the_client_that_the_message_came_from(
    host: PostfixHost, config: Path, address: str, name: str, seen: str
) -> None:
    host.send("<bob@rig.test>", sender="<ben@turf.test>", ADDR=address, NAME=name)
    (held,) = host.filter.held()
    (done,) = released(config, held["X-Quarantine-ID"])
    assert done["reply"].startswith("250 2.0.0 Ok: queued as ")
    assert received(host) == f"Received: from {held['X-Quarantine-Helo']} {seen}"


def test_it_does_not_learn_the_client_where_that_is_disabled(host: PostfixHost, config: Path) -> None:
    host.send("<bob@rig.test>", sender="<ben@turf.test>", ADDR="203.0.113.9", NAME="mail.turf.test")
    (held,) = host.filter.held()
    config.write_text(config.read_text() + "xclient = false\n")
    released(config, held["X-Quarantine-ID"])
    assert received(host) == "Received: from localhost (unknown [127.0.0.1])"


def by(config: Path, port: int, more: str = "") -> Path:
    """The configuration with another service for released messages."""
    above, _, _ = config.read_text().partition("[release]")
    config.write_text(f"{above}[release]\nport = {port}\n{more}")
    return config


@pytest.mark.parametrize(
    ("sender", "recipient", "message", "listener", "why"),
    [
        (
            "<j\u00fcrgen@turf.test> SMTPUTF8",
            "<bob@rig.test>",
            SIGNED,
            "without-utf8",
            "SMTPUTF8 (RFC 6531), and there is UTF-8 in an address",
        ),
        (
            "<anna@turf.test>",
            "<\u00e9tienne@rig.test>",
            SIGNED,
            "without-utf8",
            "SMTPUTF8 (RFC 6531), and there is UTF-8 in an address",
        ),
        (
            "<anna@turf.test> SMTPUTF8",
            "<bob@rig.test>",
            "Subject: \u00e9\r\n\r\nx\r\n".encode(),
            "without-utf8",
            "SMTPUTF8 (RFC 6531), and there is UTF-8 in a header",
        ),
        (
            "<anna@turf.test> BODY=8BITMIME",
            "<bob@rig.test>",
            SIGNED,
            "without-8bit",
            "8BITMIME (RFC 6152), and the message has 8-bit characters",
        ),
    ],
)
def test_what_the_mta_does_not_offer_keeps_a_message_from_being_sent(
    host: PostfixHost, config: Path, sender: str, recipient: str, message: bytes, listener: str, why: str
) -> None:
    *_, taken = host.send(recipient, sender=sender, message=message)
    assert taken.startswith("250 ")
    (held,) = host.filter.held()
    id, port = held["X-Quarantine-ID"], host.postfix.ports[listener]
    done = turfctl(by(config, port), "release", "--yes", id)
    assert done.returncode == 1
    assert f"127.0.0.1:{port}: it does not offer {why}" in done.stderr
    states = {row["id"]: row["state"] for row in json.loads(turfctl(config, "list", "--json").stdout)}
    assert states[id] == "unreviewed"
    assert host.reached() == []
    released(by(config, host.postfix.ports["unfiltered"]), id)
    assert host.reached() == [recipient[1:-1]]


def test_other_filters_see_the_client_that_the_message_came_from(host: PostfixHost, config: Path) -> None:
    host.send("<bob@rig.test>", sender="<ben@turf.test>", ADDR="203.0.113.9", NAME="mail.turf.test")
    (held,) = host.filter.held()
    released(by(config, host.postfix.ports["others"]), held["X-Quarantine-ID"])
    seen = rf"client=203\.0\.113\.9 name=mail\.turf\.test helo={held['X-Quarantine-Helo']} .*verdict=accept"
    assert host.filters["others"].said(seen)
    assert host.reached() == ["bob@rig.test"]


def test_a_service_that_refuses_the_original_client_loses_nothing(host: PostfixHost, config: Path) -> None:
    host.send("<bob@rig.test>", sender="<ben@turf.test>", ADDR="203.0.113.9", NAME="mail.turf.test")
    (held,) = host.filter.held()
    id, port = held["X-Quarantine-ID"], host.postfix.ports["loopback-only"]
    (done,) = released(by(config, port), id, status=1)
    assert done["reply"].startswith("554 5.7.1 ")
    assert host.reached() == []
    released(by(config, port, "xclient = false\n"), id)
    assert host.reached() == ["bob@rig.test"]


@pytest.mark.parametrize("text", [*SPELLINGS, '<"a b"@rig.test>'])
def test_a_recipient_of_any_spelling_is_the_one_that_would_have_had_it(
    host: PostfixHost, config: Path, text: str
) -> None:
    check_spelling(host, config, text)
