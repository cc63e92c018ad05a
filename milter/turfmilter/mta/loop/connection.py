"""One connection of an MTA: its socket, the bytes that have arrived, and the frames that are not sent yet."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable

from turfmilter.mta.loop.frames import MOST, Broken, Frame, Frames
from turfmilter.mta.loop.session import Open, Session

# These bound the memory of one connection: input is less than one frame and one piece, and output, if the MTA does not
# read, is the answers to the frames of one turn, each of them a reply or the changes to one message.
PIECE = MOST + 5  # bytes read at once: one frame of the greatest length
_TURN = 64  # frames; after so many, the other connections are served first


class Wants:
    """What a connection needs next from the loop.  Plain numbers, as in states.State."""

    INPUT = 0  # to be watched until the MTA sends
    OUTPUT = 1  # to be watched until the MTA reads
    A_TURN = 2  # `go_on` to be called again: more frames have arrived already
    A_THREAD = 3  # `act` to be called in a thread: the callback that is due may have to wait
    THE_END = 4  # to be closed


class Connection:
    """The connection on the socket `link`; `open_` and `say` are those of Session, `now` is the time.

    Only the loop's thread uses it, with one exception: `act` runs in another thread.  The connection is parked
    meanwhile, and the loop calls nothing but `send`.
    """

    def __init__(self, link: socket.socket, open_: Open, say: Callable[[str], None], now: float) -> None:
        self.link = link
        self.heard = now  # when the MTA last sent something (time.monotonic)
        self.watched = 0  # the events (EPOLL*) for which epoll watches it
        self.behind = False  # it waits for A_TURN
        self._say = say
        self._frames = Frames()
        self._unsent = _Unsent()
        self._session = Session(open_, self._unsent.add, say)
        self._due: Frame | None = None  # the frame for `act`; without one, `act` ends the session

    @property
    def parked(self) -> bool:
        """True while another thread may be running `act`."""
        return self._unsent.nudge is not None

    def read(self, buffer: memoryview, now: float) -> int:
        """Read what has arrived, by means of `buffer`, and act on it; return what it Wants next."""
        try:
            size = self.link.recv_into(buffer, 0, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return Wants.INPUT
        except OSError:  # the MTA has disconnected
            size = 0
        if not size:
            return self.end()
        self.heard = now
        self._frames.feed(bytes(buffer[:size]))
        return self.go_on()

    def go_on(self) -> int:
        """Send what is unsent, then act on frames that have arrived; return what it Wants next."""
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
        """Leave the connection to a thread that calls `act`; `nudge` is called there for each frame to be sent."""
        self._unsent.nudge = nudge

    def take_back(self) -> None:
        """Resume the connection after the thread of `park` has ended `act`."""
        self._unsent.nudge = None

    def act(self) -> None:
        """Call the callback that may have to wait; in a thread that has nothing else to do."""
        due, self._due = self._due, None
        if due is None or not self._receive(due):
            self._session.end()

    def send(self) -> None:
        """Send what is unsent, as much as the MTA accepts now.  Raises OSError if it has closed the connection."""
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
        """End the session: the MTA has disconnected, is silent, or sends what cannot be understood."""
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
        """Act on a frame; return False if that failed, so that the session must end."""
        try:
            self._session.receive(*received)
        except Broken:
            return False
        except Exception as error:  # noqa: BLE001 - a fault in one session is not to end the others
            self._say(f"{type(error).__name__}: {error}")
            return False
        return True


class _Unsent:
    """Frames for the MTA that are not sent yet; `nudge` is set while another thread than the loop's may add some.

    It has no reference to the connection: a cycle would remain in memory until the garbage collector runs.
    """

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self.nudge: Callable[[], None] | None = None

    def add(self, frame: bytes) -> None:
        """Append a frame; call `nudge` if it is set."""
        self.frames.append(frame)
        if self.nudge is not None:
            self.nudge()
