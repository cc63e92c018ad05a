"""Worker processes: their number, when one is replaced, and what the service manager is told about them."""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rig import wait, wire
from rig.filter import Filter, Filters
from rig.golden import Golden
from rig.milterclient import MilterClient
from rig.program import ENVIRONMENT, configured, program, running, serves

RELAY = 'domains = ["rig.test"]\n'


def verdict(turf: Filter) -> str:
    with turf.session() as client:
        return str(client.message("<a@out.test>", ["<b@rig.test>"]).end)


@pytest.mark.parametrize(("workers", "expected"), [(1, 1), (3, 3), (0, len(os.sched_getaffinity(0)))])
def test_there_are_as_many_workers_as_configured_or_one_for_each_core(
    own_filter: Filters, workers: int, expected: int
) -> None:
    turf = own_filter(f"workers = {workers}\n{RELAY}")
    assert len(turf.daemon.workers()) == expected
    assert verdict(turf) == "accept"
    assert turf.daemon.stop() == 0


def draining(worker: dict[str, Any]) -> bool:
    return bool(worker["state"] == "draining")


def test_while_one_finishes_its_connections_the_others_accept_new_ones(own_filter: Filters) -> None:
    turf = own_filter(f"workers = 2\nworker_sessions = 1\n{RELAY}")
    with turf.client() as client:
        client.greet()
        seen = turf.wait_for_status(lambda seen: [one for one in seen["workers"] if draining(one)])
        (before,) = filter(draining, seen["workers"])
        assert (before["open"], before["served"]) == (1, 1)
        for _ in range(30):
            assert verdict(turf) == "accept"
        assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"
        seen = turf.wait_for_status(lambda seen: seen["sessions_served"] == 31)
        assert [one["served"] for one in seen["workers"] if one["pid"] == before["pid"]] == [1]
        client.quit()
    turf.wait_for_status(lambda seen: seen["sessions_open"] == 0 and len(seen["workers"]) == 2)
    assert "451" not in turf.daemon.log()
    assert "connections still open" not in turf.daemon.log()


def test_a_worker_that_has_served_enough_is_replaced(own_filter: Filters) -> None:
    turf = own_filter(f"workers = 1\nworker_sessions = 5\n{RELAY}")
    (first,) = turf.daemon.workers()
    for _ in range(7):
        assert verdict(turf) == "accept"
    turf.daemon.wait_for_log(f"worker {first} is being replaced: it has served 7 connections")
    wait.until(lambda: first not in turf.daemon.workers(), "the end of the first")
    assert len(turf.daemon.workers()) == 1
    assert verdict(turf) == "accept"
    assert turf.wait_for_status(lambda seen: seen["sessions_served"] == 8)["workers"][0]["served"] == 1


def test_a_worker_that_dies_again_and_again_is_restarted_after_growing_pauses(own_filter: Filters) -> None:
    turf = own_filter(f"workers = 1\n{RELAY}")
    for pause in (1, 2):
        (pid,) = wait.until(turf.daemon.workers, "a worker")
        turf.wait_for_status(
            lambda seen, pid=pid: [(one["pid"], one["state"]) for one in seen["workers"]] == [(pid, "serving")]
        )
        os.kill(pid, signal.SIGKILL)
        turf.daemon.wait_for_log(f"worker {pid} ended \\(signal 9\\), starting another in {pause} s")
    wait.until(turf.daemon.workers, "another worker")
    assert verdict(turf) == "accept"


def test_tables_are_shared_between_workers_and_not_loaded_by_each(place: Path, own_filter: Filters) -> None:
    (place / "turf.table").write_text("".join(f"@d{number}.test\n" for number in range(100_000)))
    turf = own_filter(f'workers = 4\n{RELAY}[turf]\ntables = ["file:turf.table"]\ndiscard = true\n')
    for _ in range(20):
        assert verdict(turf) == "accept"
    seen = turf.wait_for_status(lambda seen: seen["sessions_served"] == 20)
    assert sum(one["pss"] for one in seen["workers"]) < 2 * max(one["rss"] for one in seen["workers"])


@pytest.fixture
def watched(place: Path) -> Iterator[Filter]:
    """One whose service manager waits for signs of life."""
    with Filter(place, f"workers = 2\n{RELAY}", watchdog=1.0) as turf:
        yield turf


def test_the_watchdog_is_fed_only_while_every_worker_answers(watched: Filter, place: Path) -> None:
    manager = watched.daemon.manager
    manager.wait_for("WATCHDOG=1")
    stopped = watched.daemon.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        watched.wait_for_status(lambda seen: not all(one["answering"] for one in seen["workers"]))
        manager.forget()
        written = set[int]()
        wait.until(lambda: written.add((place / "status.json").stat().st_mtime_ns) or len(written) > 3, "three beats")
        assert not manager.heard("WATCHDOG=1")
    finally:
        os.kill(stopped, signal.SIGCONT)
    manager.wait_for("WATCHDOG=1")


