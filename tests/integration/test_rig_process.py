"""Child processes of the rig: ended by process id, none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rig import wait
from rig.process import Process, ProcessEnded

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
