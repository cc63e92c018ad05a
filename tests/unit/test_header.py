"""The header of a message, however broken it comes."""

from __future__ import annotations

import io

import pytest

from turfmilter.core.address.header import decode, decode_words, read_header


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?caf=C3=A9?=", "café"),
        (b"=?UTF-8?Q?two_words?= and more", "two words and more"),
        (b"=?iso-8859-1*de?q?=e4?=", "ä"),
        (b"=?utf-8?b?4oKs?=", "€"),
        (b"=?utf-8?b?4oKs?= =?utf-8?q?_5?=", "€ 5"),
        (b"=?utf-8?q?=E2=82?= =?utf-8?q?=AC?=", "€"),  # one character in two words
        (b"=?utf-8?q?a?= x =?utf-8?q?b?=", "a x b"),
        (b"=?utf-8?q?a?= =?iso-8859-1?q?=e4?=", "aä"),
        (b"=?none-such?q?=ff?=", "\udcff"),
        (b"=?utf-8?b?!!!?=", ""),
        (b"=?utf-8?b?AAAAA?=", "=?utf-8?b?AAAAA?="),  # no number of digits that there can be
        (b"=?idna?q?xn--?=", "xn--"),
        (b"=?unicode_escape?q?=5Cu202e?=", "\\u202e"),
        (b"=?zip?q?x?=", "x"),
        (b"=?utf-8?x?y?=", "=?utf-8?x?y?="),
        (b"raw \xe4", "raw \udce4"),
        ("roh ä".encode(), "roh ä"),
        (b"=?", "=?"),
    ],
)
def test_encoded_words_are_decoded_and_what_is_none_stays(value: bytes, text: str) -> None:
    assert decode_words(value) == text


@pytest.mark.parametrize(
    ("raw", "charset", "text"),
    [
        (b"\xe4", "latin-1", "ä"),
        (b"\xe4", "utf-8", "\udce4"),
        (b"\xff", "shift_jis", "\ufffd"),
        (b"abc", "undefined", "abc"),
        (b"abc", "hex", "abc"),
        (b"abc", "\0", "abc"),
        (b"\x80", "", "\udc80"),
    ],
)
def test_a_charset_is_never_an_error(raw: bytes, charset: str, text: str) -> None:
    assert decode(raw, charset) == text


@pytest.mark.parametrize(
    ("message", "fields"),
    [
        (b"From: a\r\nSubject: b\r\n c\r\n\r\nbody", [("From", b"a"), ("Subject", b"b c")]),
        (b"From: a\nTo:b\n\nbody", [("From", b"a"), ("To", b"b")]),
        (b"X : y\r\n\r\n", [("X", b"y")]),
        (b"From: a\r\nno field\r\nTo: b\r\n\r\n", [("From", b"a"), ("To", b"b")]),
        (b" folded at the start\r\nFrom: a\r\n\r\n", [("From", b"a")]),
        (b"\r\nFrom: a\r\n\r\n", []),
        (b"From: a", [("From", b"a")]),
        (b"", []),
    ],
)
def test_the_fields_are_those_that_others_would_see(message: bytes, fields: list[tuple[str, bytes]]) -> None:
    header = read_header(io.BytesIO(message).readline, 1000)
    assert [(field.name, field.value) for field in header.fields] == fields
    assert header.complete


@pytest.mark.parametrize(
    "message", [b"X: " + b"x" * 10_000_000, b"X: y\r\n" * 1_000_000, b"X: y\r\n" + b" z\r\n" * 1_000_000]
)
def test_a_header_without_end_is_cut(message: bytes) -> None:
    header = read_header(io.BytesIO(message).readline, 10_000)
    assert not header.complete
    assert sum(len(field.value) for field in header.fields) <= 10_000
