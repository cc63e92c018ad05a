"""The workers of one generation, with processes that only exist in the test."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from rig.golden import Golden
from turfmilter.config.schema import Config
from turfmilter.core.policy import Generation, Policy
from turfmilter.core.ports import Level
from turfmilter.daemon.fleet import Fleet, Process
from turfmilter.daemon.reload import Loaded

MIB = 1 << 20


class Workers:
    """A fleet, and the workers' ends of its sockets."""

    def __init__(self, **settings: int) -> None:
        config = replace(Config(), **{"workers": 2, "worker_sessions": 0, "worker_memory": 0, **settings})  # type: ignore[arg-type]
        self.said: list[tuple[Level, str]] = []
        self.ends: dict[int, socket.socket] = {}
        self._pids = count(1)
        self.now = 1000.0
        self.refused = False
        say = lambda level, text: self.said.append((level, text))  # noqa: E731
        self.fleet = Fleet(Loaded(config, Generation(Policy(()))), self._fork, say)
        self.fleet.settle(self.now)

    def _fork(self, _loaded: Loaded) -> Process:
        if self.refused:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        ours, theirs = socket.socketpair()
        pid = next(self._pids)
        self.ends[pid] = theirs
        return Process(pid, ours, self.now, 0)

    def tell(self, pid: int, *, served: int = 0, rss: int = 30 * MIB) -> None:
        """What a worker says of itself."""
        self.ends[pid].send(json.dumps({"served": served, "rss": rss}).encode() + b"\n")
        self[pid].read()
        self.fleet.settle(self.now)

    def die(self, pid: int, after: float) -> None:
        self.now += after
        self.fleet.ended(self[pid], "signal 9", self.now)
        self.fleet.settle(self.now)

    def __getitem__(self, pid: int) -> Process:
        return next(process for process in self.fleet.processes if process.pid == pid)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self.fleet.processes]

    @property
    def draining(self) -> list[int]:
        return [process.pid for process in self.fleet.processes if process.draining]

    def close(self) -> None:
        for end in (*self.ends.values(), *(process.control for process in self.fleet.processes)):
            end.close()


@pytest.fixture
def workers() -> Iterator[Workers]:
    workers = Workers(worker_sessions=100, worker_memory=64 * MIB)
    yield workers
    workers.close()


def test_a_generation_is_ready_when_all_workers_serve(workers: Workers) -> None:
    assert (workers.pids, workers.fleet.ready) == ([1, 2], False)
    workers.tell(1)
    assert not workers.fleet.ready
    workers.tell(2)
    assert workers.fleet.ready


@pytest.mark.parametrize("worn", [{"served": 100}, {"rss": 30 * MIB + 65 * MIB}], ids=["served", "grown"])
def test_a_worn_worker_drains_when_its_replacement_serves(
    workers: Workers, worn: dict[str, int], golden: Golden
) -> None:
    workers.tell(1)
    workers.tell(2)
    workers.now += 11
    workers.tell(1, **worn)
    assert (workers.pids, workers.draining) == ([1, 2, 3], [])
    workers.tell(3)
    assert workers.draining == [1]
    assert workers.ends[1].recv(100) == b"drain 3600\n"
    ((level, sentence),) = workers.said
    assert level == "info"
    golden("log", sentence)


@pytest.mark.parametrize("worn", [{"served": 99}, {"rss": 30 * MIB + 64 * MIB}])
def test_a_worker_below_the_limits_stays(workers: Workers, worn: dict[str, int]) -> None:
    workers.tell(1)
    workers.tell(2)
    workers.now += 11
    workers.tell(1, **worn)
    assert workers.pids == [1, 2]


def test_without_limits_no_worker_is_replaced() -> None:
    workers = Workers()
    workers.tell(1)
    workers.tell(2)
    workers.tell(1, served=10**9, rss=10**12)
    assert workers.pids == [1, 2]
    workers.close()


def test_two_worn_workers_are_replaced_one_after_the_other(workers: Workers) -> None:
    workers.tell(1)
    workers.tell(2)
    workers.tell(1, served=200)
    workers.tell(2, served=200)
    assert workers.pids == [1, 2, 3]
    workers.tell(3)
    assert (workers.pids, workers.draining) == ([1, 2, 3], [1])
    workers.fleet.settle(workers.now)
    assert workers.pids == [1, 2, 3, 4]
    workers.tell(4)
    assert workers.draining == [1, 2]


