"""The upkeep of the quarantines: when it runs, and what it logs."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any, NoReturn

import pytest

from rig import wait
from rig.child import in_child
from rig.golden import Golden
from turfmilter.config.schema import Config
from turfmilter.daemon.errands import Upkeep
from turfmilter.daemon.reload import Report

CONFIG = replace(Config(), turf=replace(Config().turf, directory=Path("/quarantine")))
ANOTHER = replace(CONFIG)
START = datetime(2027, 1, 1, tzinfo=UTC)


class Log:
    """Keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, _level: str, sentence: str) -> None:
        self.said.append(sentence)


def upkeep_of(found: Sequence[str], log: Log) -> Upkeep:
    """An upkeep that only finds something to warn about; `found` may change between its runs."""
    return Upkeep(lambda *_: Report(found), log.say, START)


def fork(act: Callable[[], NoReturn]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            act()
        finally:
            os._exit(70)
    return pid


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def finish(upkeep: Upkeep, config: Config = CONFIG) -> None:
    """Do it once, and hear what was found."""
    upkeep.begin(config, fork, 0.0)
    end(upkeep, config)


def end(upkeep: Upkeep, config: Config) -> None:
    """Do what the supervisor does until it has ended."""

    def ended() -> bool:
        if upkeep.errand.waiting >= 0:
            upkeep.errand.read()
        upkeep.errand.reap()
        return upkeep.due(config) < inf

    wait.until(ended, "its end")


def test_it_is_due_once_a_minute_and_at_once_after_a_reload_but_never_during_a_run() -> None:
    upkeep = upkeep_of([], Log())
    upkeep.expect(CONFIG)
    now = time.monotonic()
    assert now + 50 < upkeep.due(CONFIG) <= now + 60
    assert upkeep.due(ANOTHER) == 0.0
    upkeep.begin(ANOTHER, fork, now)
    assert upkeep.due(ANOTHER) == upkeep.due(CONFIG) == inf
    end(upkeep, ANOTHER)
    assert upkeep.due(ANOTHER) == now + 60
    assert upkeep.due(Config()) == inf, "there is no quarantine"


def test_a_warning_is_logged_unless_the_last_run_gave_it_too() -> None:
    log, found = Log(), list[str]()
    upkeep = upkeep_of(found, log)
    for found[:] in (["a", "b"], ["b"], [], ["b"]):
        finish(upkeep)
    assert log.said == ["a", "b", "b"]


def test_a_process_that_dies_is_reported_and_the_next_one_finishes(place: Path, golden: Golden) -> None:
    log = Log()

    def dies_once(_config: Config, _before: Mapping[str, Any]) -> Report:
        if (place / "begun").exists():
            return Report(["done"])
        (place / "begun").touch()
        os.kill(os.getpid(), signal.SIGKILL)
        return Report()

    upkeep = Upkeep(dies_once, log.say, START)
    finish(upkeep)
    finish(upkeep)
    golden("log", "\n".join(log.said))


def test_without_a_free_process_it_is_reported_and_tried_again(golden: Golden) -> None:
    log = Log()
    upkeep = upkeep_of(["done"], log)

    def no_process(_act: Callable[[], NoReturn]) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    open_before = open_files()
    upkeep.begin(CONFIG, no_process, 0.0)
    assert open_files() == open_before
    assert upkeep.due(CONFIG) == 60.0
    finish(upkeep)
    golden("log", "\n".join(log.said))


def test_without_a_free_descriptor_it_is_not_run_and_that_is_reported() -> None:
    def check() -> None:
        log = Log()
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
        upkeep = upkeep_of([], log)
        upkeep.begin(CONFIG, fork, 0.0)
        (sentence,) = log.said
        assert sentence.endswith(": Too many open files")
        assert upkeep.due(CONFIG) == 60

    in_child(check)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("no such day"), "RuntimeError: no such day"),
        (KeyError("keep"), "KeyError: 'keep'"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "UnicodeDecodeError: 'utf-8' codec"),
        (MemoryError(), "MemoryError: "),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_the_reason_of_a_failure_is_reported(error: Exception, said: str) -> None:
    log = Log()

    def fails(_config: Config, _before: Mapping[str, Any]) -> Report:
        raise error

    finish(Upkeep(fails, log.say, START))
    (sentence,) = log.said
    assert f": {said}" in sentence


@pytest.mark.parametrize("size", [1, 1 << 16, 1 << 20, 5 << 20])
def test_a_report_may_be_larger_than_a_pipe(size: int) -> None:
    log = Log()
    finish(upkeep_of(["x" * size, "end"], log))
    assert [len(sentence) for sentence in log.said] == [size, 3]


def test_nothing_of_it_stays_open() -> None:
    upkeep, before = upkeep_of(["done"], Log()), open_files()
    for _ in range(3):
        finish(upkeep)
    assert open_files() == before


def test_the_process_for_it_ends_when_nobody_is_there_to_hear_it() -> None:
    started: list[int] = []

    def remembering(act: Callable[[], NoReturn]) -> int:
        started.append(fork(act))
        return started[0]

    upkeep = upkeep_of(["x" * (1 << 20)], Log())
    upkeep.begin(CONFIG, remembering, 0.0)
    os.close(upkeep.errand.waiting)
    assert os.waitstatus_to_exitcode(os.waitpid(started[0], 0)[1]) != 0


def test_what_one_run_reports_the_next_one_receives_even_after_a_failure() -> None:
    received: list[Mapping[str, Any]] = []

    def counts(_config: Config, before: Mapping[str, Any]) -> Report:
        number = before.get("number", 0) + 1
        if before.get("number") == 1 and not received:
            raise RuntimeError("the second run fails")
        return Report((), {"started": before["started"], "number": number})

    upkeep = Upkeep(counts, Log().say, START)
    for number in (1, 1, 2):
        finish(upkeep)
        assert upkeep.errand.more == {"started": START.isoformat(), "number": number}
        if upkeep.errand.found:
            received.append(upkeep.errand.more)
