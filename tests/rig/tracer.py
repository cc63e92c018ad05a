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
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

# Memory, randomness, time, threads and signals: no file system can fail in them, and how many there are is not always
# the same.
_UNCOUNTED = frozenset(
    "mmap mremap mprotect munmap madvise brk getrandom uname gettimeofday clock_gettime nanosleep clock_nanosleep "
    "rt_sigaction rt_sigprocmask rt_sigreturn restart_syscall futex getpid gettid exit exit_group".split()
)
_CALL = re.compile(r"(?m)^(\w+)\(")


@dataclass(frozen=True)
class Call:
    """A system call as strace finds it again: its name, and the how manyth of that name it is, from 1."""

    name: str
    nth: int

    def __str__(self) -> str:
        return f"{self.name}{self.nth}"


@dataclass(frozen=True)
class Fault:
    """What happens at a call that was `traced` before: it fails with `error`, or the process is killed.

    It is killed before the call is made, or `after`: that is before it makes the `following` call, of whatever kind.
    """

    at: Point
    error: int = 0
    after: bool = False

    def __str__(self) -> str:
        what = errno.errorcode[self.error] if self.error else "killed " + ("after" if self.after else "before")
        return f"{self.at}:{what}"

    @property
    def injection(self) -> str:
        """The same for strace."""
        call = self.at.following if self.after else self.at.call
        what = f"error={errno.errorcode[self.error]}" if self.error else "signal=KILL"
        return f"inject={call.name}:{what}:when={call.nth}"


@dataclass(frozen=True)
class Point:
    """A call where a fault is possible, and the one that the process makes next."""

    call: Call
    following: Call

    def __str__(self) -> str:
        return str(self.call)

    @property
    def name(self) -> str:
        """The name of the call."""
        return self.call.name


@dataclass
class Traced:
    """How it ended: the exit status (negative for a signal), and the system calls that it made.

    Calls that have nothing to do with files are left out.
    """

    status: int
    calls: list[Point] = field(default_factory=list)


def traced(act: Callable[[], int], fault: Fault | None = None) -> Traced:
    """Run `act` in a child, whose exit status it returns; 1 is that it raised, which is then printed."""
    pid = os.fork()
    if pid == 0:
        _run(act)
    os.waitpid(pid, os.WUNTRACED)  # it has stopped itself
    with TemporaryDirectory() as directory:
        output = Path(directory) / "calls"
        command = ["strace", "-p", str(pid), "-o", str(output), "-e", "signal=none"]
        command += ["-e", fault.injection] if fault else []
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
            assert strace.stderr
            attached = strace.stderr.readline()
            # It makes no call that strace does not see: one that is attached to goes on only when strace lets it.
            os.kill(pid, signal.SIGCONT if attached.endswith("attached\n") else signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
        assert attached.endswith("attached\n"), attached
        ended = os.waitstatus_to_exitcode(status)
        made = output.read_text()
    assert fault is None or (ended == -signal.SIGKILL if fault.error == 0 else "(INJECTED)" in made), f"no {fault}"
    return Traced(ended, _points(made))


def _run(act: Callable[[], int]) -> None:
    try:
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(act())
    except Exception:  # noqa: BLE001 - nothing may come back from the child
        traceback.print_exc()
    finally:
        os._exit(1)


def _points(output: str) -> list[Point]:
    seen: Counter[str] = Counter()
    calls = []
    for name in _CALL.findall(output):
        seen[name] += 1
        calls.append(Call(name, seen[name]))
    pairs = zip(calls, calls[1:], strict=False)
    return [Point(call, following) for call, following in pairs if call.name not in _UNCOUNTED]
