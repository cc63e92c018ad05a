"""A milter that is not turfmilter: one of the pymilter programs of this directory."""

from __future__ import annotations

import sys
from pathlib import Path

from rig import wait
from rig.link import accepts
from rig.server import Program

SCRIPTED = Path(__file__).with_name("scriptedfilter.py")
ECHO = Path(__file__).with_name("echofilter.py")


class OtherFilter(Program):
    """The pymilter program `script` at `socket` (unix:PATH, inet:PORT@HOST), which every user may connect to."""

    def __init__(self, script: Path, socket: str, output: Path, *arguments: str) -> None:
        super().__init__([sys.executable, script, socket, *arguments], output, lambda: accepts(socket))
        self.socket = socket

    def start(self, seconds: float = wait.AMPLE) -> None:
        """Start it, and return when it accepts connections."""
        super().start(seconds)
        if self.socket.startswith("unix:"):
            Path(self.socket.removeprefix("unix:")).chmod(0o666)

    def stop(self, seconds: float = wait.AMPLE) -> int:  # noqa: ARG002
        """Kill it: libmilter itself takes seconds to obey TERM."""
        self.kill()
        return 0
