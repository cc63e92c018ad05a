"""A child whose every system call can be made to fail, or be its last: ptrace(2), on x86-64."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

_TRACEME, _PEEKUSER, _POKEUSER, _SYSCALL, _SETOPTIONS = 0, 3, 6, 24, 0x4200
_EXITKILL, _TRACESYSGOOD = 0x100000, 1
_STOPPED_AT_CALL = signal.SIGTRAP | 0x80
_RAX, _ORIG_RAX = 10 * 8, 15 * 8  # struct user_regs_struct
_NO_CALL = -1

# Numbers of <asm/unistd_64.h>: memory, randomness, time, threads and signals.  No file system can fail in them, and
# how many there are is not always the same.
_UNCOUNTED = frozenset({9, 10, 11, 12, 13, 14, 25, 28, 35, 39, 63, 96, 186, 202, 228, 230, 231, 60, 318})


@dataclass(frozen=True)
class Fault:
    """What happens at the call number `at`, counted from 0: it fails with `error`, or the process is killed.

    It is killed before the call is made, or right `after`.
    """

    at: int
    error: int = 0
    after: bool = False

    def __str__(self) -> str:
        what = errno.errorcode[self.error] if self.error else "killed " + ("after" if self.after else "before")
        return f"{self.at}:{what}"


@dataclass
class Traced:
    """How it ended: the exit status (negative for a signal), and the numbers of the system calls that it made.

    Calls that have nothing to do with files are left out, and not counted.
    """

    status: int = 0
    calls: list[int] = field(default_factory=list)


def traced(act: Callable[[], int], fault: Fault | None = None) -> Traced:
    """Run `act` in a child, whose exit status it returns; 1 is that it raised, which is then printed."""
    assert platform.machine() == "x86_64", "the tracer knows the registers of x86-64 only"
    pid = os.fork()
    if pid == 0:
        _run(act)
    trace = Traced()
    os.waitpid(pid, 0)  # it has stopped itself
    _ptrace(_SETOPTIONS, pid, _EXITKILL | _TRACESYSGOOD)
    entering, failing, counted = True, False, False
    pending, killed = 0, False
    while True:
        if not killed:
            _ptrace(_SYSCALL, pid, pending)
        _, status = os.waitpid(pid, 0)
        if not os.WIFSTOPPED(status):
            trace.status = os.waitstatus_to_exitcode(status)
            return trace
        pending = 0 if os.WSTOPSIG(status) == _STOPPED_AT_CALL else os.WSTOPSIG(status)
        if pending:
            continue
        if entering:
            number = _ptrace(_PEEKUSER, pid, where=_ORIG_RAX)
            counted = number not in _UNCOUNTED
            trace.calls += [number] * counted
        mine = counted and fault is not None and fault.at == len(trace.calls) - 1
        if fault and mine and entering and fault.error:
            _ptrace(_POKEUSER, pid, _NO_CALL, where=_ORIG_RAX)
            failing = True
        elif fault and failing:
            _ptrace(_POKEUSER, pid, -fault.error, where=_RAX)
            failing = False
        elif fault and mine and not fault.error and entering is not fault.after:
            os.kill(pid, signal.SIGKILL)
            killed = True
        entering = not entering


def _run(act: Callable[[], int]) -> None:
    try:
        _ptrace(_TRACEME, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(act())
    except Exception:  # noqa: BLE001 - nothing may come back from the child
        traceback.print_exc()
    finally:
        os._exit(1)


def _ptrace(request: int, pid: int, data: int = 0, *, where: int = 0) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    ctypes.set_errno(0)
    result = int(libc.ptrace(request, pid, where, data & 0xFFFFFFFFFFFFFFFF))
    if ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"ptrace: {os.strerror(ctypes.get_errno())}")
    return result
