"""The block of our own headers above a held message."""

from __future__ import annotations

import hashlib
import io
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from turfmilter.core.ports import Slip
from turfmilter.stores.block import head, read_block, render

SLIP = Slip(
    sender="spam@turf.example SIZE=2000",
    recipients=("anna@example.org NOTIFY=NEVER", "bert@example.org"),
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
HELD = render(head("1m4x8q-7kz0ha", SLIP), hashlib.sha256(MESSAGE).hexdigest()) + MESSAGE


class Dribble(io.BytesIO):
    """A file that gives one byte at a time."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size, 1) if size else size)


def test_the_block_has_the_headers_of_the_contract_in_their_order() -> None:
    lines = HELD.split(b"\r\n")
    others = b"".join(line + b"\r\n" for line in (*lines[:13], lines[14]))
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
        b"X-Quarantine-Seal: " + hashlib.sha256(others).hexdigest().encode(),
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
    held = render(head("1m4x8q-7kz0ha", replace(SLIP, time=time)), "0" * 64)
    assert b"X-Quarantine-Time: 2026-03-02T04:00:00.000250Z\r\n" in held
    assert read_block(io.BytesIO(held)).slip.time == time


def test_only_the_first_block_is_believed() -> None:
    forged = render(head("000000-000000", replace(SLIP, sender="friend@example.org")), "0" * 64) + MESSAGE
    held = render(head("1m4x8q-7kz0ha", SLIP), hashlib.sha256(forged).hexdigest()) + forged
    block = read_block(io.BytesIO(held))
    assert (block.id, block.slip) == ("1m4x8q-7kz0ha", SLIP)
    assert held[block.offset :] == forged


@pytest.mark.parametrize("field", [f.name for f in fields(Slip) if f.type == "str"])
def test_no_value_can_add_a_header(field: str) -> None:
    values: dict[str, Any] = {field: "x\r\nX-Quarantine-Rule: none\nX-A: \x85\u2028\0\udcff"}
    hostile = replace(SLIP, **values)
    held = render(head("1m4x8q-7kz0ha", hostile), "0" * 64)
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
        (HELD.replace(b"\r\n", b"\n"), "X-Quarantine-ID"),
        (HELD.replace(b"X-Quarantine-Helo: turf\r\n", b""), "X-Quarantine-Helo"),
        (HELD.replace(b"X-Quarantine-Rule: turf\r\n", b"X-Quarantine-Rule: turf\r\n" * 2), "X-Quarantine-Entry"),
        (HELD[:300], "X-Quarantine-Listener"),
    ],
)
def test_what_is_no_block_is_refused_with_the_line_that_is_missing(held: bytes, missing: str) -> None:
    with pytest.raises(ValueError, match=f"^no {missing} line where it belongs"):
        read_block(io.BytesIO(held))
