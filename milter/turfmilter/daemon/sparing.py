"""Whose mail [turf] does not hold, as far as it depends on how this host's MTA submits mail from its own programs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from ipaddress import ip_address

from turfmilter.config.schema import Config
from turfmilter.config.sections.turf import TurfConfig
from turfmilter.core.policy import Mode
from turfmilter.core.session import Connection
from turfmilter.core.table.entry import Entry, listed

_LOOPBACK = tuple(Connection(client=ip_address(address)) for address in ("127.0.0.1", "::1"))


def sparing_local(config: Config) -> bool:
    """True if the rule spares local submissions at some listener."""
    return any(turf.spare_local for turf in _holding(config))


def sparing_loopback(config: Config, today: date) -> Entry | None:
    """The first entry of `spare_clients` that spares SMTP clients on this host at some listener."""
    tables = (turf.spare_clients for turf in _holding(config))
    entries = (table.by_address(connection, today) for table in tables for connection in _LOOPBACK)
    return next(filter(listed, entries), None)


def _holding(config: Config) -> Iterator[TurfConfig]:
    """The sections [turf] of all listeners that have a turf table."""
    if config.mode is Mode.OFF:
        return
    for view in (config, *map(config.at, config.listener)):
        if view.turf.tables and view.turf.mode is not Mode.OFF:
            yield view.turf
