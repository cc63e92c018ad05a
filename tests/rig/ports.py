"""Free TCP ports on loopback."""

from __future__ import annotations

import os
import random
import socket
from itertools import cycle

_ALL = range(20000, 32000)  # below those that the kernel gives to outgoing connections
_SLOTS = 20


def _ours() -> cycle[int]:
    """The ports of this process, in an order of its own.

    A port that was found free is taken by its server a moment later.  Meanwhile it must not be given away again, in
    this process or, as far as possible, in another one that runs tests.
    """
    slot = list(_ALL[os.getpid() % _SLOTS :: _SLOTS])
    random.shuffle(slot)
    return cycle(slot)


_PORTS = _ours()


def free_port() -> int:
    """A port of 127.0.0.1 on which no program listens; the next calls return other ones."""
    while True:
        port = next(_PORTS)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
