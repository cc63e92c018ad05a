"""Whether libmilter serves: it is asked before any MTA is, through a socket that only we know."""

from __future__ import annotations

import os
import secrets
import socket
import struct
from types import TracebackType
from typing import Self

_PATIENCE = 20.0  # seconds that the first answer may take, on a machine that is busy
# Version 6 of the protocol, every action and every event, as current MTAs offer them.
_OFFER = struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)
_QUIT = struct.pack("!Ic", 1, b"Q")


class Rehearsal:
    """Within it another socket lies behind the descriptor `listening`; at its end the real one is back."""

    def __init__(self, listening: int) -> None:
        self._listening = listening
        self._real = os.dup(listening)
        with socket.socket(fileno=os.dup(listening)) as real:
            self._stage = _listener(real.family)  # libmilter refuses connections of another family
        self._address = self._stage.getsockname()

    def __enter__(self) -> Self:
        os.dup2(self._stage.fileno(), self._listening)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.dup2(self._real, self._listening)
        # libmilter may still wait at the old socket, for seconds; one more connection there makes it look again.
        with socket.socket(self._stage.family, socket.SOCK_STREAM) as waking:
            waking.setblocking(False)
            waking.connect_ex(self._address)
        self._stage.close()
        os.close(self._real)

    def negotiate(self) -> None:
        """Begin a session as an MTA does, and end it.  Raises OSError when there is no answer."""
        with socket.socket(self._stage.family, socket.SOCK_STREAM) as mta:
            mta.settimeout(_PATIENCE)
            mta.connect(self._address)
            mta.sendall(_OFFER)
            if mta.recv(5)[4:] != b"O":
                raise ConnectionError("the negotiation with libmilter failed")
            mta.sendall(_QUIT)
            while mta.recv(4096):
                pass


def _listener(family: int) -> socket.socket:
    """A listening socket whose address nobody else knows."""
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setblocking(False)
    if family == socket.AF_UNIX:
        listening.bind(f"\0{secrets.token_hex(16)}")
    else:
        listening.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
    listening.listen(8)
    return listening
