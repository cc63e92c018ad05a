"""Text and layout of man pages, in the macros of man(7), clean under `mandoc -T lint`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path

from turfmilter import __version__

_CHANGELOG = Path(__file__).parents[2] / "debian/changelog"
_CODE = re.compile(r"`([^`]+)`")
_WIDTH = 78  # mandoc reports lines of the source that are longer than 80 bytes


def head(name: str, section: int, purpose: str) -> list[str]:
    """The lines with which a page begins, up to its purpose in a few words; its date is that of the package."""
    (date,) = re.findall(r"(?m)^ -- .*>  (.*)$", _CHANGELOG.read_text(encoding="utf-8"))[:1]
    manual = {5: "File Formats", 8: "System Administration"}[section]
    return [
        '.\\" Made from the program itself by: make docs',
        f'.TH {name.upper()} {section} "{parsedate_to_datetime(date):%Y-%m-%d}" "turfmilter {__version__}" "{manual}"',
        ".SH NAME",
        f"{escaped(name)} \\- {text(purpose)}",
    ]


def see_also(*pages: tuple[str, int]) -> Iterator[str]:
    """The last section, which names other pages in their order."""
    yield ".SH SEE ALSO"
    ordered = sorted(pages, key=lambda page: (page[1], page[0]))
    for number, (name, section) in enumerate(ordered, 1):
        yield f".BR {escaped(name)} ({section}){',' if number < len(ordered) else ''}"


def items(explained: Iterable[tuple[str, str]]) -> Iterator[str]:
    """A list in which each item, such as a path, has an explanation."""
    for item, what in explained:
        yield from (".TP", f"\\fB{escaped(item)}\\fR", text(what))


def paragraphs(texts: Iterable[str]) -> Iterator[str]:
    """Each text as a paragraph of its own, the first of a section."""
    for number, paragraph in enumerate(texts):
        if number:
            yield ".PP"
        yield text(paragraph)


def literal(lines: Iterable[str]) -> Iterator[str]:
    """Lines of a file, shown as they are."""
    yield from (".PP", ".RS 4", ".nf", *(_begun(escaped(line)) for line in lines), ".fi", ".RE")


def text(words: str) -> str:
    """`words` in lines of the source, `code` in bold, so that groff(7) takes nothing of it for a command."""
    return wrapped(_CODE.sub(r"\\fB\1\\fR", escaped(words)))


def escaped(words: str) -> str:
    """`words` without characters that groff(7) interprets inside a line."""
    safe = "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in words.replace("\\", "\\e"))
    return safe.replace("-", "\\-")


def wrapped(line: str) -> str:
    """A line of the source as several that are short enough."""
    lines, length = [""], 0
    for word in line.split():
        if length and length + len(word) >= _WIDTH:
            lines.append("")
            length = 0
        lines[-1] += f" {word}" if length else _begun(word)
        length = len(lines[-1])
    return "\n".join(lines)


def _begun(line: str) -> str:
    return f"\\&{line}" if line.startswith((".", "'")) else line
