"""Values as an administrator writes them in TOML: for messages, for the sample and for the reference."""

from __future__ import annotations

import re

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_LONGEST = 80


def written(value: object) -> str:
    """`value` (text, a number, a date, a boolean or a list of them) in TOML, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return str(value)


def described(value: object) -> str:
    """`value` in a sentence: short whatever it is."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a section"
    # Beyond 64 bits it is no TOML number, and Python refuses to print very long ones.
    if isinstance(value, int) and value.bit_length() > 64:
        return "a huge number"
    return quoted(value) if isinstance(value, str) else written(value)


def quoted(text: str) -> str:
    """`text` in quotes, as TOML's basic string; cut when it is long."""
    cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    return '"' + "".join(map(_escaped, cut)) + '"'


def written_key(key: str) -> str:
    """`key` bare where TOML allows that, else in quotes."""
    return key if _BARE_KEY.fullmatch(key) else quoted(key)


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
