"""Standard output: errors in writing to it are reported by its name, and its encoding is that of the locale."""

from __future__ import annotations

import codecs
import io
import locale
import os
import sys
from typing import Any, cast

_STDOUT = 1
_NAME = "standard output"
_ASCII = "ascii"  # as codecs calls it
_EXPLICIT = ("PYTHONIOENCODING", "PYTHONUTF8")  # with these, people have chosen the encoding themselves


class Output(io.FileIO):
    """Standard output, whose errors name it: the OSError of a full disk has no file name otherwise."""

    def __init__(self) -> None:
        super().__init__(_STDOUT, "w", closefd=False)

    def write(self, data: Any, /) -> int:
        """Write to it.  Raises OSError, and BrokenPipeError if no one reads it any more.

        What is still buffered is discarded then: since Python 3.13, a stream that fails to be closed reports it.
        """
        try:
            return super().write(data)
        except BrokenPipeError:
            discard_output()
            raise
        except OSError as error:
            discard_output()
            raise OSError(error.errno, error.strerror, _NAME) from None


def prepare_output() -> None:
    """Replace sys.stdout, so that its errors can be reported and nothing in it fails to be encoded.

    A caller in the same process that has replaced it already keeps its own.
    """
    if sys.stdout is not sys.__stdout__:
        return
    sys.stdout = text_on(io.BufferedWriter(Output()), line_buffering=os.isatty(_STDOUT))
    if displayed_encoding() == _ASCII and sys.stderr and not isinstance(sys.stderr, _Ascii):
        sys.stderr = text_on(cast(io.TextIOWrapper, sys.stderr).detach(), line_buffering=True)


def text_on(binary: Any, *, line_buffering: bool = False) -> io.TextIOWrapper:
    """Return a text stream that writes to `binary`.  What cannot be encoded is escaped, and is never an error."""
    kind = _Ascii if displayed_encoding() == _ASCII else io.TextIOWrapper
    encoding = "utf-8" if kind is _Ascii else displayed_encoding()
    return kind(binary, encoding, errors="backslashreplace", line_buffering=line_buffering)


class _Ascii(io.TextIOWrapper):
    """A stream of ASCII that claims to be one of UTF-8: click takes any other for a mistake, and writes UTF-8 to it."""

    def write(self, text: str, /) -> int:
        """Write `text` with all other characters escaped."""
        return super().write(text.encode(_ASCII, "backslashreplace").decode(_ASCII))


def discard_output() -> None:
    """Let everything that is still to be written go to /dev/null: the end of the program would fail at it again."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, _STDOUT)
    os.close(null)


def displayed_encoding() -> str:
    """Return the encoding of what standard output is shown on.

    In the locale C, Python writes UTF-8 (PEP 540), but users who set LC_ALL=C have a terminal that shows only ASCII.
    """
    if sys.flags.utf8_mode and not any(map(os.environ.get, _EXPLICIT)):
        encoding = locale.getencoding()
    else:
        encoding = sys.__stdout__.encoding if sys.__stdout__ else _ASCII
    return codecs.lookup(encoding).name
