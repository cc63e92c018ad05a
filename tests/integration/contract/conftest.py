"""The stores that must keep the contract of core/ports.py."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rig.store import MaildirStore, Store
from turfmilter.core.ports import HeldMessages, Ledger

STORES: list[Callable[[Path, ExitStack], Store]] = [MaildirStore]


@pytest.fixture(params=STORES, ids=lambda store: store.__name__)
def store(request: pytest.FixtureRequest, place: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    with ExitStack() as stack:
        yield request.param(place, stack)


@pytest.fixture
def held_messages(store: Store) -> HeldMessages:
    """The messages of `store`, as one desk sees them."""
    return store.desk()


@pytest.fixture
def ledger(held_messages: HeldMessages) -> Ledger:
    """The ledger of `store`, as one desk sees it."""
    return held_messages.ledger
