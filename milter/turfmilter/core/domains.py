"""A list of domains: ours, or those that everybody may relay to."""

from __future__ import annotations

from dataclasses import dataclass

from turfmilter.core.entry import listed
from turfmilter.core.hosts import HostTable
from turfmilter.core.mailbox import Mailbox
from turfmilter.core.ports import Clock


@dataclass(frozen=True, slots=True)
class Domains:
    """Domains, and the addresses whose literals count as one."""

    table: HostTable
    clock: Clock

    def hold(self, mailbox: Mailbox) -> bool:
        """True when the domain of `mailbox` is listed; an address literal is when its address is."""
        today, literal = self.clock.today(), mailbox.literal
        entry = self.table.match_address(literal, today) if literal else self.table.match_name(mailbox.domain, today)
        return listed(entry)
