"""What `turfmilter -t` doubts beside errors: a configuration that is valid, but probably not meant."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from itertools import combinations, product

from turfmilter.compose import build_generation, mail_exchangers
from turfmilter.config.kinds.words import Default
from turfmilter.config.schema import Config
from turfmilter.config.sections.limits import CapConfig
from turfmilter.core.address.mailbox import IPAddress, Mailbox, parse_address
from turfmilter.core.journal.transaction import Answer, Transaction, Tried
from turfmilter.core.policy import Generation, Listener, Mode
from turfmilter.core.retrial import judge_again
from turfmilter.core.rule import Fact
from turfmilter.core.session import ClientNames, Connection, Known, Recipient
from turfmilter.core.table.entry import Entry, listed
from turfmilter.core.table.pattern import Interval, Name

# Clients all over the Internet, and recipients in the large domains: no rule means just these.  Lists of networks that
# must not exist, which many hosts refuse, have none of them.
_STRANGERS = ("23.0.113.254", "67.0.113.254", "101.0.113.254", "131.0.113.254", "163.0.113.254", "195.0.113.254")
_STRANGERS_6 = ("2400:0:113::254", "2600:0:113::254", "2a00:0:113::254")
_NAME = "mail.example.com"  # their confirmed name, which a rule may require
_SENDER = "<stranger@example.com>"
_OUTSIDE = ("<anyone@example.com>", "<anyone@example.net>", "<anyone@example.org>")
_CONDITIONS = ("authenticated", "client", "sender", "listener")
_BUILT_IN = "built-in"  # the place of the loopback networks, which may relay by default
_MOST_DOMAINS = 20  # of which DNS is asked for the mail exchangers


def lint(config: Config, now: datetime) -> list[str]:
    """Return warnings about what is probably not meant; asks DNS for the mail exchangers of our own domains."""
    today = now.date()
    return [
        *_own_senders(config, today),
        *_own_clients(config, today),
        *_open_relay(config, now),
        *_unreachable(config),
        *_hidden_caps(config),
        *_refused_exchangers(config, today),
    ]


def _own_domains(config: Config) -> Iterator[str]:
    every = (entry for entry in config.domains if not entry.exception)
    return (entry.pattern.domain for entry in every if isinstance(entry.pattern, Name))


def _own_senders(config: Config, today: date) -> Iterator[str]:
    """Warn about entries of the turf table that list senders of our own domains."""
    found: dict[str, None] = {}
    for domain in _own_domains(config):
        entry = config.turf.tables.match(Mailbox("anyone", domain), today)
        if entry and listed(entry):
            spared = "spare_local and spare_clients" if not config.turf.spare_local else "spare_clients"
            said = f'{entry.where}: "{entry.text}": lists senders of your own domain {domain}'
            found[f"{said}; if that is meant, see {spared} for the programs and devices that use it"] = None
    yield from found


def _own_clients(config: Config, today: date) -> Iterator[str]:
    """Warn about entries of [connect] that refuse clients that may relay, or this host itself."""
    if config.connect.mode is Mode.OFF:
        return
    for entry in config.relay.allow:
        if isinstance(entry.pattern, Interval) and not entry.exception and not entry.where.source.startswith(_BUILT_IN):
            for end in {entry.pattern.first, entry.pattern.last}:
                refusing = _refusing(config, _address(end, entry.pattern.version), today)
                if refusing:
                    refused = f"clients of {entry.text} ({entry.where}), which may relay"
                    yield f'{refusing.where}: "{refusing.text}": refuses {refused}'
                    break
    for address in ("127.0.0.1", "::1"):
        if (client := parse_address(address)) and (refusing := _refusing(config, client, today)):
            yield f'{refusing.where}: "{refusing.text}": refuses {address}, by which programs of this host connect'


def _refusing(config: Config, client: IPAddress, today: date) -> Entry | None:
    """Return the entry of [connect] by which a client may not connect; it is an exception from those that may."""
    entry = config.connect.clients.by_address(Connection(client), today)
    return entry if entry and entry.exception else None


def _address(number: int, version: int) -> IPAddress:
    family, octets = (socket.AF_INET, 4) if version == 4 else (socket.AF_INET6, 16)
    found = parse_address(socket.inet_ntop(family, number.to_bytes(octets, "big")))
    assert found
    return found


def _open_relay(config: Config, now: datetime) -> Iterator[str]:
    """Warn if strangers may relay: asks the rules themselves, as if those on trial were enforced."""
    generation = build_generation(_enforced(config))
    for name, listener in [("", None), *config.listener.items()]:
        if config.at(name).relay.mode is Mode.OFF:
            continue
        connects = _through(listener.conditions if listener else None)
        for strangers, recipient in product((_STRANGERS, _STRANGERS_6), _outside(config)):
            if sum(_relays(generation, connects(one), recipient, now) for one in strangers) * 2 > len(strangers):
                where = f"[listener.{name}]" if name else "[relay]"
                yield (
                    f"{where}: makes this host an open relay: a client such as {strangers[0]} that has not logged in"
                    f" may send from {_SENDER} to {recipient}; see it with: turfctl relay-test"
                )
                break


def _outside(config: Config) -> list[str]:
    """Return recipients that are not ours."""
    return [one for one in _OUTSIDE if not listed(config.domains.match_name(one.rpartition("@")[2][:-1], date.max))]


def _enforced(config: Config) -> Config:
    def lifted(mode: Mode) -> Mode:
        return Mode.ENFORCE if mode is Mode.TRIAL else mode

    listeners = {
        name: replace(one, relay=replace(one.relay, mode=lifted(one.relay.mode)))
        for name, one in config.listener.items()
    }
    relay = replace(config.relay, mode=lifted(config.relay.mode))
    return replace(config, mode=Mode.ENFORCE, relay=relay, listener=listeners)


def _through(conditions: Listener | None) -> Callable[[str], Connection]:
    """Return a function that makes a connection of a client to the listener with these conditions."""
    port = min(conditions.ports, default=25) if conditions else 25
    local = min(conditions.addresses, key=str, default=None) if conditions else None
    daemon = min(conditions.daemons, default="") if conditions else ""
    names = Known(ClientNames((_NAME,), (_NAME,)))
    return lambda client: Connection(parse_address(client), _NAME, names, local, port, daemon)


def _relays(generation: Generation, connection: Connection, recipient: str, now: datetime) -> bool:
    transaction = Transaction(
        time=now,
        session="",
        connection=connection,
        facts=frozenset(Fact),
        today=now.date(),
        sender=_SENDER,
        tried=(Tried(Recipient(recipient)),),
        answer=Answer(),
    )
    retrial = judge_again(generation, transaction)
    return retrial.tried == (None,) and not retrial.answer.reply


def _unreachable(config: Config) -> Iterator[str]:
    """Warn about listeners at addresses that this host does not have."""
    for name, listener in config.listener.items():
        addresses = listener.conditions.addresses
        if addresses and not any(map(_is_ours, addresses)):
            known = ", ".join(sorted(map(str, addresses)))
            yield f"listener.{name}.address: no connection can reach it: this host does not have {known}"


def _is_ours(address: IPAddress) -> bool:
    with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as here:
        try:
            here.bind((str(address), 0))
        except OSError:
            return False
    return True


def _hidden_caps(config: Config) -> Iterator[str]:
    """Warn about caps that never apply, because an earlier one applies to all of their messages."""
    hidden: set[int] = set()
    for (first, one), (later, other) in combinations(enumerate(config.cap), 2):
        if later not in hidden and _covers(one, other):
            hidden.add(later)
            yield f"cap[{later}]: never applies: cap[{first}], which comes first, applies to all of its messages"


def _covers(one: CapConfig, other: CapConfig) -> bool:
    """Return True if each condition of `one` is met by every message that meets those of `other`."""
    pairs = ((getattr(one, name), getattr(other, name)) for name in _CONDITIONS)
    return all(mine is None or _includes(mine, theirs) for mine, theirs in pairs)


def _includes(mine: object, theirs: object) -> bool:
    if mine is True:
        return bool(theirs)
    if isinstance(mine, frozenset | tuple) and isinstance(theirs, frozenset | tuple):
        return set(theirs) <= set(mine)
    return _same_entries(mine, theirs)


def _same_entries(mine: object, theirs: object) -> bool:
    if not (isinstance(mine, Iterable) and isinstance(theirs, Iterable)):
        return False
    return {(e.pattern, e.exception) for e in mine} == {(e.pattern, e.exception) for e in theirs}


def _refused_exchangers(config: Config, today: date) -> Iterator[str]:
    """Warn if a mail exchanger of our own domains may not connect, although only listed clients may."""
    connect = config.connect
    if connect.default is not Default.DENY or connect.mode is Mode.OFF:
        return
    domains = [domain for _, domain in zip(range(_MOST_DOMAINS), _own_domains(config), strict=False)]
    for domain, exchanger, address in mail_exchangers(config, domains):
        if _is_ours(address):
            continue
        entry = connect.clients.by_address(Connection(address), today)
        if entry is None or entry.exception:
            who = f"{exchanger} ({address}), a mail exchanger of {domain}, may not connect"
            yield f'connect.default: "deny", but {who}, and could not pass on what it holds; list it in connect.allow'
