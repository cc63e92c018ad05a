"""What is seen of a message: nothing in it can crash the program, and what is read of it is bounded."""

from __future__ import annotations

import base64
import io
import sys
from types import FrameType

import pytest

from turfmilter.review.contents import Contents, Part, read_contents, read_part


def read(message: bytes) -> Contents:
    return read_contents(io.BytesIO(message))


def lines(*lines: str) -> bytes:
    return "\r\n".join([*lines, ""]).encode()


def multipart(*parts: bytes, boundary: str = "b") -> bytes:
    """A multipart with these parts, each beginning with its header."""
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part for part in parts)
    head = lines(f'Content-Type: multipart/mixed; boundary="{boundary}"', "", "preamble")
    return head + body + f"--{boundary}--\r\nepilogue\r\n".encode()


TEXT = lines("Content-Type: text/plain", "", "hello")


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (lines("From: a@b.example", "", "hello", "world"), "hello\r\nworld\r\n"),
        (b"\r\nno header", "no header"),
        (b"From: no body", ""),
        (b"", ""),
        (lines("Content-Transfer-Encoding: quoted-printable", "", "caf=C3=A9 =", "x"), "café x\r\n"),
        (lines("Content-Transfer-Encoding: BASE64", "", "4oKs", "IDU="), "€ 5"),
        (lines("Content-Transfer-Encoding: base64", "", "4oKsA"), "€"),
        (lines("Content-Transfer-Encoding: base64", "", "4oKsNQ"), "€5"),
        (lines("Content-Transfer-Encoding: base64", "", "4oKsNTY"), "€56"),
        (lines("Content-Transfer-Encoding: base64", "", "4o-Ks*", "NQ==", "4oKs", "NQ"), "€5€5"),
        (lines("Content-Transfer-Encoding: base64", "", "====", "x"), ""),
        (lines("Content-Transfer-Encoding: base64", "", "YQ===*=", "YWJj"), "aabc"),
        (lines("Content-Transfer-Encoding: base64", "", "Y=Q*=", "YWJj"), "abc"),
        (lines("Content-Transfer-Encoding: base64", "", "YWJj=YWJj"), "abcabc"),
        (lines("Content-Transfer-Encoding: x-uuencode", "", "begin"), "begin\r\n"),
        (lines("Content-Type: text/plain; charset=iso-8859-1", "") + b"\xe4", "ä"),
        (lines("Content-Type: text/plain; charset=none-such", "") + b"\xe4", "\udce4"),
        (lines("Content-Type: text/plain; charset*=utf-8''utf-7", "", "+AGE-"), "a\r\n"),
        (lines("Content-Type: nonsense", "", "x"), "x\r\n"),
        (lines("Content-Type: text/html", "", "<b>bold &lt;"), "bold <"),
        (multipart(lines("", " "), lines("Content-Type: text/html", "", "<p>hello")), "hello"),
        (lines("Content-Type: image/png", "", "x"), None),
        (lines("Content-Disposition: attachment", "", "x"), None),
        (lines("Content-Type: multipart/mixed", "", "no boundary"), None),
        (multipart(TEXT), "hello\r\n"),
        (multipart(lines("Content-Type: text/html", "", "<b>"), TEXT), "hello\r\n"),
        (multipart(lines("Content-Disposition: attachment; filename=a.txt", "", "a"), TEXT), "hello\r\n"),
        (multipart(TEXT, lines("", "second")), "hello\r\n"),
        (multipart(multipart(TEXT, boundary="inner")), "hello\r\n"),
        (multipart(lines("", "--bb", "--b x", " --b", "x")), "--bb\r\n--b x\r\n --b\r\nx\r\n"),
        (lines("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "never closed"), "never closed\r\n"),
    ],
)
def test_the_text_is_the_first_part_that_is_plain(message: bytes, text: str | None) -> None:
    contents = read(message)
    assert contents.text == text
    assert contents.text_complete


def part(encoding: str, body: bytes) -> bytes:
    """The only part of a message with this body, decoded."""
    message = lines(f"Content-Transfer-Encoding: {encoding}", "") + body
    return b"".join(read_part(io.BytesIO(message), 1).pieces)


