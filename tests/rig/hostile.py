"""Messages made to break the programs that read them: none may do so, and none may be changed."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Mapping, Sequence

_MEGABYTE = 1 << 20
_PLAIN = b"From: Eve <eve@turf.test>\r\nSubject: hello\r\n"
_MIXED = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="
_ESCAPES = b"\x1b[2J\x1b]0;owned\x07\x1b[31m\x9b31m\x08\x7f"
_LOOKALIKE = "From: bank@\u0440\u0430\u0443\u0440\u0430l.test\r\nSubject: P\u0430yp\u0430l\r\n\r\n\uff41\r\n"
_BIDI = "\u202egnp.exe\u202c \u2066x\u2069 \u200b\u200d\ufeff\u00ad\u061c"


def _text(body: bytes, more: bytes = b"") -> bytes:
    return _PLAIN + more + b"\r\n" + body


def _attached(disposition: bytes) -> bytes:
    part = b"--b\r\nContent-Type: application/octet-stream\r\n" + disposition + b"\r\n\r\nx\r\n"
    return _text(part + b"--b--\r\n", _MIXED + b"b\r\n")


def _nested(depth: int) -> bytes:
    return _PLAIN + b"".join(_MIXED + b"b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(depth)) + b"\r\ndeep\r\n"


def _enclosed(depth: int) -> bytes:
    return _PLAIN + b"Content-Type: message/rfc822\r\n\r\n" * depth + b"deep\r\n"


# The block of a held message, as a sender would write it.
_FORGED = (
    b"X-Quarantine-ID: 000000-000000\r\nX-Envelope-From: good@rig.test\r\nX-Envelope-To: victim@rig.test\r\n"
    b"X-Quarantine-Rule: none\r\nX-Quarantine-Entry: @good.test turf.table:1\r\n"
    b"X-Quarantine-Seal: " + b"0" * 64 + b"\r\nX-Quarantine-SHA256: " + b"0" * 64 + b"\r\n"
)

# By what is the matter with them.
HOSTILE: Mapping[str, bytes] = {
    # what is there at all
    "nothing": b"",
    "an empty line": b"\r\n",
    "no header": b"\r\nonly a body\r\n",
    "no body": _PLAIN + b"\r\n",
    "no empty line": _PLAIN,
    "no header and no empty line": b"only words\r\nand more of them\r\n",
    "no final newline": _text(b"to be continued"),
    "a CR at the end": _text(b"to be continued\r"),
    "blanks only": b" \r\n\t\r\n \r\n",
    # sizes
    "a header of 10 MB": b"X: " + b"x" * (10 * _MEGABYTE) + b"\r\n\r\nhello\r\n",
    "a header of 10 MB in folds": b"X: x\r\n" + b" 0123456789\r\n" * 800_000 + b"\r\nhello\r\n",
    "20,000 headers": b"".join(b"X-%d: x\r\n" % number for number in range(20_000)) + b"\r\nhello\r\n",
    "a line of 1 MB": _text(b"x" * _MEGABYTE + b"\r\n"),
    "a line of 1 MB of blanks": _text(b" " * _MEGABYTE + b"x\r\n"),
    "a From: of 100 KiB": b"From: " + b"a" * 100 * 1024 + b" <eve@turf.test>\r\n\r\nhello\r\n",
    "a From: of 60 KiB": b"From: " + b"a" * 60 * 1024 + b" <eve@turf.test>\r\n\r\nhello\r\n",
    "a From: of brackets": b"From: " + b"(" * 30_000 + b"<" * 30_000 + b"\r\n\r\nhello\r\n",
    "5,000 authors": b"From: " + b"a@turf.test,\r\n " * 4_000 + b"eve@turf.test\r\n\r\nhello\r\n",
    "a Subject: of 60 KiB": b"Subject: " + "€".encode() * 20_000 + b"\r\n\r\nhello\r\n",
    # terminals
    "escapes in the header": b"From: " + _ESCAPES + b" <eve@turf.test>\r\nSubject: " + _ESCAPES + b"\r\n\r\nhello\r\n",
    "escapes in the text": _text(_ESCAPES + b"\r\n\x1bP+q544e\x1b\\\x1b[6n\x05\x0e\x18\x1a\r\n"),
    "escapes in encoded words": b"Subject: =?utf-8?q?=1b[2J=07=0d=0a=c2=9b31m?=\r\n\r\nhello\r\n",
    "escapes in base64": _text(
        base64.encodebytes(_ESCAPES * 20).replace(b"\n", b"\r\n"), b"Content-Transfer-Encoding: base64\r\n"
    ),
    "text turned around": f"From: {_BIDI} <eve@turf.test>\r\nSubject: {_BIDI}\r\n\r\n{_BIDI}\r\n".encode(),
    "letters that look alike": _LOOKALIKE.encode(),
    "marks upon marks": f"Subject: a{chr(0x301) * 5000}\r\n\r\na{chr(0x301) * 5000}\r\n".encode(),
    "CR within a line": _text(b"pay 1 EUR\rpay 9 EUR\r\n\r\r\n\x0b\x0c\r\n", b"X-CR: one\rtwo\r\n"),
    "separators of Unicode": "Subject: a\u2028b\u2029c\u0085d\r\n\r\na\u2028b\u2029c\u0085d\r\n".encode(),
    # bytes
    "NUL": _text(b"a\0b\r\n\0\0\r\n"),
    "NUL in the header": b"Subject: a\0b\r\n\r\nhello\r\n",
    "bare LF": _text(b"one\ntwo\n\n.\nthree\r\n"),
    "bare LF in the header": b"Subject: one\nX-Two: two\n\nhello\r\n",
    "bare CR around a dot": _text(b"one\r.\rtwo\r\n"),
    "a smuggled end": _text(b"one\r\n.\rMAIL FROM:<x@turf.test>\r\n"),
    "8-bit everywhere": bytes(range(128, 256)) + b": \xff\r\nSubject: \xe9\xff\x80\r\n\r\n\xe9\xff\x80\xc3\r\n",
    "8-bit in the values": b"From: \xe9\xff <eve@turf.test>\r\nSubject: \xe9\xff\x80\xc3\r\n\r\n\xc3(\xff\r\n",
    "every byte but LF": _text(bytes(byte for byte in range(256) if byte != 10) * 1000 + b"\r\n"),
    "noise": _text(random.Random(4711).randbytes(_MEGABYTE).replace(b"\n", b"") + b"\r\n"),
    "surrogates in UTF-8": b"Subject: \xed\xa0\x80\xed\xb0\x80\r\n\r\n\xed\xa0\x80\xf4\x90\x80\x80\r\n",
    # charsets and encoded words
    "nonsense of RFC 2047": _text(b"x\r\n", b"X: =?utf-8?x?a?= =?utf-8?q?=zz?= =?utf-8?b?!!!?= =?q?b?c?= =??q??=\r\n"),
    "thousands of encoded words": b"Subject: " + b"=?utf-8?q?=E2=80=AE?= " * 2_900 + b"\r\n\r\nhello\r\n",
    "a character cut in two": b"Subject: =?utf-8?q?=E2=82?= =?utf-8?q?=AC?= =?utf-8?b?4oI=?=\r\n\r\nhello\r\n",
    "charsets that are none": _text(b"a\r\n", b"Content-Type: text/plain; charset=no-such\r\nX: =?no-such?q?a?=\r\n"),
    "a codec for a charset": _text(b"-" * 100_000 + b"\r\n", b"Content-Type: text/plain; charset=punycode\r\n"),
    "another codec for a charset": _text(
        b"\\u202e\\x1b[2J\r\n", b"Content-Type: text/plain; charset=unicode_escape\r\n"
    ),
    "UTF-7 that escapes": _text(b"+ABsAWwAySg- +IC4-\r\n", b"Content-Type: text/plain; charset=utf-7\r\n"),
    "ISO-2022 without an end": _text(b"\x1b$B!!\x1b\r\n", b"Content-Type: text/plain; charset=iso-2022-jp\r\n"),
    "UTF-16 of odd length": _text(b"\xff\xfea\0b\r\n", b"Content-Type: text/plain; charset=utf-16\r\n"),
    "base64 that is none": _text(b"=" * 100_000 + b"\r\n", b"Content-Transfer-Encoding: base64\r\n"),
    "quoted-printable that is none": _text(
        b"=zz=\r\n=1b[2J=0\r\n=", b"Content-Transfer-Encoding: quoted-printable\r\n"
    ),
    # parts
    "multiparts 1,000 deep": _nested(1_000),
    "messages in messages": _enclosed(1_000),
    "100,000 parts": _text(b"--b\r\n" * 100_000, _MIXED + b"b\r\n"),
    "a boundary in a boundary": _text(
        b"--a\r\n\r\none\r\n--ab\r\n\r\ntwo\r\n--a--\r\n--a\r\nthree\r\n", _MIXED + b"a\r\n"
    ),
    "a boundary that never comes": _text(b"--c\r\n\r\none\r\n", _MIXED + b"b\r\n"),
    "a boundary that is empty": _text(b"--\r\n\r\none\r\n----\r\n", _MIXED + b'""\r\n'),
    "two boundaries": _text(b"--a\r\n\r\none\r\n--b\r\n\r\ntwo\r\n", _MIXED + b"a; boundary=b\r\n"),
    "a boundary of 60 KiB": _text(b"--" + b"b" * 60_000 + b"\r\n\r\none\r\n", _MIXED + b"b" * 60_000 + b"\r\n"),
    "two types": _text(b"<b>\x1b[2J</b>\r\n", b"Content-Type: text/html\r\nContent-Type: text/plain\r\n"),
    "a type of nonsense": _text(b"x\r\n", b"Content-Type: ;;;=;/\"; charset*0*=x''%ff; name*1=\r\n"),
    "a reference to a character of 5,000 digits": _text(
        b"<p>&#" + b"1" * 5000 + b";</p>\r\n", b"Content-Type: text/html\r\n"
    ),
    "only HTML": _text(b"<script>alert(1)</script>\r\n", b"Content-Type: text/html\r\n"),
    "a file name with slashes": _attached(b'Content-Disposition: attachment; filename="../../../etc/cron.d/x"'),
    "a file name with escapes": _attached(b'Content-Disposition: attachment; filename="' + _ESCAPES + b'"'),
    "a file name turned around": _attached(f'Content-Disposition: attachment; filename="{_BIDI}"'.encode()),
    "a file name in pieces": _attached(b"Content-Disposition: attachment; filename*0*=utf-8''%1b%5b2J; filename*2=x"),
    "a file name of 60 KiB": _attached(b"Content-Disposition: attachment; filename=" + b"x" * 60_000),
    "uuencode": _text(b"begin 644 ../../etc/passwd\r\n" + b"M" * 61 + b"\r\n`\r\nend\r\n"),
    "winmail.dat": _attached(
        b"Content-Type: application/ms-tnef; name=winmail.dat\r\nContent-Transfer-Encoding: base64\r\n\r\neJ8+IgAAAAA="
    ),
    # what other programs would take for something else
    "a Content-Length that lies": _text(
        b"one\r\n\r\nFrom eve@turf.test Mon Mar  2 12:30:05 2026\r\n", b"Content-Length: 3\r\n"
    ),
    "lines that begin with From": _text(
        b"From \r\n>From x\r\n>>From x\r\nFrom eve@turf.test Mon Mar  2 12:30:05 2026\r\n"
    ),
    "dots": _text(b".\r\n..\r\n.x\r\n...\r\n.\r\n"),
    "a dot at the top": b".\r\n\r\n.\r\n",
    "our block once more": _FORGED + _PLAIN + b"\r\nhello\r\n",
    "our block in the text": b"\r\n" + _FORGED + _PLAIN + b"\r\nhello\r\n",
    "headers without names": b": x\r\n : y\r\nSubject : z\r\nSubject\r\n:\r\n\r\nhello\r\n",
    "Bcc, Return-Path and Resent-To": _text(
        b"hello\r\n", b"Bcc: victim@rig.test\r\nReturn-Path: <victim@rig.test>\r\nResent-To: victim@rig.test\r\n"
    ),
    "a fold of blanks only": b"Subject: one\r\n \t \r\n \r\n two\r\nFrom: eve@turf.test\r\n\r\nhello\r\n",
    "a Date: that cannot be": _text(b"hello\r\n", b"Date: Mon, 99 Foo 99999 99:99:99 +99999\r\nMessage-ID: <<>@>\r\n"),
}

_LONGEST = 65_000  # bytes of one field; libmilter accepts no frame over 64 KiB


def as_shown(message: bytes) -> tuple[Sequence[tuple[bytes, bytes]], bytes] | None:
    """Fields and body as an MTA shows them to a filter; None for a message that no MTA shows like this."""
    head, empty, body = message.partition(b"\r\n\r\n")
    if message.startswith(b"\r\n"):
        return [], message[2:]
    lines = re.sub(rb"\r\n(?=[ \t])", b"\0", head).split(b"\r\n")
    if b"\0" in head or b"\n" in head.replace(b"\r\n", b"") or not empty:
        return None
    fields = [line.replace(b"\0", b"\n").partition(b":") for line in lines]
    # RFC 5322 §2.2: a name is ASCII.  For an MTA, the body begins at a name that is not.
    if not all(name.isascii() and colon and 0 < len(name) < _LONGEST - len(value) for name, colon, value in fields):
        return None
    return [(name, value) for name, _, value in fields], body
