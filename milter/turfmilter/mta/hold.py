"""One message while it is written to the quarantine, from the end of its header to the final answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future

from turfmilter.core.ports import Draft, Quarantine, QuarantineError
from turfmilter.core.report import Slip

END_OF_HEADER = b"\r\n"  # the empty line: written to the quarantine, but not counted in the size of the message

_PATIENCE = 2.0  # seconds between calls of progress(); Sendmail waits 10 s for each answer by default


class Hold:
    """A message that is being held: written as it arrives; `commit` raises the first failure."""

    def __init__(self, quarantine: Quarantine, slip: Slip, header: bytes) -> None:
        """The disk is first used for the body or at the end: the engine expects that to take time, and not this."""
        self._quarantine = quarantine
        self._slip = slip
        self._header = header
        self._draft: Draft | None = None
        self._failure: QuarantineError | None = None
        self._written = 0  # bytes of the message

    @property
    def failed(self) -> bool:
        """True if writing has failed, so that the rest of the message is not needed."""
        return self._failure is not None

    def write(self, data: bytes) -> None:
        """Append bytes of the message."""
        if not self.failed:
            with self._noting():
                self._begun().write(data)
                self._written += len(data)

    def commit(self, shown: int, executor: Executor, progress: Callable[[], object]) -> str:
        """Store the message safely on disk and return its id.  Raises QuarantineError, also if it is not complete.

        `shown` is the number of bytes of header and body that the MTA has sent.  It is compared with what was
        written: the sender must not receive 250 for a message of which a part was lost, whatever the reason.
        fsync can take longer than the MTA waits, so `progress` is called every few seconds meanwhile.
        """
        if not self.failed:
            with self._noting():
                self._begun()
        if self._failure or self._draft is None:
            self.abandon()
            raise self._failure or QuarantineError("no message was opened", full=False)
        size = shown + len(END_OF_HEADER)
        if self._written != size:
            self.abandon()
            raise QuarantineError(f"{self._written} bytes were written of a message of {size} bytes", full=False)
        future = executor.submit(self._draft.commit)
        self._draft = None  # from here on a commit that fails cleans up by itself
        while not _ended(future):
            # An MTA that has disconnected received no answer, so its client sends the message again.
            with contextlib.suppress(Exception):
                progress()
        return future.result()

    def abandon(self) -> None:
        """Remove what was written so far.  Does nothing after `commit`."""
        if self._draft:
            self._draft.abandon()
            self._draft = None

    def _begun(self) -> Draft:
        """The file, in which the header is already.  Raises QuarantineError."""
        if self._draft is None:
            self._draft = self._quarantine.open(self._slip)
            self._draft.write(self._header)
            self._written, self._header = len(self._header), b""
        return self._draft

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except QuarantineError as error:
            self._failure = error


def _ended(future: Future[str]) -> bool:
    """Wait for a while, and return whether it has ended.  (futures.wait would take another lock and an event.)"""
    try:
        future.exception(_PATIENCE)
    except TimeoutError:
        return False
    return True


def transcript(fields: Iterable[tuple[str, bytes]], *, leading_space: bool) -> bytes:
    """The header as bytes, fields in their order, without the empty line that ends it.

    Without `leading_space` (SMFIP_HDR_LEADSPC) the MTA has removed the blanks after each colon; one blank, the usual
    form, is inserted.
    """
    colon = b":" if leading_space else b": "
    return b"".join([_line(name, colon, value) for name, value in fields])


def _line(name: str, colon: bytes, value: bytes) -> bytes:
    folded = value.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")  # both MTAs send a fold as a bare LF
    return name.encode("utf-8", "surrogateescape") + colon + folded + b"\r\n"
