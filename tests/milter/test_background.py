"""The daemon in the background: its caller gets back the terminal when, and only when, it serves."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rig import proc, wait
from rig.filter import Filters
from rig.link import accepts
from rig.program import ENVIRONMENT, configured, program, run, serves

RELAY = 'domains = ["rig.test"]\n'


def syslog_runs() -> bool:
    """True on a host whose log goes somewhere."""
    return Path("/dev/log").exists()


@contextmanager
def ended(path: Path) -> Iterator[None]:
    """The daemon that was left in the background with the configuration `path` is ended by TERM."""
    try:
        yield
    finally:
        daemon = _leader_of(path)
        if daemon:
            os.kill(daemon, signal.SIGTERM)
            wait.until(lambda: not _leader_of(path), "its end")
    assert daemon, "nothing was left in the background"
    assert not (path.parent / "s").exists()


def _leader_of(path: Path) -> int:
    """The first process that runs with the configuration `path`."""
    words = proc.each(proc.all_pids(), lambda process: (process / "cmdline").read_bytes().split(b"\0"))
    ours = [pid for pid, found in words.items() if b"turfmilter" in found and os.fsencode(path) in found]
    return min(ours, default=0)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _standard_files(leader: int) -> list[list[str]]:
    """What a process and each of its children have as standard input, output and error."""
    return list(
        proc.each(
            [leader, *_children(leader)],
            lambda process: [str((process / "fd" / descriptor).readlink()) for descriptor in "012"],
        ).values()
    )


def test_in_the_background_it_returns_when_it_serves(place: Path) -> None:
    path = configured(place, log="syslog")
    with ended(path):
        done = run("-c", path)
        # It has returned, so nobody holds on to the caller's standard output or error.
        assert (done.returncode, done.stdout) == (0, "")
        # Where no syslog daemon runs that is said, and nothing else.
        assert ["/dev/log does not exist" in line for line in done.stderr.splitlines()] == [True] * (not syslog_runs())
        assert accepts(place / "s")
        assert serves(place / "s")


def test_in_the_background_it_has_no_terminal_and_no_directory(place: Path) -> None:
    path = configured(place, log="syslog")
    with ended(path):
        run("-c", path)
        leader = _leader_of(path)
        assert os.getsid(leader) == leader != os.getsid(0)
        assert Path(f"/proc/{leader}/cwd").readlink() == Path("/")
        # A process that looks after the quarantine lives for a moment only: it may end while it is looked at.
        wait.until(
            lambda: all(files == ["/dev/null"] * 3 for files in _standard_files(leader)),
            lambda: f"{_standard_files(leader)}",
        )
        assert _children(leader)


def test_in_the_background_the_log_may_still_go_to_standard_error(place: Path) -> None:
    path, said = configured(place), place / "said"
    with ended(path), said.open("w") as stderr:
        subprocess.run(program("-c", path), env=ENVIRONMENT, stderr=stderr, check=True)
        assert serves(place / "s")
    assert "info: turfmilter " in said.read_text()  # a worker may have logged something before
    assert said.read_text().endswith("info: stopped\n")


def test_in_the_background_it_serves_although_it_was_started_with_nothing_open(place: Path) -> None:
    path = configured(place, log="syslog")
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *program("-c", path)]
    with ended(path):
        assert subprocess.run(closed, env=ENVIRONMENT, timeout=wait.AMPLE, check=False).returncode == 0
        assert serves(place / "s")


def test_in_the_background_problems_still_reach_the_caller(own_filter: Filters, place: Path) -> None:
    serving = own_filter(RELAY)
    done = run("-c", configured(place, socket=f"unix:{serving.socket}"))
    assert done.returncode == 69
    assert "in use" in done.stderr
    assert accepts(serving.socket)
