"""A slow disk: progress messages keep the MTA waiting, and it receives no answer before the message is safe."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import wait, wire
from rig.filter import make_quarantine, read_held
from rig.milterclient import MilterClient
from rig.ownworker import OwnWorker, service
from rig.wire import frame, strings
from turfmilter.core.finding import Action, Finding
from turfmilter.core.policy import Clause, Generation, Policy
from turfmilter.core.ports import Draft, Quarantine, QuarantineError
from turfmilter.core.report import Slip
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import Session
from turfmilter.mta.service import Service
from turfmilter.stores.maildir import Maildir
from turfmilter.telemetry.writer import LogWriter


class Everybody(Rule):
    name = "everybody"
    stages = frozenset({Stage.MAIL})

    def at_mail(self, session: Session) -> Finding | None:
        """Hold whatever its sender does not call quick."""
        quick = session.envelope is None or "quick" in session.envelope.sender.text
        return None if quick else Finding(self.name, "sender")


class Gate:
    """Where commits in the worker wait for the test."""

    def __init__(self) -> None:
        self._arrivals, self._arrive = os.pipe()
        self._wait, self._let = os.pipe()

    def passes(self) -> bool:
        """In the worker: wait; False when the disk is to fail."""
        os.write(self._arrive, b".")
        return os.read(self._wait, 1) == b"+"

    def wait_for_one(self) -> None:
        """Return when a commit has begun."""
        os.read(self._arrivals, 1)

    def open(self, *, fails: bool = False) -> None:
        """Let one commit go on."""
        os.write(self._let, b"-" if fails else b"+")


class SlowDraft(Draft):
    def __init__(self, inner: Draft, gate: Gate, *, slow_to_remove: bool) -> None:
        self._inner = inner
        self._gate = gate
        self._slow_to_remove = slow_to_remove

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def commit(self) -> str:
        if not self._gate.passes():
            self._inner.abandon()
            raise QuarantineError("the disk gave up", full=False)
        return self._inner.commit()

    def abandon(self) -> None:
        if self._slow_to_remove:
            self._gate.passes()
        self._inner.abandon()


class SlowQuarantine(Quarantine):
    def __init__(self, inner: Quarantine, gate: Gate, *, slow_to_remove: bool) -> None:
        self._inner = inner
        self._gate = gate
        self._slow_to_remove = slow_to_remove

    def open(self, slip: Slip) -> Draft:
        return SlowDraft(self._inner.open(slip), self._gate, slow_to_remove=self._slow_to_remove)


class SlowDisk:
    """A worker whose quarantine waits for us to commit a message, and if so wanted to remove half of one."""

    def __init__(self, place: Path, drain_seconds: float = 10.0, *, slow_to_remove: bool = False) -> None:
        self.quarantine = make_quarantine(place / "quarantine")
        self.gate = Gate()
        self._slow_to_remove = slow_to_remove
        self.worker = OwnWorker(place, self._service, drain_seconds=drain_seconds)

    def _service(self, log: LogWriter) -> Service:
        quarantine = SlowQuarantine(Maildir(self.quarantine), self.gate, slow_to_remove=self._slow_to_remove)
        generation = Generation(Policy((Clause(Everybody(), Action.HOLD),), quarantine=quarantine))
        return service(log, lambda: generation)

    def held(self) -> list[Path]:
        """The messages that are visible."""
        return list((self.quarantine / "new").iterdir())


@pytest.fixture
def disk(place: Path) -> Iterator[SlowDisk]:
    slow = SlowDisk(place)
    with slow.worker:
        yield slow


def up_to_its_body(client: MilterClient) -> None:
    """A message without its end."""
    client.mail("<a@out.test>")
    client.rcpt("<b@rig.test>")
    client.data()
    client.header("Subject", " x")
    client.eoh()
    client.body(b"body\r\n")


def up_to_its_end(client: MilterClient) -> None:
    """A whole message, without waiting for the answer to its end."""
    up_to_its_body(client)
    client.send_frame(b"E")


def test_the_mta_gets_signs_of_life_until_the_message_is_safe(disk: SlowDisk) -> None:
    with disk.worker.client() as client:
        up_to_its_end(client)
        assert client.read_frame() == (b"p", b"")
        assert disk.held() == []
        disk.gate.open()
        assert str(client.read_answer(wire.ALL_ACTIONS)) == "discard"
        assert [read_held(path).message for path in disk.held()] == [b"Subject: x\r\n\r\nbody\r\n"]
        client.quit()
    assert disk.worker.stop() == 0


def test_a_disk_that_fails_after_a_long_time_is_reported(disk: SlowDisk) -> None:
    with disk.worker.client() as client:
        up_to_its_end(client)
        disk.gate.wait_for_one()
        disk.gate.open(fails=True)
        answer = client.read_answer(wire.ALL_ACTIONS)
        assert str(answer) == "451 4.3.0 cannot take the message at the moment, try again later"
        client.quit()
    assert disk.held() == list((disk.quarantine / "tmp").iterdir()) == []


@pytest.mark.parametrize(
    "end",
    [
        *(frame(b"A"), frame(b"H", b"x\0"), frame(b"M", b"<a@out.test>\0"), frame(b"L", strings("X", " y"))),
        *(frame(b"O", bytes(12)), frame(b"U", b"FOO\0"), frame(b"K"), frame(b"T"), frame(b"Q"), frame(b"R")),
        *(frame(b"D"), frame(b"Z"), frame(b"B"), b"\0\0\0\0Z", b"\x7f\xff\xff\xffB", b""),
    ],
)
def test_others_are_served_while_half_of_a_message_is_removed(place: Path, end: bytes) -> None:
    disk = SlowDisk(place, slow_to_remove=True)
    with disk.worker, disk.worker.client() as slow, disk.worker.client() as quick:
        up_to_its_body(slow)
        if end:
            slow.send(end)
        else:
            slow.close()
        disk.gate.wait_for_one()
        assert str(quick.message("<quick@out.test>", ["<b@rig.test>"]).end) == "accept"
        quick.quit()
        disk.gate.open()
        slow.close()
        assert disk.worker.stop() == 0
    assert disk.held() == list((disk.quarantine / "tmp").iterdir()) == []


def test_others_are_served_while_one_waits_for_the_disk(disk: SlowDisk) -> None:
    with disk.worker.client() as slow, disk.worker.client() as quick:
        up_to_its_end(slow)
        disk.gate.wait_for_one()
        assert str(quick.message("<quick@out.test>", ["<b@rig.test>"]).end) == "accept"
        quick.quit()
        disk.gate.open()
        assert str(slow.read_answer(wire.ALL_ACTIONS)) == "discard"
        slow.quit()


def test_an_mta_that_does_not_wait_may_send_the_message_twice_but_never_loses_it(disk: SlowDisk) -> None:
    with disk.worker.client() as client:
        up_to_its_end(client)
        disk.gate.wait_for_one()
    disk.gate.open()
    wait.until(disk.held, "the message in quarantine")
    with disk.worker.client() as client:
        up_to_its_end(client)
        disk.gate.open()
        assert str(client.read_answer(wire.ALL_ACTIONS)) == "discard"
        client.quit()
    assert len(disk.held()) == 2
    assert disk.worker.stop() == 0
    assert "connections still open" not in disk.worker.log()


@pytest.mark.parametrize("the_mta_waits", [True, False])
def test_the_process_does_not_end_before_the_disk_is_ready(disk: SlowDisk, the_mta_waits: bool) -> None:
    with disk.worker.client() as client:
        up_to_its_end(client)
        disk.gate.wait_for_one()
        disk.worker.order_to_stop()
        if the_mta_waits:
            disk.gate.open()
            assert str(client.read_answer(wire.ALL_ACTIONS)) == "discard"
            client.quit()
        else:
            client.close()
            disk.gate.open()
        assert disk.worker.stop() == 0
    assert len(disk.held()) == 1
    assert "connections still open" not in disk.worker.log()


def test_a_worker_whose_deadline_has_passed_ends_and_leaves_the_message_with_the_mta(place: Path) -> None:
    disk = SlowDisk(place, drain_seconds=0.0)
    with disk.worker, disk.worker.client() as client:
        up_to_its_end(client)
        disk.gate.wait_for_one()
        assert disk.worker.stop() == 0
        with pytest.raises(ConnectionError):
            while True:
                client.read_frame()
    assert "warning: connections still open after 0 s are dropped" in disk.worker.log()
    assert disk.held() == []
