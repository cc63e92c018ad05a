"""Standard output: errors in writing to it are reported by its name, and its encoding is that of the locale."""

from __future__ import annotations

import io
import locale
import os
import sys
from typing import Any

_STDOUT = 1
_NAME = "standard output"
_EXPLICIT = ("PYTHONIOENCODING", "PYTHONUTF8")  # with these, people have chosen the encoding themselves


class Output(io.FileIO):
    """Standard output, whose errors name it: the OSError of a full disk has no file name otherwise."""

    def __init__(self) -> None:
        super().__init__(_STDOUT, "w", closefd=False)

    def write(self, data: Any, /) -> int:
        """Write to it.  Raises OSError, and BrokenPipeError if no one reads it any more."""
        try:
            return super().write(data)
        except BrokenPipeError:
            raise
        except OSError as error:
            discard_output()
            raise OSError(error.errno, error.strerror, _NAME) from None


def prepare_output() -> None:
    """Replace sys.stdout, so that its errors can be reported and nothing in it fails to be encoded."""
    # What a sender wrote must not end the program if the locale cannot encode it.
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(Output()), _encoding(), errors="backslashreplace", line_buffering=os.isatty(_STDOUT)
    )


def discard_output() -> None:
    """Let everything that is still to be written go to /dev/null: the end of the program would fail at it again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, _STDOUT)
    os.close(null)


def _encoding() -> str:
    """Return the encoding of standard output.

    In the locale C, Python writes UTF-8 (PEP 540), but who sets LC_ALL=C has a terminal that shows only ASCII.
    """
    if sys.flags.utf8_mode and not any(map(os.environ.get, _EXPLICIT)):
        return locale.getencoding()
    return sys.stdout.encoding
