"""A service manager for a machine that runs no systemd: `systemctl` starts what the unit files in /etc describe."""

from __future__ import annotations

import json
import signal
import socketserver
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from rig.server import Program, Server
from rig.unit import Unit

UNITS = Path("/etc/systemd/system")
_SOCKET = Path("/run/services")
# What the administrator calls: sends its arguments, prints the answer, exits with its first word.
_SYSTEMCTL = f"""\
#!{sys.executable}
import json, socket, sys
with socket.socket(socket.AF_UNIX) as manager:
    manager.connect("{_SOCKET}")
    manager.sendall(json.dumps(sys.argv[1:]).encode() + b"\\n")
    status, said = json.loads(manager.makefile().read())
print(said, end="")
sys.exit(status)
"""


class Services(Server):
    """Inside a machine of the test's own; what still runs at its end is stopped.

    `ready` says when the service turfmilter serves.  Services that are not in /etc/systemd/system are the machine's
    own: `others` has a function for each, which is called with the verb ("restart", "reload").
    """

    def __init__(self, place: Path, ready: Callable[[], bool], others: dict[str, Callable[[str], None]]) -> None:
        self._output = place / "services.log"
        self.ready = ready
        self._others = others
        self._running: dict[str, Program] = {}
        self._sockets: set[str] = set()  # services whose socket is enabled

    def start(self) -> None:
        """Install `systemctl`, and answer it."""
        services = self

        class Asked(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(json.dumps(services._answer(json.loads(self.rfile.readline()))).encode())

        _SOCKET.unlink(missing_ok=True)
        self._server = socketserver.UnixStreamServer(str(_SOCKET), Asked)
        program = Path("/usr/local/sbin/systemctl")
        program.write_text(_SYSTEMCTL)
        program.chmod(0o755)
        # A thread that begins here is in this machine's namespaces, and so are its children.
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop all services, and answer no more."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for process in self._running.values():
            process.stop()

    def _answer(self, arguments: list[str]) -> tuple[int, str]:
        verb, *names = [word for word in arguments if not word.startswith("--")]
        try:
            for name in names:
                self._do(verb, name.removesuffix(".service"), now="--now" in arguments)
        except (AssertionError, LookupError, OSError, RuntimeError) as error:
            return 1, f"{type(error).__name__}: {error}\n"
        return 0, "".join(f"{name}: running\n" for name in names if verb == "status")

    def _do(self, verb: str, name: str, *, now: bool) -> None:
        if name in self._others:
            self._others[name](verb)
            return
        service = not name.endswith((".timer", ".socket"))
        unit = UNITS / (f"{name}.service" if service else name)
        assert unit.exists(), f"Unit {unit.name} not found."
        if name.endswith(".socket"):
            (self._sockets.add if verb == "enable" else self._sockets.discard)(name.removesuffix(".socket"))
        if not service:
            return
        if verb in ("stop", "restart") or (verb == "disable" and now):
            self._stop(name)
        if verb in ("start", "restart") or (verb == "enable" and now):
            self._running[name] = self._program(name)
            self._running[name].start()
        if verb == "reload":
            self._running[name].process.send(signal.SIGHUP)
        assert verb != "status" or name in self._running, f"{name} is not running"

    def _program(self, name: str) -> Program:
        program = Unit(UNITS / f"{name}.service").program(self._output, self.ready)
        if name not in self._sockets:
            return program
        listening = Unit(UNITS / f"{name}.socket")["ListenStream"]
        command = ["systemd-socket-activate", "-l", listening, "--", *program.process.command]
        return Program(command, self._output, self.ready)

    def _stop(self, name: str) -> None:
        if name in self._running:
            assert self._running.pop(name).stop() == 0
