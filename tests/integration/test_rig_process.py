"""Child processes of the rig, and the programs that tests start: ended by process id, none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rig import wait
from rig.ports import free_port
from rig.process import Process, ProcessEnded
from rig.server import Program

FAMILY = "sleep 600 & sleep 600 & echo ready; wait"
STUBBORN = "trap '' TERM; sleep 600 & echo ready; while :; do wait; done"
RIG = Path(__file__).parents[1]


def started(place: Path, script: str) -> Process:
    """A shell with children, once it says that it is ready."""
    process = Process(["sh", "-c", script], place / "output")
    process.start(lambda: "ready" in process.text() and len(process.children()) > 0)
    return process


def alive(pid: int) -> bool:
    """True when the process runs; one that only awaits its parent's attention does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in "ZX"


def test_stop_says_how_the_program_ended(place: Path) -> None:
    process = Process(["sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done"], place / "output")
    process.start(lambda: "ready" in process.text())
    assert process.stop() == 7
    assert process.pids() == []


def test_stop_finds_descendants_that_were_left_behind(place: Path) -> None:
    process = started(place, FAMILY)
    pids = process.pids()
    assert len(pids) == 3
    with pytest.raises(RuntimeError, match="did not end"):
        process.stop(seconds=0.2)
    assert not any(alive(pid) for pid in pids)


def test_kill_ends_what_does_not_obey(place: Path) -> None:
    process = started(place, STUBBORN)
    pids = process.pids()
    process.kill()
    assert not any(alive(pid) for pid in pids)


def test_a_program_that_ends_too_early_tells_why(place: Path) -> None:
    process = Process(["sh", "-c", "echo no such luck >&2; exit 78"], place / "output")
    with pytest.raises(ProcessEnded, match="no such luck") as ended:
        process.start(lambda: False)
    assert ended.value.status == 78


def test_a_program_that_is_never_ready_is_killed(place: Path) -> None:
    process = Process(["sleep", "600"], place / "output")
    with pytest.raises(TimeoutError):
        process.start(lambda: False, seconds=0.05)
    assert process.pids() == []


def test_a_child_does_not_outlive_the_tests(place: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from rig.process import Process\n"
        f"process = Process(['sh', '-c', 'echo ready; exec sleep 600'], Path({str(place / 'output')!r}))\n"
        "process.start(lambda: 'ready' in process.text())\n"
        "print(process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(RIG)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    wait.until(lambda: not alive(int(done.stdout)), "the end of the child")


class Logging(Program):
    """A shell script with a log of its own; `done` is what was done before its start and after its end."""

    def __init__(self, place: Path, script: str) -> None:
        self.done: list[str] = []
        log_file = place / "log"
        super().__init__(["sh", "-c", script], place / "output", self.is_ready, log_file=log_file)

    def is_ready(self) -> bool:
        return "ready" in self.log()

    def prepare(self) -> None:
        self.done.append("prepared")

    def clean_up(self) -> None:
        self.done.append("cleaned up")


def test_a_program_runs_within_its_with_statement(place: Path) -> None:
    with Logging(place, f"echo ready >{place}/log; exec sleep 600") as program:
        assert program.wait_for_log("read(y)")[1] == "y"
        (pid,) = program.pids()
        assert program.done == ["prepared"]
    assert not alive(pid)
    assert program.done == ["prepared", "cleaned up"]
    assert program.stop() == 0, "a second time does nothing"


def test_a_program_that_does_not_start_shows_its_log_and_is_cleaned_up(place: Path) -> None:
    program = Logging(place, f"echo no such luck >{place}/log; exit 78")
    with pytest.raises(ProcessEnded) as ended:
        program.start()
    assert ended.value.__notes__ == ["no such luck\n"]
    assert program.done == ["prepared", "cleaned up"]


def test_a_port_is_given_to_one_server_only() -> None:
    ports = [free_port() for _ in range(500)]
    assert len(set(ports)) == len(ports)
