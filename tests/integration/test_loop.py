"""The loop in a worker of its own: what libmilter does by itself is done here."""

from __future__ import annotations

import os
import resource
import select
import socket
import struct
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rig import wait, wire
from rig.child import become
from rig.milterclient import MilterClient
from rig.ownworker import OwnWorker, service
from rig.watched import said
from rig.wire import frame, strings
from turfmilter.config.schema import ProtocolEngine
from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.finding import Action, Finding
from turfmilter.core.policy import Clause, Generation, Policy
from turfmilter.core.ports import Names
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import ClientNames, Recipient, Session, UnderWay
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
    vars(loop).update(_SILENCE=0.0, _SWEEP=0.0)
    return plain(log)


OFFER = frame(b"O", struct.pack("!III", wire.VERSION, wire.ALL_ACTIONS, wire.ALL_PROTOCOL))
CLIENT = frame(b"C", strings("x") + b"4\x9c\x40192.0.2.9\0")
UNKNOWN, RCPT, MAIL = (
    frame(b"U", strings("FOO")),
    frame(b"R", strings("<b@rig.test>")),
    frame(b"M", strings("<a@b.test>")),
)


class Named(Rule):
    name = "named"
    stages = frozenset({Stage.RCPT})
    needs_names = True

    def at_rcpt(self, session: Session, _recipient: Recipient) -> Finding | None:
        """No finding, once the name is known."""
        return None if session.connection.names.result().confirmed else Finding(self.name, "none")


class Silent(UnderWay):
    """A look-up that may have to wait, and ends when the test lets all of them end."""

    pending = True

    def __init__(self, gate: int) -> None:
        self._gate = gate

    def result(self) -> ClientNames:
        select.select([self._gate], [], [])
        return ClientNames(("known.out.test",), ("known.out.test",))


class Asked(Names):
    """A name server that is asked about each client, and calls `then` when it is."""

    def __init__(self, then: Callable[[], object] = lambda: None) -> None:
        self._then = then
        self._gate, self._answer = os.pipe()

    def begin(self, address: IPAddress) -> UnderWay:  # noqa: ARG002
        """For any client."""
        self._then()
        return Silent(self._gate)

    def answer(self) -> None:
        """Let all look-ups end, those to come at once."""
        os.write(self._answer, b".")


def asking(log: LogWriter, names: Asked) -> Service:
    """A filter in which each command may have to wait."""
    generation = Generation(Policy((Clause(Named(), Action.REJECT),)))
    return service(log, lambda: generation, names=names)


def without_threads() -> None:
    """No new thread can be started in this process from now on."""
    if os.getuid() == 0:
        become("nobody")
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A socket for an engine in this very process."""
    with socket.socket(socket.AF_UNIX) as door:
        door.setblocking(False)
        door.bind(str(path))
        door.listen()
        yield door


def connected(path: Path, data: bytes) -> socket.socket:
    """A connection on which `data` was sent."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(str(path))
    link.sendall(data)
    return link


def test_a_connection_that_is_silent_for_too_long_is_closed(place: Path) -> None:
    with OwnWorker(place, impatient, engine=ProtocolEngine.LOOP) as worker, MilterClient(worker.socket) as client:
        assert client.read_to_end() == b""


def test_what_has_arrived_is_answered_before_a_silent_connection_is_closed(place: Path) -> None:
    with OwnWorker(place, impatient, engine=ProtocolEngine.LOOP) as worker, MilterClient(worker.socket) as client:
        client.send(OFFER + CLIENT + UNKNOWN * 2000)
        client.read_frame()
        assert client.read_to_end() == frame(b"a") + frame(b"c") * 2000
        assert worker.stop() == 0


def test_a_worker_has_one_thread_for_all_connections(place: Path) -> None:
    with OwnWorker(place, plain, engine=ProtocolEngine.LOOP) as worker:
        clients = [worker.client() for _ in range(50)]
        log_loop_and_one_for_what_waits = 3
        assert len([*Path(f"/proc/{worker.pid}/task").iterdir()]) == log_loop_and_one_for_what_waits
        for client in clients:
            client.quit()
        assert worker.stop() == 0


def test_connections_that_wait_are_served_when_no_thread_can_be_started(place: Path) -> None:
    names = Asked(without_threads)
    with OwnWorker(place, lambda log: asking(log, names), engine=ProtocolEngine.LOOP) as worker:
        clients = [connected(worker.socket, OFFER + CLIENT + MAIL + RCPT * 20 + frame(b"Q")) for _ in range(10)]
        worker.wait_for_log("can't start new thread")
        names.answer()
        assert [answers.count(frame(b"c")) for answers in said(clients)] == [21] * 10  # MAIL and RCPT
        assert worker.stop() == 0
    assert worker.log().count("can't start new thread") == 1


def asleep(worker: OwnWorker) -> bool:
    """True while its loop waits for something to do."""
    return Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


def test_bursts_after_idle_time_of_which_half_has_to_wait_delay_no_others(place: Path) -> None:
    names = Asked()
    with OwnWorker(place, lambda log: asking(log, names), engine=ProtocolEngine.LOOP) as worker:
        quick = [worker.client() for _ in range(8)]
        bursts = [[connected(worker.socket, OFFER + CLIENT + MAIL) for _ in range(8)] for _ in range(3)]
        for client in quick:
            client.mail("<a@out.test>")
        for slow in bursts:
            wait.until(lambda: asleep(worker), "the worker to have nothing to do")
            for client, other in zip(quick, slow, strict=True):
                other.sendall(RCPT)
                client.send(RCPT)
            assert [client.read_frame() for client in quick] == [(b"c", b"")] * 8
        names.answer()
        assert [answers.count(frame(b"c")) for slow in bursts for answers in said(slow)] == [2] * 24
        for client in quick:
            client.quit()
        assert worker.stop() == 0


class AtOnce(Executor):
    """Threads that are quicker than the loop: what is submitted is done at once."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:  # type: ignore[override]
        """Call it."""
        call(*arguments, **named)
        return Future()


def test_a_connection_whose_commands_wait_all_the_time_leaves_others_their_turn(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "ThreadPoolExecutor", AtOnce)
    path = place / "door"
    with listening(path) as door:
        names = Asked()
        names.answer()
        log = LogWriter(Stream((place / "log").open("a")))
        engine = Loop(door.fileno(), asking(log, names), lambda _: None)
        with connected(path, OFFER + CLIENT + MAIL + RCPT * 3000) as waiting, connected(path, OFFER) as other:
            for _ in range(10):
                assert not engine.wait(None, 0.0)
            assert other.recv(65_536, socket.MSG_DONTWAIT)[4:5] == b"O"
            assert waiting.recv(65_536, socket.MSG_DONTWAIT).count(frame(b"c")) < 20
        engine.close()


def test_a_door_that_is_shut_takes_nobody_until_it_is_open_again_and_one_that_is_closed_never_more(place: Path) -> None:
    path = place / "door"
    with listening(path) as door:
        log = LogWriter(Stream((place / "log").open("a")))
        engine = Loop(door.fileno(), plain(log), lambda _: None)
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
