"""Fixtures for the end-to-end tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> None:
    """A test on a mail host begins with nothing delivered and nothing held."""
    if "host" in request.fixturenames:
        request.getfixturevalue("host").clear()
