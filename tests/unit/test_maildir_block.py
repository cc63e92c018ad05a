"""The block of our own headers above a held message."""

from __future__ import annotations

import hashlib
import io
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from turfmilter.core.address.addressed import Addressed, parted
from turfmilter.core.held.block import read_block, render
from turfmilter.core.report import Slip
from turfmilter.stores.name import new_id

SLIP = Slip(
    sender=Addressed("spam@turf.example", ("SIZE=2000",)),
    recipients=(Addressed("anna@example.org", ("NOTIFY=NEVER",)), Addressed("bert@example.org")),
    client="192.0.2.7",
    name="mail.turf.example",
    helo="turf",
    account="",
    listener="submission",
    queue_id="4Xb1cD",
    time=datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC),
    rule="turf",
    entry="@turf.example turf.table:12",
)
MESSAGE = b"Subject: hello\r\n\r\nworld\r\n"
HELD = render("1m4x8q-7kz0ha", SLIP, hashlib.sha256(MESSAGE).hexdigest()) + MESSAGE


class Dribble(io.BytesIO):
    """A file that gives one byte at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size, 1) if size else size)


def test_the_block_has_the_headers_of_the_contract_in_their_order() -> None:
    lines = HELD.split(b"\r\n")
    others = b"2:" + b"".join(line + b"\r\n" for line in (*lines[:13], lines[14]))
    assert lines[:14] == [
        b"X-Quarantine-ID: 1m4x8q-7kz0ha",
        b"X-Envelope-From: spam@turf.example SIZE=2000",
        b"X-Envelope-To: anna@example.org NOTIFY=NEVER",
        b"X-Envelope-To: bert@example.org",
        b"X-Quarantine-Client: 192.0.2.7",
        b"X-Quarantine-Name: mail.turf.example",
        b"X-Quarantine-Helo: turf",
        b"X-Quarantine-Account: ",
        b"X-Quarantine-Listener: submission",
        b"X-Quarantine-Queue-ID: 4Xb1cD",
        b"X-Quarantine-Time: 2026-03-01T12:30:05Z",
        b"X-Quarantine-Rule: turf",
        b"X-Quarantine-Entry: @turf.example turf.table:12",
        b"X-Quarantine-Seal: 2:" + hashlib.sha256(others).hexdigest().encode(),
    ]
    assert lines[14] == b"X-Quarantine-SHA256: " + hashlib.sha256(MESSAGE).hexdigest().encode()
    assert b"\r\n".join(lines[15:]) == MESSAGE


@pytest.mark.parametrize("file", [io.BytesIO(HELD), Dribble(HELD)], ids=["whole", "a byte at a time"])
def test_what_was_written_is_read_back(file: io.BytesIO) -> None:
    block = read_block(file)
    assert (block.id, block.slip, block.sealed) == ("1m4x8q-7kz0ha", SLIP, True)
    assert HELD[block.offset :] == MESSAGE
    assert block.intact(file)


def test_a_time_of_another_zone_is_the_same_instant_in_utc() -> None:
    time = datetime(2026, 3, 1, 23, 0, 0, 250, tzinfo=timezone(timedelta(hours=-5)))
    held = render("1m4x8q-7kz0ha", replace(SLIP, time=time), "0" * 64)
    assert b"X-Quarantine-Time: 2026-03-02T04:00:00.000250Z\r\n" in held
    assert read_block(io.BytesIO(held)).slip.time == time


def test_only_the_first_block_is_believed() -> None:
    forged = render("000000-000000", replace(SLIP, sender=Addressed("friend@example.org")), "0" * 64) + MESSAGE
    held = render("1m4x8q-7kz0ha", SLIP, hashlib.sha256(forged).hexdigest()) + forged
    block = read_block(io.BytesIO(held))
    assert (block.id, block.slip) == ("1m4x8q-7kz0ha", SLIP)
    assert held[block.offset :] == forged


@pytest.mark.parametrize("field", [f.name for f in fields(Slip) if f.type == "str"])
def test_no_value_can_add_a_header(field: str) -> None:
    values: dict[str, Any] = {field: "x\r\nX-Quarantine-Rule: none\nX-A: \x85\u2028\0\udcff"}
    hostile = replace(SLIP, **values)
    held = render("1m4x8q-7kz0ha", hostile, "0" * 64)
    assert len(held.splitlines()) == len(held.decode().splitlines()) == 15
    assert read_block(io.BytesIO(held)).slip == hostile


def test_a_changed_block_breaks_the_seal_and_not_the_message() -> None:
    file = io.BytesIO(HELD.replace(b"X-Envelope-To: bert@", b"X-Envelope-To: carl@"))
    block = read_block(file)
    assert not block.sealed
    assert block.intact(file)


@pytest.mark.parametrize("changed", [MESSAGE + b"\r\n", MESSAGE[:-1], MESSAGE.replace(b"w", b"W"), b""])
def test_a_changed_message_is_not_intact(changed: bytes) -> None:
    file = io.BytesIO(HELD.removesuffix(MESSAGE) + changed)
    block = read_block(file)
    assert block.sealed
    assert not block.intact(file)


@pytest.mark.parametrize(
    ("held", "missing"),
    [
        (b"", "X-Quarantine-ID"),
        (MESSAGE, "X-Quarantine-ID"),
        (b"x" * 2_000_000, "X-Quarantine-ID"),
        (HELD[:250], "X-Quarantine-Account"),
        (b"X-Envelope-From: a@x.test\r\nX-Envelope-To: b@x.test\r\n" + MESSAGE, "X-Quarantine-ID"),
    ],
)
def test_what_is_no_block_is_refused_with_the_line_that_is_missing(held: bytes, missing: str) -> None:
    with pytest.raises(ValueError, match=f"^no {missing} line where it belongs"):
        read_block(io.BytesIO(held))


FORGED = render("000000-000000", replace(SLIP, recipients=(Addressed("all@rig.test"),)), "0" * 64)


@pytest.mark.parametrize(
    ("held", "damage"),
    [
        (HELD.replace(b"Account: \r\n", b"Account:\r\n"), ["line 8, X-Quarantine-Account, is damaged"]),
        (HELD.replace(b"X-Quarantine-Helo: turf\r\n", b""), ["X-Quarantine-Helo is missing"]),
        (HELD.replace(b"Rule: turf\r\n", b"Rule: turf\r\nrubbish\r\n"), ["line 13 does not belong there"]),
        (
            HELD.replace(b"X-Quarantine-Rule: turf\r\n", b"X-Quarantine-Rule: turf\r\n" * 2),
            ["line 13, X-Quarantine-Rule, does not belong there"],
        ),
        (HELD.replace(b"Helo: turf", b"Helo turf"), ["line 7, X-Quarantine-Helo, is damaged"]),
        (HELD.replace(b"Envelope-To: b", b"Envelope-To:b"), ["line 4, X-Envelope-To, is damaged"]),
    ],
)
def test_a_damaged_line_is_named_and_all_others_are_read(held: bytes, damage: list[str]) -> None:
    block = read_block(io.BytesIO(held))
    assert not block.sealed
    assert list(block.damage) == damage
    assert block.has_envelope
    assert (block.slip.sender, block.slip.recipients) == (SLIP.sender, SLIP.recipients)
    assert held[block.offset :] == MESSAGE


def test_other_line_ends_are_damage_of_every_line() -> None:
    block = read_block(io.BytesIO(HELD.replace(b"\r\n", b"\n")))
    assert len(block.damage) == 15
    assert block.slip == SLIP


@pytest.mark.parametrize("lost", [b"X-Quarantine-SHA256", b"X-Quarantine-Seal"])
def test_a_block_that_has_lost_its_end_takes_nothing_from_the_message(lost: bytes) -> None:
    block, rest = HELD.removesuffix(MESSAGE), FORGED + MESSAGE
    block = b"".join(line for line in block.splitlines(keepends=True) if not line.startswith(lost))
    read = read_block(io.BytesIO(block + rest))
    assert (read.id, read.slip) == ("1m4x8q-7kz0ha", SLIP)
    assert not read.sealed


def test_a_time_that_is_lost_is_that_of_the_id() -> None:
    time = datetime(2026, 3, 1, 12, 30, 5, tzinfo=UTC)
    held = render(new_id(time), SLIP, "0" * 64).replace(b"Time: 2026-03-01", b"Time: 2026-99-01")
    block = read_block(io.BytesIO(held))
    assert block.slip.time == time
    assert block.damage == ("X-Quarantine-Time has no time",)


def test_the_number_of_the_format_cannot_be_taken_off_or_changed_unseen() -> None:
    for number in (b"", b"3:", b"1:"):
        assert not read_block(io.BytesIO(HELD.replace(b"Seal: 2:", b"Seal: " + number))).sealed


@pytest.mark.parametrize(
    ("line", "address", "parameters"),
    [
        (
            "bob@rig.test NOTIFY=NEVER ORCPT=rfc822;b@rig.test",
            "bob@rig.test",
            ("NOTIFY=NEVER", "ORCPT=rfc822;b@rig.test"),
        ),
        ("", "", ()),
        (" BODY=7BIT", "", ("BODY=7BIT",)),
        ("alice@rig. test", "alice@rig. test", ()),
        ("alice@rig. test NOTIFY=NEVER", "alice@rig. test", ("NOTIFY=NEVER",)),
        ("(x) alice", "(x) alice", ()),
        (" alice", " alice", ()),
        ("@a.test: alice", "@a.test: alice", ()),
        ('"a RET=FULL"@x.test', '"a RET=FULL"@x.test', ()),
        ("Joe <alice@rig.test>", "Joe <alice@rig.test>", ()),
        ("a@x.test smtputf8", "a@x.test", ("smtputf8",)),
    ],
)
def test_a_line_of_the_first_format_is_read_without_taking_a_word_of_the_address_for_a_parameter(
    line: str, address: str, parameters: tuple[str, ...]
) -> None:
    read = parted(line)
    assert (read.address, read.path, read.parameters) == (address, f"<{address}>", parameters)
