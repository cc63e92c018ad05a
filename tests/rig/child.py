"""A fork of the test's own process, for what cannot be undone in it: identities, signals, whole processes."""

from __future__ import annotations

import os
import pwd
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def forked(run: Callable[[], object]) -> Iterator[int]:
    """The process id of a child that does nothing but `run`; it is killed when it is still there at the end."""
    pid = os.fork()
    if pid == 0:
        try:
            run()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            os._exit(1)
    try:
        yield pid
    finally:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def status(pid: int) -> int:
    """The exit status of a child (negative for a signal), once it has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def in_child(check: Callable[[], object], *, user: str = "") -> None:
    """Run `check` in a child, as `user`; what it raises there is printed, and fails the test here."""

    def run() -> None:
        if user:
            become(user)
        check()

    with forked(run) as pid:
        assert status(pid) == 0, "the child failed, see its standard error"


def become(user: str) -> None:
    """From root to `user`, with no other group."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
