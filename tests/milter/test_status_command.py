"""turfctl status: for people, for programs, and for those who only want to know whether the daemon runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rig import wait
from rig.filter import USER, Filter, Filters, rewrite
from rig.program import ENVIRONMENT, configured
from turfmilter.cli.turfctl import main

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


def run(turf: Filter | Path, *arguments: str, to: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """What it says with the configuration of a filter, or with one that is given."""
    config = turf if isinstance(turf, Path) else turf.config
    return subprocess.run(
        [sys.executable, "-c", _TURFCTL, "-c", config, "status", *arguments],
        env=ENVIRONMENT,
        stdout=to,
        stderr=subprocess.PIPE,
        text=True,
        timeout=wait.AMPLE,
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
    assert done.returncode == 1
    assert "reloads that failed: 1\n" in done.stdout
    assert "turf.table:1: " in done.stdout
    assert done.stderr.startswith("turfctl: the files are broken: turf.table:1: ")
    rewrite(place / "turf.table", "@turf.test\n")
    turf.wait_for_generation(2)
    turf.wait_for_status(lambda seen: seen["generation"] == 2)
    done = run(turf)
    assert (done.returncode, done.stderr) == (0, "")
    assert "turf.table:1: " not in done.stdout


def table_broken(turf: Filter) -> None:
    rewrite(turf.socket.parent / "turf.table", "@turf.test\nnonsense\n")


def table_gone(turf: Filter) -> None:
    (turf.socket.parent / "turf.table").unlink()


def unknown_key(turf: Filter) -> None:
    turf.configure(SETTINGS + "nonsense = 1\n")


def no_toml(turf: Filter) -> None:
    turf.configure(SETTINGS + "[turf\n")


def configuration_gone(turf: Filter) -> None:
    turf.config.unlink()


def configuration_a_pipe(turf: Filter) -> None:
    turf.config.unlink()
    os.mkfifo(turf.config)


def table_a_pipe(turf: Filter) -> None:
    (turf.socket.parent / "turf.table").unlink()
    os.mkfifo(turf.socket.parent / "turf.table")


@pytest.mark.parametrize("spoil", [table_broken, table_gone, table_a_pipe, unknown_key, no_toml])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["", "BOM"])
def test_files_with_which_the_next_start_would_fail_are_said(
    turf: Filter, spoil: Callable[[Filter], None], mark: str
) -> None:
    spoil(turf)
    rewrite(turf.config, mark + turf.config.read_text())
    done = run(turf)
    assert done.returncode == 1
    assert f"process {turf.daemon.process.pid}, started " in done.stdout
    assert done.stderr.startswith("turfctl: the files are broken: ")
    assert done.stderr.endswith("; generation 1 stays in force\n")
    checked = run(turf, "--check")
    assert checked.returncode == 1
    assert checked.stdout.startswith("TURFMILTER WARNING - the files are broken: ")


@pytest.mark.parametrize("spoil", [configuration_gone, configuration_a_pipe])
def test_without_a_configuration_it_looks_where_the_status_usually_is(
    turf: Filter, spoil: Callable[[Filter], None]
) -> None:
    spoil(turf)
    done = run(turf)
    assert done.returncode == 1
    assert "/run/turfmilter/status.json: " in done.stderr
    assert "the files are broken: " in done.stderr


def test_a_status_that_is_a_pipe_is_not_waited_for(turf: Filter, place: Path) -> None:
    turf.daemon.kill()
    (place / "status.json").unlink()
    os.mkfifo(place / "status.json")
    done = run(turf, "--check")
    assert (done.returncode, done.stdout) == (3, f"TURFMILTER UNKNOWN - {place}/status.json: not a regular file\n")


@pytest.fixture
def good(filters: Filters) -> dict[str, Any]:
    """A status that is as good as a real one: ours, and written in the far future."""
    said = filters('domains = ["rig.test"]\n').wait_for_status(bool)
    return said | {"pid": os.getpid(), "written": "2099-01-01T00:00:00+00:00"}


def changed(**keys: object) -> Callable[[dict[str, Any]], str]:
    return lambda said: json.dumps(said | keys)


@pytest.mark.parametrize(
    "write",
    [
        lambda _: "",
        lambda _: "null",
        lambda _: "5",
        lambda _: "[]",
        lambda _: '"text"',
        lambda _: "[" * 100_000,
        lambda _: '{"a":' * 100_000,
        lambda _: "9" * 5000,
        lambda _: "[[1, 2], [3, 4]]",
        lambda said: json.dumps(said)[:-1],
        changed(pid="x"),
        changed(pid=None),
        changed(pid=0),
        changed(pid=-1),
        changed(pid=1 << 70),
        changed(pid=float("inf")),
        changed(written="yesterday"),
        changed(written=5),
        changed(written="2020-01-01T00:00:00"),
        changed(workers=None),
        changed(workers=[5]),
        changed(workers={"pid": 1}),
        changed(workers=[{}]),
        changed(workers=[{"pid": 1, "generation": 1, "state": [], "answering": 1, "age_seconds": 1e300}]),
        changed(workers=[{"pid": 1, "generation": 1, "state": "serving", "answering": True, "age_seconds": "x"}]),
        changed(problems=5),
        changed(problems=["x"], reloads_failed=1),
        changed(quarantines=[{}]),
        changed(names_known="a"),
        changed(sessions_open={}),
        changed(alarms=5),
        changed(quarantine_warnings=5),
        changed(broken=5),
    ],
    ids=range(33),
)
def test_absurd_text_in_place_of_the_status_is_said_in_one_line(
    place: Path, good: dict[str, Any], write: Callable[[dict[str, Any]], str]
) -> None:
    config = configured(place)
    (place / "status.json").write_text(write(good))
    for arguments, code in (((), 1), (("--json",), 1), (("--check",), 3)):
        done = CliRunner().invoke(main, ["-c", str(config), "status", *arguments])
        assert (done.exit_code, done.output.count("\n")) == (code, 1)
        assert f"{place}/status.json: not what turfmilter writes" in done.output


def test_a_status_that_is_larger_than_memory_is_said_in_one_line(place: Path) -> None:
    config, status = configured(place), place / "status.json"
    status.touch()
    os.truncate(status, 1 << 40)
    for arguments, code in (((), 1), (("--json",), 1), (("--check",), 3)):
        done = CliRunner().invoke(main, ["-c", str(config), "status", *arguments])
        assert (done.exit_code, done.output.count("\n")) == (code, 1)
        assert f"{status}: not what turfmilter writes" in done.output


def test_what_it_shows_of_the_status_cannot_steer_a_terminal(place: Path, good: dict[str, Any]) -> None:
    config, nasty = configured(place), "\x1b[2J\n\u202e\ud800 | x=1"
    good |= {
        "mode": nasty,
        "alarms": [nasty],
        "quarantine_warnings": [nasty],
        "problems": [{"time": nasty, "problem": nasty}],
    }
    (place / "status.json").write_text(json.dumps(good))
    for arguments in ((), ("--check",)):
        done = run(config, *arguments)
        assert done.returncode == 1
        assert all(line.isprintable() for line in (done.stdout + done.stderr).splitlines())
    assert run(config, "--check").stdout.count("|") == 1


def checked(turf: Filter) -> tuple[int, str]:
    done = run(turf, "--check")
    assert (done.stderr, done.stdout.count("\n")) == ("", 1)
    return done.returncode, done.stdout


def test_monitoring_hears_in_one_line_that_all_is_well(turf: Filter) -> None:
    with turf.session() as client:
        client.message("<a@out.test>", ["<b@rig.test>"])
        turf.wait_for_status(lambda seen: seen["sessions_open"] == 1)
        code, line = checked(turf)
    assert code == 0
    assert line == (
        "TURFMILTER OK - generation 1, 1 connections open"
        " | sessions_open=1 sessions_served=1c sessions_last_minute=1 reloads_failed=0c\n"
    )


def test_people_and_monitoring_hear_what_is_wrong_with_a_quarantine(place: Path, good: dict[str, Any]) -> None:
    config, room = configured(place), f"{place}/quarantine: room is running out"
    (place / "status.json").write_text(json.dumps(good | {"quarantine_warnings": [room]}))
    done = run(config, "--check")
    assert (done.returncode, done.stdout.partition(" | ")[0]) == (1, f"TURFMILTER WARNING - {room}")
    done = run(config)
    assert (done.returncode, (done.stdout + done.stderr).count(room)) == (1, 1)


def test_monitoring_hears_that_it_does_not_run(turf: Filter) -> None:
    turf.daemon.stop()
    code, line = checked(turf)
    assert code == 2
    assert line.startswith("TURFMILTER CRITICAL - ")
    assert "status.json: turfmilter does not run" in line


def test_monitoring_hears_that_it_does_not_run_and_would_not_start(turf: Filter) -> None:
    turf.daemon.stop()
    table_broken(turf)
    code, line = checked(turf)
    assert code == 2
    assert "turfmilter does not run" in line and "the files are broken: turf.table:2: " in line


def test_monitoring_hears_that_it_was_killed(turf: Filter) -> None:
    turf.daemon.kill()
    code, line = checked(turf)
    assert code == 2
    assert line.startswith("TURFMILTER CRITICAL - turfmilter does not run: process ")


def test_monitoring_hears_that_it_runs_from_the_copy(turf: Filter) -> None:
    turf.daemon.stop()
    table_broken(turf)
    with turf:
        turf.wait_for_status(lambda seen: seen["copy_since"])
        code, line = checked(turf)
        assert code == 2
        assert line.startswith("TURFMILTER CRITICAL - runs from the copy of the generation of 20")
        assert "the files are broken: turf.table:2: " in line
        done = run(turf)
        assert done.returncode == 1
        assert "turfctl: runs from the copy of the generation of 20" in done.stderr


def test_monitoring_hears_that_nothing_can_be_held(turf: Filter) -> None:
    away = turf.quarantine.rename(turf.quarantine.with_name("away"))
    turf.wait_for_status(lambda seen: "problem" in seen["quarantines"][0])
    assert checked(turf)[0] == 2
    away.rename(turf.quarantine)


def test_monitoring_hears_of_a_worker_that_does_not_answer(turf: Filter) -> None:
    stopped = turf.daemon.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        turf.wait_for_status(lambda seen: not all(one["answering"] for one in seen["workers"]))
        code, line = checked(turf)
        assert (code, f"worker {stopped} does not answer" in line) == (1, True)
    finally:
        os.kill(stopped, signal.SIGCONT)


def test_who_may_not_read_the_files_hears_what_the_daemon_says_of_them(turf: Filter, place: Path) -> None:
    assert os.geteuid() == 0, "only root can become somebody else: run this test as root"
    (place / "turf.table").chmod(0o600)
    command = ["setpriv", "--reuid", USER, "--clear-groups", "--inh-caps=-all", sys.executable, "-c", _TURFCTL]
    done = subprocess.run(
        [*command, "-c", turf.config, "status"], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert done.stderr == (
        f"turfctl: warning: {place}/turf.table cannot be read by {USER}, so the files are not checked\n"
    )


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
