"""The section [relay]."""

from __future__ import annotations

from dataclasses import dataclass

from turfmilter.config.kinds.tables import OPEN_RELAY, Clients, Hosts
from turfmilter.config.kinds.words import AccountNames, Choice, Default, Flag, OnError, ReplyLine
from turfmilter.config.setting import setting
from turfmilter.core.clients import ClientTable
from turfmilter.core.policy import Mode
from turfmilter.core.reply import REPLIES, Reply
from turfmilter.core.table.hosts import HostTable


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """Who may send to recipients that are not ours.

    The first of these steps that applies decides: deny, allow, interfaces, authenticated, and finally default.
    Mail that the MTA itself rejects remains rejected.
    """

    mode: Mode = setting(
        Choice(Mode), "enforce", "Enforce the rule, try it (log what it would refuse), or turn it off.", example="trial"
    )
    on_error: OnError = setting(
        Choice(OnError),
        "tempfail",
        "If a client's name decides and DNS does not answer, the client is told to try again later."
        ' "continue" would open the relay and is not accepted.',
        example="tempfail",
    )
    reply: Reply = setting(
        ReplyLine(),
        str(REPLIES["relay"]),
        "The reply to the client. A 4xx reply makes it try again later, which is safer while you test the rule.",
        example="554 5.7.1 no relaying here",
    )
    default: Default = setting(
        Choice(Default),
        "deny",
        "What applies to clients about which no step decides. With allow, all clients except those in deny may relay.",
        example="allow",
    )
    routing: bool = setting(
        Flag(), True, "False: no client may relay, whatever the other keys say, including always.", example=False
    )
    deny: ClientTable = setting(
        Clients(refused=True),
        [],
        "Clients that must not relay, even if they authenticate. If an entry and an exception are equally specific, the"
        " entry wins. A name also matches if it is not confirmed.",
        example=["192.168.1.66", "file:relay.deny"],
    )
    allow: ClientTable = setting(
        Clients(refused=False, vast=OPEN_RELAY),
        ["127.0.0.0/8", "::1"],
        "Clients that may relay. A name matches only if DNS confirms it in both directions.",
        example=["127.0.0.0/8", "::1", "192.168.1.0/24", "!192.168.1.66"],
        sample=["127.0.0.0/8", "::1"],
    )
    interfaces: HostTable = setting(
        Hosts("addresses, networks and ranges", exception_wins=True, addresses_only=True, trusted=True),
        [],
        "Addresses of this host. Clients that connect to one of them may relay.",
        example=["10.0.0.25"],
    )
    authenticated: bool | frozenset[str] = setting(
        AccountNames(),
        True,
        "Whether authenticated clients may relay: all, none, or these accounts."
        ' "alice" matches alice in every realm, "alice@example.org" only in that one.',
        example=["alice", "newsletter@example.org"],
    )
    authenticated_needs_tls: bool = setting(
        Flag(), False, "True: authentication counts only if the connection is encrypted.", example=True
    )
    always: HostTable = setting(
        Hosts("domains", exception_wins=True),
        [],
        "Domains to which all clients may relay, such as those for which this host is the backup MX."
        ' A domain covers its subdomains; "=domain" is only the domain itself.',
        example=["customer.example", "=partner.example"],
    )
