"""turfctl status: for people, for programs, and for those who only want to know whether the daemon runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rig.filter import Filter, Filters, rewrite
from rig.program import ENVIRONMENT

_TURFCTL = "from turfmilter.cli.turfctl import main; main(prog_name='turfctl')"
SETTINGS = """
workers = 2
domains = ["rig.test"]
[turf]
tables = ["file:turf.table"]
directory = "{quarantine}"
"""


@pytest.fixture
def turf(own_filter: Filters, place: Path) -> Filter:
    (place / "turf.table").write_text("@turf.test\n")
    turf = own_filter(SETTINGS)
    turf.wait_for_status(lambda seen: len(seen["workers"]) == 2)
    return turf


def run(turf: Filter, *arguments: str, to: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _TURFCTL, "-c", turf.config, "status", *arguments],
        env=ENVIRONMENT,
        stdout=to,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )


def test_people_see_a_table(turf: Filter) -> None:
    done = run(turf)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"process {turf.daemon.process.pid}, started " in done.stdout
    assert "mode         enforce\n" in done.stdout
    assert "generation   1, since " in done.stdout
    assert f"quarantine   {turf.quarantine}: " in done.stdout
    rows = [line.split() for line in done.stdout.splitlines() if line.split()[1:2] == ["1"]]
    assert {int(row[0]) for row in rows} == set(turf.daemon.workers())
    assert {row[2] for row in rows} == {"serving"}


def test_programs_see_the_file(turf: Filter) -> None:
    done = run(turf, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout).keys() == turf.status().keys()


def test_what_went_wrong_is_shown(turf: Filter, place: Path) -> None:
    rewrite(place / "turf.table", "nonsense\n")
    turf.reload()
    turf.wait_for_status(lambda seen: seen["reloads_failed"] == 1)
    done = run(turf)
    assert done.returncode == 0
    assert "reloads that failed: 1\n" in done.stdout
    assert "turf.table:1: " in done.stdout


def test_it_needs_no_right_configuration(turf: Filter) -> None:
    turf.configure(SETTINGS + "nonsense = 1\n")
    assert run(turf).returncode == 0


def stopped(turf: Filter) -> None:
    turf.daemon.stop()


def killed(turf: Filter) -> None:
    turf.daemon.kill()


def forgotten(turf: Filter) -> None:
    said = turf.status() | {"written": "2020-01-01T00:00:00+00:00"}
    turf.daemon.kill()
    rewrite(turf.socket.parent / "status.json", json.dumps(said | {"pid": 1}))


def garbled(turf: Filter) -> None:
    turf.daemon.kill()
    rewrite(turf.socket.parent / "status.json", "{}")


def unwanted(turf: Filter) -> None:
    turf.config.write_text('status = ""\n')


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (stopped, "status.json: turfmilter does not run, or its log says why this cannot be written"),
        (killed, "turfctl: turfmilter does not run: process "),
        (forgotten, "turfctl: process 1 has not said anything since 2020-01-01T00:00:00+00:00"),
        (garbled, "not what turfmilter writes"),
        (unwanted, "this daemon does not say what it does"),
    ],
)
def test_one_that_does_not_run_is_told_by_the_exit_status(
    turf: Filter, end: Callable[[Filter], None], said: str
) -> None:
    end(turf)
    done = run(turf)
    assert done.returncode == 1
    assert said in done.stderr


def test_whoever_stops_reading_is_told_nothing_more(turf: Filter) -> None:
    end, writing = os.pipe()
    os.close(end)
    done = run(turf, to=writing)
    os.close(writing)
    assert done.stderr == ""
