"""Shares lookups of clients' names between connections, and caches their results."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from math import inf
from threading import Lock, Thread
from typing import Any

from cachetools import TLRUCache

from turfmilter.core.address.mailbox import IPAddress, unmapped
from turfmilter.core.session import ClientNames, UnderWay

# Limits, in seconds, on how long names are cached, whatever their TTL.
_MIN_CACHE_SECONDS = 30.0  # so that a burst of connections of one client causes one lookup, even with a TTL of 0
_MAX_CACHE_SECONDS = 3600.0  # so that a corrected DNS record takes effect within an hour
_FAILURE = 15.0  # so that connections do not all query a dead server, and recover soon after it answers again
_ROOM = 10_000  # addresses in the cache; less than 10 MB per process


@dataclass(slots=True)
class Gathered:
    """What a lookup has found so far for one address.  Only the lookup's thread writes it; any thread may read it.

    `ttl` is the smallest TTL of the records seen, in seconds.
    """

    claimed: tuple[str, ...] = ()
    confirmed: set[str] = field(default_factory=set)
    failed: bool = False
    ttl: float = inf

    def names(self, *, failed: bool) -> ClientNames:
        """The names in the form that rules use; `failed` if some may be missing."""
        return ClientNames(tuple(n for n in self.claimed if n in self.confirmed), self.claimed, failed)


Gather = Callable[[IPAddress, Gathered], Coroutine[Any, Any, None]]


class SharedNames:
    """Implements ports.Names with the coroutine function `gather`, which is cancelled after `timeout` seconds.

    All lookups run in one event loop, whose thread is started by the first lookup, because threads do not survive a
    fork; a lookup that waits does not delay others.  `timer` is the clock, in seconds, by which names expire.
    """

    def __init__(self, gather: Gather, *, timeout: float, timer: Callable[[], float] = time.monotonic) -> None:
        self._gather = gather
        self._timeout = timeout
        self._lock = Lock()
        self._kept = TLRUCache[IPAddress, _Known](_ROOM, ttu=lambda _, known, now: now + known.seconds, timer=timer)
        self._under_way: dict[IPAddress, _UnderWay] = {}
        self._thread = _LoopThread()
        self.kept = self.asked = 0  # lookups answered from the cache or by one in progress; lookups that asked DNS
        self.ended = {"answered": 0, "failed": 0, "timeout": 0}  # lookups that asked DNS; failed: at least in part

    def begin(self, address: IPAddress) -> UnderWay:
        """Start a lookup of the names of `address`, unless they are cached or being looked up; returns at once."""
        deadline = time.monotonic() + self._timeout
        address = unmapped(address)
        with self._lock:
            known = self._kept.get(address)
            if known is not None:
                self.kept += 1
                return known
            under_way = self._under_way.get(address)
            if under_way is not None:
                self.kept += 1
            else:
                self.asked += 1
                under_way = self._under_way[address] = self._start(address)
        return _Awaited(under_way, deadline)

    def _start(self, address: IPAddress) -> _UnderWay:
        gathered = Gathered()
        return _UnderWay(gathered, self._thread.run(self._look_up(address, gathered)))

    async def _look_up(self, address: IPAddress, gathered: Gathered) -> ClientNames:
        try:
            result = await self._gather_in_time(address, gathered)
            names = gathered.names(failed=gathered.failed)
            seconds = _FAILURE if gathered.failed else min(max(gathered.ttl, _MIN_CACHE_SECONDS), _MAX_CACHE_SECONDS)
            with self._lock:
                self._kept[address] = _Known(names, seconds)
                self.ended[result] += 1
            return names
        finally:
            with self._lock:
                del self._under_way[address]

    async def _gather_in_time(self, address: IPAddress, gathered: Gathered) -> str:
        """Look up the names, and return the result: a key of `ended`."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._gather(address, gathered)
        except TimeoutError:
            gathered.failed = True
            return "timeout"
        return "failed" if gathered.failed else "answered"


@dataclass(frozen=True, slots=True)
class _Known:
    """Implements ports.UnderWay with cached names, which expire after `seconds`."""

    names: ClientNames
    seconds: float

    @property
    def pending(self) -> bool:
        return False

    def result(self) -> ClientNames:
        return self.names


@dataclass(frozen=True, slots=True)
class _UnderWay:
    """One lookup in progress, shared by all connections that wait for it."""

    gathered: Gathered
    names: Future[ClientNames]


@dataclass(frozen=True, slots=True)
class _Awaited:
    """Implements ports.UnderWay for one connection, with its own `deadline`, a time.monotonic() value."""

    under_way: _UnderWay
    deadline: float

    @property
    def pending(self) -> bool:
        return not self.under_way.names.done()

    def result(self) -> ClientNames:
        try:
            return self.under_way.names.result(max(0.0, self.deadline - time.monotonic()))
        except (TimeoutError, CancelledError):
            return self.under_way.gathered.names(failed=True)


class _LoopThread:
    """A thread that runs coroutines, from the first one until the process ends.

    `run` must be called by one thread at a time.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, coroutine: Coroutine[Any, Any, ClientNames]) -> Future[ClientNames]:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            Thread(target=self._loop.run_forever, name="names", daemon=True).start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)
