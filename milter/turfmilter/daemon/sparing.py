"""Finds keys of [turf] that spare mail from this host, whose effect depends on how its MTA submits that mail."""

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
    """True if `spare_local` is set for any listener whose turf rule is in use."""
    return any(turf.spare_local for turf in _holding(config))


def sparing_loopback(config: Config, today: date) -> Entry | None:
    """The first entry of `spare_clients`, of any listener, that matches a loopback address; None if there is none."""
    tables = (turf.spare_clients for turf in _holding(config))
    entries = (table.by_address(connection, today) for table in tables for connection in _LOOPBACK)
    return next(filter(listed, entries), None)


def _holding(config: Config) -> Iterator[TurfConfig]:
    """The [turf] sections, default and of listeners, that have a turf table and are not off."""
    if config.mode is Mode.OFF:
        return
    for view in (config, *map(config.at, config.listener)):
        if view.turf.tables and view.turf.mode is not Mode.OFF:
            yield view.turf
