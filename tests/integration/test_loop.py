"""The loop in a worker of its own: what libmilter does by itself is done here."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from rig import wait
from rig.milterclient import MilterClient
from rig.ownworker import OwnWorker, service
from turfmilter.config.schema import ProtocolEngine
from turfmilter.core.policy import Generation, Policy
from turfmilter.mta.loop import loop
from turfmilter.mta.loop.loop import Loop
from turfmilter.mta.service import Service
from turfmilter.telemetry.sink import Stream
from turfmilter.telemetry.writer import LogWriter


def plain(log: LogWriter) -> Service:
    """A filter without rules."""
    return service(log, lambda: Generation(Policy(())))


def impatient(log: LogWriter) -> Service:
    """The same, in a worker that looks for silent connections all the time."""
    vars(loop).update(_SILENCE=0.0, _SWEEP=0.001)
    return plain(log)


def test_a_connection_that_is_silent_for_too_long_is_closed(place: Path) -> None:
    with OwnWorker(place, impatient, engine=ProtocolEngine.LOOP) as worker, MilterClient(worker.socket) as client:
        assert client.read_to_end() == b""


def test_a_worker_has_one_thread_for_all_connections(place: Path) -> None:
    with OwnWorker(place, plain, engine=ProtocolEngine.LOOP) as worker:
        clients = [worker.client() for _ in range(50)]
        log_and_loop = 2
        assert len([*Path(f"/proc/{worker.pid}/task").iterdir()]) == log_and_loop
        for client in clients:
            client.quit()
        assert worker.stop() == 0


def test_a_door_that_is_shut_takes_nobody_until_it_is_open_again_and_one_that_is_closed_never_more(place: Path) -> None:
    path = place / "door"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.setblocking(False)
        listening.bind(str(path))
        listening.listen()
        log = LogWriter(Stream((place / "log").open("a")))
        engine = Loop(listening.fileno(), plain(log), lambda _: None)
        engine.shut()
        with MilterClient(path) as client:
            assert not engine.wait(None, 0.0)
            assert (engine.open, engine.occupied()) == (False, False)
            engine.reopen()
            wait.until(lambda: not engine.wait(None, 0.01) and engine.occupied(), "the connection to be taken")
            client.close()
            wait.until(lambda: not engine.wait(None, 0.01) and not engine.occupied(), "its end")
        engine.close()
        with pytest.raises(ConnectionRefusedError):  # no descriptor of the listening socket is left
            MilterClient(path)
