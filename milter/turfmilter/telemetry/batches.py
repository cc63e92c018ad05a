"""A bounded queue and the thread that empties it, so that no callback ever waits for a log or a disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import Generic, TypeVar

T = TypeVar("T")

_GATHERING = 0.02  # seconds in which items are collected: waking the thread for each would delay the callbacks


class Batches(Generic[T]):
    """Up to `room` items wait in memory; `deliver` receives them in the thread, and returns False to end it.

    `deliver` is called once more with no items at the end, after the last ones.  `stopping` is set by `stop`.
    """

    def __init__(self, name: str, room: int, deliver: Callable[[Sequence[T]], bool]) -> None:
        self.stopping = Event()
        self._room = room
        self._deliver = deliver
        self._items: SimpleQueue[T | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread.  A forked child must call this itself, because threads do not survive a fork."""
        self._thread.start()

    def stop(self, within: float = 5.0) -> None:
        """Deliver the waiting items and end the thread; gives up after `within` seconds."""
        self.stopping.set()
        self._items.put(None)
        self._thread.join(within)

    def put(self, item: T) -> bool:
        """Queue `item`; False if there is no room.  Never blocks and never raises."""
        if self._items.qsize() >= self._room:
            return False
        self._items.put(item)
        return True

    def _run(self) -> None:
        more = True
        while more:
            items, more = self._next()
            if not self._deliver(items):
                return
            self.stopping.wait(_GATHERING)
        self._deliver(())

    def _next(self) -> tuple[list[T], bool]:
        """Wait for an item, and return it with all others in the queue; False if they are the last."""
        items: list[T] = []
        while (item := self._items.get()) is not None:
            items.append(item)
            if self._items.empty():
                return items, True
        return items, False
