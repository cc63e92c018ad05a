"""Edits of a table file: comments, order and blank lines stay as they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Container
from datetime import date

Change = Callable[[str], str]

_PLAIN = re.compile(r"[A-Za-z0-9._@:/+-]+")


def line(entry: str, today: date, *, expires: date | None = None, why: str = "", by: str = "") -> str:
    """An entry with its notes, and the day on which it came as a comment.

    Raises ValueError for what cannot stand in one line.
    """
    if not entry.strip() or entry.lstrip().startswith("#") or not entry.isprintable():
        raise ValueError(f"{entry!a} is not one entry; write one such as @spam.example")
    notes = {"expires": expires.isoformat() if expires else "", "why": why, "by": by}
    written = [f"{name}={_quoted(value)}" for name, value in notes.items() if value]
    return " ".join((entry, *written, f"# {today.isoformat()}"))


def with_line(text: str, line: str) -> str:
    """`text` with one more line at its end."""
    end = "\r\n" if "\r\n" in text else "\n"
    return text + (end if text and not text.endswith("\n") else "") + line + end


def without_lines(text: str, numbers: Container[int]) -> str:
    """`text` without the lines of these numbers, which begin with 1."""
    return "".join(line for number, line in enumerate(_lines(text), 1) if number not in numbers)


def _lines(text: str) -> list[str]:
    """The lines as editors count them, each with its end; splitlines() knows too many ends."""
    return [line for line in re.split(r"(?<=\n)", text) if line]


def _quoted(value: str) -> str:
    if not value.isprintable():
        raise ValueError("a note is one line of text without control characters")
    if _PLAIN.fullmatch(value):
        return value
    escaped = re.sub(r'(["\\])', r"\\\1", value)
    return f'"{escaped}"'
