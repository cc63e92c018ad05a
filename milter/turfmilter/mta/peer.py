"""From the arguments of connect and the macros to a Connection."""

from __future__ import annotations

import socket
from collections.abc import Collection
from functools import lru_cache
from ipaddress import IPv4Address
from typing import Any

from turfmilter.core.address.mailbox import IPAddress, fold_domain, literal_address, parse_address
from turfmilter.core.ports import Names
from turfmilter.core.rule import Fact
from turfmilter.core.session import ClientNames, Connection, Known, Lookup, UnderWay
from turfmilter.mta.macros import Macros

_DAEMON = ("{daemon_name}", "{daemon_addr}", "{daemon_port}")


def connection(family: int, hostaddr: Any, macros: Macros, names: Names | None, facts: Collection[Fact]) -> Connection:
    """The peer; `hostaddr` is pymilter's: (address, port, …), a path, or None.

    `names` looks up a client that the MTA has not confirmed, once that is asked for; None where no rule needs a name.
    `facts` are those that a rule looks at: each macro costs a call.
    """
    address, port = hostaddr[:2] if isinstance(hostaddr, tuple) else ("", 0)
    client = _client(address)
    name = _name(macros["{client_name}"]) if macros["{client_resolve}"] == "OK" else ""
    local = _is_local(family, client, port, macros)
    return Connection(
        client=client,
        name=name,
        names=_lookup(name, client, None if local else names),
        local_address=_local_address(macros) if Fact.LOCAL_ADDRESS in facts else None,
        port=_number(macros["{daemon_port}"]) if Fact.PORT in facts else 0,
        daemon=macros["{daemon_name}"],
        host=macros["j"] if Fact.HOST in facts else "",
        local=local,
    )


class Later:
    """Implements ports.Lookup: what `names` is asked about the client of one connection, if it ever is."""

    def __init__(self, names: Names, client: IPAddress) -> None:
        self._names = names
        self._client = client
        self._under_way: UnderWay | None = None

    @property
    def pending(self) -> bool:
        """True until all is known; a look-up that has not begun would do so in `result`."""
        return self._under_way is None or self._under_way.pending

    def begin(self) -> None:
        """Ask, unless that was done."""
        self._started()

    def result(self) -> ClientNames:
        """What DNS says."""
        return self._started().result()

    def _started(self) -> UnderWay:
        if self._under_way is None:
            self._under_way = self._names.begin(self._client)
        return self._under_way


def _client(address: str) -> IPAddress | None:
    try:  # the C library reads it in a tenth of the time
        return IPv4Address(socket.inet_pton(socket.AF_INET, address))
    except OSError:
        return parse_address(address.partition("%")[0])


def _lookup(name: str, client: IPAddress | None, names: Names | None) -> Lookup:
    """The MTA's own OK is final.  Anything else is not: MTAs look at one PTR name, and Sendmail calls a name
    forged whose forward look-up only failed."""
    if name:
        return Known(ClientNames(confirmed=(name,), claimed=(name,)))
    return Later(names, client) if names and client else Known()


def _is_local(family: int, client: IPAddress | None, port: int, macros: Macros) -> bool:
    """True for sendmail(1) and its like; anything else that looks odd is a client.

    Postfix shows what pickup takes as port 0 on loopback without client macros; Sendmail's -bs on pipes is
    AF_UNSPEC without any daemon macro, while a network client that it cannot name keeps those.
    """
    if family == socket.AF_UNIX:
        return True
    if family == socket.AF_UNSPEC:
        return not any(macros[name] for name in _DAEMON)
    return port == 0 and client is not None and client.is_loopback and not macros["{client_resolve}"]


def _local_address(macros: Macros) -> IPAddress | None:
    """Sendmail gives 0.0.0.0 for a wildcard listener; {if_addr} then has the address."""
    addresses = (_address(macros[name]) for name in ("{daemon_addr}", "{if_addr}"))
    return next((a for a in addresses if a and not a.is_unspecified), None)


@lru_cache(maxsize=64)  # a machine has few
def _address(text: str) -> IPAddress | None:
    """Written as 192.0.2.1, 2001:db8::1 or IPv6:2001:db8::1."""
    return literal_address(f"[{text}]")


def _name(text: str) -> str:
    """A host name, "" for what the MTAs say when they have none: "unknown" and "[192.0.2.1]"."""
    return "" if text == "unknown" or text.startswith("[") else fold_domain(text)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
