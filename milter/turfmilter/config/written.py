"""Values in TOML, as an administrator writes them, and in sentences."""

from __future__ import annotations

_LONGEST = 80


def written(value: object) -> str:
    """`value` (text, a number, a date, a boolean or a list of them) in TOML, on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + "".join(map(_escaped, value)) + '"'
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    return str(value)


def described(value: object) -> str:
    """`value` in a sentence: short whatever it is."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a section"
    # Beyond 64 bits it is no TOML number, and Python refuses to print very long ones.
    return "a huge number" if isinstance(value, int) and value.bit_length() > 64 else written(value)


def quoted(text: str) -> str:
    """`text` in quotes for a sentence, cut when it is long."""
    return f'"{text}"' if len(text) <= _LONGEST else f'"{text[:_LONGEST]}..."'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"
