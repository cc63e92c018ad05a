"""Whatever a message is made of, it can be looked at."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from rig.quarantine import TIME
from turfmilter.core.address.header import decode, decode_words
from turfmilter.core.escape import escape
from turfmilter.review.contents import read_contents
from turfmilter.review.mbox import mbox

NAMES = [b"Content-Type", b"Content-Disposition", b"Content-Transfer-Encoding", b"Subject"]
PIECES = (
    b"multipart/mixed|text/plain|text|/|;|; boundary=b|; charset=|utf-8|idna|utf-16|attachment|; filename|*|0|1*|="
    b"|''|'|\"|\\|%ff|(|base64|quoted-printable|=?utf-8?b?|?=|?|\xe4|\x00|\r|\t|\xff\xfe|99999999999999999999"
).split(b"|")
VALUES = st.lists(st.sampled_from(PIECES) | st.binary(max_size=3), max_size=12).map(b"".join)
FIELDS = st.tuples(st.sampled_from(NAMES), VALUES).map(lambda field: field[0] + b": " + field[1])
LINES = FIELDS | st.sampled_from(
    [b"", b"--b", b"--b--", b"From x", b">From y", b"Content-Type: multipart/x; boundary=b"]
)
MESSAGES = st.lists(LINES | st.binary(max_size=20), max_size=30).map(b"\r\n".join)


@given(MESSAGES)
def test_no_message_is_an_error_and_all_of_it_can_be_shown(message: bytes) -> None:
    contents = read_contents(io.BytesIO(message))
    shown = [contents.text or "", *(part.name + part.type for part in contents.parts)]
    shown += [field.text for field in contents.header.fields]
    for text in shown:
        escape(text).encode()


@given(VALUES, st.text(max_size=12))
def test_no_value_and_no_charset_is_an_error(value: bytes, charset: str) -> None:
    decode_words(value)
    decode(value, charset)


@given(MESSAGES)
def test_an_mbox_gives_its_message_back(message: bytes) -> None:
    written = b"".join(mbox(io.BytesIO(message), "a@b.example", TIME))
    head, _, rest = written.partition(b"\n")
    assert head == b"From a@b.example Sun Mar  1 12:30:05 2026"
    assert not any(line.startswith(b"From ") for line in rest.split(b"\n"))
    plain = b"\n".join(line[1:] if line.lstrip(b">").startswith(b"From ") else line for line in rest.split(b"\n"))
    # The line feed that ends the last line, and the empty line between two messages.
    assert plain.removesuffix(b"\n").removesuffix(b"\n") == message.replace(b"\r\n", b"\n").removesuffix(b"\n")