def test_a_worker_that_stops_answering_is_replaced_before_the_watchdog_expires(place: Path) -> None:
    with Filter(place, f"workers = 2\n{RELAY}", watchdog=0.4) as turf:
        stopped = turf.daemon.workers()[0]
        os.kill(stopped, signal.SIGSTOP)
        turf.wait_for_status(lambda seen: not all(one["answering"] for one in seen["workers"]))
        said = f"worker {stopped} ended (signal 9): it stopped answering, starting another"
        seen = turf.wait_for_status(lambda seen: seen["problems"])
        assert seen["problems"][0]["problem"].startswith(said)
        turf.wait_for_status(lambda seen: [one["state"] for one in seen["workers"]] == ["serving"] * 2)
        turf.daemon.manager.wait_for("WATCHDOG=1")
        assert stopped not in turf.daemon.workers()


def test_a_draining_worker_that_stops_answering_is_killed(place: Path) -> None:
    with Filter(place, RELAY, watchdog=0.4) as turf:
        (stopped,) = turf.daemon.workers()
        os.kill(stopped, signal.SIGSTOP)
        turf.reload()
        turf.wait_for_generation(2)
        assert verdict(turf) == "accept"
        turf.daemon.wait_for_log(f"worker {stopped} ended \\(signal 9\\): it stopped answering\\W")
        seen = turf.wait_for_status(lambda seen: len(seen["workers"]) == 1)
        assert seen["workers"][0]["generation"] == 2


def test_the_service_manager_is_told_the_main_process_and_the_stop(own_filter: Filters) -> None:
    turf = own_filter(RELAY)
    manager = turf.daemon.manager
    assert manager.heard(f"MAINPID={turf.daemon.process.pid}")
    assert manager.heard("STATUS=generation 1")
    manager.forget()
    turf.reload()
    turf.wait_for_generation(2)
    wait.until(lambda: manager.heard("READY=1"), "the end of the reload")
    assert [message.split("\n")[0] for message in manager.messages] == ["RELOADING=1", "READY=1"]
    turf.daemon.process.send(signal.SIGTERM)
    wait.until(lambda: manager.heard("STOPPING=1"), "the end")
    assert turf.daemon.process.wait() == 0


def test_a_start_without_a_free_process_fails(place: Path, golden: Golden) -> None:
    assert os.geteuid() == 0, "the limit applies only after a change of user: run this test as root"
    done = subprocess.run(
        ["prlimit", "--nproc=0", *program("-f", "-c", configured(place))],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=wait.AMPLE,
        check=False,
    )
    assert done.returncode == 70
    golden("command_line", done.stderr)
    assert not (place / "s").exists()


def open_files(pid: int) -> tuple[int, int]:
    """How many files a process may have open, and how many it could ask for."""
    (line,) = [line for line in Path(f"/proc/{pid}/limits").read_text().splitlines() if "open files" in line]
    soft, hard = line.split()[3:5]
    return int(soft), int(hard)


def test_the_limit_of_open_files_is_raised_to_the_hard_limit(place: Path) -> None:
    def less() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 5000))

    with running(place, "-c", configured(place), preexec_fn=less) as process:
        assert open_files(process.pid) == (5000, 5000)
        log = (place / "log").read_text()
        assert ", 5000 files may be open\n" in log
        assert "warning: only" not in log


def test_a_low_limit_of_open_files_causes_a_warning(place: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 512))

    with running(place, "-c", configured(place), preexec_fn=few) as process:
        assert open_files(process.pid) == (512, 512)
        assert "turfmilter: warning: only 512 files may be open" in (place / "log").read_text()


def test_a_worker_without_free_descriptors_accepts_no_connection_until_some_close(place: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    status = place / "status.json"

    def state() -> str:
        return str(json.loads(status.read_text())["workers"][0]["state"]) if status.exists() else ""

    with running(place, "-c", configured(place, "workers = 1\n"), preexec_fn=few):
        with ExitStack() as open_ones:
            for _ in range(70):
                client = open_ones.enter_context(MilterClient(place / "s"))
                client.send_frame(b"O", struct.pack("!III", wire.VERSION, wire.ALL_ACTIONS, wire.ALL_PROTOCOL))
            wait.until(lambda: state() == "full", lambda: (place / "log").read_text())
            assert (
                "the limit of 64 open files is near: not accepting connections until some close"
                in (place / "log").read_text()
            )
        wait.until(lambda: state() == "serving", lambda: (place / "log").read_text())
        assert "accepting connections again" in (place / "log").read_text()
        assert serves(place / "s")
