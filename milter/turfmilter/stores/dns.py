"""Looks up a client's names in DNS: its PTR records, each confirmed by an A or AAAA record (RFC 8601 §3, iprev)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
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

_MAX_NAMES = 10  # RFC 7208 §4.6.4: otherwise the owner of the reverse zone would decide how many queries we send
_TRIES = 4  # attempts within the timeout, so that time is left after a lost packet or a dead first server
_QUERIES = 200  # queries at the same time; each needs a file descriptor
_RESOLV_CONF = Path("/etc/resolv.conf")
_PORT = 53


class DnsNames:
    """Implements ports.Names.

    `nameservers` are addresses and ports, by default those of the system.  `timeout` is in seconds, for all queries
    about one client together.  `timer` is the clock, in seconds, by which answers expire.  No thread is started
    before the first lookup.  Raises ValueError for two ports at one address, which dnspython cannot distinguish.
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
        """Start a lookup of the names of `address`; returns at once."""
        return self._shared.begin(address)

    def figures(self) -> dict[str, int]:
        """Counts for the status: lookups answered from the cache or by one in progress, and lookups that asked DNS.

        Of the latter, those that have ended are also counted by their result.
        """
        shared = self._shared
        ended = {f"names_{result}": number for result, number in shared.ended.items()}
        return {"names_known": shared.kept, "names_asked": shared.asked, **ended}

    async def _gather(self, address: IPAddress, gathered: Gathered) -> None:
        targets = await self._records(address.reverse_pointer, "PTR", gathered)
        names = map(_host_name, targets[:_MAX_NAMES])
        gathered.claimed = tuple(dict.fromkeys(filter(None, names)))
        # In parallel: a name with unreachable servers must not use up the time of the others.
        await asyncio.gather(*(self._confirm(name, address, gathered) for name in gathered.claimed))

    async def _confirm(self, name: str, address: IPAddress, gathered: Gathered) -> None:
        addresses = await self._records(name, "A" if address.version == 4 else "AAAA", gathered)
        if address in map(ip_address, addresses):
            gathered.confirmed.add(name)

    async def _records(self, name: str, kind: str, gathered: Gathered) -> list[str]:
        """The records as text, CNAMEs followed; empty if there are none, or if DNS failed (`gathered.failed`)."""
        question = from_text(name)  # absolute, so that no search list is applied
        try:
            async with self._turn:
                answer = await self._resolver.resolve(question, kind, raise_on_no_answer=False)
            response: QueryMessage = answer.response
        except NXDOMAIN as error:  # not a failure: the answer that there is none, with a TTL of its own
            response = error.response(question)  # type: ignore[no-untyped-call]
        except DNSException:
            gathered.failed = True
            return []
        chain = response.resolve_chaining()
        gathered.ttl = min(gathered.ttl, chain.minimum_ttl if chain.answer or _says_how_long(response) else 0)
        return [str(record) for record in chain.answer or ()]


def exchangers(
    nameservers: Sequence[tuple[str, int]], domains: Sequence[str], timeout: float
) -> list[tuple[str, str, IPAddress]]:
    """Return the mail exchangers of `domains` with their addresses, as far as DNS answers within `timeout` seconds."""
    return asyncio.run(_exchangers(_resolver(nameservers or system_nameservers(), timeout), domains, timeout))


async def _exchangers(resolver: Resolver, domains: Sequence[str], timeout: float) -> list[tuple[str, str, IPAddress]]:
    found: list[tuple[str, str, IPAddress]] = []

    async def records(name: str, kind: str) -> list[str]:
        try:
            return [str(record) for record in await resolver.resolve(from_text(name), kind)]
        except DNSException:
            return []

    async def look_up(domain: str) -> None:
        for name in {record.split()[-1] for record in await records(domain, "MX")} - {"."}:
            for kind in ("A", "AAAA"):
                found.extend((domain, name.removesuffix("."), ip_address(text)) for text in await records(name, kind))

    with suppress(TimeoutError):
        async with asyncio.timeout(timeout):
            await asyncio.gather(*map(look_up, domains))
    return sorted(found, key=str)


def system_nameservers(resolv_conf: Path = _RESOLV_CONF) -> list[tuple[str, int]]:
    """The name servers in resolv.conf(5), with ports; this host if it lists none."""
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
    """True if an answer without records may be cached: only if it has an SOA record (RFC 2308 §5)."""
    return any(rrset.rdtype == SOA for rrset in response.authority)


def _host_name(text: str) -> str:
    """`text` folded; "" if it is not a host name.  dnspython escapes odd bytes, which no host name contains."""
    try:
        return parse_name(text)
    except PatternError:
        return ""
