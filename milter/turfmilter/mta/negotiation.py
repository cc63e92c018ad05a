"""What this configuration needs of the MTA: events, answers and actions, and nothing else."""

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
    """What was agreed for one connection; `protocol` and `actions` are libmilter's bits."""

    protocol: int = 0
    actions: int = 0

    @property
    def can_skip(self) -> bool:
        """True when SKIP ends the body early."""
        return bool(self.protocol & milter.P_SKIP)

    @property
    def leading_space(self) -> bool:
        """True when header values come with the blanks behind the colon."""
        return bool(self.protocol & milter.P_HDR_LEADSPC)

    @property
    def can_delete_recipients(self) -> bool:
        """True when delrcpt works."""
        return bool(self.actions & milter.DELRCPT)

    @property
    def can_change_header(self) -> bool:
        """True when header fields can be added and removed."""
        return bool(self.actions & milter.ADDHDRS and self.actions & milter.CHGHDRS)

    @property
    def can_ask_for_macros(self) -> bool:
        """True when the MTA takes our list of macros."""
        return bool(self.actions & milter.SETSYMLIST)


# Only the last answer of each is kept: an MTA offers the same at every connection, and old generations must go.
@lru_cache(maxsize=1)
def negotiate(generation: Generation, actions: int, protocol: int) -> Terms:
    """The terms out of the `actions` and `protocol` bits that the MTA offers."""
    wanted = milter.P_NOUNKNOWN | milter.P_SKIP | _unneeded_content(generation)
    # Refusals are answered at RCPT, but for rules that refuse at once; without any rule, connect must ACCEPT.
    wanted |= milter.P_NR_HELO | milter.P_NR_MAIL | milter.P_NR_HDR
    waits = generation.asks(Stage.CONNECT) or not all(policy.clauses for policy in generation.policies)
    # Postfix keeps what needs no answer until something does: the look-up of names would begin at RCPT only.
    if not waits and not generation.needs_names:
        wanted |= milter.P_NR_CONN
    return Terms(protocol & wanted, actions & _wanted_actions(generation))


@lru_cache(maxsize=1)
def lacking(generation: Generation, terms: Terms) -> tuple[str, ...]:
    """What `generation` needs of an MTA and this one does not offer, each with what follows from it."""
    return tuple(_lacking(generation, terms))


def _wanted_actions(generation: Generation) -> int:
    wanted = int(milter.SETSYMLIST)
    if generation.does(*_TAKING):
        wanted |= milter.DELRCPT
    if generation.does(Action.CHANGE):
        wanted |= milter.ADDHDRS | milter.CHGHDRS
    return wanted


def _unneeded_content(generation: Generation) -> int:
    """The bits for what need not be shown of the message itself."""
    if generation.does(Action.HOLD) or generation.measures:
        return int(milter.P_HDR_LEADSPC)  # every byte is kept, or counts
    return int(milter.P_NOBODY if generation.asks(Stage.HEADERS) else _NO_CONTENT)


def _lacking(generation: Generation, terms: Terms) -> Iterator[str]:
    if any(policy.clauses for policy in generation.policies) and not terms.can_ask_for_macros:
        yield (
            "the MTA takes no list of macros (SMFIF_SETSYMLIST): client names, listeners and accounts"
            " are known only as far as its own configuration sends them"
        )
    if generation.does(*_TAKING) and not terms.can_delete_recipients:
        yield (
            "the MTA lets nobody take off recipients (SMFIF_DELRCPT): turf mail that is for exempt recipients"
            " and others is answered 451"
        )
    if generation.does(Action.CHANGE) and not terms.can_change_header:
        yield (
            "the MTA lets nobody change headers (SMFIF_ADDHDRS, SMFIF_CHGHDRS): Authentication-Results are neither"
            " stamped nor removed"
        )
    if generation.does(Action.HOLD) and not terms.leading_space:
        yield (
            "the MTA does not show the blanks behind the colon of a header (SMFIP_HDR_LEADSPC): held messages have one"
            " there, which can break their DKIM signatures"
        )


def undelivered(generation: Generation, connection: Connection, macros: Macros) -> tuple[str, ...]:
    """A sentence for each, with what follows from it.

    Only what every client of every MTA comes with is missed: a local submission has none of them, Sendmail names
    no local address to a client on loopback, and who sends no {auth_type} has not logged in.
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
    return tuple(f"the MTA sends no {name}: {MACROS[name].without.replace('`', '')}" for name in missed)
