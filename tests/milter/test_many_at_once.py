"""Connections that wait, say nothing, send half of what they announce or do not read: the others are served."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rig import wait, wire
from rig.engine import ENGINE
from rig.filter import Filter, Filters
from rig.milterclient import MilterClient
from rig.ownworker import OwnWorker, service
from rig.wire import frame, strings
from turfmilter.config.schema import ProtocolEngine
from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.finding import Action, Finding
from turfmilter.core.policy import Clause, Generation, Policy
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import ClientNames, Recipient, Session, UnderWay
from turfmilter.mta.service import Service
from turfmilter.telemetry.writer import LogWriter

HELD = """
domains = ["rig.test"]
[relay]
allow = []
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
"""


def spam(client: MilterClient) -> str:
    return str(client.message("<spam@turf.test>", ["<b@rig.test>"]).end)


class Named(Rule):
    name = "named"
    stages = frozenset({Stage.RCPT})
    needs_names = True

    def asks_names(self, session: Session) -> bool:
        """True for one network: the others have names that nobody needs."""
        return str(session.connection.client).startswith("198.51.100.")

    def at_rcpt(self, session: Session, _recipient: Recipient) -> Finding | None:
        """A finding for a client of that network without a name."""
        if not self.asks_names(session):
            return None
        return None if session.connection.names.result().confirmed else Finding(self.name, "none")


class Silent(UnderWay):
    """A look-up of a client's name that has no answer before the test gives it, for all clients at once."""

    def __init__(self, gate: int) -> None:
        self._gate = gate

    @property
    def pending(self) -> bool:
        return not select.select([self._gate], [], [], 0)[0]

    def result(self) -> ClientNames:
        select.select([self._gate], [], [])
        return ClientNames(("known.out.test",), ("known.out.test",))


class NameServer:
    """Implements ports.Names; in the worker nobody's name is known until `answer` is called in the test."""

    def __init__(self) -> None:
        self._gate, self._answer = os.pipe()

    def begin(self, address: IPAddress) -> UnderWay:  # noqa: ARG002
        """Every look-up waits."""
        return Silent(self._gate)

    def answer(self) -> None:
        """Let all of them end."""
        os.write(self._answer, b".")


class Unanswered:
    """A worker that asks a name server which does not answer."""

    def __init__(self, place: Path, engine: ProtocolEngine = ENGINE) -> None:
        self.names = NameServer()
        self.worker = OwnWorker(place, self._service, engine=engine)

    def client(self, address: str) -> MilterClient:
        """A connection behind its MAIL; the MTA has no name for the client."""
        client = MilterClient(self.worker.socket)
        client.negotiate()
        client.connect(f"[{address}]", address, macros={"client_resolve": "FAIL"})
        client.helo("x")
        client.mail("<a@out.test>")
        return client

    def _service(self, log: LogWriter) -> Service:
        generation = Generation(Policy((Clause(Named(), Action.REJECT),)))
        return service(log, lambda: generation, names=self.names)


@pytest.fixture
def unanswered(place: Path) -> Iterator[Unanswered]:
    asking = Unanswered(place)
    with asking.worker:
        yield asking


def has_answered(client: MilterClient) -> bool:
    return bool(select.select([client], [], [], 0)[0])


def test_eight_that_wait_for_dns_do_not_hold_up_eight_others(place: Path) -> None:
    """A promise of the loop: libmilter may start the threads for the others seconds later."""
    unanswered = Unanswered(place, ProtocolEngine.LOOP)
    with unanswered.worker, ExitStack() as ending:
        slow = [ending.enter_context(unanswered.client(f"198.51.100.{n}")) for n in range(8)]
        quick = [ending.enter_context(unanswered.client(f"192.0.2.{n}")) for n in range(8)]
        for client in slow:
            client.send_frame(b"R", strings("<b@rig.test>"))
        for client in quick:
            assert str(client.rcpt("<b@rig.test>")) == "continue"
            assert str(client.eom()) == "accept"
        assert not any(map(has_answered, slow))
        unanswered.names.answer()
        assert [str(client.read_answer()) for client in slow] == ["continue"] * 8
        for client in (*slow, *quick):
            client.quit()


def test_what_follows_a_command_that_waits_is_answered_after_it(unanswered: Unanswered) -> None:
    recipients = [frame(b"R", strings(f"<r{number}@rig.test>")) for number in range(100)]
    with unanswered.client("198.51.100.1") as client:
        client.send(b"".join([*recipients, frame(b"H", strings("again")), frame(b"U", strings("FOO"))]))
        assert not has_answered(client)
        unanswered.names.answer()
        client.send_frame(b"Q")
        # HELO is not answered, by agreement, and an unknown command always is.
        assert client.read_to_end() == frame(b"c") * 101


def test_an_mta_that_hangs_up_while_its_command_waits_leaves_nothing_behind(unanswered: Unanswered) -> None:
    for number in range(8):
        with unanswered.client(f"198.51.100.{number}") as client:
            client.send_frame(b"R", strings("<b@rig.test>"))
    unanswered.names.answer()
    assert unanswered.worker.stop() == 0
    assert "connections still open" not in unanswered.worker.log()


def test_connections_that_say_nothing_or_stop_within_a_body_hold_up_nobody(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    with ExitStack() as ending:
        for number in range(400):
            client = ending.enter_context(turf.client())
            if number % 2:
                client.greet()
            if number % 8 == 1:
                client.mail("<spam@turf.test>")
                client.rcpt("<b@rig.test>")
                client.data()
                client.eoh()
                client.send(struct.pack("!I", 60_001) + b"B" + b"x" * 30_000)
        with turf.session() as other:
            assert spam(other) == "discard"
        turf.wait_for_status(lambda seen: seen["sessions_open"] == 200)
    turf.wait_for_status(lambda seen: seen["sessions_open"] == 0)
    assert len(turf.held()) == 1
    wait.until(lambda: not turf.unfinished(), "the end of what was begun")


def pushed(turf: Filter, client: socket.socket, data: bytes) -> int:
    """How many bytes of `data` the filter takes from a client that reads nothing, while others are served."""
    client.setblocking(False)
    done, idle = 0, 0
    while idle < 3 and done < len(data):
        try:
            done += client.send(data[done : done + 65_536])
            idle = 0
        except BlockingIOError:
            idle += 1
            with turf.session() as other:
                assert str(other.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"
    return done


def test_an_mta_that_does_not_read_is_not_read_either_and_gets_all_its_answers_at_last(filters: Filters) -> None:
    turf = filters(HELD)
    refused = frame(b"R", strings("<c@elsewhere.test>"))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(turf.socket))
        offer = struct.pack("!III", wire.VERSION, wire.ALL_ACTIONS, wire.ALL_PROTOCOL)
        client.sendall(frame(b"O", offer) + frame(b"C", strings("x") + b"4\0\x19192.0.2.9\0") + frame(b"H", b"x\0"))
        client.sendall(frame(b"M", strings("<a@out.test>")))
        data = refused * 500_000
        taken = pushed(turf, client, data)
        assert taken < len(data) // 4
        client.settimeout(wait.AMPLE)
        whole = taken // len(refused)
        answer = frame(b"y", strings("550 5.7.1 relaying prohibited"))
        with client.makefile("rb") as answers:
            head = answers.read(4)
            answers.read(int.from_bytes(head, "big"))
            for _ in range(whole):
                assert answers.read(len(answer)) == answer
