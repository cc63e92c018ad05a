"""HTML as text, whatever it contains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from turfmilter.review.markup import text_of

_MOST = 65_536  # characters that are read of a message


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("plain &amp; simple", "plain & simple"),
        ("  a \n b\t<b>c</b> d ", "a b c d"),
        ("<p>one<p>two<br>three", "one\n\ntwo\nthree"),
        ("<a href='https://x.example/?a=1&amp;b'>click</a>!", "click <https://x.example/?a=1&b> !"),
        ('<A HREF = "https://x.example">https://x.example</A>', "https://x.example"),
        ('<a href="https://evil.example">https://bank.example</a>', "https://bank.example <https://evil.example>"),
        (
            "<a href=https://x.example>one<a href=mailto:y@x.example>two",
            "one <https://x.example> two <mailto:y@x.example>",
        ),
        ('<a href="java\nscript:x"><img src=x alt=logo></a>', "[logo] <java script:x>"),
        ('<a title="a > b" href=https://x.example>z</a>', "z <https://x.example>"),
        ("<form action=https://x.example/login>", "<https://x.example/login>"),
        ("<iframe src=https://x.example></iframe>", "<https://x.example>"),
        ("<ul><li>one<li>two</ul>x", "- one\n- two\n\nx"),
        ("<table><tr><td>a<td>b<tr><td>c</table>", "a  b\nc"),
        ("<pre>a\n  b</pre>c", "a\n  b\nc"),
        ("a<script>if (1 < 2) '</b>'</SCRIPT >b<style>p{}</style>c<title>t</title>d", "abcd"),
        ("a<!-- <b> -->b<!doctype html>c<?php x ?>d", "abcd"),
        ("a<!-- never closed", "a"),
        ("a<script>never closed", "a"),
        ("1 < 2 and 3 > 2 <3", "1 < 2 and 3 > 2 <3"),
        ("&#x1b;[2J&#8238;&nosuch;&#xD800;", "[2J\u202e&nosuch;\ufffd"),
        (f"a&#{'1' * 5000};b", "a\ufffdb"),  # more digits than int() accepts
        (f"<a href='&#{'9' * 1900};'>a</a>", "a <\ufffd>"),
        (f"<pre>&#{'0' * 5000}65;b", "Ab"),
        ("&#65&#0065&#0;&#00&#&#x41", "AA\ufffd\ufffd&#A"),
    ],
)
def test_tags_become_what_they_mean(source: str, text: str) -> None:
    assert text_of(source) == text


# With html.parser, some of these take minutes.
UNITS = ["<", "<a ", "<!", "<!--", "<![", "</", "<?", "&#", "&", "<script>", '<a b="', "<a b='", "<a/", "<a\n=", "<p>"]
UNITS += [
    "<td>",
    "<div>",
    "<pre>\n",
    "x<a href=y>",
    "<a " + "a=" * 1000 + ">",
    "<style></",
    '<a b=">"',
    "<title>",
    " \n",
]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: ascii(unit[:9]))
def test_hostile_html_costs_little_and_becomes_no_more_than_it_was(unit: str) -> None:
    assert len(text_of((unit * _MOST)[:_MOST])) <= 2 * _MOST


@given(some.text(alphabet="<>/!-= \n\"'&;apbrhefscitul#x1", max_size=200))
def test_everything_is_read_to_its_end(source: str) -> None:
    assert text_of(source) == text_of(source).rstrip()
    assert text_of(f"{source}-->\"'></script></style></title><p>end").endswith("end")
