"""Detects an address that may relay but is shared by many clients: NAT, a container bridge, a proxy."""

from __future__ import annotations

from collections.abc import Callable

from turfmilter.core.address.mailbox import IPAddress

_MIN_CONNECTIONS = 200  # connections that must have been counted before a share is meaningful
_MAX_ADDRESSES = 10_000  # addresses that are counted at most, less than 1 MB; then counting starts again


class NatAlarm:
    """Counts connections by client, and warns once about a trusted client that makes more than half of them.

    With NAT every client has the address of the translator; if the allow list contains it, every client may relay.
    """

    def __init__(self) -> None:
        self._counts: dict[bytes, int] = {}
        self._total = 0
        self._told: set[IPAddress] = set()

    @property
    def found(self) -> int:
        """The number of clients that it has warned about."""
        return len(self._told)

    def seen(self, client: IPAddress, trusted: Callable[[], bool]) -> str | None:
        """Count a connection from `client`; return a warning for the administrator, or None.

        `trusted` is called only if most connections come from `client`, because it costs a lookup.
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
            f"{client} may relay, and {share}% of the connections come from it: if it is a NAT device, a proxy or a"
            " container bridge, every host behind it may relay; remove it from [relay] allow"
        )


def key(client: IPAddress) -> bytes:
    """The key under which `client` is counted: its bytes, because Python salts the hash of bytes but not of numbers.

    The hash of a number is its remainder modulo 2^61 - 1, so thousands of the 2^64 addresses of one IPv6 network have
    the same hash.  Clients that use them would turn each lookup in a dict of numbers into a linear search.
    """
    return client.packed
