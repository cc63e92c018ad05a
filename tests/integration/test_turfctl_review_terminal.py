"""turfctl review on terminals of every kind, and what it leaves behind when it ends."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from rig import reviewer, wait
from rig.golden import Golden
from rig.quarantine import hold, reviewed
from rig.reviewer import KEYS, letters
from rig.terminal import CLEAR, Terminal

# HTML only, and of a sender who would like to move the cursor.
MARKUP = (
    "From: Bank <bank@turf.example>\r\nSubject: Your \x1b[2Jaccount\r\nContent-Type: text/html\r\n\r\n"
    '<style>p { color: red }</style><p>Please <a href="https://phish.example/x">sign in</a> &#27;[2J now.</p>\r\n'
)
CHINESE = (
    'From: "王小明" <wang@turf.example>\r\n'
    "Subject: 您的发票已准备好请尽快查收并付款谢谢合作您的发票已准备好请尽快查收并付款\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n\r\n尊敬的客户\r\n\r\nאבגד é ✓ ́́ end\r\n"
)


@pytest.fixture
def config(place: Path) -> Path:
    (place / "turf.table").write_text("@turf.example\n")
    return reviewed(place, 'tables = ["file:turf.table"]', more="[release]\nport = 1\n")[1]


@pytest.fixture
def quarantine(config: Path) -> Path:
    return config.parent / "quarantine"


def widest(screen: str) -> int:
    return max(map(len, screen.split("\n")))


@pytest.mark.parametrize(
    ("columns", "rows", "environment"),
    [
        (80, 24, {}),
        (120, 40, {}),
        (40, 24, {}),
        (20, 24, {}),
        (20, 6, {}),
        (80, 24, {"PYTHONIOENCODING": "ascii"}),
        (80, 24, {"LC_ALL": "C"}),
    ],
    ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else str(value),
)
def test_a_screen_of_any_size(
    config: Path, quarantine: Path, golden: Golden, columns: int, rows: int, environment: Mapping[str, str]
) -> None:
    id = hold(quarantine, CHINESE.encode(), recipients=[f"r{number}@example.org" for number in range(5)])
    with reviewer.review(config, columns=columns, rows=rows, environment=environment) as terminal:
        screen = terminal.shows("Message 1 of 1", " q")
        assert (screen.count("\n"), widest(screen) < columns) == (rows - 1, True)
        golden("review", screen, {id: "ID-NUMBER-ONE", id[:9]: "ID-NUMBER"})


@pytest.mark.parametrize("columns", [20, 40])
def test_the_keys_are_explained_on_a_small_screen_as_far_as_it_goes(
    config: Path, quarantine: Path, golden: Golden, columns: int
) -> None:
    hold(quarantine)
    with reviewer.review(config, columns=columns, rows=18) as terminal:
        terminal.shows("Message 1 of 1", " q")
        golden("review", terminal.press("?", "any key goes"))


def test_a_single_part_that_is_not_text_is_named(config: Path, quarantine: Path, golden: Golden) -> None:
    id = hold(quarantine, b"Content-Type: image/png; name=offer.png\r\n\r\nPNG\r\n")
    with reviewer.review(config) as terminal:
        golden("review", terminal.shows("Message 1 of 1", " q"), {id: "ID-NUMBER-ONE"})


def test_html_is_text_with_its_links(config: Path, quarantine: Path, golden: Golden) -> None:
    id = hold(quarantine, MARKUP.encode())
    with reviewer.review(config) as terminal:
        golden("review", terminal.shows("Message 1 of 1", " q"), {id: "ID-NUMBER-ONE"})


def test_it_follows_the_size_of_the_terminal(config: Path, quarantine: Path) -> None:
    (id,) = letters(quarantine, 1)
    with reviewer.review(config, environment={"COLUMNS": "80", "LINES": "24"}) as terminal:
        terminal.shows(id, KEYS)
        for columns, rows in [(20, 10), (100, 30), (1, 1), (80, 24)]:
            terminal.resize(columns, rows)
            wait.until(lambda rows=rows: terminal.screen.count("\n") == rows - 1, terminal.screen)  # type: ignore[misc]
            assert widest(terminal.screen) < max(columns, 20)
        terminal.type("q")
        assert terminal.ends() == 0


@pytest.mark.parametrize("term", ["", "dumb", "unknown"])
def test_a_terminal_that_cannot_be_cleared_gets_one_screen_below_the_other(
    config: Path, quarantine: Path, term: str
) -> None:
    first, second = letters(quarantine, 2)
    with reviewer.review(config, environment={"TERM": term}) as terminal:
        terminal.shows(first, f"{KEYS}\n")
        terminal.type("n")
        terminal.shows(second)
        terminal.type("q")
        assert terminal.ends() == 0
        assert "\x1b" not in terminal.text


def test_a_terminal_without_a_name_is_reviewed_on(config: Path, quarantine: Path) -> None:
    """Another instance of /dev/pts, as inside a container: the terminal that is there already has no name in it."""
    first, second = letters(quarantine, 2)
    elsewhere = ["unshare", "--mount", "sh", "-c", 'mount -t devpts devpts /dev/pts && exec "$@"', "sh"]
    with Terminal([*elsewhere, *reviewer.reviewing(config)]) as terminal:
        terminal.shows(first, KEYS)
        terminal.press("d", second, f"{first}: deleted", KEYS)
        terminal.type("q")
        assert terminal.ends() == 0


def test_a_terminal_without_a_size_is_taken_for_a_usual_one(config: Path, quarantine: Path) -> None:
    letters(quarantine, 1)
    with reviewer.review(config, columns=0, rows=0) as terminal:
        assert terminal.shows(KEYS).count("\n") == 23


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 1), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=lambda one: str(one)
)
def test_a_signal_ends_it_and_the_terminal_is_as_before(
    config: Path, quarantine: Path, number: signal.Signals, status: int
) -> None:
    letters(quarantine, 1)
    with reviewer.review(config) as terminal:
        terminal.shows(KEYS)
        assert terminal.attributes != terminal.before
        terminal.signal(number)
        assert terminal.ends() == status
        assert terminal.attributes == terminal.before
        assert "nothing was changed; 1 message left\n" in terminal.text
        assert "Traceback" not in terminal.text


def test_control_c_ends_it(config: Path, quarantine: Path) -> None:
    letters(quarantine, 2)
    with reviewer.review(config) as terminal:
        terminal.shows(KEYS)
        terminal.press("d", "deleted", KEYS)
        terminal.type("\x03")
        assert terminal.ends() == 1
        assert terminal.attributes == terminal.before
        assert "\n1 deleted; 1 message left\n" in terminal.text


def test_an_exception_leaves_the_terminal_as_before(config: Path, quarantine: Path) -> None:
    letters(quarantine, 1)
    line = reviewer.reviewing(config)
    broken = "import turfmilter.cli.onebyone.command as r; r.keys_line = lambda columns: 1 / 0; "
    line[line.index("-c") + 1] = broken + line[line.index("-c") + 1]
    with Terminal(line) as terminal:
        assert terminal.ends() == 1
        assert "ZeroDivisionError" in terminal.text
        assert terminal.attributes == terminal.before


def test_it_stops_and_goes_on_as_other_programs_do(config: Path, quarantine: Path) -> None:
    """The shell controls jobs, and shows the attributes of the terminal while the review is stopped."""
    letters(quarantine, 2)
    script = 'set -m; "$@"; stty -a; echo "stopped with $?"; read -r line; fg'
    with Terminal(["bash", "-c", script, "bash", *reviewer.reviewing(config)]) as terminal:
        terminal.shows("Message 1 of 2", KEYS)
        terminal.type("\x1a")
        assert " icanon " in terminal.shows("stopped with 0")
        terminal.press("\n", "Message 1 of 2", KEYS)
        assert terminal.attributes != terminal.before
        terminal.press("n", "Message 2 of 2", KEYS)
        terminal.type("q")
        assert terminal.ends() == 0
        assert terminal.attributes == terminal.before


def test_a_terminal_that_is_closed_ends_it(config: Path, quarantine: Path) -> None:
    letters(quarantine, 1)
    with reviewer.review(config) as terminal:
        terminal.shows(KEYS)
        terminal.close()
        assert terminal.process.wait(wait.AMPLE) == 129


@pytest.mark.parametrize("stream", ["<", ">"])
def test_it_needs_a_terminal_for_input_and_output(config: Path, quarantine: Path, stream: str) -> None:
    letters(quarantine, 1)
    line = ["sh", "-c", f'exec "$@" {stream} /dev/null', "sh", *reviewer.reviewing(config)]
    with Terminal(line) as terminal:
        assert terminal.ends() == 2
        assert "review reads keys from a terminal" in terminal.text


def test_the_terminal_is_lent_to_the_pager(config: Path, quarantine: Path) -> None:
    (id,) = letters(quarantine, 1)
    seen = "import sys, termios; print('icanon', bool(termios.tcgetattr(2)[3] & termios.ICANON))"
    pager = config.parent / "pager"
    pager.write_text(f'#!/bin/sh\ncat\nexec {sys.executable} -c "{seen}"\n')
    pager.chmod(0o755)
    with reviewer.review(config, environment={"PAGER": str(pager)}) as terminal:
        terminal.shows(id, KEYS)
        terminal.type("v")
        terminal.shows("Its text.", "icanon True", "(any key goes back)")
        terminal.press(" ", id, KEYS)
        assert terminal.text.count(CLEAR) == 2
