"""Fixtures for the tests of the daemon over its real socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rig.filter import Filter


class Filters:
    """The filters of a module by their settings: each starts when it is first asked for.

    A test finds its filter without what earlier tests left in quarantine and log.
    """

    def __init__(self, place: Path) -> None:
        self._place = place
        self._running: dict[tuple[str, str], Filter] = {}

    def __call__(self, settings: str, log: str = "json") -> Filter:
        if (settings, log) not in self._running:
            place = self._place / str(len(self._running))
            place.mkdir()
            self._running[settings, log] = running = Filter(place, settings, log=log)
            running.start()
        else:
            self._running[settings, log].forget()
        return self._running[settings, log]

    def stop(self) -> None:
        """End them all; whatever a module's tests did, nothing is left open, unfinished or unexplained."""
        for running in self._running.values():
            assert running.daemon.stop() == 0
            said = running.daemon.log()
            assert "connections still open" not in said
            assert "starting another" not in said
            assert "Traceback" not in said
            assert running.unfinished() == []


@pytest.fixture(scope="module")
def filters(module_place: Path) -> Iterator[Filters]:
    """A filter with given settings, started once for all tests of the module."""
    running = Filters(module_place)
    with ExitStack() as ending:
        ending.callback(running.stop)
        yield running


@pytest.fixture
def own_filter(place: Path) -> Iterator[Callable[..., Filter]]:
    """A filter for one test, to be ill-treated; it may be stopped or killed by the test itself."""
    with ExitStack() as ending:

        def start(settings: str, log: str = "json") -> Filter:
            return ending.enter_context(Filter(place, settings, log=log))

        yield start
