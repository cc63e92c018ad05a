"""One message on its way into quarantine, from the end of its header to the answer at its end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, wait

from turfmilter.core.ports import Draft, Quarantine, QuarantineError
from turfmilter.core.report import Slip

END_OF_HEADER = b"\r\n"  # the empty line, which is part of what is held and of nothing that is counted

_PATIENCE = 2.0  # seconds between progress() calls; Sendmail's default is to wait 10 for each answer


class Hold:
    """Writes as the message comes; the first failure is kept and told at the end."""

    def __init__(self, quarantine: Quarantine, slip: Slip) -> None:
        self._draft: Draft | None = None
        self._failure: QuarantineError | None = None
        self._written = 0  # bytes of the message
        with self._noting():
            self._draft = quarantine.open(slip)

    @property
    def failed(self) -> bool:
        """True when the rest of the message need not be shown."""
        return self._failure is not None

    def write(self, data: bytes) -> None:
        """Append bytes of the message."""
        if self._draft and not self.failed:
            with self._noting():
                self._draft.write(data)
                self._written += len(data)

    def commit(self, shown: int, executor: Executor, progress: Callable[[], object]) -> str:
        """The id of the message, now safe on disk.  Raises QuarantineError, also when it is not whole.

        `shown` are the bytes of header and body that the MTA has shown: if one of them were not written, whatever the
        reason, the sender would be told that a message is accepted of which a part is lost.
        fsync may take long and the MTA's patience ends: while it lasts, `progress` is called again and again.
        """
        if self._failure or self._draft is None:
            self.abandon()
            raise self._failure or QuarantineError("no message was begun", full=False)
        if self._written != shown + len(END_OF_HEADER):
            self.abandon()
            raise QuarantineError(f"only {self._written} bytes of a message of {shown} were written", full=False)
        future = executor.submit(self._draft.commit)
        self._draft = None  # from here on the commit itself leaves nothing behind when it fails
        while not wait([future], timeout=_PATIENCE).done:
            with contextlib.suppress(Exception):  # an MTA that went away asks again: it was told nothing
                progress()
        return future.result()

    def abandon(self) -> None:
        """Leave nothing behind."""
        if self._draft:
            self._draft.abandon()
            self._draft = None

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except QuarantineError as error:
            self._failure = error


def transcript(fields: Iterable[tuple[str, bytes]], *, leading_space: bool) -> bytes:
    """The fields in their order, without the empty line that ends the header.

    Without `leading_space` (SMFIP_HDR_LEADSPC) the MTA has dropped the blanks behind the colon; one is the usual
    spelling.
    """
    colon = b":" if leading_space else b": "
    return b"".join([_line(name, colon, value) for name, value in fields])


def _line(name: str, colon: bytes, value: bytes) -> bytes:
    folded = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")  # both MTAs show a fold as a bare LF
    return name.encode("utf-8", "surrogateescape") + colon + folded + b"\r\n"
