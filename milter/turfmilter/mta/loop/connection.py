"""One connection of an MTA: its socket, what has arrived, and what is still to be sent."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from turfmilter.mta.loop.frames import MOST, Broken, Frame, Frames
from turfmilter.mta.loop.session import Open, Session

# What one connection may cost in memory: of what has arrived less than a frame and a piece, of what the MTA does not
# read the answers of one turn, each of them a reply or the changes to a message.
PIECE = MOST + 5  # bytes read at once: a frame of the longest kind
_TURN = 64  # frames; then others are served first, however many have arrived


class Wants:
    """What a connection waits for, or should be done with it.  Plain numbers, as in states.State."""

    INPUT = 0
    OUTPUT = 1  # that the MTA reads
    A_TURN = 2  # more has arrived already
    A_THREAD = 3  # that may wait for the callback which is due: `act` is to be called there
    THE_END = 4


class Connection:
    """The connection on the socket `link`.

    All of it belongs to the loop's thread, but for `act`, which another thread runs: meanwhile the connection is
    parked, and only `send` may be called.
    """

    def __init__(self, link: socket.socket, open_: Open, say: Callable[[str], None], now: float) -> None:
        self.link = link
        self.heard = now  # when the MTA last sent something, on the clock of time.monotonic
        self.watched = 0  # for what events, EPOLL*
        self.behind = False  # more has arrived than it has acted on
        self._say = say
        self._frames = Frames()
        self._unsent = _Unsent()
        self._session = Session(open_, self._unsent.add, say)
        self._due: Frame | None = None  # for `act`, which ends the session if there is none

    @property
    def parked(self) -> bool:
        """True while another thread may run `act`."""
        return self._unsent.nudge is not None

    def read(self, buffer: memoryview, now: float) -> int:
        """Take in what has arrived, and act on it; what it Wants then."""
        try:
            size = self.link.recv_into(buffer, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return Wants.INPUT
        except OSError:  # the MTA has gone
            size = 0
        if not size:
            return self.end()
        self.heard = now
        self._frames.feed(bytes(buffer[:size]))
        return self.go_on()

    def go_on(self) -> int:
        """Send what is to be sent; when the MTA has read all of it, act on what has arrived already."""
        unsent = self._unsent.frames
        try:
            if unsent:
                self.send()
                if unsent:
                    return Wants.OUTPUT
            wants = self._turn()
            if unsent:
                self.send()
        except OSError:
            return self.end()
        return Wants.OUTPUT if unsent and wants != Wants.A_THREAD else wants

    def park(self, nudge: Callable[[], None]) -> None:
        """Leave it to another thread, which calls `act`, and `nudge` if there is something to send meanwhile."""
        self._unsent.nudge = nudge

    def take_back(self) -> None:
        """That thread is done."""
        self._unsent.nudge = None

    def act(self) -> None:
        """Have the callback called that may wait; in a thread that has nothing else to do."""
        due, self._due = self._due, None
        if due is None or not self._receive(due):
            self._session.end()

    def send(self) -> None:
        """Send what is to be sent, as much as the MTA takes.  Raises OSError if it has gone."""
        frames = self._unsent.frames
        while frames:
            data = b"".join([frames.popleft() for _ in range(len(frames))])
            try:
                sent = self.link.send(data, socket.MSG_DONTWAIT)
            except BlockingIOError:
                sent = 0
            if sent < len(data):
                frames.appendleft(data[sent:])
                return

    def end(self) -> int:
        """Give up the session: the MTA has gone, is silent, or sends what cannot be understood."""
        if self._session.may_wait():
            return Wants.A_THREAD
        self._session.end()
        return Wants.THE_END

    def _turn(self) -> int:
        session = self._session
        for _ in range(_TURN):
            if session.over:
                return Wants.THE_END
            try:
                received = self._frames.next()
            except Broken:
                return self.end()
            if received is None:
                return Wants.INPUT
            if session.may_wait(received[0]):
                self._due = received
                return Wants.A_THREAD
            if not self._receive(received):
                return self.end()
        return Wants.THE_END if session.over else Wants.A_TURN

    def _receive(self, received: Frame) -> bool:
        """Act on a frame; False if that cannot be done, so that the session has to end."""
        try:
            self._session.receive(*received)
        except Broken:
            return False
        except Exception as error:  # noqa: BLE001 - a fault in one session is not to end the others
            self._say(f"{type(error).__name__}: {error}")
            return False
        return True


class _Unsent:
    """Frames for the MTA; `add` may be called in another thread than the loop's, which is then nudged.

    It knows nothing of the connection: what held each other would stay in memory until garbage is collected.
    """

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self.nudge: Callable[[], None] | None = None

    def add(self, frame: bytes) -> None:
        """One more."""
        self.frames.append(frame)
        if self.nudge is not None:
            self.nudge()
