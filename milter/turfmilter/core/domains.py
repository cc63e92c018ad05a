"""A list of domains: ours, or those that everybody may relay to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from turfmilter.core.entry import listed
from turfmilter.core.hosts import HostTable
from turfmilter.core.mailbox import Mailbox


@dataclass(frozen=True, slots=True)
class Domains:
    """Domains, and the addresses whose literals count as one."""

    table: HostTable

    def hold(self, mailbox: Mailbox, today: date) -> bool:
        """True when the domain of `mailbox` is listed; an address literal is when its address is."""
        literal = mailbox.literal
        entry = self.table.match_address(literal, today) if literal else self.table.match_name(mailbox.domain, today)
        return listed(entry)
