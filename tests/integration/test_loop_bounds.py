"""How much one worker with the loop serves at once, and that its memory stays within what is written about it."""

from __future__ import annotations

import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rig import wait, wire
from rig.filter import make_quarantine
from rig.ownworker import OwnWorker, service
from rig.wire import frame, strings
from turfmilter.config.schema import ProtocolEngine
from turfmilter.core.finding import Action, Finding
from turfmilter.core.policy import Clause, Generation, Policy
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import Recipient, Session
from turfmilter.mta.service import Service
from turfmilter.stores.maildir import Maildir
from turfmilter.telemetry.writer import LogWriter

MB = 1024 * 1024
OFFER = frame(b"O", struct.pack("!III", wire.VERSION, wire.ALL_ACTIONS, wire.ALL_PROTOCOL))
CLIENT = OFFER + frame(b"C", strings("x") + b"4\x9c\x40192.0.2.9\0") + frame(b"H", b"x\0")
ENVELOPE = frame(b"M", strings("<held@out.test>")) + frame(b"R", strings("<b@rig.test>")) + frame(b"T")
CHUNK = frame(b"B", b"x" * wire.CHUNK)
IDLE, HALVES, RECIPIENTS, BODY = 4_000, 300, 50_000, 2 * 1024 * MB


class Held(Rule):
    name = "held"
    stages = frozenset({Stage.MAIL, Stage.RCPT, Stage.END})
    measures = True

    def at_mail(self, session: Session) -> Finding | None:
        """A finding for a sender of that name."""
        held = session.envelope is not None and "held" in session.envelope.sender.text
        return Finding(self.name, "sender") if held else None

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:  # noqa: ARG002
        """No finding."""
        return None

    def at_end(self, session: Session) -> Finding | None:  # noqa: ARG002
        """No finding."""
        return None


@pytest.fixture
def worker(place: Path) -> Iterator[OwnWorker]:
    """A worker that holds what `held` sends, and may have as many files as this test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * IDLE), max(hard, 2 * IDLE)))
    quarantine = Maildir(make_quarantine(place / "quarantine"))
    generation = Generation(Policy((Clause(Held(), Action.HOLD),), quarantine=quarantine))

    def make(log: LogWriter) -> Service:
        return service(log, lambda: generation)

    try:
        with OwnWorker(place, make, engine=ProtocolEngine.LOOP) as running:
            yield running
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def anonymous(worker: OwnWorker) -> float:
    """The worker's own memory in MB."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


def peak(worker: OwnWorker) -> float:
    """The most memory that the worker has had so far, in MB."""
    status = Path(f"/proc/{worker.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def begun(worker: OwnWorker, data: bytes) -> socket.socket:
    """A connection on which `data` was sent after the negotiation, which was answered."""
    link = socket.socket(socket.AF_UNIX)
    link.settimeout(wait.AMPLE)
    link.connect(str(worker.socket))
    link.sendall(data)
    assert link.recv(5)[4:] == b"O"
    return link


def serves(worker: OwnWorker) -> None:
    """One session more."""
    with worker.client() as client:
        assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"


def test_4000_idle_connections_cost_less_than_40_mb(worker: OwnWorker) -> None:
    serves(worker)
    before = anonymous(worker)
    with ExitStack() as ending:
        for _ in range(IDLE):
            ending.enter_context(begun(worker, OFFER))
        serves(worker)
        assert anonymous(worker) - before < 40
    assert worker.stop() == 0


def test_300_half_sent_bodies_cost_less_than_128_kib_each(worker: OwnWorker) -> None:
    serves(worker)
    before = anonymous(worker)
    with ExitStack() as ending:
        for _ in range(HALVES):
            ending.enter_context(begun(worker, CLIENT + ENVELOPE + frame(b"N") + CHUNK[:-5]))
        serves(worker)
        assert anonymous(worker) - before < HALVES / 8
    assert worker.stop() == 0


def test_50000_recipients_are_answered_one_by_one_and_cost_less_than_700_bytes_each(worker: OwnWorker) -> None:
    with worker.client() as client:
        client.mail("<a@out.test>")
        before = anonymous(worker)
        many = 50
        for first in range(0, RECIPIENTS, many):
            client.send(b"".join(frame(b"R", strings(f"<r{n}@rig.test>")) for n in range(first, first + many)))
            assert [client.read_frame() for _ in range(many)] == [(b"c", b"")] * many
        assert anonymous(worker) - before < 32
        assert client.data().goes_on
        serves(worker)
        client.quit()
    assert worker.stop() == 0


def test_a_body_of_2_gib_takes_no_more_memory_than_a_small_one(worker: OwnWorker) -> None:
    serves(worker)
    before = peak(worker)
    with worker.client() as client:
        client.mail("<a@out.test>")
        client.rcpt("<b@rig.test>")
        client.data()
        client.eoh()
        many = 32
        for _ in range(BODY // wire.CHUNK // many + 1):
            client.send(CHUNK * many)
            assert [client.read_frame() for _ in range(many)] == [(b"c", b"")] * many
        assert str(client.eom()) == "accept"
        client.quit()
    assert peak(worker) - before < 8
    assert worker.stop() == 0
