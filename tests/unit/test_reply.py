"""A reply is one valid value, or there is none."""

from __future__ import annotations

import re

import pytest

from turfmilter.core.reply import REPLIES, Reply


@pytest.mark.parametrize(
    "text",
    [
        "550 5.7.1 relaying prohibited",
        "554 5.7.1 text",
        "451 4.7.1 try again later",
        "421 4.7.0 closing",
        "550 5.123.456 x",
        '550 5.7.1 go away, see "https://mx.ours.example/"; it\'s all there',
    ],
)
def test_a_reply_is_read_and_shown_alike(text: str) -> None:
    reply = Reply.parse(text)
    assert str(reply) == text
    assert reply.permanent == text.startswith("5")


def test_blanks_between_the_parts_are_one() -> None:
    assert str(Reply.parse("550   5.7.1  two  blanks")) == "550 5.7.1 two  blanks"


SHAPE = 'a reply is written "550 5.7.1 text": code, enhanced code and text'
ASCII_ONLY = "the text must be one line of printable ASCII"


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", SHAPE),
        ("550", SHAPE),
        ("550 5.7.1", SHAPE),
        ("550 5.7.1 ", SHAPE),
        ("550 relaying prohibited", SHAPE),
        ("5.7.1 relaying prohibited", SHAPE),
        ("550-5.7.1 relaying prohibited", SHAPE),
        ("250 2.1.5 ok", SHAPE),
        ("354 go on", SHAPE),
        ("560 5.7.1 no such code", SHAPE),
        ("999 9.9.9 no such class", SHAPE),
        ("55 5.7.1 short", SHAPE),
        ("5500 5.7.1 long", SHAPE),
        ("550 5.7 short", SHAPE),
        ("550 5.7.1.1 long", SHAPE),
        ("550 5.1234.1 long", SHAPE),
        ("550 5.7.1 two\nlines", SHAPE),
        ("55\u0660 5.7.1 a foreign digit", SHAPE),
        ("550 5.7.\u0661 a foreign digit", SHAPE),
        ("550\u00a05.7.1 a foreign blank", SHAPE),
        ("550 4.7.1 text", "550 and 4.7.1 are of different classes (RFC 2034)"),
        ("451 5.7.1 text", "451 and 5.7.1 are of different classes (RFC 2034)"),
        ("550 5.7.1 100% sure", 'the text must not contain "%"'),
        ("550 5.7.1 a\rb", ASCII_ONLY),
        ("550 5.7.1 a\tb", ASCII_ONLY),
        ("550 5.7.1 a\0b", ASCII_ONLY),
        ("550 5.7.1 caf\xe9", ASCII_ONLY),
        ("550 5.7.1 \x7f", ASCII_ONLY),
        ("550 5.7.1 " + "x" * 481, "the text is longer than 480 characters (RFC 5321 §4.5.3.1.5)"),
    ],
)
def test_what_is_no_reply_is_refused_with_the_reason(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(wrong)}$"):
        Reply.parse(text)


@pytest.mark.parametrize("code", [0, 250, 354, 399, 560, 599, 5500])
def test_a_code_is_checked_however_the_reply_is_made(code: int) -> None:
    with pytest.raises(ValueError, match=f"^{code} is not a refusal: a code from 400 to 559 is needed$"):
        Reply(code, "5.7.1", "text")


@pytest.mark.parametrize(("code", "permanent"), [(400, False), (459, False), (500, True), (559, True)])
def test_4xx_is_temporary_and_5xx_permanent(code: int, permanent: bool) -> None:
    assert Reply(code, f"{code // 100}.7.1", "text").permanent == permanent


def test_an_empty_text_is_none() -> None:
    with pytest.raises(ValueError, match=ASCII_ONLY):
        Reply(550, "5.7.1", "")


@pytest.mark.parametrize("enhanced", ["", "5", "5.7", "5.7.1 ", "5.7.\u0661", "2.7.1", "5.7.1\n"])
def test_an_enhanced_code_is_checked_however_the_reply_is_made(enhanced: str) -> None:
    with pytest.raises(ValueError, match=f'^"{re.escape(enhanced)}" is not an enhanced code such as "5\\.7\\.1"'):
        Reply(550, enhanced, "text")


def test_the_longest_text_fits_a_line_of_smtp() -> None:
    """RFC 5321 §4.5.3.1.5: 512 octets with the CRLF; Sendmail puts the recipient in front."""
    assert len(str(Reply(550, "5.7.1", "x" * 480))) + len("\r\n") < 512


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_of_the_table_tells_nothing_about_our_lists(name: str) -> None:
    assert not {"list", "entry", "table", "turf", "quarantine", "held"} & set(REPLIES[name].text.split())
