"""The header of a held message: every byte as the MTA showed it, lines ended by CRLF."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turfmilter.mta.hold import transcript


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("Subject", b" x", b"Subject: x\r\n"),
        ("Subject", b"x", b"Subject:x\r\n"),
        ("Subject", b"", b"Subject:\r\n"),
        ("Subject", b"\tx ", b"Subject:\tx \r\n"),
        ("Subject", b" x\n y\n\tz", b"Subject: x\r\n y\r\n\tz\r\n"),
        ("Subject", b" x\r\n y", b"Subject: x\r\n y\r\n"),
        ("Subject", b" x\r y", b"Subject: x\r y\r\n"),
        ("Subject", b" x\r\r\n y", b"Subject: x\r\r\n y\r\n"),
        ("Subject", b"\n", b"Subject:\r\n\r\n"),
        ("Subject", b" \xff\xc3", b"Subject: \xff\xc3\r\n"),
        ("Bücher", b" x", "Bücher: x\r\n".encode()),
        ("", b" x", b": x\r\n"),
        ("X \udcff", b" x", b"X \xff: x\r\n"),
    ],
)
def test_a_header_field_keeps_its_bytes(name: str, value: bytes, shown: bytes) -> None:
    assert transcript([(name, value)], leading_space=True) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(b"x", b"X: x\r\n"), (b"", b"X: \r\n"), (b" x", b"X:  x\r\n"), (b"\tx", b"X: \tx\r\n")]
)
def test_without_leading_space_one_blank_stands_behind_the_colon(value: bytes, shown: bytes) -> None:
    assert transcript([("X", value)], leading_space=False) == shown


FIELDS = st.lists(st.tuples(st.sampled_from(["A", "From", "X-Y"]), st.binary(max_size=20)), max_size=8)


@settings(deadline=None)
@given(fields=FIELDS)
def test_fields_stay_in_their_order_and_no_line_ends_otherwise(fields: list[tuple[str, bytes]]) -> None:
    head = transcript(fields, leading_space=True)
    assert b"\n" not in head.replace(b"\r\n", b"")
    shown = [name.encode() + b":" + value for name, value in fields]
    assert head.replace(b"\r\n", b"\n") == b"".join(s.replace(b"\r\n", b"\n") + b"\n" for s in shown)
