"""Long output on a terminal goes through a pager, as with git and systemctl."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from turfmilter.cli.streams import text_on

_DEFAULT = "less"
# As git: print what fits on the screen, and leave it there.  And run no commands: turfctl may have been started with
# the rights of another user.
_OPTIONS = {"LESS": "FRX", "LESSSECURE": "1"}
_NONE = ("", "cat")  # values of PAGER that mean: no pager


@contextmanager
def paged() -> Iterator[None]:
    """Send what is printed to standard output through $PAGER, or `less`, if that is a terminal.

    A pager that is closed before the end, or cannot be started, is not an error.
    """
    command = _command()
    if not command:
        yield
        return
    terminal = sys.stdout
    terminal.flush()
    # $PAGER may contain options, so a shell reads it, as the shell of the user would.
    pager = subprocess.Popen(command, shell=True, stdin=subprocess.PIPE, env={**_OPTIONS, **os.environ})  # nosec B602
    assert pager.stdin
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # it is for the pager, which stays on the terminal
    sys.stdout = text_on(pager.stdin)
    try:
        with suppress(BrokenPipeError):
            yield
    finally:
        with suppress(BrokenPipeError):
            sys.stdout.close()
        sys.stdout = terminal
        pager.wait()
        signal.signal(signal.SIGINT, before)


def _command() -> str:
    """Return the pager, "" if none is to be used: without a name, a terminal may not be able to move its cursor."""
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return ""
    chosen = os.environ.get("PAGER", _DEFAULT).strip()
    return "" if chosen in _NONE or (chosen == _DEFAULT and not shutil.which(_DEFAULT)) else chosen
