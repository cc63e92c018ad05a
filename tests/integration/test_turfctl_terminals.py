"""Terminals of every kind, pagers that leave, and parts that are not text."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from rig import wait
from rig.hostile import HOSTILE
from rig.morning import PICTURE, multipart
from rig.program import ENVIRONMENT
from rig.quarantine import command, hold, reviewed, turfctl
from rig.terminal import Terminal, printed
from turfmilter.review.layout import width

LONG = b"Subject: long\r\n\r\n" + b"".join(b"line %d\r\n" % number for number in range(9_999))


@pytest.fixture
def config(place: Path) -> Path:
    return reviewed(place)[1]


@pytest.fixture
def quarantine(config: Path) -> Path:
    return config.parent / "quarantine"


def on_terminal(config: Path, *arguments: str, columns: int = 80, **environment: str) -> tuple[str, int]:
    """What a terminal shows, and the exit status."""
    around = {name: value for name, value in ENVIRONMENT.items() if name not in ("TERM", "PAGER", "LESS", "LC_ALL")}
    seen, status = printed(command(config, *arguments), around | environment, columns=columns)
    return seen.decode().replace("\r\n", "\n"), status


@pytest.mark.parametrize("environment", [{}, {"TERM": "dumb"}, {"TERM": "no-such-terminal", "PAGER": "cat"}])
def test_a_terminal_without_a_name_gets_everything_without_a_pager(
    quarantine: Path, config: Path, environment: dict[str, str]
) -> None:
    id = hold(quarantine, LONG)
    seen, status = on_terminal(config, "show", id, **({"PAGER": "false"} | environment))
    assert (status, "line 0\n" in seen, "line 5000\n" in seen) == (0, True, True)


@pytest.mark.parametrize(
    ("pager", "shown"),
    [("head -n 1", "id "), ("true", ""), ("false", ""), ("tr a-z A-Z", "LINE 5000"), ("less", "id ")],
)
@pytest.mark.parametrize("option", [[], ["--raw"]])
def test_a_pager_gets_it_and_may_leave_early(
    quarantine: Path, config: Path, pager: str, shown: str, option: list[str]
) -> None:
    id = hold(quarantine, LONG if pager != "less" else b"Subject: short\r\n\r\nhello\r\n")
    seen, status = on_terminal(config, "show", id, *option, TERM="xterm", PAGER=pager)
    assert (status, "Traceback" in seen, "Broken pipe" in seen) == (0, False, False), seen
    assert (shown if not option or pager == "tr a-z A-Z" else "") in seen


def test_the_pager_runs_no_commands(quarantine: Path, config: Path) -> None:
    id = hold(quarantine, LONG)
    with Terminal(command(config, "show", id), environment={"PAGER": "less"}) as terminal:
        wait.until(lambda: "line 0" in terminal.text, lambda: terminal.text)
        for number, key in enumerate("!|"):  # run a command, pipe to a command
            terminal.type(key)
            wait.until(lambda seen=number: terminal.text.count("Command not available") > seen, lambda: terminal.text)
            terminal.type("\n")
        terminal.type("q")
        assert terminal.process.wait(wait.AMPLE) == 0


def test_json_is_not_paged(quarantine: Path, config: Path) -> None:
    seen, status = on_terminal(config, "show", "--json", hold(quarantine), TERM="xterm", PAGER="false")
    assert (status, '"kept_until": "2026-03-31T12:30:05Z"' in seen) == (0, True)


@pytest.mark.parametrize("columns", [1, 20, 39, 41])
def test_a_narrow_terminal_is_enough(quarantine: Path, config: Path, columns: int) -> None:
    for name in ("text turned around", "marks upon marks", "8-bit in the values"):
        hold(quarantine, HOSTILE[name], sender=f"{'x' * 70}@y.example")
    seen, status = on_terminal(config, "list", columns=columns)
    assert status == 0
    assert max(map(width, seen.splitlines())) <= max(columns, 20)


def test_in_the_locale_c_everything_is_ascii(quarantine: Path, config: Path) -> None:
    """C4 9B, which is a letter in UTF-8, would begin a control sequence on a terminal that knows no UTF-8."""
    id = hold(quarantine, "Subject: \u011b \u5c0a\r\n\r\n\u011b\r\n".encode())
    for arguments in (
        ["list"],
        ["show", id],
        ["show", id, "--raw"],
        ["stats"],
        ["delete", "--rule", "turf", "--dry-run"],
    ):
        seen, status = on_terminal(config, *arguments, LC_ALL="C", TERM="xterm", PAGER="tr a a")
        assert (status, seen.isascii()) == (0, True), arguments
        assert ("\\u011b" in seen) is (arguments != ["stats"])


TWO = multipart("Two", "mixed", "Content-Type: text/plain; charset=latin-1\n\n\x1b[2Jtext", PICTURE)


def test_a_part_is_written_decoded(quarantine: Path, config: Path) -> None:
    id = hold(quarantine, TWO)
    done = subprocess.run(command(config, "show", "--part", "2", id), env=ENVIRONMENT, capture_output=True, check=True)
    assert done.stdout == base64.b64decode(b"iVBORw0KGgo=") * 40
    done = subprocess.run(command(config, "show", "--part", "1", id), env=ENVIRONMENT, capture_output=True, check=True)
    assert done.stdout == b"\x1b[2Jtext\r\n"


def test_a_terminal_is_shown_a_part_only_if_it_is_text(quarantine: Path, config: Path) -> None:
    id = hold(quarantine, TWO)
    assert on_terminal(config, "show", "--part", "1", id) == ("\\x1b[2Jtext\n", 0)
    seen, status = on_terminal(config, "show", "--part", "2", id)
    assert (status, "part 2 is image/png, not text; write it to a file" in seen) == (2, True)


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--part", "3"], 1, "turfctl: there is no part 3: the message has 2 parts\n"),
        (["--part", "0"], 2, "0 is not in the range x>=1"),
        (["--part", "1", "--raw"], 2, "--headers, --raw, --part and --json exclude each other"),
    ],
)
def test_a_part_that_is_not_there_is_said(
    quarantine: Path, config: Path, options: list[str], status: int, said: str
) -> None:
    done = turfctl(config, "show", *options, hold(quarantine, TWO))
    assert (done.returncode, done.stdout, said in done.stderr) == (status, "", True), done.stderr


def test_html_of_10_mb_is_cut(quarantine: Path, config: Path) -> None:
    id = hold(quarantine, b"Content-Type: text/html\r\n\r\n" + b"<a <div>x" * 1_200_000)
    done = turfctl(config, "show", id)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "(cut here; --raw shows the message to its end)")
    assert len(done.stdout) < 200_000


def test_neighbours_are_those_of_the_list(quarantine: Path, config: Path) -> None:
    ids = [hold(quarantine) for _ in range(4)]
    turfctl(config, "delete", ids.pop())
    listed = [line.split()[0] for line in turfctl(config, "list").stdout.splitlines()[2::2]]
    assert sorted(listed) == sorted(ids)
    for before, id, after in zip(["", *listed], listed, [*listed[1:], ""], strict=False):
        shown = turfctl(config, "show", id).stdout
        lines = dict(line.split() for line in shown.splitlines() if line.startswith(("previous", "next")))
        assert (lines.get("previous", ""), lines.get("next", "")) == (before, after)
