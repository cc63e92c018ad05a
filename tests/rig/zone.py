"""DNS records in text, and the answers that a resolver finds in them."""

from __future__ import annotations

from ipaddress import ip_address

import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rrset
from dns.rdatatype import CNAME, SOA, RdataType


def named(address: str, *names: str) -> str:
    """The records of a client whose names lead back to its address."""
    kind = "AAAA" if ":" in address else "A"
    return claimed(address, *names) + "".join(f"{name} 300 {kind} {address}\n" for name in names)


def claimed(address: str, *names: str) -> str:
    """The records of a client whose address has names, whatever those lead to."""
    return "".join(f"{ip_address(address).reverse_pointer} 300 PTR {name}\n" for name in names)


class Zone:
    """Lines such as "mx.client.example 300 A 192.0.2.7"; all names are absolute, odd bytes escaped as in RFC 1035 §5.1.

    Other names do not exist, and the nearest SOA is the evidence.
    """

    def __init__(self, text: str) -> None:
        self._records: dict[tuple[dns.name.Name, RdataType], dns.rrset.RRset] = {}
        self.add(text)

    def add(self, text: str) -> None:
        """More records."""
        for line in filter(None, map(str.strip, text.splitlines())):
            owner, ttl, kind, data = line.split(None, 3)
            record = dns.rdata.from_text("IN", kind, data, origin=dns.name.root, relativize=False)
            rrset = dns.rrset.from_rdata(dns.name.from_text(owner), int(ttl), record)
            self._records.setdefault((rrset.name, rrset.rdtype), rrset).add(record)

    def answer(self, response: dns.message.Message) -> None:
        """Fill in what answers its question; CNAMEs are followed."""
        name, kind = response.question[0].name, response.question[0].rdtype
        while (name, kind) not in self._records and (alias := self._records.get((name, CNAME))):
            if alias in response.answer:
                return  # a loop
            response.answer.append(alias)
            name = alias[0].target
        if (name, kind) in self._records:
            response.answer.append(self._records[name, kind])
            return
        if not any(owner.is_subdomain(name) for owner, _ in self._records):
            response.set_rcode(dns.rcode.NXDOMAIN)
        zones = [rrset for (owner, of), rrset in self._records.items() if of == SOA and name.is_subdomain(owner)]
        response.authority += sorted(zones, key=lambda rrset: len(rrset.name))[-1:]
