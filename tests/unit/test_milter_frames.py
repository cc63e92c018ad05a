"""The milter protocol as bytes: frames in pieces of any size, and arguments that nobody should send."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rig.wire import frame, strings
from turfmilter.mta.loop import frames
from turfmilter.mta.loop.frames import MOST, Broken, Frames

STREAM = frame(b"M", strings("<a@out.test>")) + frame(b"T") + frame(b"B", b"x" * 300) + frame(b"E")
READ = [(ord("M"), strings("<a@out.test>")), (ord("T"), b""), (ord("B"), b"x" * 300), (ord("E"), b"")]


def read(pieces: Iterable[bytes]) -> list[tuple[int, bytes]]:
    """All frames in the pieces."""
    reading, found = Frames(), []
    for piece in pieces:
        reading.feed(piece)
        while (one := reading.next()) is not None:
            found.append(one)
    return found


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 100, len(STREAM)])
def test_frames_are_read_from_pieces_of_any_size(size: int) -> None:
    assert read(STREAM[at : at + size] for at in range(0, len(STREAM), size)) == READ


def test_a_frame_that_is_not_whole_is_waited_for() -> None:
    assert read([STREAM[:-1]]) == READ[:-1]
    assert read([]) == []


@pytest.mark.parametrize(
    ("length", "read_as"), [(0, b""), (1, b""), (0x8000_0001, b""), (0xFFFF_FFFF, b""), (3, b"xy")]
)
def test_a_length_means_what_it_means_to_libmilter(length: int, read_as: bytes) -> None:
    assert read([length.to_bytes(4, "big") + b"B" + read_as, frame(b"E")]) == [(ord("B"), read_as), (ord("E"), b"")]


@pytest.mark.parametrize("length", [MOST + 2, 0x7FFF_FFFF, 0x8000_0000])
def test_a_frame_that_is_too_long_breaks_the_session_after_those_in_front_of_it(length: int) -> None:
    reading = Frames()
    reading.feed(frame(b"T") + length.to_bytes(4, "big") + b"B")
    assert reading.next() == (ord("T"), b"")
    with pytest.raises(Broken):
        reading.next()


def test_the_longest_frame_is_read() -> None:
    assert read([frame(b"B", b"x" * MOST)]) == [(ord("B"), b"x" * MOST)]


@pytest.mark.parametrize(
    ("payload", "found"), [(b"a\0", [b"a"]), (b"a\0b\0", [b"a", b"b"]), (b"\0", [b""]), (b"a\0b", [b"a"])]
)
def test_arguments_end_with_nul(payload: bytes, found: list[bytes]) -> None:
    assert frames.arguments(payload) == found


@pytest.mark.parametrize("payload", [b"", b"a"])
def test_arguments_without_an_end_are_none(payload: bytes) -> None:
    with pytest.raises(Broken):
        frames.arguments(payload)


@pytest.mark.parametrize(
    ("name", "value"), [(b"i", b"1"), (b"j", b"i"), (b"v", b""), (b"k", b"2"), (b"2", None), (b"x", None), (b"", None)]
)
def test_of_two_macros_with_the_same_name_the_first_counts_and_one_without_a_value_is_none(
    name: bytes, value: bytes | None
) -> None:
    payload = strings("i", "1", "j", "i", "i", "3", "v", "", "k", "2", "x")
    assert frames.macro(payload, name) == value
    assert frames.macro(payload[:-1], name) == value  # half a name is none either


@given(st.lists(st.sampled_from([b"", b"i", b"j", b"ij"])), st.sampled_from([b"", b"i", b"j"]), st.booleans())
def test_a_macro_is_found_among_values_that_look_like_its_name(texts: list[bytes], name: bytes, whole: bool) -> None:
    payload = strings(*texts) if whole else strings(*texts)[:-1]
    ended = payload.split(b"\0")[:-1]
    pairs = dict(reversed([*zip(ended[::2], ended[1::2], strict=False)]))
    assert frames.macro(payload, name) == pairs.get(name)


@pytest.mark.parametrize(
    ("payload", "found"),
    [
        (strings("X", " y"), (b"X", b" y")),
        (b"X\0y\0z\0", (b"X", b"y")),
        (b"\0a\0b\0", (b"", b"b")),
        (b"X\0\0", (b"X", b"")),
    ],
)
def test_a_header_field_is_a_name_and_a_value(payload: bytes, found: tuple[bytes, bytes]) -> None:
    assert frames.header(payload) == found


@pytest.mark.parametrize("payload", [b"X", b"X\0", b"X\0y", b"\0 x\0"])
def test_half_a_header_field_is_none(payload: bytes) -> None:
    with pytest.raises(Broken):
        frames.header(payload)


@pytest.mark.parametrize(
    ("payload", "family", "address"),
    [
        (b"x\x004\x9c\x40192.0.2.9\0", socket.AF_INET, ("192.0.2.9", 40000)),
        (b"x\x004\0\x19127.1\0", socket.AF_INET, ("127.0.0.1", 25)),
        (b"x\x006\0\x192001:DB8::9\0", socket.AF_INET6, ("2001:db8::9", 25, 0, 0)),
        (b"x\x006\0\x19IPv6:2001:db8::9\0", socket.AF_INET6, ("2001:db8::9", 25, 0, 0)),
        (b"x\0L\0\0/run/x\0", socket.AF_UNIX, b"/run/x"),
        (b"x\0U", socket.AF_UNSPEC, None),
        (b"x\0U\0\0whatever", socket.AF_UNSPEC, None),
    ],
)
def test_a_client_has_a_name_a_family_and_an_address(payload: bytes, family: int, address: frames.Address) -> None:
    assert frames.client(payload) == (b"x", family, address)


@pytest.mark.parametrize(
    "payload",
    [
        *(
            b"",
            b"x",
            b"x\0",
            b"x\0Z\0\0y\0",
            b"x\x004",
            b"x\x004\0\x19",
            b"x\x004\0\x19192.0.2.9",
            b"x\x004\0\x19\xff\0",
        ),
        *(
            b"x\x004\0\x19999.1.1.1\0",
            b"x\x006\0\x19zz::\0",
            b"x\x006\0\x19192.0.2.9\0",
            b"x\0L\0\0" + b"y" * 108 + b"\0",
        ),
    ],
)
def test_a_client_that_cannot_be_read_breaks_the_session(payload: bytes) -> None:
    with pytest.raises(Broken):
        frames.client(payload)
