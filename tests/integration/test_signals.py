"""Signals that come in a storm: none is lost, and none is heard twice."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from rig.child import in_child
from turfmilter.daemon.signals import Signals

STORM = 5_000  # more than the socket that wakes has room for


def none_is_lost() -> None:
    signals = Signals()
    for _ in range(STORM):
        signal.raise_signal(signal.SIGHUP)
    signal.raise_signal(signal.SIGCHLD)
    signal.raise_signal(signal.SIGTERM)
    assert signals.received() == [signal.SIGHUP, signal.SIGCHLD, signal.SIGTERM]
    assert signals.received() == []


def being_woken_is_no_signal() -> None:
    signals = Signals()
    for _ in range(STORM):
        signals.wake()
    assert signals.waiting.recv(1)
    assert signals.received() == []


@pytest.mark.parametrize("check", [none_is_lost, being_woken_is_no_signal])
def test_in_a_storm(check: Callable[[], None]) -> None:
    in_child(check)
