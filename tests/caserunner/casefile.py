"""Reads a file of cases; errors in it are reported with file and line."""

from __future__ import annotations

import difflib
import re
import textwrap
import tomllib
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from caserunner.case import MTAS, Case, CaseFile, Do, Everyone, Expected, Receive, Send, Step, Submit, mta_of
from caserunner.mailhost import ACTIONS, LISTENERS, LOCAL

_KEY = re.compile(r"(?P<key>[a-z ]+?)(?: on (?P<on>[a-z, ]+))?: *(?P<value>.*)")
_HEAR = re.compile(r"<(?P<on>[a-z0-9.,]*) (?P<reply>[2-5]\d\d(?: .*)?|closed)")
_REPLACED = re.compile(rb"\\x([0-9a-f]{2})")
_AT_END = ("delivered", "held", "log", "header", "no header", "without the rules")
_KEYS = ("client", "listener", "not", "holds without the rules", *_AT_END)


class Broken(Exception):
    """A case file that cannot be read; its text begins with file:line."""


def read_cases(path: Path) -> CaseFile:
    """The cases of one file.  Raises Broken."""
    return _Reader(path.name, path.read_text(encoding="utf-8").splitlines()).read()


class _Reader:
    def __init__(self, name: str, lines: list[str]) -> None:
        self._name = name
        self._lines = lines

    def read(self) -> CaseFile:
        begins = [number for number, line in enumerate(self._lines) if line.startswith("== ")]
        if not begins:
            raise self._broken(len(self._lines), "no case: each begins with a line `== what it shows`")
        ends = [*begins[1:], len(self._lines)]
        config = self._filter(begins[0])
        return CaseFile(self._name, config, tuple(map(self._case, begins, ends)))

    def _filter(self, end: int) -> str:
        head = self._lines[:end]
        if "filter:" not in head:
            raise self._broken(end, "no line `filter:` with the filter's configuration below it, indented")
        begin = head.index("filter:") + 1
        text = textwrap.dedent("\n".join(head[begin:]))
        try:
            tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise self._broken(begin, f"the filter's configuration is no TOML: {error}") from None
        return text

    def _case(self, begin: int, end: int) -> Case:
        collected = _Collected(self, begin)
        for number in range(begin + 1, end):
            if (line := self._lines[number].rstrip()) and not line.startswith("#"):
                collected.take(number + 1, line)
        return collected.case(self._name, self._lines[begin][3:].strip())

    def _broken(self, line: int, what: str) -> Broken:
        return Broken(f"{self._name}:{line}: {what}")


class _Collected:
    """The lines of one case, as they come."""

    def __init__(self, reader: _Reader, begin: int) -> None:
        self._broken = reader._broken
        self._begin = begin + 1
        self._steps: list[Step] = []
        self._expected: list[Expected] = []
        self._missing: dict[str, str] = {}
        self._settings = {"client": "198.51.100.9", "listener": "inbound"}
        self._harmless = False

    def case(self, file: str, title: str) -> Case:
        """The whole of it."""
        if not self._steps:
            raise self._broken(self._begin, f'nothing happens in "{title}"')
        case = Case(
            file,
            self._begin,
            title,
            **self._settings,
            steps=tuple(self._steps),
            expected=tuple(self._expected),
            missing=self._missing,
            harmless=self._harmless,
        )
        self._check_replies(case)
        return case

    def take(self, number: int, line: str) -> None:
        """One line that is neither empty nor a remark."""
        if line.startswith(">"):
            self._say(line.removeprefix(">").removeprefix(" "))
        elif line.startswith("<"):
            self._receive(number, line)
        elif line.startswith("! "):
            self._do(number, line[2:])
        elif line.startswith("$ sendmail"):
            self._steps.append(Submit(number, tuple(line.split()[2:])))
        else:
            self._key(number, line)

    def _say(self, text: str) -> None:
        raw = _REPLACED.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode())
        last = self._steps[-1] if self._steps else None
        if isinstance(last, Send):
            self._steps[-1] = Send((*last.lines, raw))
        else:
            self._steps.append(Send((raw,)))

    def _receive(self, number: int, line: str) -> None:
        found = _HEAR.fullmatch(line)
        if found is None:
            raise self._broken(number, f'"{line}": not `< 250`, `< 550 5.7.1 text`, `<postfix 451 …` or `< closed`')
        on = self._mtas(number, found["on"])
        replies = dict.fromkeys(on, found["reply"])
        last = self._steps[-1] if self._steps else None
        if found["on"] and isinstance(last, Receive) and not on & set(last.replies):
            self._steps[-1] = Receive(last.line, {**last.replies, **replies})
        else:
            self._steps.append(Receive(number, replies))

    def _do(self, number: int, what: str) -> None:
        if not any(re.fullmatch(action, what) for action in ACTIONS):
            raise self._broken(number, f'"! {what}": nothing that can happen{_near(what, ACTIONS)}')
        self._steps.append(Do(number, what))

    def _key(self, number: int, line: str) -> None:
        found = _KEY.fullmatch(line)
        if found is None or found["key"] not in _KEYS:
            near = _near(line.partition(":")[0], _KEYS)
            raise self._broken(number, f'"{line}": neither >, <, !, $, # nor a key{near}')
        key, value = found["key"], found["value"]
        if key in _AT_END:
            self._expected.append(Expected(number, key, value, self._mtas(number, found["on"] or "")))
        elif not value:
            raise self._broken(number, f'"{line}": nothing behind the colon')
        elif key == "not":
            self._missing |= dict.fromkeys(self._mtas(number, found["on"] or ""), value)
        elif key == "holds without the rules":
            self._harmless = True
        else:
            self._setting(number, key, value)

    def _setting(self, number: int, key: str, value: str) -> None:
        if key == "listener" and value not in LISTENERS:
            raise self._broken(number, f'"{value}": no listener of the mail host{_near(value, LISTENERS)}')
        if key == "client" and value not in LOCAL and not _is_address(value):
            raise self._broken(number, f'"{value}": neither an address nor one of {", ".join(LOCAL)}')
        self._settings[key] = value

    def _mtas(self, number: int, names: str) -> frozenset[str]:
        on = frozenset(filter(None, re.split(r"[, ]+", names)))
        if unknown := {name for name in on if mta_of(name) not in Everyone}:
            raise self._broken(number, f'"{", ".join(sorted(unknown))}": no MTA; there are {", ".join(MTAS)}')
        return on or Everyone

    def _check_replies(self, case: Case) -> None:
        for step in case.steps:
            if isinstance(step, Receive) and (silent := set(case.mtas) - set(step.replies)):
                raise self._broken(step.line, f"no reply is expected from {', '.join(sorted(silent))}")


def _near(word: str, words: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, list(words), 1)
    return f"; meant {near[0]}?" if near else ""


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
