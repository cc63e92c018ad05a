"""A child whose every system call can be made to fail, or be its last, by strace(1)."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

# Memory, randomness, time, threads and signals: no file system can fail in them, and how many there are is not always
# the same.
_LEFT_OUT = re.compile(
    "mmap|mremap|mprotect|munmap|madvise|brk|getrandom|uname|gettimeofday|clock_gettime|(clock_)?nanosleep"
    "|rt_sigaction|rt_sigprocmask|rt_sigreturn|restart_syscall|futex|getpid|gettid|exit|exit_group"
)
_MEMORY = frozenset({"brk", "madvise", "mmap", "mprotect", "mremap", "munmap"})
_CALL = re.compile(r"(?m)^(\w+)\(")


@dataclass(frozen=True)
class Call:
    """A system call as strace finds it again: the call of this `name` that is number `nth`, counted from 1."""

    name: str
    nth: int


@dataclass(frozen=True)
class Point:
    """A call at which a fault is possible, and the one that the process makes next, except calls for memory."""

    call: Call
    following: Call

    @property
    def name(self) -> str:
        """The name of the call."""
        return self.call.name

    def __str__(self) -> str:
        return f"{self.call.name}{self.call.nth}"


@dataclass(frozen=True)
class Fault:
    """What happens at a call that `traced` has found before: it fails with `error`, or the process is killed.

    It is killed before the call is made, or `after` it: in front of the following one.
    """

    at: Point
    error: int = 0
    after: bool = False

    @property
    def injection(self) -> str:
        """The fault in strace's words."""
        call = self.at.following if self.after else self.at.call
        what = f"error={errno.errorcode[self.error]}" if self.error else "signal=KILL"
        return f"inject={call.name}:{what}:when={call.nth}"

    def __str__(self) -> str:
        what = errno.errorcode[self.error] if self.error else "killed " + ("after" if self.after else "before")
        return f"{self.at}:{what}"


@dataclass
class Traced:
    """How it ended: the exit status (negative for a signal), and the system calls that it made.

    Calls that have nothing to do with files are left out.
    """

    status: int
    calls: list[Point]


def traced(act: Callable[[], int], fault: Fault | None = None) -> Traced:
    """Run `act` in a child, whose exit status it returns; 1 is that it raised, which is then printed.

    Raises AssertionError when the fault does not occur.
    """
    pid = os.fork()
    if pid == 0:
        _run(act)
    os.waitpid(pid, os.WUNTRACED)  # it has stopped itself
    with TemporaryDirectory() as directory:
        output = Path(directory) / "calls"
        status = _continued(pid, ["-o", str(output), *(["-e", fault.injection] if fault else [])])
        made = output.read_text()
    if fault:
        assert "(INJECTED)" in made if fault.error else status == -signal.SIGKILL, f"{fault} did not occur"
    return Traced(status, _points(made))


def _continued(pid: int, options: list[str]) -> int:
    """Let strace attach to a stopped child, and the child go on to its end.  Returns its exit status."""
    command = ["strace", "-p", str(pid), "-e", "signal=none", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr
        said = strace.stderr.readline()
        attached = said.endswith("attached\n")
        # From here on strace sees every call: what it is attached to goes on only when strace lets it.
        os.kill(pid, signal.SIGCONT if attached else signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    assert attached, said
    return os.waitstatus_to_exitcode(status)


def _run(act: Callable[[], int]) -> None:
    try:
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(act())
    except Exception:  # noqa: BLE001 - nothing may come back from the child
        traceback.print_exc()
    finally:
        os._exit(1)


def _points(made: str) -> list[Point]:
    """The calls in strace's output, those left out that have nothing to do with files."""
    count: Counter[str] = Counter()
    calls = []
    for name in _CALL.findall(made):
        count[name] += 1
        if name not in _MEMORY:  # where memory is asked for differs from run to run
            calls.append(Call(name, count[name]))
    return [Point(call, after) for call, after in pairwise(calls) if not _LEFT_OUT.fullmatch(call.name)]