@pytest.mark.parametrize("before", range(7))
def test_a_part_with_very_long_lines_is_decoded_as_a_whole(before: int) -> None:
    """Whatever is read at once ends within an escape, a soft line break or a group of digits."""
    text = b"x" * before + "é".encode() * 40_000
    quoted = b"x" * before + b"=C3=\r\n=A9" * 40_000
    for shift in range(0, 65_536, 21_845):
        fill = b"y" * shift
        assert part("quoted-printable", fill + quoted) == fill + text
    assert part("quoted-printable", b"x" * before + b"=C3=A9" * 40_000) == text
    assert part("base64", base64.b64encode(text)) == part("base64", base64.b64encode(text).rstrip(b"=")) == text
    assert part("base64", base64.encodebytes(text).rstrip(b"=\n")) == text


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('Content-Disposition: attachment; filename="a.pdf"', "a.pdf"),
        ("Content-Disposition: attachment; filename=../../etc/passwd", "../../etc/passwd"),
        ("Content-Disposition: attachment; filename*=utf-8''%e2%82%ac.pdf", "€.pdf"),
        ("Content-Disposition: attachment; filename*0=a; filename*1=b.pdf", "ab.pdf"),
        ("Content-Disposition: attachment; filename==?utf-8?q?=E2=82=AC.pdf?=", "€.pdf"),
        ("Content-Disposition: attachment; filename*=none-such''%ff", "\udcff"),
        # Python 3.11 cannot read these parameters.
        ("Content-Disposition: attachment; filename*=a; filename*0=b", "b" if sys.version_info >= (3, 13) else ""),
        ("Content-Type: application/pdf; name=a.pdf", "a.pdf"),
        ("Content-Disposition: attachment; filename=" + "x" * 3000, "x" * 255),
        ("Content-Disposition: " + ';"' * 100_000, ""),
    ],
)
def test_a_part_has_the_name_that_it_was_given(header: str, name: str) -> None:
    [part, _] = read(multipart(lines(header, "", "x"), TEXT)).parts
    assert part.name == name


def test_the_parts_are_listed_with_their_sizes() -> None:
    contents = read(multipart(TEXT, multipart(lines("Content-Type: Text/HTML", "", "<b>"), boundary="c"), TEXT))
    assert contents.parts == (Part("text/plain", "", 7), Part("text/html", "", 5), Part("text/plain", "", 7))
    assert contents.count == 3


def test_a_delimiter_ends_a_header_that_does_not_end() -> None:
    assert [part.type for part in read(multipart(b"Content-Type: image/png\r\n", TEXT)).parts] == [
        "image/png",
        "text/plain",
    ]


def test_a_message_within_a_message_is_one_part() -> None:
    contents = read(multipart(lines("Content-Type: message/rfc822", "", "Subject: inner", "", "hello")))
    assert [part.type for part in contents.parts] == ["message/rfc822"]


def test_of_thousands_of_parts_the_first_are_listed() -> None:
    contents = read(multipart(*[TEXT] * 5000))
    assert (len(contents.parts), contents.count) == (200, 5000)


def test_multiparts_a_thousand_deep_are_read() -> None:
    message = TEXT
    for depth in range(1000):
        message = multipart(message, boundary=f"b{depth}-")
    contents = read(message)
    assert contents.count == 1
    assert contents.parts[0].type == "multipart/mixed"


@pytest.mark.parametrize("body", [b"x" * 10_000_000, b"x\r\n" * 1_000_000])
def test_a_long_text_is_cut(body: bytes) -> None:
    contents = read(b"\r\n" + body)
    assert contents.text is not None and len(contents.text) == 65_536
    assert not contents.text_complete


def test_a_long_header_is_cut() -> None:
    contents = read(b"X: " + b"x" * 10_000_000 + b"\r\nSubject: hidden\r\n\r\nhello")
    assert not contents.header.complete
    assert contents.header.first("subject") == b""


def _events(message: bytes) -> int:
    """How many calls of functions, Python's own included, it takes to read the contents."""
    events = 0

    def count(_frame: FrameType, _event: str, _what: object) -> None:
        nonlocal events
        events += 1

    sys.setprofile(count)
    try:
        read_contents(io.BytesIO(message))
    finally:
        sys.setprofile(None)
    return events


def _of_parts(field: bytes, size: int) -> bytes:
    part = b"--b\r\n" + field + b"\r\n\r\nx\r\n"
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * (size // len(part))


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Type: text/plain" + b";" * 4000,
        b"Content-Type: text/plain" + b";a=b" * 1000,
        b"Content-Type: text/plain" + b';a="' * 1000,
        b"Content-Type: text/plain" + b"".join(b";a*%d*=x" % number for number in range(400)),
        b"Content-Disposition: attachment" + b"".join(b";filename*%d*=x" % number for number in range(200)),
        b'Content-Type: text/plain; name="' + b"=?utf-8?q?a?= " * 270 + b'"',
        b"Content-Type: text/plain",
        b"X: y",
    ],
    ids=lambda field: field[:40].decode(),
)
def test_what_is_said_of_parts_is_read_within_bounds_for_all_of_them_together(field: bytes) -> None:
    small, large = _of_parts(field, 300_000), _of_parts(field, 1_200_000)
    # What grows with the message is what it takes to find the parts, and nothing of what is said of them.
    lines = large.count(b"\n") - small.count(b"\n")
    cheap, dear = _events(small), _events(large)
    assert dear - cheap < 20 * lines + 100_000
    assert cheap < 20 * small.count(b"\n") + 2_000_000


def test_parts_of_which_too_much_is_said_are_counted_and_that_is_told() -> None:
    contents = read_contents(io.BytesIO(_of_parts(b"Content-Type: text/html" + b";a=b" * 1000, 400_000)))
    assert (contents.count > 90, contents.understood) == (True, False)
    assert 5 < len(contents.parts) < 10
    assert all(part.type == "text/html" for part in contents.parts)
    harmless = read_contents(io.BytesIO(_of_parts(b"Content-Type: text/html", 5000)))
    assert harmless.understood
