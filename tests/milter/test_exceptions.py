"""Errors inside the filter: the MTA receives 451, and no message passes unfiltered because of them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from rig.filter import make_quarantine
from rig.milterclient import MilterClient
from rig.ownworker import OwnWorker, service
from rig.rules import RuleAt
from turfmilter.core.finding import Action, Finding
from turfmilter.core.policy import Clause, Generation, Mode, Policy
from turfmilter.core.ports import Clock, Draft, Quarantine
from turfmilter.core.reply import REPLIES
from turfmilter.core.report import Record, Slip
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import Session
from turfmilter.desk import SystemClock
from turfmilter.mta.service import Service
from turfmilter.stores.maildir import Maildir
from turfmilter.telemetry.writer import LogWriter

ERROR = "451 4.3.0 temporary error in the mail filter, try again later"


class BrokenClock(SystemClock):
    def now(self) -> datetime:
        raise OverflowError("the clock ran away")


class Everybody(Rule):
    """Holds everything, from the first stage on."""

    name = "everybody"
    stages = frozenset({Stage.MAIL})

    def at_mail(self, session: Session) -> Finding | None:  # noqa: ARG002
        return Finding(self.name, "sender")


def breaks_down() -> Finding | None:
    raise ZeroDivisionError("the rule is broken\nNOQUEUE: verdict=accept")


class BrokenDraft(Draft):
    """A draft whose method `broken` raises what no draft should."""

    def __init__(self, inner: Draft, broken: str) -> None:
        self._inner = inner
        self._broken = broken

    def write(self, data: bytes) -> None:
        if self._broken == "write":
            raise MemoryError("no room for it")
        self._inner.write(data)

    def commit(self) -> str:
        if self._broken == "commit":
            self._inner.abandon()
            raise RecursionError("too deep")
        return self._inner.commit()

    def abandon(self) -> None:
        self._inner.abandon()


class BrokenQuarantine(Quarantine):
    def __init__(self, inner: Quarantine, broken: str) -> None:
        self._inner = inner
        self._broken = broken

    def open(self, slip: Slip) -> Draft:
        if self._broken == "open":
            raise KeyError("quarantine")
        return BrokenDraft(self._inner.open(slip), self._broken)


class RefusingExecutor(Executor):
    """What a process gets that may start no more threads."""

    def submit(self, *_args: Any, **_more: Any) -> Future[Any]:
        raise RuntimeError("can't start new thread")


class Parts:
    """What a service is made of; each test breaks one."""

    healthy: ClassVar[Clause] = Clause(Everybody(), Action.HOLD)

    def __init__(self, quarantine: Path) -> None:
        self.clauses = [self.healthy]
        self.quarantine: Quarantine = Maildir(quarantine)
        self.clock: Clock = SystemClock()
        self.executor: Executor | None = None

    def service(self, log: LogWriter) -> Service:
        generation = Generation(Policy(tuple(self.clauses), quarantine=self.quarantine))
        return service(log, lambda: generation, clock=self.clock, executor=self.executor)


def refuse_line(record: Record) -> None:
    raise ValueError(f"a record without a line: {record.queue_id}")


def rule(stage: Stage) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        parts.clauses.append(Clause(RuleAt(stage, sees=breaks_down), Action.REJECT, REPLIES["relay"]))

    return change


def clock(parts: Parts) -> None:
    parts.clock = BrokenClock()


def executor(parts: Parts) -> None:
    parts.executor = RefusingExecutor()


def draft(method: str) -> Callable[[Parts], None]:
    def change(parts: Parts) -> None:
        parts.quarantine = BrokenQuarantine(parts.quarantine, method)

    return change


def transaction(client: MilterClient) -> list[tuple[str, str]]:
    """The answered steps of one message up to its end, whatever the answers."""
    told = client.message("<a@out.test>", ["<b@rig.test>"], body=b"x" * 100)
    return [(name, str(answer)) for name, answer in told.steps if answer.answered]


@pytest.mark.parametrize(
    ("breaks", "where", "said"),
    [
        (rule(Stage.MAIL), "rcpt", "envfrom: ZeroDivisionError: the rule is broken"),
        (rule(Stage.RCPT), "rcpt", "envrcpt: ZeroDivisionError: the rule is broken"),
        (rule(Stage.HEADERS), "eoh", "eoh: ZeroDivisionError: the rule is broken"),
        (rule(Stage.END), "eom", "eom: ZeroDivisionError: the rule is broken"),
        (clock, "eoh", "eoh: OverflowError: the clock ran away"),
        (executor, "eom", "eom: RuntimeError: can't start new thread"),
        (draft("open"), "body", "body: KeyError: 'quarantine'"),
        (draft("write"), "body", "body: MemoryError: no room for it"),
        (draft("commit"), "eom", "eom: RecursionError: too deep"),
    ],
)
def test_an_exception_at_any_stage_is_answered_451_and_so_is_all_that_follows(
    place: Path, breaks: Callable[[Parts], None], where: str, said: str
) -> None:
    quarantine = make_quarantine(place / "quarantine")
    parts = Parts(quarantine)
    breaks(parts)
    with OwnWorker(place, parts.service) as worker:
        with worker.client() as client:
            assert transaction(client)[-1] == (where, ERROR)
            client.abort()
            assert transaction(client) == [("rcpt", ERROR)]
            client.abort()
            client.helo("again.test")
            assert transaction(client) == [("rcpt", ERROR)]
            client.quit()
        assert list((quarantine / "tmp").iterdir()) == list((quarantine / "new").iterdir()) == []
        assert worker.stop() == 0
    errors = [line for line in worker.log().splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {said}")
    assert "192.0.2.9" in errors[0]
    assert "connections still open" not in worker.log()


def test_other_connections_are_not_concerned(place: Path) -> None:
    parts = Parts(make_quarantine(place / "quarantine"))
    sender = "<raise@out.test>"

    class Choosy(Rule):
        name = "choosy"
        stages = frozenset({Stage.MAIL})

        def at_mail(self, session: Session) -> Finding | None:
            assert session.envelope is None or session.envelope.sender.text != sender, "chosen"
            return None

    parts.clauses.append(Clause(Choosy(), Action.REJECT, REPLIES["relay"]))
    with OwnWorker(place, parts.service) as worker:
        with worker.client() as one, worker.client() as other:
            one.mail(sender)
            assert str(one.rcpt("<b@rig.test>")) == ERROR
            assert transaction(other)[-1] == ("eom", "discard")
            one.quit()
            other.quit()
        assert worker.stop() == 0


def test_without_a_generation_the_connection_is_closed_and_not_counted(place: Path) -> None:
    def no_generation() -> Generation:
        raise LookupError("no generation")

    with OwnWorker(place, lambda log: service(log, no_generation)) as worker:
        for _ in range(3):
            with MilterClient(worker.socket) as client, pytest.raises(ConnectionError):
                client.negotiate()
        assert worker.stop() == 0
    assert "connections still open" not in worker.log()


@pytest.mark.parametrize("end", [lambda client: client.abort(), lambda _: None], ids=["abort", "close"])
def test_whatever_the_log_does_a_message_that_is_broken_off_leaves_nothing_in_the_quarantine(
    place: Path, end: Callable[[MilterClient], object]
) -> None:
    quarantine = make_quarantine(place / "quarantine")
    parts = Parts(quarantine)
    parts.clauses.insert(
        0, Clause(Everybody(), Action.REJECT, REPLIES["turf"], Mode.TRIAL)
    )  # ends in a line of the log

    def serve(log: LogWriter) -> Service:
        log.write = refuse_line  # type: ignore[method-assign]
        return parts.service(log)

    with OwnWorker(place, serve) as worker:
        with worker.client() as client:
            client.mail("<a@out.test>")
            client.rcpt("<b@rig.test>")
            client.data()
            client.header("Subject", "hello")
            client.eoh()
            client.body(b"x" * 500_000)  # more than is kept in memory
            assert list((quarantine / "tmp").iterdir())
            end(client)
            client.hang_up()
        assert list((quarantine / "tmp").iterdir()) == []
        assert worker.stop() == 0
    assert "connections still open" not in worker.log()
