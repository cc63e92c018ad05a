"""`make demo KEEP=1`: what it shows, and the commands that it prints to try."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.process import Process

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def printed(module_place: Path) -> Iterator[str]:
    """What it has printed when it waits for Enter."""
    environment = {"KEEP": "1", "PYTHONPATH": f"{ROOT / 'milter'}:{ROOT / 'tests'}"}
    demo = Process([sys.executable, ROOT / "tests/demo/demo.py"], module_place / "demo.log", env=environment)
    demo.start(lambda: "Press Enter" in demo.text())
    yield demo.text()
    demo.send(signal.SIGTERM)
    demo.wait()
    assert demo.pids() == []


def test_every_row_shows_the_reply_that_its_name_promises(printed: str) -> None:
    table = printed.partition("\n\n")[0].splitlines()
    rows = {row[0]: row[2] for line in table if len(row := re.split(r" {2,}", line)) == 4}
    assert rows["without TLS"] == "530 5.7.0 must issue a ..."  # STARTTLS command first
    assert rows["without AUTH"] == "530 5.7.0 authentication ..."
    assert rows["AUTH over TLS"].startswith("250 ")
    assert max(map(len, table)) < 80


def test_every_command_of_turfctl_that_it_prints_works(printed: str) -> None:
    alias = re.findall(r"(?m)^  alias demo='(\S+/turfctl -c .*)'$", printed)[0]
    commands = re.findall(r"(?m)^  demo (.*)$", printed)
    assert [re.match(r"[a-z ]+[a-z]", one)[0] for one in commands] == [  # type: ignore[index]  # it matches each
        "status",
        "list",
        "show",
        "release",
        "turf check news",
        "review",
    ]
    for command in commands[:-1]:  # the last one needs a terminal
        line = [*alias.split(), *command.split()]
        done = subprocess.run(line, capture_output=True, text=True, env=os.environ, check=False)
        assert done.returncode == 0, done
        assert done.stdout
