"""The section [relay]."""

from __future__ import annotations

from dataclasses import dataclass

from turfmilter.config.kinds.tables import OPEN_RELAY, Clients, Hosts
from turfmilter.config.kinds.words import Accounts, Choice, Default, Flag, OnError, ReplyLine
from turfmilter.config.setting import setting
from turfmilter.core.clients import ClientTable
from turfmilter.core.policy import Mode
from turfmilter.core.reply import REPLIES, Reply
from turfmilter.core.table.hosts import HostTable


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """Who may send to recipients that are not ours.

    The steps are asked in this order, and the first that applies decides:
    deny, allow, interfaces, authenticated, and then default.  What the MTA itself refuses stays refused.
    """

    mode: Mode = setting(
        Choice(Mode), "enforce", "Enforce the rule, try it (log what it would refuse), or turn it off.", example="trial"
    )
    on_error: OnError = setting(
        Choice(OnError),
        "tempfail",
        "When a client's name decides and DNS does not answer, the client is told to come back."
        ' "continue" would open the relay and is refused.',
        example="tempfail",
    )
    reply: Reply = setting(
        ReplyLine(),
        str(REPLIES["relay"]),
        "What the client hears. A 4xx reply makes it try again, which helps while you are unsure.",
        example="554 5.7.1 no relaying here",
    )
    default: Default = setting(
        Choice(Default),
        "deny",
        "For clients that no step decides about. With allow, everybody but the clients in deny may relay.",
        example="allow",
    )
    routing: bool = setting(
        Flag(), True, "False: nobody relays at all, whatever the other keys say, always included.", example=False
    )
    deny: ClientTable = setting(
        Clients(refused=True),
        [],
        "Clients that never relay, not even authenticated. On a tie between an entry and its exception the entry wins."
        " A name also matches a client whose name is not confirmed.",
        example=["192.168.1.66", "file:relay.deny"],
    )
    allow: ClientTable = setting(
        Clients(refused=False, vast=OPEN_RELAY),
        ["127.0.0.0/8", "::1"],
        "Clients that may relay. A name needs DNS to confirm it in both directions.",
        example=["127.0.0.0/8", "::1", "192.168.1.0/24", "!192.168.1.66"],
        sample=["127.0.0.0/8", "::1"],
    )
    interfaces: HostTable = setting(
        Hosts("addresses, networks and ranges", exception_wins=True, addresses_only=True, trusted=True),
        [],
        "Addresses of this host. Whoever connects to one of them may relay.",
        example=["10.0.0.25"],
    )
    authenticated: bool | frozenset[str] = setting(
        Accounts(),
        True,
        "Whether authenticated clients may relay: all, none, or these accounts."
        ' "alice" is alice in every realm, "alice@example.org" only in that one.',
        example=["alice", "newsletter@example.org"],
    )
    authenticated_needs_tls: bool = setting(
        Flag(), False, "True: authentication counts only on an encrypted connection.", example=True
    )
    always: HostTable = setting(
        Hosts("domains", exception_wins=True),
        [],
        "Domains that everybody may relay to, such as those for which this host is the backup MX."
        ' The domain covers its subdomains, "=domain" only itself.',
        example=["customer.example", "=partner.example"],
    )
