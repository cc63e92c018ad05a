"""Work that is divided among processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TypeVar

T = TypeVar("T")


class ChildFailed(Exception):
    """A process was killed, or could not read something; the text says what."""


def in_parallel(works: Iterable[Callable[[], T]]) -> Iterator[T]:
    """Do each work in a process of its own, and yield their results.  Raises ChildFailed if one of them ends early."""
    # A fork: what the work needs, such as tables of a million entries, is there already.
    context, running = get_context("fork"), []
    for work in works:
        here, there = context.Pipe(duplex=False)
        process = context.Process(target=_send, args=(work, there), daemon=True)
        process.start()
        there.close()
        running.append((process, here))
    for process, here in running:
        try:
            result = here.recv()
        except EOFError:
            raise ChildFailed("one of the processes that read the journal ended early") from None
        process.join()
        if isinstance(result, OSError):
            raise ChildFailed(f"{result.filename or 'the journal'}: {result.strerror}")
        yield result


def _send(work: Callable[[], object], there: Connection) -> None:
    try:
        result = work()
    except OSError as error:
        result = error
    there.send(result)
