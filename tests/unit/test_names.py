"""One look-up serves all who ask at the same time, and none of them waits longer than he said."""

from __future__ import annotations

import threading
from collections import Counter
from ipaddress import ip_address

import pytest

from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.session import ClientNames
from turfmilter.stores.names import Gathered, SharedNames

CLIENT = ip_address("192.0.2.7")
SHORT = 0.2
AMPLE = 30.0


def test_a_thread_that_is_stuck_keeps_nobody_beyond_his_deadline() -> None:
    released = threading.Event()

    async def gather(_address: IPAddress, gathered: Gathered) -> None:
        gathered.claimed = ("a.example", "b.example")
        gathered.confirmed.add("b.example")
        released.wait()

    names = SharedNames(gather, timeout=SHORT)
    lookups = [names.begin(CLIENT), names.begin(CLIENT)]
    known = ClientNames(("b.example",), ("a.example", "b.example"), failed=True)
    assert [lookup.result() for lookup in lookups] == [known, known]
    released.set()


def test_an_error_reaches_all_who_wait_and_the_next_one_asks_again() -> None:
    asked: list[IPAddress] = []
    go_on = threading.Event()

    async def gather(address: IPAddress, gathered: Gathered) -> None:
        asked.append(address)
        go_on.wait()
        if len(asked) == 1:
            raise RuntimeError("no more memory")
        gathered.claimed = ("a.example",)

    names = SharedNames(gather, timeout=AMPLE)
    lookups = [names.begin(CLIENT), names.begin(CLIENT)]
    go_on.set()
    for lookup in lookups:
        with pytest.raises(RuntimeError, match="no more memory"):
            lookup.result()
    assert names.begin(CLIENT).result() == ClientNames((), ("a.example",))
    assert asked == [CLIENT, CLIENT]


def test_of_very_many_clients_those_seen_last_are_known() -> None:
    asked: Counter[IPAddress] = Counter()

    async def gather(address: IPAddress, _gathered: Gathered) -> None:
        asked[address] += 1

    names = SharedNames(gather, timeout=AMPLE)
    first, *_, last = clients = [CLIENT + number for number in range(10_001)]
    for client in clients:
        names.begin(client).result()
    for client in (last, first):
        names.begin(client).result()
    assert (asked[last], asked[first]) == (1, 2)
