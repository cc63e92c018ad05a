"""A reply is valid, or it cannot be made."""

from __future__ import annotations

import pytest

from rig.golden import Golden, report
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


NOT_A_REPLY = [
    "",
    "550",
    "550 5.7.1",
    "550 5.7.1 ",
    "550 relaying prohibited",
    "5.7.1 relaying prohibited",
    "550-5.7.1 relaying prohibited",
    "250 2.1.5 ok",
    "354 go on",
    "560 5.7.1 no such code",
    "999 9.9.9 no such class",
    "55 5.7.1 short",
    "5500 5.7.1 long",
    "550 5.7 short",
    "550 5.7.1.1 long",
    "550 5.1234.1 long",
    "550 5.7.1 two\nlines",
    "55\u0660 5.7.1 a foreign digit",
    "550 5.7.\u0661 a foreign digit",
    "550\u00a05.7.1 a foreign blank",
    "550 4.7.1 text",
    "451 5.7.1 text",
    "550 5.7.1 100% sure",
    "550 5.7.1 a\rb",
    "550 5.7.1 a\tb",
    "550 5.7.1 a\0b",
    "550 5.7.1 caf\xe9",
    "550 5.7.1 \x7f",
    "550 5.7.1 " + "x" * 481,
]


def wrong(parts: tuple[int, str, str] | str) -> list[str]:
    with pytest.raises(ValueError) as caught:
        Reply.parse(parts) if isinstance(parts, str) else Reply(*parts)
    return [str(caught.value)]


def test_an_invalid_reply_is_refused_with_the_reason(golden: Golden) -> None:
    golden("rules", report(NOT_A_REPLY, wrong))


@pytest.mark.parametrize("code", [0, 250, 354, 399, 560, 599, 5500])
def test_a_code_is_checked_however_the_reply_is_made(code: int) -> None:
    assert str(code) in wrong((code, "5.7.1", "text"))[0]


@pytest.mark.parametrize(("code", "permanent"), [(400, False), (459, False), (500, True), (559, True)])
def test_4xx_is_temporary_and_5xx_permanent(code: int, permanent: bool) -> None:
    assert Reply(code, f"{code // 100}.7.1", "text").permanent == permanent


def test_an_empty_text_is_none() -> None:
    assert "text" in wrong((550, "5.7.1", ""))[0]


@pytest.mark.parametrize("enhanced", ["", "5", "5.7", "5.7.1 ", "5.7.\u0661", "2.7.1", "5.7.1\n"])
def test_an_enhanced_code_is_checked_however_the_reply_is_made(enhanced: str) -> None:
    assert f'"{enhanced}"' in wrong((550, enhanced, "text"))[0]


def test_the_longest_text_fits_a_line_of_smtp() -> None:
    """RFC 5321 §4.5.3.1.5: 512 octets with the CRLF; Sendmail adds the recipient in front of it."""
    assert len(str(Reply(550, "5.7.1", "x" * 480))) + len("\r\n") < 512


@pytest.mark.parametrize("name", REPLIES)
def test_a_reply_of_the_table_tells_nothing_about_our_lists(name: str) -> None:
    assert not {"list", "entry", "table", "turf", "quarantine", "held"} & set(REPLIES[name].text.split())
