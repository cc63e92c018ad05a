"""The macros that this configuration needs and this MTA does not send, although it was asked."""

from __future__ import annotations

from turfmilter.core.generation import Generation
from turfmilter.core.session import Connection
from turfmilter.mta.macros import MACROS, Macros


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
