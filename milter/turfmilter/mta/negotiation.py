"""Negotiates with the MTA which events, answers and actions this configuration needs, and no others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import milter

from turfmilter.core.finding import Action
from turfmilter.core.policy import Generation
from turfmilter.core.rule import Stage
from turfmilter.core.session import Connection
from turfmilter.mta.macros import MACROS, Macros

_NO_CONTENT = milter.P_NOHDRS | milter.P_NOEOH | milter.P_NOBODY
_TAKING = (Action.HOLD, Action.DISCARD)


@dataclass(frozen=True, slots=True)
class Terms:
    """What was agreed for one connection: `protocol` (SMFIP_*) and `actions` (SMFIF_*) bits of libmilter."""

    protocol: int = 0
    actions: int = 0

    @property
    def can_skip(self) -> bool:
        """True if the filter may answer SKIP to receive no more of the body."""
        return bool(self.protocol & milter.P_SKIP)

    @property
    def leading_space(self) -> bool:
        """True if header values include the blanks after the colon."""
        return bool(self.protocol & milter.P_HDR_LEADSPC)

    @property
    def can_delete_recipients(self) -> bool:
        """True if recipients can be removed (delrcpt)."""
        return bool(self.actions & milter.DELRCPT)

    @property
    def can_change_header(self) -> bool:
        """True if header fields can be added and removed."""
        return bool(self.actions & milter.ADDHDRS and self.actions & milter.CHGHDRS)

    @property
    def can_ask_for_macros(self) -> bool:
        """True if the MTA accepts a list of macros (smfi_setsymlist)."""
        return bool(self.actions & milter.SETSYMLIST)


# One result is cached: an MTA makes the same offer at every connection, and a larger cache would keep old generations
# with their tables in memory.
@lru_cache(maxsize=1)
def negotiate(generation: Generation, actions: int, protocol: int) -> Terms:
    """The terms to agree on, out of the `actions` and `protocol` bits that the MTA offers."""
    wanted = milter.P_NOUNKNOWN | milter.P_SKIP | _unneeded_content(generation)
    # Refusals are given at RCPT, so earlier stages need no answer and cost no round trip.  Exceptions: rules that
    # refuse at connect, and policies without rules, for which connect returns ACCEPT.
    wanted |= milter.P_NR_HELO | milter.P_NR_MAIL | milter.P_NR_HDR
    waits = generation.asks(Stage.CONNECT) or not all(policy.clauses for policy in generation.policies)
    # Postfix buffers events without an answer until one needs an answer.  If names are needed, connect must not be
    # buffered: the DNS lookup would start only at RCPT.
    if not waits and not generation.needs_names:
        wanted |= milter.P_NR_CONN
    return Terms(protocol & wanted, actions & _wanted_actions(generation))


@lru_cache(maxsize=1)
def lacking(generation: Generation, terms: Terms) -> tuple[str, ...]:
    """Warnings about what `generation` needs and this MTA does not offer, each with its consequence."""
    return tuple(_lacking(generation, terms))


def _wanted_actions(generation: Generation) -> int:
    wanted = int(milter.SETSYMLIST)
    if generation.does(*_TAKING):
        wanted |= milter.DELRCPT
    if generation.does(Action.CHANGE):
        wanted |= milter.ADDHDRS | milter.CHGHDRS
    return wanted


def _unneeded_content(generation: Generation) -> int:
    """The protocol bits that tell the MTA which parts of the message not to send."""
    if generation.does(Action.HOLD) or generation.measures:
        return int(milter.P_HDR_LEADSPC)  # everything is needed: each byte is stored or counted
    return int(milter.P_NOBODY if generation.asks(Stage.HEADERS) else _NO_CONTENT)


def _lacking(generation: Generation, terms: Terms) -> Iterator[str]:
    if any(policy.clauses for policy in generation.policies) and not terms.can_ask_for_macros:
        yield (
            "the MTA does not accept a list of macros (SMFIF_SETSYMLIST): client names, listeners and accounts"
            " are known only if its own configuration sends them"
        )
    if generation.does(*_TAKING) and not terms.can_delete_recipients:
        yield (
            "the MTA does not let filters remove recipients (SMFIF_DELRCPT): turf mail for both exempt and other"
            " recipients is answered 451"
        )
    if generation.does(Action.CHANGE) and not terms.can_change_header:
        yield (
            "the MTA does not let filters change headers (SMFIF_ADDHDRS, SMFIF_CHGHDRS): Authentication-Results"
            " fields are neither added nor removed"
        )
    if generation.does(Action.HOLD) and not terms.leading_space:
        yield (
            "the MTA does not send the blanks after the colon of a header field (SMFIP_HDR_LEADSPC): held messages"
            " have exactly one there, which can break their DKIM signatures"
        )


def undelivered(generation: Generation, connection: Connection, macros: Macros) -> tuple[str, ...]:
    """Warnings about macros that the MTA should have sent at connect and did not, each with its consequence.

    Only macros that every MTA sends for every client are reported as missing: a local submission has none of them,
    Sendmail sends no local address for a client on loopback, and a missing {auth_type} means that the client has not
    logged in.
    """
    if connection.local or connection.client is None or not (generation.listeners or generation.needs_names):
        return ()
    listeners = [listener for listener, _ in generation.listeners]
    absent = {
        "{client_resolve}": generation.needs_names and not macros["{client_resolve}"],
        "{daemon_name}": any(one.daemons for one in listeners) and not connection.daemon,
        "{daemon_addr}": any(one.addresses for one in listeners)
        and not (connection.local_address or connection.client.is_loopback),
        "{daemon_port}": any(one.ports for one in listeners) and not connection.port,
    }
    missed = (name for name, missing in absent.items() if missing)
    return tuple(f"the MTA does not send {name}: {MACROS[name].without.replace('`', '')}" for name in missed)
