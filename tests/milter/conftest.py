"""Fixtures for the tests of the daemon over its real socket."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rig.filter import Filter, Filters


class Running:
    """The filters of a module by their settings: each starts when it is first asked for.

    A test finds its filter without what earlier tests left in quarantine and log.
    """

    def __init__(self, place: Path, ending: ExitStack) -> None:
        self._place = place
        self._ending = ending
        self._filters: dict[tuple[str, str], Filter] = {}

    def __call__(self, settings: str, log: str = "json") -> Filter:
        found = self._filters.get((settings, log))
        if found is None:
            found = self._filters[settings, log] = self._start(settings, log)
        else:
            found.forget()
        return found

    def _start(self, settings: str, log: str) -> Filter:
        place = self._place / str(len(self._filters))
        place.mkdir()
        started = Filter(place, settings, log=log)
        self._ending.callback(_end, started)
        started.start()
        return started


def _end(running: Filter) -> None:
    """Whatever a module's tests did, nothing is left open, unfinished or unexplained."""
    assert running.daemon.stop() == 0
    said = running.daemon.log()
    for trouble in ("connections still open", "starting another", "Traceback"):
        assert trouble not in said
    assert running.unfinished() == []


@pytest.fixture(scope="module")
def filters(module_place: Path) -> Iterator[Filters]:
    """A filter with given settings, started once for all tests of the module."""
    with ExitStack() as ending:
        yield Running(module_place, ending)


@pytest.fixture
def own_filter(place: Path) -> Iterator[Filters]:
    """A filter for one test, to be ill-treated; it may be stopped or killed by the test itself."""
    with ExitStack() as ending:

        def start(settings: str, log: str = "json") -> Filter:
            return ending.enter_context(Filter(place, settings, log=log))

        yield start
