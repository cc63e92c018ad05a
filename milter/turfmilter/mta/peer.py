"""Builds a Connection from the arguments of the connect event and the macros."""

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
    """The connection of an SMTP client, or of a local submission.

    `hostaddr` is pymilter's: (address, port, …), a path, or None.  `names` looks up the names of a client that the
    MTA has not confirmed, when a rule asks for them; None if no rule needs names.  `facts` are those that some rule
    uses; macros of others are not read, because each costs a call.
    """
    address, port = hostaddr[:2] if isinstance(hostaddr, tuple) else ("", 0)
    client = _client(address)
    # Only OK means that a forward lookup has confirmed the name.
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
    """Implements ports.Lookup for the client of one connection; DNS is queried only if a rule asks for names."""

    def __init__(self, names: Names, client: IPAddress) -> None:
        self._names = names
        self._client = client
        self._under_way: UnderWay | None = None
        self._given: ClientNames | None = None

    @property
    def pending(self) -> bool:
        """True until all is known; a lookup that has not begun would do so in `result`."""
        return self._under_way is None or self._under_way.pending

    @property
    def known(self) -> ClientNames | None:
        """The names that a rule was given, else those found, else None."""
        if self._given is None and self._under_way and not self._under_way.pending:
            return self._under_way.result()
        return self._given

    def begin(self) -> None:
        """Start the lookup, unless it has been started."""
        self._started()

    def result(self) -> ClientNames:
        """The names found; waits for the lookup, and starts it if necessary."""
        self._given = self._started().result()
        return self._given

    def _started(self) -> UnderWay:
        if self._under_way is None:
            self._under_way = self._names.begin(self._client)
        return self._under_way


def _client(address: str) -> IPAddress | None:
    try:  # the C library parses IPv4 addresses ten times as fast as ipaddress
        return IPv4Address(socket.inet_pton(socket.AF_INET, address))
    except OSError:
        return parse_address(address.partition("%")[0])


def _lookup(name: str, client: IPAddress | None, names: Names | None) -> Lookup:
    """The names of the client: final if the MTA reported OK, otherwise to be looked up.

    Any other result is not reliable: MTAs check only one PTR name, and Sendmail reports FORGED even if the forward
    lookup of the name has only failed.
    """
    if name:
        return Known(ClientNames(confirmed=(name,), claimed=(name,)))
    return Later(names, client) if names and client else Known()


def _is_local(family: int, client: IPAddress | None, port: int, macros: Macros) -> bool:
    """True for local submissions, such as by sendmail(1); in case of doubt it is a client.

    Postfix reports mail from pickup(8) as port 0 on loopback, without client macros.  Sendmail reports -bs on pipes
    as AF_UNSPEC without daemon macros; for a network client with an unknown address it sends these macros.
    """
    if family == socket.AF_UNIX:
        return True
    if family == socket.AF_UNSPEC:
        return not any(macros[name] for name in _DAEMON)
    return port == 0 and client is not None and client.is_loopback and not macros["{client_resolve}"]


def _local_address(macros: Macros) -> IPAddress | None:
    """The address that the client connected to: {if_addr} if Sendmail listens on all and reports 0.0.0.0."""
    addresses = (_address(macros[name]) for name in ("{daemon_addr}", "{if_addr}"))
    return next((a for a in addresses if a and not a.is_unspecified), None)


@lru_cache(maxsize=64)  # a host has few addresses
def _address(text: str) -> IPAddress | None:
    """Parse an address written as 192.0.2.1, 2001:db8::1 or IPv6:2001:db8::1; None if it is none of these."""
    return literal_address(f"[{text}]")


def _name(text: str) -> str:
    """The host name, folded; "" for what MTAs send if there is none: "unknown" and "[192.0.2.1]"."""
    return "" if text == "unknown" or text.startswith("[") else fold_domain(text)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() else 0
