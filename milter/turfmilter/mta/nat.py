"""The alarm for an address that is trusted to relay but stands for many: NAT, a container bridge, a proxy."""

from __future__ import annotations

from collections.abc import Callable

from turfmilter.core.address.mailbox import IPAddress

_MIN_CONNECTIONS = 200  # connections before shares mean anything
_MAX_ADDRESSES = 10_000  # addresses that are counted; then it begins anew


class NatAlarm:
    """Counts connections, and says once which trusted client most of them come from.

    Behind NAT every client has the address of the translator; if the allow list trusts that, everybody may relay.
    """

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}
        self._total = 0
        self._told: set[IPAddress] = set()

    def seen(self, client: IPAddress, trusted: Callable[[], bool]) -> str | None:
        """One more connection of `client`; a sentence when the alarm goes off, else None.

        `trusted` is asked only when most connections come from it.
        """
        packed = key(client)
        if len(self._counts) >= _MAX_ADDRESSES:
            self._counts.clear()
            self._total = 0
        count = self._counts[packed] = self._counts.get(packed, 0) + 1
        self._total += 1
        most = self._total >= _MIN_CONNECTIONS and count * 2 > self._total
        if not most or client.is_loopback or client in self._told or not trusted():
            return None
        self._told.add(client)
        share = count * 100 // self._total
        return (
            f"{client} may relay and {share}% of the connections come from it: if it is a NAT device, a proxy or a"
            " container bridge, everybody behind it may relay; take it out of [relay] allow"
        )


def key(client: IPAddress) -> bytes:
    """What a client is counted under.  Python salts the hash of bytes, and not that of a number.

    Of the 2^64 addresses of one IPv6 network thousands have numbers with the same hash, which is the remainder by
    2^61 - 1: clients that use them would make each look-up in a dict of numbers a search through all of these.
    """
    return client.packed
