"""What DNS says of a client's names: its PTR records, each confirmed by A or AAAA."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path

from dns.asyncresolver import Resolver
from dns.exception import DNSException
from dns.message import QueryMessage
from dns.name import from_text
from dns.rdatatype import SOA
from dns.resolver import NXDOMAIN, NoResolverConfiguration

from turfmilter.core.address.hostname import PatternError, parse_name
from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.session import UnderWay
from turfmilter.stores.names import Gathered, SharedNames

_MAX_NAMES = 10  # RFC 7208 §4.6.4: whoever owns the reverse zone decides how many queries he costs us
_TRIES = 4  # in the time that there is: a lost packet or a first server that is dead leaves enough for the others
_QUERIES = 200  # at the same time; each takes a file descriptor
_RESOLV_CONF = Path("/etc/resolv.conf")
_PORT = 53


class DnsNames:
    """Implements ports.Names.

    `nameservers` are addresses and ports, by default the system's; `timeout` is in seconds, for everything that one
    client needs.  `timer` counts the seconds that answers are kept.  Nothing is started before the first look-up.
    Raises ValueError for two ports at one address, which dnspython cannot tell apart.
    """

    def __init__(
        self,
        nameservers: Sequence[tuple[str, int]] = (),
        *,
        timeout: float,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._resolver = _resolver(nameservers or system_nameservers(), timeout)
        self._turn = asyncio.Semaphore(_QUERIES)
        self._shared = SharedNames(self._gather, timeout=timeout, timer=timer)

    def begin(self, address: IPAddress) -> UnderWay:
        """Start to look up the names of `address`; returns at once."""
        return self._shared.begin(address)

    def figures(self) -> dict[str, int]:
        """How often names were known already or being looked up, and how often DNS was asked."""
        return {"names_known": self._shared.kept, "names_asked": self._shared.asked}

    async def _gather(self, address: IPAddress, gathered: Gathered) -> None:
        targets = await self._records(address.reverse_pointer, "PTR", gathered)
        names = map(_host_name, targets[:_MAX_NAMES])
        gathered.claimed = tuple(dict.fromkeys(filter(None, names)))
        # All at once: a name whose servers are dead must not use up the time of the others.
        await asyncio.gather(*(self._confirm(name, address, gathered) for name in gathered.claimed))

    async def _confirm(self, name: str, address: IPAddress, gathered: Gathered) -> None:
        addresses = await self._records(name, "A" if address.version == 4 else "AAAA", gathered)
        if address in map(ip_address, addresses):
            gathered.confirmed.add(name)

    async def _records(self, name: str, kind: str, gathered: Gathered) -> list[str]:
        """The records as text, CNAMEs followed; none when there are none or DNS failed, which is noted."""
        question = from_text(name)  # absolute: no search list is tried
        try:
            async with self._turn:
                answer = await self._resolver.resolve(question, kind, raise_on_no_answer=False)
            response: QueryMessage = answer.response
        except NXDOMAIN as error:
            response = error.response(question)  # type: ignore[no-untyped-call]
        except DNSException:
            gathered.failed = True
            return []
        chain = response.resolve_chaining()
        gathered.ttl = min(gathered.ttl, chain.minimum_ttl if chain.answer or _says_how_long(response) else 0)
        return [str(record) for record in chain.answer or ()]


def system_nameservers(resolv_conf: Path = _RESOLV_CONF) -> list[tuple[str, int]]:
    """The name servers in resolv.conf(5); the local host where it names none."""
    resolver = Resolver(configure=False)
    try:
        resolver.read_resolv_conf(str(resolv_conf))
    except NoResolverConfiguration:
        return [("127.0.0.1", _PORT)]
    return [(str(address), _PORT) for address in resolver.nameservers]


def _resolver(nameservers: Sequence[tuple[str, int]], timeout: float) -> Resolver:
    ports = dict(nameservers)
    if len(ports) < len(set(nameservers)):
        raise ValueError("two ports at one name server's address")
    resolver = Resolver(configure=False)
    resolver.nameservers = list(ports)
    resolver.nameserver_ports = ports
    resolver.timeout = timeout / _TRIES
    resolver.lifetime = timeout
    return resolver


def _says_how_long(response: QueryMessage) -> bool:
    """Whether an answer without records may be kept at all (RFC 2308 §5)."""
    return any(rrset.rdtype == SOA for rrset in response.authority)


def _host_name(text: str) -> str:
    """`text` folded, "" when it is no host name; dnspython writes odd bytes as escapes, which none has."""
    try:
        return parse_name(text)
    except PatternError:
        return ""
