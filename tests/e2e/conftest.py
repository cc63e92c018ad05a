"""Fixtures for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.otherfilter import SCRIPTED, OtherFilter
from rig.sink import Sink


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> None:
    """A test on a mail host, or with a sink, begins with nothing delivered and nothing held."""
    for name in ("host", "sink"):
        if name in request.fixturenames:
            request.getfixturevalue(name).clear()


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """A sink for all tests of the module."""
    with Sink() as running:
        yield running


@pytest.fixture(scope="module")
def scripted(module_place: Path) -> Iterator[str]:
    """A filter that does what the message asks for; its socket."""
    with OtherFilter(SCRIPTED, f"unix:{module_place}/filter", module_place / "filter.out") as running:
        yield running.socket
