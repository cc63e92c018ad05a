"""What a reviewer finds in the quarantine one morning: 35 different messages, with ids and times that never change."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from rig.filter import give
from rig.hostile import HOSTILE
from rig.quarantine import slip
from turfmilter.core.held.block import render
from turfmilter.core.held.message import make_id

FIRST = datetime(2024, 11, 21, 21, 24, 12, tzinfo=UTC)  # so long ago that lists show the year, whenever tests run


class Mail(NamedTuple):
    """One message; `flags` are those of its file."""

    message: bytes
    sender: str = "news@turf.example"
    recipients: tuple[str, ...] = ("anna@example.org",)
    flags: str = ""


def mail(subject: str, body: str = "hello", *fields: str, author: str = "News <news@turf.example>") -> bytes:
    """A message with these fields; everything in UTF-8."""
    lines = [f"From: {author}", "To: anna@example.org", f"Subject: {subject}", *fields, "", *body.split("\n")]
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "surrogateescape")


def parts(kind: str, *some: str) -> tuple[str, str]:
    """The body and the Content-Type of a multipart of these parts, each with its own header."""
    return "\n".join([*(f"--b\n{part}" for part in some), "--b--"]), f"Content-Type: multipart/{kind}; boundary=b"


def multipart(subject: str, kind: str, *some: str) -> bytes:
    """A message of several parts."""
    body, field = parts(kind, *some)
    return mail(subject, body, "MIME-Version: 1.0", field)


HTML = (
    "<html><head><title>no</title><style>p {color: red}</style></head><body><h1>Your parcel</h1>\n"
    '<p>It waits. <a href="https://evil.example/pay?id=17&amp;x">https://post.example</a> to pay 1,99 &euro;.</p>\n'
    '<ul><li>Fast<li>Cheap</ul><img alt="logo" src="cid:1"><script>alert(1)</script><!-- hidden -->\n'
    "<table><tr><td>Sum</td><td>1,99</td></tr></table></body></html>"
)
PICTURE = "Content-Type: image/png; name=offer.png\nContent-Transfer-Encoding: base64\n\n" + "iVBORw0KGgo=\n" * 40
CALENDAR = (
    "Content-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Meeting\n"
    "DTSTART:20241122T090000Z\nEND:VEVENT\nEND:VCALENDAR"
)
ENCODED = base64.b64encode("Grüße aus Wien".encode()).decode()

MORNING: Mapping[str, Mail] = {
    "plain": Mail(mail("Our offer", "It pays to read this to its end.")),
    "a bounce": Mail(mail("Undelivered Mail", author="MAILER-DAEMON@mx.turf.example"), sender=""),
    "author is another": Mail(mail("Invoice", author="The boss <boss@example.org>"), sender="x7@bulk.example"),
    "two authors": Mail(mail("Minutes", author="a@x.example, b@y.example")),
    "no author": Mail(b"Subject: no author\r\n\r\nhello\r\n"),
    "three recipients": Mail(mail("All"), recipients=("anna@example.org", "ben@example.org", "carl@example.org")),
    "VERP": Mail(mail("Issue 17"), sender="bounce-17-anna=example.org@lists.turf.example"),
    "a long address": Mail(mail("Long"), sender="security.department." * 4 + "bank.example@evil.example"),
    "a long subject": Mail(mail("Please read this, " * 12)),
    "no subject": Mail(b"From: news@turf.example\r\n\r\nhello\r\n"),
    "reviewed": Mail(mail("Seen"), flags="S"),
    "released": Mail(mail("Released"), flags="PS"),
    "deleted": Mail(mail("Deleted"), flags="T"),
    "flagged": Mail(mail("Important"), flags="F"),
    "an attachment": Mail(multipart("Picture", "mixed", "Content-Type: text/plain\n\nSee below.", PICTURE)),
    "alternatives": Mail(
        multipart("Both", "alternative", "\nplain words", f"Content-Type: text/html\n\n{HTML}"), sender="b@turf.example"
    ),
    "HTML only": Mail(mail("Your parcel", HTML, "Content-Type: text/html; charset=utf-8"), sender="post@evil.example"),
    "HTML beside nothing": Mail(multipart("Blank", "alternative", "\n \n", f"Content-Type: text/html\n\n{HTML}")),
    "only a picture": Mail(multipart("Picture only", "mixed", PICTURE)),
    "Chinese": Mail(
        mail("=?utf-8?b?5bCK5pWs55qE5a6i5oi35oKo5aW9?=", "尊敬的客户您好", author="王 <wang@turf.example>")
    ),
    "Chinese, raw": Mail(mail("尊敬的客户您好这是给您的特别优惠通知请立即阅读并回复" * 2, "您好")),
    "Hebrew": Mail(mail("=?utf-8?b?16nXnNeV150=?= 17", "שלום 17 ימים")),
    "Arabic": Mail(mail("مرحبا بكم", "مرحبا"), recipients=("anna@example.org", "ben@example.org")),
    "text turned around": Mail(HOSTILE["text turned around"], sender="eve@turf.test"),
    "a calendar": Mail(multipart("Meeting", "alternative", "\nMeet me.", CALENDAR)),
    "a message in it": Mail(
        multipart("Fwd", "mixed", "\nsee", "Content-Type: message/rfc822\n\nFrom: x@y.example\nSubject: inner\n\ninner")
    ),
    "multiparts 1,000 deep": Mail(HOSTILE["multiparts 1,000 deep"]),
    "broken charset": Mail(mail("=?no-such?q?a=FF?=", "\udcff\udcfe", "Content-Type: text/plain; charset=no-such")),
    "broken base64": Mail(mail("Broken", ENCODED + "=*=\nx", "Content-Transfer-Encoding: base64")),
    "base64": Mail(mail("=?utf-8?q?Gr=C3=BC=C3=9Fe?=", ENCODED, "Content-Transfer-Encoding: base64")),
    "8-bit everywhere": Mail(HOSTILE["8-bit in the values"], sender="eve@turf.test"),
    "escapes in the header": Mail(HOSTILE["escapes in the header"], sender='"\x1b[2J"@turf.test'),
    "escapes in the text": Mail(HOSTILE["escapes in the text"], sender="eve@turf.test"),
    "marks upon marks": Mail(
        f"From: eve@turf.test\r\nSubject: a{chr(0x301) * 99}\r\n\r\na{chr(0x301) * 9}\r\n".encode()
    ),
    "nothing": Mail(b"", sender="eve@turf.test"),
}


def fill(quarantine: Path) -> Mapping[str, str]:
    """Hold all of them, an hour apart, the first one last; return their ids by name."""
    ids = {}
    for number, (name, one) in enumerate(MORNING.items()):
        time = FIRST - timedelta(hours=number)
        id = ids[name] = make_id(time, 4711 * (number + 1) ** 3)
        said = slip(sender=one.sender, recipients=one.recipients, time=time, entry="@turf.example turf.table:2")
        path = quarantine / (f"cur/{id}:2,{one.flags}" if one.flags else f"new/{id}")
        path.write_bytes(render(id, said, hashlib.sha256(one.message).hexdigest()) + one.message)
        path.chmod(0o640)
        give(path)
    return ids
