"""turfctl status: what it prints for people, for programs and for monitoring, and its exit status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from rig import wait
from rig.engine import ENGINE
from rig.filter import USER, Filter, Filters, rewrite
from rig.golden import Golden
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
    """Run turfctl status with the configuration of a filter, or with the file that is given."""
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


# What differs in every run, and what other parts of the program word: the problems of the files.
_VARYING = (
    (r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME"),
    (r"\b(process|worker) \d+", r"\1 PID"),
    (r"[\d.]+ [KMGT]iB", "SIZE"),
    (r"(?m)(the files are broken: ).*?( \(and \d+ more: turfmilter -t\))?(?=; generation| \||$)", r"\1PROBLEM\2"),
    (r"(?m)^(TIME generation \d+ stays in force: ).*", r"\1PROBLEM"),
)


def steady(text: str) -> str:
    """`text` without what differs in every run."""
    for varying, name in _VARYING:
        text = re.sub(varying, name, text)
    return text


def test_people_see_a_summary_and_a_table(turf: Filter, place: Path, golden: Golden) -> None:
    done = run(turf)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"process {turf.daemon.process.pid}, started " in done.stdout
    summary = done.stdout.partition("\n\n")[0].replace(f"engine       {ENGINE.value}\n", "engine       ENGINE\n")
    golden("status", steady(summary), {str(place): "DIR"})
    rows = [line.split() for line in done.stdout.splitlines() if line.split()[1:2] == ["1"]]
    assert {int(row[0]) for row in rows} == set(turf.daemon.workers())
    assert {row[2] for row in rows} == {"serving"}


def test_programs_get_the_content_of_the_file(turf: Filter) -> None:
    done = run(turf, "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout).keys() == turf.status().keys()


def test_a_failed_reload_is_shown_until_the_files_are_fixed(turf: Filter, place: Path, golden: Golden) -> None:
    rewrite(place / "turf.table", "nonsense\n")
    turf.reload()
    turf.wait_for_status(lambda seen: seen["reloads_failed"] == 1)
    done = run(turf)
    assert done.returncode == 1
    assert "turf.table:1: " in done.stdout and "turf.table:1: " in done.stderr
    golden("status", steady(done.stdout.rpartition("\n\n")[2] + done.stderr))
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
def test_files_that_would_make_the_next_start_fail_are_reported(
    turf: Filter, spoil: Callable[[Filter], None], mark: str, golden: Golden
) -> None:
    spoil(turf)
    rewrite(turf.config, mark + turf.config.read_text())
    done = run(turf)
    assert done.returncode == 1
    assert f"process {turf.daemon.process.pid}, started " in done.stdout
    checked = run(turf, "--check")
    assert checked.returncode == 1
    # Without the figures: whether the daemon has tried to reload by now is a matter of time.
    golden("status", steady(done.stderr + checked.stdout.partition(" | ")[0]))


@pytest.mark.parametrize("spoil", [configuration_gone, configuration_a_pipe])
def test_without_a_configuration_the_default_status_file_is_used(
    turf: Filter, spoil: Callable[[Filter], None], golden: Golden
) -> None:
    spoil(turf)
    done = run(turf)
    assert done.returncode == 1
    assert "/run/turfmilter/status.json: " in done.stderr
    golden("status", steady(done.stderr))


def test_a_status_file_that_is_a_pipe_does_not_block(turf: Filter, place: Path) -> None:
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
def test_a_status_file_with_other_content_is_reported_in_one_line(
    place: Path, good: dict[str, Any], write: Callable[[dict[str, Any]], str]
) -> None:
    (place / "status.json").write_text(write(good))
    assert_reported_in_one_line(place)


def test_a_status_file_larger_than_memory_is_reported_in_one_line(place: Path, golden: Golden) -> None:
    (place / "status.json").touch()
    os.truncate(place / "status.json", 1 << 40)
    golden("status", assert_reported_in_one_line(place), {str(place): "DIR"})


def assert_reported_in_one_line(place: Path) -> str:
    """Fail unless every form of the command prints one line that names the file; return these lines."""
    config, printed = configured(place), ""
    for arguments, code in (((), 1), (("--json",), 1), (("--check",), 3)):
        done = CliRunner().invoke(main, ["-c", str(config), "status", *arguments])
        assert (done.exit_code, done.output.count("\n")) == (code, 1)
        assert f"{place}/status.json: " in done.output
        printed += done.output
    return printed


def test_text_in_the_status_cannot_control_a_terminal(place: Path, good: dict[str, Any]) -> None:
    config, nasty = configured(place), "\x1b[2J\n\u202e\ud800 | x=1"
    good |= {
        "mode": nasty,
        "alarms": [nasty],
        "quarantine_warnings": [nasty],
        "problems": [{"time": good["started"], "problem": nasty}],
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


def test_monitoring_gets_one_line_if_all_is_well(turf: Filter, golden: Golden) -> None:
    with turf.session() as client:
        client.message("<a@out.test>", ["<b@rig.test>"])
        turf.wait_for_status(lambda seen: seen["sessions_open"] == 1)
        code, line = checked(turf)
    assert code == 0
    golden("status", line)


def test_people_and_monitoring_get_warnings_about_a_quarantine(place: Path, good: dict[str, Any]) -> None:
    config, room = configured(place), f"{place}/quarantine: room is running out"
    (place / "status.json").write_text(json.dumps(good | {"quarantine_warnings": [room]}))
    done = run(config, "--check")
    assert (done.returncode, done.stdout.partition(" | ")[0]) == (1, f"TURFMILTER WARNING - {room}")
    done = run(config)
    assert (done.returncode, (done.stdout + done.stderr).count(room)) == (1, 1)


def test_for_monitoring_a_daemon_that_is_not_running_is_critical(turf: Filter, place: Path, golden: Golden) -> None:
    turf.daemon.stop()
    code, line = checked(turf)
    assert code == 2
    golden("status", line, {str(place): "DIR"})


def test_for_monitoring_broken_files_of_a_daemon_that_is_not_running_are_reported_too(
    turf: Filter, place: Path, golden: Golden
) -> None:
    turf.daemon.stop()
    table_broken(turf)
    code, line = checked(turf)
    assert (code, "turf.table:2: " in line) == (2, True)
    golden("status", steady(line), {str(place): "DIR"})


def test_for_monitoring_a_daemon_that_was_killed_is_critical(turf: Filter, golden: Golden) -> None:
    turf.daemon.kill()
    code, line = checked(turf)
    assert code == 2
    golden("status", steady(line.partition(" | ")[0]))


def test_for_monitoring_a_daemon_that_runs_from_the_copy_is_critical(turf: Filter, golden: Golden) -> None:
    turf.daemon.stop()
    table_broken(turf)
    with turf:
        turf.wait_for_status(lambda seen: seen["copy_since"])
        code, line = checked(turf)
        assert (code, "turf.table:2: " in line) == (2, True)
        done = run(turf)
        assert done.returncode == 1
        golden("status", steady(line.partition(" | ")[0] + "\n" + done.stderr))


def test_for_monitoring_a_missing_quarantine_is_critical(turf: Filter) -> None:
    away = turf.quarantine.rename(turf.quarantine.with_name("away"))
    turf.wait_for_status(lambda seen: "problem" in seen["quarantines"][0])
    assert checked(turf)[0] == 2
    away.rename(turf.quarantine)


def test_for_monitoring_a_worker_that_does_not_answer_is_a_warning(turf: Filter, golden: Golden) -> None:
    stopped = turf.daemon.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        turf.wait_for_status(lambda seen: not all(one["answering"] for one in seen["workers"]))
        code, line = checked(turf)
        assert (code, f"worker {stopped} " in line) == (1, True)
        golden("status", steady(line.partition(" | ")[0]))
    finally:
        os.kill(stopped, signal.SIGCONT)


def test_a_user_who_cannot_read_the_files_sees_what_the_daemon_found(turf: Filter, place: Path, golden: Golden) -> None:
    assert os.geteuid() == 0, "only root can become another user: run this test as root"
    (place / "turf.table").chmod(0o600)
    command = ["setpriv", "--reuid", USER, "--clear-groups", "--inh-caps=-all", sys.executable, "-c", _TURFCTL]
    done = subprocess.run(
        [*command, "-c", turf.config, "status"], env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    golden("status", done.stderr, {str(place): "DIR", USER: "USER"})


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


@pytest.mark.parametrize("end", [stopped, killed, forgotten, garbled, unwanted])
def test_the_exit_status_is_1_if_the_daemon_is_not_running_or_unknown(
    turf: Filter, place: Path, end: Callable[[Filter], None], golden: Golden
) -> None:
    end(turf)
    done = run(turf)
    assert done.returncode == 1
    golden("status", steady(done.stderr), {str(place): "DIR"})


def test_people_read_local_times_and_programs_those_of_utc(turf: Filter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a zone half an hour off, so that no time of UTC can be mistaken for one of it."""
    monkeypatch.setitem(ENVIRONMENT, "TZ", "IST-5:30")
    said = json.loads(run(turf, "--json").stdout)
    began = datetime.fromisoformat(said["started"]) + timedelta(hours=5, minutes=30)
    assert said["started"].endswith("+00:00")
    assert f", started {began:%Y-%m-%d %H:%M} IST\n" in run(turf).stdout
    forgotten(turf)
    assert " has not reported since 2020-01-01 05:30 IST" in run(turf).stderr
    assert " has not reported since 2020-01-01 05:30 IST" in run(turf, "--check").stdout


def test_a_reader_that_closes_its_end_causes_no_message(turf: Filter) -> None:
    end, writing = os.pipe()
    os.close(end)
    done = run(turf, to=writing)
    os.close(writing)
    assert done.stderr == ""
