"""The lines that attach the filter have one spelling everywhere: mail waits while the filter is down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from turfmilter.config.socketspec import SocketSpec

PROJECT = Path(__file__).parents[2]
# A socket in the value of a list of filters, however it is assigned: main.cf, -o of master.cf, postconf -e.
_POSTFIX = re.compile(r"smtpd_milters\s*=\s*(?=[^\n]*(?:unix:|inet6?:|\{where\}))(?P<value>[^\n]*)")
_SENDMAIL = re.compile(
    r"(?:^|[^\w])(?:(?:INPUT_)?MAIL_FILTER\(`turfmilter'|Xturfmilter), *(?P<value>[^\n]*S=[^\n]*)", re.M
)
_SAFE = re.compile(
    r"\{+ (?:unix|inet):[^\s,{}]+, default_action=tempfail \}+|\{\{ \{where\}, default_action=tempfail \}\}"
)


def published() -> list[Path]:
    """Everything that an administrator may copy from."""
    found = [PROJECT / "README.md"]
    for folder in ("docs", "contrib", "milter/turfmilter"):
        found += [path for path in sorted((PROJECT / folder).rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    return found


def unsafe(text: str) -> Iterator[str]:
    """The lines of `text` that attach the filter and would let mail pass while it is down."""
    yield from (found[0] for found in _POSTFIX.finditer(text) if not _SAFE.search(found["value"]))
    yield from (found[0] for found in _SENDMAIL.finditer(text) if " F=T," not in found["value"])


def test_every_line_that_attaches_the_filter_lets_mail_wait_while_it_is_down() -> None:
    assert {str(path): found for path in published() if (found := list(unsafe(path.read_text())))} == {}


def test_there_are_such_lines() -> None:
    texts = [path.read_text() for path in published()]
    assert sum(len(_POSTFIX.findall(text)) for text in texts) >= 5
    assert sum(len(_SENDMAIL.findall(text)) for text in texts) >= 3


@pytest.mark.parametrize("spec", ["unix:/run/turfmilter/s", "inet:8895@127.0.0.1", "inet6:8895@::1", "inet:8895"])
def test_the_program_prints_lines_in_that_spelling(spec: str) -> None:
    socket = SocketSpec.parse(spec)
    printed = f"{socket.postfix()}\n{socket.sendmail()}\n"
    assert (len(_POSTFIX.findall(printed)), len(_SENDMAIL.findall(printed))) == (1, 1)
    assert list(unsafe(printed)) == []


@pytest.mark.parametrize(
    "line",
    [
        "smtpd_milters = unix:turfmilter/turfmilter.sock",
        "non_smtpd_milters=inet:127.0.0.1:8895",
        "  -o smtpd_milters=inet:[::1]:8895",
        "smtpd_milters = { unix:turfmilter/turfmilter.sock, default_action=accept }",
        "smtpd_milters = { unix:turfmilter/turfmilter.sock }",
        "INPUT_MAIL_FILTER(`turfmilter', `S=inet:8895@127.0.0.1')dnl",
        "Xturfmilter, S=local:/run/turfmilter/turfmilter.sock, F=R, T=R:60s",
    ],
)
def test_another_spelling_would_be_found(line: str) -> None:
    assert list(unsafe(line))
