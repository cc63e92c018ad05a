"""A machine of the test's own: files and network as on a mail host that was just installed, and nothing outside."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_FS = 0x00000200
_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_SOURCE = Path(__file__).parents[2] / "milter"
_PROGRAM = """\
#!/bin/sh
PYTHONPATH={source} exec {python} -c 'from turfmilter.cli.{name} import main; main(prog_name="{name}")' "$@"
"""


@contextmanager
def own_machine(place: Path) -> Iterator[None]:
    """In here this thread and its children have a loopback, /etc, /run, /var, /opt and /usr/local of their own.

    /etc begins as a copy, the others empty; what is written there is below `place`, and removed with it.
    `turfmilter` and `turfctl` are in /usr/local/sbin.  Needs root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    working_directory = Path.cwd()
    with open("/proc/thread-self/ns/mnt") as files, open("/proc/thread-self/ns/net") as network:  # noqa: PTH123
        _check(libc.unshare(_CLONE_NEWNS | _CLONE_NEWNET), "a machine of our own")
        try:
            _furnish(place)
            yield
        finally:
            # setns() to other files wants a working directory that no other thread shares, and leaves it at their root.
            _check(libc.unshare(_CLONE_FS), "a working directory of our own")
            _check(libc.setns(network.fileno(), _CLONE_NEWNET), "the way back from the network")
            _check(libc.setns(files.fileno(), _CLONE_NEWNS), "the way back from the files")
            os.chdir(working_directory)


def _furnish(place: Path) -> None:
    _run("mount", "--make-rprivate", "/")
    _run("ip", "link", "set", "lo", "up")
    for directory in ("etc", "run", "var", "opt", "usr/local/sbin", "usr/local/share"):
        own = place / "machine" / directory
        own.mkdir(parents=True)
        if directory == "etc":
            _run("cp", "-a", "/etc/.", str(own))
        _run("mount", "--bind", str(own), f"/{directory}")
    shutil.rmtree("/etc/mail", ignore_errors=True)  # opendkim has one; a host on which Sendmail was never has none
    for name in ("turfmilter", "turfctl"):
        program = Path("/usr/local/sbin", name)
        program.write_text(_PROGRAM.format(source=_SOURCE, python=sys.executable, name=name))
        program.chmod(0o755)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def _check(result: int, what: str) -> None:
    if result:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")
