"""Text from outside as one visible line, and back again: for the log and for the block of a held message."""

from __future__ import annotations

import re

_ODD = re.compile(r"[^ -\[\]-~]")  # all but printable ASCII, and the backslash
_ESCAPED = re.compile(r"\\(?:(\\)|x([0-9a-f]{2})|u([0-9a-f]{4})|U(00(?:0[0-9a-f]|10)[0-9a-f]{4}))")
_GAP = " [...] "
# Unicode calls these printable, and nothing is seen of them (Default_Ignorable_Code_Point; U+2800 is a blank).
_UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def escape(text: str) -> str:
    r"""`text` without anything that could break a line, turn its direction or stay unseen.

    Readable text of any script stays as it is; a backslash becomes two.  What else is odd becomes
    \xNN (ASCII controls, and raw bytes that came in by surrogateescape), \uNNNN or \UNNNNNNNN.
    """
    return _ODD.sub(_escaped, text)


def shortened(text: str, most: int) -> str:
    """`text` in at most `most` characters; where it is longer, its middle is left out.

    A sentence begins with where something is wrong and ends with what: both stay.
    """
    if len(text) <= most:
        return text
    end = (most - len(_GAP)) // 3
    return text[: most - len(_GAP) - end] + _GAP + text[len(text) - end :]


def unescape(text: str) -> str:
    """The text that `escape` was given.  What is no escape of ours stays as it is."""
    return _ESCAPED.sub(_unescaped, text) if "\\" in text else text


def _escaped(odd: re.Match[str]) -> str:
    char = odd[0]
    code = ord(char)
    if char == "\\":
        return r"\\"
    if char.isprintable() and not _UNSEEN.match(char):
        return char
    if code < 0x80 or 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code & 0xFF:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _unescaped(escaped: re.Match[str]) -> str:
    backslash, byte, short, long = escaped.groups()
    if backslash:
        return "\\"
    if byte:
        code = int(byte, 16)
        return chr(code if code < 0x80 else 0xDC00 + code)
    return chr(int(short or long, 16))
