"""Text from outside becomes one visible line, and can be had back."""

from __future__ import annotations

import pytest

from turfmilter.core.escape import escape, shell_word, shortened, unescape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("a@example.org SIZE=100", "a@example.org SIZE=100"),
        ("jürgen@bücher.example", "jürgen@bücher.example"),
        ("用户@例え.jp", "用户@例え.jp"),
        ('"a b"@x', '"a b"@x'),
        ('"a\\"b"@x', '"a\\\\"b"@x'),
        ("a\r\nX-Forged: yes", "a\\x0d\\x0aX-Forged: yes"),
        ("\0\t\x7f", "\\x00\\x09\\x7f"),
        ("\x80\x85\x9f", "\\u0080\\u0085\\u009f"),
        ("\xa0\xad", "\\u00a0\\u00ad"),
        ("\u202e\u2066\u200f", "\\u202e\\u2066\\u200f"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\u200b\u200d\ufeff\ufe0f\u3164\u2800\u034f", "\\u200b\\u200d\\ufeff\\ufe0f\\u3164\\u2800\\u034f"),
        ("\U000e0001\U000e0100", "\\U000e0001\\U000e0100"),
        ("\ue000\U0010ffff", "\\ue000\\U0010ffff"),
        (b"j\xfcrgen@x".decode("utf-8", "surrogateescape"), "j\\xfcrgen@x"),
        ("\ud800\udc00\udfff", "\\ud800\\udc00\\udfff"),
        ("\\xfc", "\\\\xfc"),
    ],
)
def test_what_is_odd_is_shown_and_what_is_readable_stays(text: str, shown: str) -> None:
    assert escape(text) == shown
    assert unescape(shown) == text


@pytest.mark.parametrize("text", ["\\", "\\q", "\\x1", "\\U00110000", "a\\"])
def test_what_is_no_escape_of_ours_stays(text: str) -> None:
    assert unescape(text) == text


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("", 20, ""),
        ("twenty characters...", 20, "twenty characters..."),
        ("turf.table:1: a very long line: is wrong", 30, "turf.table:1: a  [...] s wrong"),
    ],
)
def test_what_is_too_long_keeps_its_beginning_and_its_end(text: str, most: int, shown: str) -> None:
    assert shortened(text, most) == shown
    assert len(shown) <= most


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("!a@x.example", "'!a@x.example'"),
        (r'!"a\"b"@x', r"""'!"a\"b"@x'"""),
        ("it's", """'it'"'"'s'"""),
        ("用户", "'用户'"),
        ("a\u3164'b\\", r"$'a\u3164\'b\\'"),
        ("\x1b[2J", r"$'\x1b[2J'"),
        ("", "''"),
    ],
)
def test_what_is_pasted_into_a_shell_is_quoted_and_visible(text: str, word: str) -> None:
    assert shell_word(text) == word
