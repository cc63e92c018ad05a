"""Checks how sendmail.cf uses the filter, and lists the domains that Sendmail receives mail for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path

from turfmilter.config.schema import Config
from turfmilter.config.socketspec import SocketSpec, is_loopback
from turfmilter.config.textfile import TextFileError, read_text
from turfmilter.core.table.entry import Entry, Where
from turfmilter.core.table.pattern import parse_host
from turfmilter.daemon.sparing import sparing_local, sparing_loopback
from turfmilter.importers.sendmail import read_sendmail
from turfmilter.importers.sendmailcf import Filter, SendmailCf, names_of_filters
from turfmilter.importers.words import Of

_OUTCOMES = {
    "": "mail passes unfiltered",
    "R": "mail is rejected permanently",
    "4": "connections are closed",
}
_WAIT = 60  # seconds that T=R: should be at least, because a slow disk can take that long
_DEFAULT_WAIT = "10s"  # Sendmail's default for R=
_UNITS = {"": 60, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}  # in seconds; without a unit: minutes


def received(cf: SendmailCf) -> list[Entry]:
    """The domains in class w (local-host-names) and class R (relay-domains).  Files that cannot be read are skipped."""
    entries: list[Entry] = []
    for name, below in (("w", False), ("R", cf.relays_below)):
        source = f"class {name}"
        words = list(cf.members(name))
        for path in cf.files(name):
            try:
                words += read_text(Path(path)).split("\n")
            except TextFileError:
                continue
        found, _ = read_sendmail(words, source, parse_host, Of.DOMAINS, below=below)
        entries += (_placed(entry, source) for entry in found)
    return entries


def warnings(config: Config, cf: SendmailCf, today: date) -> list[str]:
    """Warnings about how Sendmail uses the filter; none if the filter is not attached."""
    ours = next((one for one in cf.filters if _is_ours(config.socket, one.equates.get("S", ""))), None)
    if ours is None:
        return []
    return [*_doubts(ours), *_places(ours, cf), *_unknown_users(cf), *_spared(config, today)]


def _doubts(ours: Filter) -> Iterator[str]:
    """Warnings about the X line of our filter itself."""
    place, action = f"sendmail.cf: X{ours.name}", ours.equates.get("F", "")[:1].upper()
    if action in _OUTCOMES:
        yield f"{place}: while turfmilter is down, {_OUTCOMES[action]} (F={action}); write F=T in sendmail.mc"
    wait = ours.waits.get("R", _DEFAULT_WAIT)
    if _seconds(wait) < _WAIT:
        yield (
            f"{place}: Sendmail waits only {wait} for an answer, which is too short for a slow disk (T=R:{wait});"
            " write T=C:2m;S:30s;R:60s;E:5m in sendmail.mc"
        )


def _places(ours: Filter, cf: SendmailCf) -> Iterator[str]:
    """Warnings about the lists of filters in which our filter is missing or not the first."""
    if ours.name not in cf.asked and not any(ours.name in names_of_filters(one.get("I", "")) for one in cf.daemons):
        yield (
            f"sendmail.cf: InputMailFilters: {ours.name} is not listed, so Sendmail never asks it; use"
            " INPUT_MAIL_FILTER instead of MAIL_FILTER in sendmail.mc, or list it in confINPUT_MAIL_FILTERS"
        )
    lists = [("InputMailFilters", cf.asked)]
    lists += [(_listener(one), names_of_filters(one["I"])) for one in cf.daemons if "I" in one]
    for place, names in lists:
        if ours.name in names and names[0] != ours.name:
            yield (
                f"sendmail.cf: {place}: {names[0]} comes before {ours.name}, so it signs and changes mail that is then"
                f" held; list {ours.name} first"
            )
    for one in cf.daemons:
        if (
            "I" in one
            and ours.name not in names_of_filters(one["I"])
            and not is_loopback(one.get("A", "").removeprefix("IPv6:"))
        ):
            yield (
                f"sendmail.cf: {_listener(one)}: omits {ours.name}, so mail received there is not filtered; add"
                f" it to InputMailFilters= of that line"
            )


def _unknown_users(cf: SendmailCf) -> Iterator[str]:
    """A warning about LUSER_RELAY: all unknown users then have the same mailbox, by which Sendmail removes recipients.

    A filter cannot see which users are unknown.
    """
    mailer, _, address = cf.luser_relay.partition(":")
    if mailer == "local" or "@" in address:
        yield (
            f"sendmail.cf: LUSER_RELAY: all unknown users lead to one address ({cf.luser_relay}), which can then"
            " receive mail that turfmilter refused for them, or miss mail that it accepted; name only a host"
            " (relay:HOST), or use virtusertable (@DOMAIN) for a catch-all"
        )


def _spared(config: Config, today: date) -> Iterator[str]:
    """A warning about programs that are not spared, because submit.cf makes them SMTP clients of this host."""
    if sparing_local(config) and not sparing_loopback(config, today):
        yield (
            "turf.spare_local: Sendmail's own programs submit mail over SMTP (submit.cf), so this spares only"
            ' sendmail -bs; to spare the others, add "127.0.0.1" and "::1" to spare_clients'
        )


def _listener(daemon: Mapping[str, str]) -> str:
    return f"DaemonPortOptions Name={daemon.get('N', daemon.get('P', '?'))}"


def _is_ours(socket: SocketSpec, where: str) -> bool:
    kind, _, rest = where.partition(":")
    if kind.lower() in ("local", "unix"):
        return socket.family == "unix" and rest == socket.path
    port, _, host = rest.partition("@")  # inet:PORT@HOST; Postfix writes inet:HOST:PORT
    return kind.lower() in ("inet", "inet6") and socket.at(host, port)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)([smhdw]?)", text.strip().lower())
    return int(found[1]) * _UNITS[found[2]] if found else float("inf")


def _placed(entry: Entry, source: str) -> Entry:
    return Entry(entry.text, entry.pattern, Where(source), entry.exception)
