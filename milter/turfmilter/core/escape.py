"""Text from outside as one visible line, and back: for the log and for the block of a held message."""

from __future__ import annotations

import re
import shlex

_ODD = re.compile(r"[^ -\[\]-~]")  # the backslash, and everything except printable ASCII
_ESCAPED = re.compile(r"\\(?:(\\)|x([0-9a-f]{2})|u([0-9a-f]{4})|U(00(?:0[0-9a-f]|10)[0-9a-f]{4}))")
_GAP = " [...] "
# Printable according to Unicode, but invisible (Default_Ignorable_Code_Point; U+2800 is an empty Braille cell).
_UNSEEN = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def escape(text: str) -> str:
    r"""Return `text` without anything that could break a line, change its direction or be invisible.

    Readable text of any script is kept; a backslash is doubled.  Everything else becomes \xNN (ASCII controls, and
    raw bytes that were decoded with surrogateescape), \uNNNN or \UNNNNNNNN.
    """
    return _ODD.sub(_escaped, text)


def shell_word(text: str) -> str:
    """Return `text` as one word that can be pasted into a shell, with everything that `escape` changes in it visible.

    A backslash alone needs no $'…', which not every shell has.
    """
    escaped = escape(text)
    if escaped == text.replace("\\", r"\\"):
        return shlex.quote(text)
    quoted = escaped.replace("'", r"\'")
    return f"$'{quoted}'"


def shortened(text: str, most: int) -> str:
    """Return `text` shortened to at most `most` characters, by removing its middle.

    A message begins with the place of an error and ends with the error, so both ends are kept.
    """
    if len(text) <= most:
        return text
    end = (most - len(_GAP)) // 3  # two thirds for the beginning: the place includes a path
    return text[: most - len(_GAP) - end] + _GAP + text[len(text) - end :]


def unescape(text: str) -> str:
    """Return the text that `escape` was given.  Anything that is not one of its escapes is kept."""
    return _ESCAPED.sub(_unescaped, text) if "\\" in text else text


def _escaped(odd: re.Match[str]) -> str:
    char = odd[0]
    code = ord(char)
    if char == "\\":
        return r"\\"
    if char.isprintable() and not _UNSEEN.match(char):
        return char
    if code < 0x80 or 0xDC80 <= code <= 0xDCFF:  # surrogateescape: byte 0x80 + n is U+DC80 + n (PEP 383)
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
