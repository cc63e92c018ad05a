"""The loop: one thread that serves all connections of a process, and others for callbacks that may have to wait."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from math import inf

from turfmilter.mta.callbacks import Callbacks
from turfmilter.mta.engine import Context
from turfmilter.mta.loop.connection import PIECE, Connection, Wants
from turfmilter.mta.service import Service

_SILENCE = 7210.0  # seconds after which a silent connection is closed (libmilter's MI_TIMEOUT)
_AT_ONCE = 16  # connections accepted in one round at most
_SWEEP = 600.0  # seconds between two checks for silent connections (its DT_CHECK_OLD_SESSIONS)
_SCARCE = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
# Each waits for DNS or a disk, and costs about 50 kB.  If all are in use, further callbacks wait until one is free.
# That is soon, because every DNS lookup has a deadline.
_THREADS = 256


class Loop:
    """Implements engine.Engine on the socket with file descriptor `listening`; connections are served within `wait`.

    A connection is parked while a thread runs one of its callbacks that may wait.  Nothing is read from it meanwhile,
    so that its answers keep their order; the other connections are served.
    """

    def __init__(self, listening: int, service: Service, _ended: Callable[[str], None]) -> None:
        self._descriptor = listening
        self._door = socket.socket(fileno=os.dup(listening))
        self._service = service
        self._connections: dict[int, Connection] = {}  # by file descriptor
        self._again: deque[Connection] = deque()  # those that want a turn
        self._returned: deque[tuple[Connection, bool]] = (
            deque()
        )  # by threads; True if the callback has returned, False if there is something to send
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="session")
        self._threads.submit(lambda: None)  # starts the first thread now, for a system that allows no more later
        self._buffer = memoryview(bytearray(PIECE))
        self._waking = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._control: socket.socket | None = None
        self._watching = False  # whether epoll watches the door
        self._now = time.monotonic()  # when the current round began
        self._next_sweep = self._now + _SWEEP
        self._poll = select.epoll()
        self._poll.register(self._waking, select.EPOLLIN)
        self.open = True

    def wait(self, control: socket.socket | None, seconds: float | None) -> bool:
        """Serve until `control` is readable (True), or `seconds` have passed (False)."""
        self._obey(control)
        self._watch_door(self.open)
        self._now = time.monotonic()
        end = inf if seconds is None else self._now + seconds
        while True:
            if self._now >= self._next_sweep:
                self._sweep()
            if self._round(0.0 if self._again else max(0.0, min(end, self._next_sweep) - self._now)):
                return True
            if self._now >= end:
                return False

    def shut(self) -> None:
        """Stop accepting for now."""
        self.open = False
        self._watch_door(False)

    def reopen(self) -> None:
        """Accept connections again; begins with the next `wait`."""
        self.open = True

    def close(self) -> None:
        """Stop accepting permanently."""
        self.shut()
        self._door.close()
        # The caller closes the inherited descriptor; meanwhile it must not keep the listening socket open.
        os.dup2(self._waking, self._descriptor)

    def occupied(self) -> bool:
        """True while a connection is open."""
        return bool(self._connections)

    def _obey(self, control: socket.socket | None) -> None:
        if control is not self._control:
            if self._control is not None:
                self._poll.unregister(self._control)
            if control is not None:
                self._poll.register(control, select.EPOLLIN)
            self._control = control

    def _watch_door(self, watching: bool) -> None:
        if watching and not self._watching:
            self._poll.register(self._door, select.EPOLLIN)
        elif self._watching and not watching:
            self._poll.unregister(self._door)
        self._watching = watching

    def _round(self, seconds: float) -> bool:
        """Serve everything that is ready within `seconds`; return True if `control` is readable."""
        door = control = False
        ready = self._poll.poll(seconds)
        self._now = time.monotonic()
        for descriptor, _ in ready:
            connection = self._connections.get(descriptor)
            if connection is not None:
                self._serve(connection)
            elif descriptor == self._waking:
                os.eventfd_read(self._waking)
            elif self._watching and descriptor == self._door.fileno():
                door = True
            else:
                control = True
        if self._returned:
            self._take_back()
        for _ in range(len(self._again)):
            connection = self._again.popleft()
            connection.behind = False
            self._see_to(connection, connection.go_on())
        if door:
            # A few in a round, after the open connections: of two workers, the one with less to do accepts more.
            for _ in range(_AT_ONCE):
                if not self._accept():
                    break
        return control

    def _serve(self, connection: Connection) -> None:
        if connection.behind:
            return
        if connection.watched != select.EPOLLIN:
            self._see_to(connection, connection.go_on())
        elif wants := connection.read(self._buffer, self._now):  # not for INPUT (0), which is watched already
            self._see_to(connection, wants)

    def _see_to(self, connection: Connection, wants: int) -> None:
        match wants:
            case Wants.INPUT:
                self._watch(connection, select.EPOLLIN)
            case Wants.OUTPUT:
                self._watch(connection, select.EPOLLOUT)
            case Wants.A_TURN:
                connection.behind = True
                self._again.append(connection)
            case Wants.A_THREAD:
                # Not even for 0 events: epoll would report an MTA that disconnects, again and again.
                self._watch(connection, 0)
                connection.park(partial(self._return, connection, done=False))
                self._send_to_thread(connection)
            case Wants.THE_END:
                del self._connections[connection.link.fileno()]
                connection.link.close()

    def _watch(self, connection: Connection, events: int) -> None:
        if events == connection.watched:
            return
        if not events:
            self._poll.unregister(connection.link)
        elif connection.watched:
            self._poll.modify(connection.link, events)
        else:
            self._poll.register(connection.link, events)
        connection.watched = events

    def _send_to_thread(self, connection: Connection) -> None:
        try:
            self._threads.submit(self._park, connection)
        except RuntimeError as error:  # it is in the queue of the pool: one of the threads that exist will run it
            self._service.remarks.make(
                (
                    f"cannot start another thread ({error}): connections that wait for DNS or for the disk have to"
                    " share those that are running; raise TasksMax of the service",
                )
            )

    def _park(self, connection: Connection) -> None:
        """In a thread: run the callback, and return the connection to the loop."""
        try:
            connection.act()
        finally:
            self._return(connection, done=True)

    def _return(self, connection: Connection, *, done: bool) -> None:
        """In a thread: tell the loop that the callback has returned (`done`), or that there is something to send."""
        self._returned.append((connection, done))
        os.eventfd_write(self._waking, 1)

    def _take_back(self) -> None:
        for _ in range(len(self._returned)):  # those that return meanwhile come after the other connections
            connection, done = self._returned.popleft()
            if done:
                connection.take_back()
                self._see_to(connection, connection.go_on())
            elif connection.parked:
                with suppress(OSError):  # if the MTA has disconnected, that is noticed when the callback has returned
                    connection.send()

    def _accept(self) -> bool:
        """Accept one connection; return False if there is none, or no descriptor for it."""
        try:
            link, _ = self._door.accept()
            if link.family != socket.AF_UNIX:
                link.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        except OSError as error:
            if error.errno in _SCARCE:  # the next `wait`, after a probe, tries again
                self._watch_door(False)
            return False
        connection = Connection(link, self._open, self._say, self._now)
        self._connections[link.fileno()] = connection
        self._watch(connection, select.EPOLLIN)
        return True

    def _open(self, context: Context) -> Callbacks:
        return Callbacks(context, self._service)

    def _say(self, what: str) -> None:
        self._service.log.say("error", f"milter protocol: {what}")

    def _sweep(self) -> None:
        """Close the connections that have been silent for too long."""
        self._next_sweep = self._now + _SWEEP
        for connection in list(self._connections.values()):
            busy = connection.parked or connection.behind
            if not busy and self._now - connection.heard > _SILENCE:
                self._see_to(connection, connection.end())
