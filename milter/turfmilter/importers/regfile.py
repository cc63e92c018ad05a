r"""Registry exports of Windows (.reg): REGEDIT4, and version 5 ("Windows Registry Editor Version 5.00").

The formats are described in Microsoft's knowledge base, Q310516.  A value of version 4 has ANSI strings, also inside
hex(7); one of version 5 has UTF-16LE.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from turfmilter.core.table.entry import Problem, Where

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_VERSION_4, _VERSION_5 = "REGEDIT4", "Windows Registry Editor Version 5.00"
_ANSI = "cp1252"
_KEY = re.compile(r"\[(?P<deleted>-?)(?P<path>.+)\]")
_VALUE = re.compile(r'(?:"(?P<name>(?:[^"\\]|\\.)*)"|@) *= *(?P<data>.*)', re.DOTALL)
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_DIGITS = 8  # of each dword that regedit writes
_DWORD = re.compile(r"dword:([0-9a-f]{1,8})", re.IGNORECASE)
_HEX = re.compile(r"hex(?:\((?P<kind>[0-9a-f]+)\))?:(?P<bytes>[0-9a-f,\s]*)", re.IGNORECASE)
_STRINGS, _TEXTS, _DWORD_KIND = 7, (1, 2), 4  # REG_MULTI_SZ; REG_SZ and REG_EXPAND_SZ; REG_DWORD


class NotARegFile(Exception):
    """The file is not a registry export; the text tells what is wrong, and what to do."""


@dataclass(frozen=True, slots=True)
class RegValue:
    """One value: the path of its key, its name ("" is the key's default value), and its data.

    `data` is a number (REG_DWORD), a text (REG_SZ, REG_EXPAND_SZ), the texts of a REG_MULTI_SZ, or bytes.
    `cut` is True if its end is missing: of a list, the last text may be incomplete, and a number has fewer digits than
    regedit writes.
    """

    key: str
    name: str
    data: int | str | tuple[str, ...] | bytes
    where: Where
    cut: bool = False


@dataclass(frozen=True, slots=True)
class RegFile:
    """The values of an export, and its lines that are not understood; `cut` is True if its end seems to be missing."""

    values: tuple[RegValue, ...]
    problems: tuple[Problem, ...]
    cut: bool


def read_reg(content: bytes, source: str) -> RegFile:
    """Parse a registry export; `source` is the file's name.  Raises NotARegFile."""
    text = _decoded(content)
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    version = lines[first].strip()
    if version not in (_VERSION_4, _VERSION_5):
        raise NotARegFile(
            f"{source}:{first + 1}: not a registry export: the first line is neither {_VERSION_4} nor"
            f' "{_VERSION_5}"; export the key with regedit, as a file of type .reg'
        )
    encoding = "utf-16-le" if version == _VERSION_5 else _ANSI
    key, values, problems = "", [], []
    for where, line in _joined(lines[first + 1 :], source, first + 2):
        if found := _KEY.fullmatch(line):
            key = "" if found["deleted"] else found["path"]
        elif value := _value(key, line, where, encoding):
            values.append(value)
        else:
            wrong = "the line is cut off, or not one of a registry export"
            problems.append(Problem(where, line, wrong, "export the key again"))
    # regedit ends each line, and the file with an empty one.
    cut = bool(lines[-1].strip("\0")) or any(value.cut and not isinstance(value.data, int) for value in values)
    return RegFile(tuple(values), tuple(problems), cut)


def _decoded(content: bytes) -> str:
    """Return the text; bytes that are not of its encoding become U+FFFD, which no entry contains."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content.removeprefix(mark).decode(encoding, errors="replace")
    if content[1:2] == b"\0":  # version 5 from a program that wrote no byte order mark
        return content.decode("utf-16-le", errors="replace")
    return content.decode(_ANSI, errors="replace")


def _joined(lines: list[str], source: str, first: int) -> Iterator[tuple[Where, str]]:
    r"""Yield the lines with their places, without empty ones and comments; a "\" at the end of hex: continues one."""
    waiting, began = "", 0
    for number, line in enumerate(lines, first):
        text = line.strip().strip("\0")
        if not waiting and (not text or text.startswith(";")):
            continue
        began = began if waiting else number
        waiting += text
        if waiting.endswith("\\") and re.search(r"= *hex", waiting, re.IGNORECASE):
            waiting = waiting.removesuffix("\\")
            continue
        yield Where(source, began), waiting
        waiting = ""
    if waiting:
        yield Where(source, began), waiting


def _value(key: str, line: str, where: Where, encoding: str) -> RegValue | None:
    found = _VALUE.fullmatch(line)
    if not found:
        return None
    name, data = _unescaped(found["name"] or ""), found["data"].strip()
    if data == "-":  # an export never has it; a file that deletes the value
        return RegValue("", name, "", where)
    if string := _STRING.fullmatch(data):
        return RegValue(key, name, _unescaped(string[1]), where)
    if number := _DWORD.fullmatch(data):
        return RegValue(key, name, int(number[1], 16), where, cut=len(number[1]) < _DIGITS)
    if octets := _HEX.fullmatch(data):
        return _binary(RegValue(key, name, b"", where), octets, encoding)
    return None


def _binary(value: RegValue, octets: re.Match[str], encoding: str) -> RegValue | None:
    parts = [part.strip() for part in octets["bytes"].split(",") if part.strip()]
    if any(len(part) > 2 for part in parts):
        return None
    data = bytes(int(part, 16) for part in parts)
    # The file ends inside the value, if its last byte has one digit, or a comma follows it.
    torn = octets["bytes"].rstrip().endswith(",") or bool(parts and len(parts[-1]) == 1)
    kind = int(octets["kind"] or "3", 16)
    if kind == _DWORD_KIND and len(data) == 4:
        return RegValue(value.key, value.name, int.from_bytes(data, "little"), value.where)
    if kind in _TEXTS:
        return RegValue(value.key, value.name, data.decode(encoding, errors="replace").rstrip("\0"), value.where, torn)
    if kind == _STRINGS:
        text = data.decode(encoding, errors="replace")
        cut = torn or (bool(text.rstrip("\0")) and not text.endswith("\0\0"))
        return RegValue(value.key, value.name, tuple(one for one in text.split("\0") if one), value.where, cut)
    return RegValue(value.key, value.name, data, value.where, torn)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)
