"""Domains that the MTA receives mail for, and that `domains` lacks: their mail is refused."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from turfmilter.config.choices import Default
from turfmilter.config.schema import Config
from turfmilter.core.entry import Entry, listed
from turfmilter.core.pattern import Name
from turfmilter.core.policy import Mode

_NAMED = 5  # how many domains the sentence names
_PROBE = "any-host"  # a name below a domain, which no administrator has an entry for


def uncovered(config: Config, received: Iterable[Entry], mta: str, advice: str, today: date) -> list[str]:
    """At most one warning: the domains among `received` whose recipients the relay rule would refuse.

    `advice` is what to write into `domains` to follow the MTA.
    """
    mode = _mode(config)
    if mode is Mode.OFF:
        return []
    entries = list(received)
    excluded = {entry.pattern for entry in entries if entry.exception}
    missing = {
        entry.text: entry.where.source
        for entry in entries
        if not entry.exception and entry.pattern not in excluded and _refused(config, entry, today)
    }
    if not missing:
        return []
    named = ", ".join(f'"{text}" ({source})' for text, source in list(missing.items())[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    refuses = "refuses" if mode is Mode.ENFORCE else "would refuse"
    return [
        f"domains: {mta} receives mail for {named}{more}, and turfmilter {refuses} it with"
        f' "{config.relay.reply}"; add {"it" if len(missing) == 1 else "them"}, or write {advice}'
    ]


def _mode(config: Config) -> Mode:
    """The farthest that the relay rule goes at any listener, where it refuses clients by default."""
    views = [config, *map(config.at, config.listener)]
    modes = [min(config.mode, view.relay.mode, key=list(Mode).index) for view in views if not _open(view)]
    return max(modes, key=list(Mode).index, default=Mode.OFF)


def _open(view: Config) -> bool:
    return view.relay.default is Default.ALLOW and view.relay.routing


def _refused(config: Config, entry: Entry, today: date) -> bool:
    """True when no entry of ours covers all that `entry` does.  Names of this host for itself do not count."""
    pattern = entry.pattern
    if not isinstance(pattern, Name) or pattern.domain.split(".")[0] == "localhost":
        return False
    names = [pattern.domain] if pattern.exact else [pattern.domain, f"{_PROBE}.{pattern.domain}"]
    tables = (config.domains, config.relay.always)
    return not all(any(listed(table.match_name(name, today)) for table in tables) for name in names)