def test_a_worker_that_grows_as_soon_as_it_starts_is_not_replaced_at_once(workers: Workers) -> None:
    for pid in (1, 2):
        workers.tell(pid)
    workers.now += 9
    workers.tell(1, rss=200 * MIB)
    assert workers.pids == [1, 2]
    workers.now += 2
    workers.fleet.settle(workers.now)
    assert workers.pids == [1, 2, 3]


def test_no_more_are_finishing_their_connections_than_there_should_be_workers(workers: Workers) -> None:
    for pid in range(1, 5):
        workers.tell(pid)
        workers.tell(pid, served=100)
    assert (workers.pids, workers.draining) == ([1, 2, 3, 4], [1, 2])
    workers.die(1, after=1)
    assert workers.pids == [2, 3, 4, 5]
    workers.tell(5)
    assert workers.draining == [2, 3]


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The process ids of those that were killed; nobody is."""
    pids: list[int] = []
    monkeypatch.setattr(Process, "kill", lambda process: pids.append(process.pid))
    return pids


@pytest.mark.parametrize("leaving", [False, True])
def test_one_that_does_not_answer_any_more_is_killed_even_when_it_leaves(
    workers: Workers, killed: list[int], leaving: bool
) -> None:
    for pid in (1, 2):
        workers.tell(pid)
    if leaving:
        workers.fleet.drain(30)
    for _ in range(15):
        workers[1].probe()
        workers[2].probe()
        workers.tell(2)
        workers.fleet.weed(workers.now)
    assert killed == []
    workers[1].probe()
    workers.fleet.weed(workers.now)
    assert killed == [1]
    workers.die(1, after=11)
    again = "" if leaving else ", starting another"
    assert workers.said == [("error", f"worker 1 ended (signal 9): it stopped answering{again}")]


@pytest.mark.parametrize("leaving", [False, True])
def test_one_that_never_serves_is_killed_even_when_it_leaves(
    workers: Workers, killed: list[int], leaving: bool
) -> None:
    workers.tell(1)
    if leaving:
        workers.fleet.drain(30)
    workers.fleet.weed(workers.now + 60)
    assert killed == []
    workers.fleet.weed(workers.now + 61)
    assert killed == [2]


def test_one_that_dies_old_is_restarted_at_once(workers: Workers) -> None:
    workers.die(1, after=11)
    assert workers.pids == [2, 3]
    assert workers.said == [("error", "worker 1 ended (signal 9), starting another")]


def test_those_that_die_young_are_restarted_after_pauses_that_double_up_to_a_minute(workers: Workers) -> None:
    pauses = []
    pid = 1
    for _ in range(8):
        workers.die(pid, after=0.5)
        pauses.append(workers.fleet.resumes - workers.now)
        workers.now = workers.fleet.resumes - 0.01
        workers.fleet.settle(workers.now)
        assert len(workers.pids) == 1
        workers.now += 0.02
        workers.fleet.settle(workers.now)
        pid = workers.pids[-1]
    assert [round(pause) for pause in pauses] == [1, 2, 4, 8, 16, 32, 60, 60]
    workers.die(pid, after=11)
    assert len(workers.pids) == 2


def test_a_draining_one_is_not_missed(workers: Workers) -> None:
    for pid in (1, 2):
        workers.tell(pid)
    workers.tell(1, served=100)
    workers.tell(3)
    workers.die(1, after=1)
    assert (workers.pids, len(workers.said)) == ([2, 3], 1)


def test_a_fleet_that_leaves_starts_nobody(workers: Workers) -> None:
    workers.fleet.drain(30)
    workers.die(1, after=1)
    workers.fleet.settle(workers.now + 1000)
    assert (workers.pids, workers.said) == ([2], [])


def test_that_no_process_can_be_had_is_said_and_tried_again(workers: Workers) -> None:
    workers.refused = True
    workers.die(1, after=11)
    assert workers.pids == [2]
    assert workers.said[-1] == ("error", "cannot start a worker process: Resource temporarily unavailable")
    workers.refused = False
    workers.fleet.settle(workers.now + 4.9)
    assert workers.pids == [2]
    workers.fleet.settle(workers.now + 5)
    assert len(workers.pids) == 2
