"""The kinds of values that are ports, hosts, addresses and name servers."""

from __future__ import annotations

import re

from turfmilter.config.given import Given, Wrong, described, quoted
from turfmilter.config.hints import NAME_SERVERS, SERVICES, recognised
from turfmilter.config.kinds.words import Each
from turfmilter.config.setting import Kind
from turfmilter.core.address.mailbox import IPAddress, parse_address

_DNS = 53  # the port of DNS
_ALL = "0.0.0.0"  # all addresses of this host
_WITH_PORT = re.compile(
    r"\[(?P<bracketed>[^]]*)\](?::(?P<port6>\d{1,9}))?|(?P<address>[^:]*):(?P<port>\d{1,9})", re.ASCII
)
# As in Postfix's relayhost and transport(5): [HOST]:PORT, smtp:HOST:PORT, inet:HOST:PORT.
_HOST_WITH_PORT = re.compile(
    r"(?:(?:inet|relay|smtp|lmtp):)?(?:\[(?P<bracketed>[^]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d{1,5})", re.ASCII
)
_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")


class Port(Kind[int]):
    """A TCP port."""

    words = "a port number"

    def read(self, given: Given) -> int:
        value = given.value
        if isinstance(value, bool) or not isinstance(value, int):
            raise Wrong(f"{described(value)} is not a port number; write {_port_meant(value)}")
        return _in_range(value)


class HostName(Kind[str]):
    """A host, by its name or its address."""

    words = "a host name or an address"

    def read(self, given: Given) -> str:
        found = _HOST_WITH_PORT.fullmatch(given.text)
        if found and not parse_address(given.text):
            host = quoted(found["host"] or found["bracketed"])
            raise Wrong(f"{quoted(given.text)} contains a port; write {host}, and the port in the key port")
        if not _HOST.fullmatch(given.text):
            raise Wrong(f'{quoted(given.text)} is not a host; write a name such as "mx.example.org", or an address')
        return given.text


class LocalAddress(Kind[IPAddress]):
    """An address of this host."""

    words = "an address of this host"

    def read(self, given: Given) -> IPAddress:
        address = parse_address(_ALL if given.text.lower() in ("*", "all", "any") else given.text)
        if address is None:
            port = _HOST_WITH_PORT.fullmatch(given.text)
            meant = "write the port in the key port" if port else "write one to which clients connect"
            raise Wrong(f"{quoted(given.text)} is not an address; {meant}")
        if address.is_unspecified:
            raise Wrong(f"{quoted(given.text)} means all addresses; remove it, or write one to which clients connect")
        return address


class NameServer(Kind[tuple[str, int]]):
    """The address and port of a name server."""

    words = 'an address with or without a port, such as `"192.0.2.53"`, `"127.0.0.1:5353"` or `"[::1]:5353"`'

    def read(self, given: Given) -> tuple[str, int]:
        text, port = given.text.strip(), _DNS
        parts = None if parse_address(text) else _WITH_PORT.fullmatch(text)
        if parts:
            text, port = parts["bracketed"] or parts["address"] or "", int(parts["port6"] or parts["port"] or _DNS)
        address = parse_address(text)
        if address is None:
            if known := recognised(given.text.strip(), NAME_SERVERS):
                raise Wrong(f"{quoted(given.text)} {known}")
            raise Wrong(
                f'{quoted(given.text)} is not an address; write it as "192.0.2.53", "127.0.0.1:5353" or "[::1]:5353"'
            )
        return str(address), _in_range(port)


class NameServers(Each[tuple[str, int]]):
    """Name servers, in the order in which they are queried."""

    def __init__(self) -> None:
        super().__init__(NameServer())

    def read(self, given: Given) -> tuple[tuple[str, int], ...]:
        servers = super().read(given)
        addresses = [address for address, _ in servers]
        twice = next((address for address in addresses if addresses.count(address) > 1), None)
        if twice:
            raise Wrong(f"{twice} is listed with two ports; only one of them can be queried")
        return servers


def _port_meant(value: object) -> str:
    """Return what to write for a value that is not a port number."""
    words = re.split(r"[\s,]+", value.strip().lower()) if isinstance(value, str) else []
    ports = [SERVICES.get(word, word).removesuffix("/tcp") for word in words]
    if not ports or not all(re.fullmatch(r"\d{1,5}", port, re.ASCII) for port in ports):
        return "it without quotes, such as 587"
    return ports[0] if len(ports) == 1 else f"[{', '.join(ports)}]"


def _in_range(port: int) -> int:
    if not 1 <= port <= 65535:
        raise Wrong(f"port {described(port)} is out of range; ports are 1 to 65535")
    return port
