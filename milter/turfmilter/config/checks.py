"""Checks of several keys together: contradictions, which are errors, and combinations worth a warning."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from itertools import combinations
from typing import Generic, TypeVar

from turfmilter.config.given import Notes, probably
from turfmilter.config.kinds.words import Default, OnError
from turfmilter.config.schema import Config
from turfmilter.config.sections.connect import OnNameError, ReplyAt
from turfmilter.config.sections.limits import CapConfig
from turfmilter.config.sections.listener import ListenerConfig
from turfmilter.config.sections.turf import Answer
from turfmilter.config.setting import keys, sections
from turfmilter.core.policy import Mode
from turfmilter.rules.limits import Limits

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Check(Generic[S]):
    """A message about the first of `keys`, reported if `applies` returns True; it reads all of `keys`."""

    keys: tuple[str, ...]
    applies: Callable[[S], bool]
    sentence: str
    warning: bool = False


# The keys that have no effect with routing = false.
_STEPS = {f"relay.{step}" for step in ("deny", "allow", "interfaces", "authenticated", "default", "always")}
_CONDITIONS = ("authenticated", "client", "sender", "listener")
_THIS_HOST = ("127.0.0.1", "::1", "localhost")
_TABLES = {path for path, setting in keys(Config) if setting.kind.table}  # not checked if no tables are read
_NUMBERS = tuple(field.name for field in fields(Limits))
_UNLISTED = "has no effect, because turf.tables has no entries"


def _unlisted(config: Config) -> bool:
    """Return True for the general configuration if no listener has a turf table: such a listener inherits its keys."""
    tables = (config.turf.tables, *(listener.turf.tables for listener in config.listener.values()))
    return config.here.conditions.conditions == 0 and not any(tables)


CHECKS: tuple[Check[Config], ...] = (
    Check(
        ("domains", "relay.mode"),
        lambda c: not c.domains and c.relay.mode is not Mode.OFF,
        "empty, so the relay rule would refuse every recipient; list the domains for which this host receives mail",
    ),
    Check(
        ("connect.default", "connect.allow", "connect.mode"),
        lambda c: c.connect.default is Default.DENY and not c.connect.allow and c.connect.mode is not Mode.OFF,
        '"deny", but connect.allow is empty, so no client could connect; list clients in allow, or write "allow" here',
    ),
    Check(
        ("connect.on_error", "connect.default"),
        lambda c: c.connect.on_error is OnNameError.CONTINUE and c.connect.default is Default.DENY,
        '"continue" together with connect.default = "deny" would let every client connect while DNS is unavailable;'
        ' write "tempfail"',
    ),
    Check(
        ("relay.on_error",),
        lambda c: c.relay.on_error is OnError.CONTINUE,
        '"continue" would let every client relay while DNS is unavailable; write "tempfail"',
    ),
    Check(
        ("relay.authenticated_needs_tls", "relay.authenticated"),
        lambda c: c.relay.authenticated_needs_tls and not c.relay.authenticated,
        "true, but relay.authenticated lets no account relay; set relay.authenticated, or remove this key",
    ),
    Check(
        ("limits.session_size", "limits.message_size", "limits.mode"),
        lambda c: c.limits.session_size > 0 and c.limits.message_size == 0 and c.limits.mode is not Mode.OFF,
        "set, but message_size is unlimited, so one message could be larger than a whole session;"
        " set message_size as well, to no more than session_size",
    ),
    Check(
        ("limits.session_size", "limits.message_size", "limits.mode"),
        lambda c: 0 < c.limits.session_size < c.limits.message_size and c.limits.mode is not Mode.OFF,
        "less than message_size, so one message could be larger than a whole session; set it to at least message_size",
    ),
    Check(
        ("turf.directory", "turf.discard", "turf.tables", "turf.mode"),
        lambda c: bool(c.turf.tables) and not c.turf.directory and not c.turf.discard and c.turf.mode is not Mode.OFF,
        "not set, although turf.tables has entries; name the directory, or write discard = true to discard their mail",
    ),
    Check(
        ("turf.discard", "turf.directory"),
        lambda c: c.turf.discard and c.turf.directory is not None,
        "true, although turf.directory is set; a message is either held or discarded, so remove one of the two keys",
    ),
    Check(
        ("turf.match", "turf.mode"),
        lambda c: not c.turf.match and c.turf.mode is not Mode.OFF,
        'empty, so no message would ever match; write ["sender", "author"], or mode = "off"',
    ),
    Check(
        ("turf.reply", "turf.answer"),
        lambda c: c.turf.answer is Answer.REJECT and not c.turf.reply.permanent,
        "a 4xx reply makes the client try again, and each attempt would be held; write a 5xx reply",
    ),
    Check(("mode",), lambda c: c.mode is Mode.OFF, '"off": no rule is applied, and every message passes', warning=True),
    Check(
        ("socket",),
        lambda c: not c.socket.loopback,
        "other hosts can reach it, and milters have no authentication; use a unix socket or a loopback address",
        warning=True,
    ),
    Check(
        ("socket_mode", "socket"),
        lambda c: c.socket.family == "unix" and bool(c.socket_mode & 0o002),
        'every user of this host can connect to the filter; write "0660", and the MTA\'s group as socket_group',
        warning=True,
    ),
    Check(
        ("socket_mode", "socket"),
        lambda c: c.socket.family != "unix" and "socket_mode" in c.written,
        "has no effect, because the socket is not a unix socket",
        warning=True,
    ),
    Check(
        ("socket_group", "socket"),
        lambda c: c.socket.family != "unix" and bool(c.socket_group),
        "has no effect, because the socket is not a unix socket",
        warning=True,
    ),
    Check(
        ("connect.spare_authenticated", "connect.reply_at"),
        lambda c: (
            "connect.spare_authenticated" in c.written
            and c.connect.spare_authenticated
            and c.connect.reply_at is ReplyAt.CONNECT
        ),
        'has no effect, because connect.reply_at is "connect", and at connect no client has authenticated yet',
        warning=True,
    ),
    Check(
        ("relay.default", "relay.routing"),
        lambda c: c.relay.default is Default.ALLOW and c.relay.routing and not c.here.require_auth,
        '"allow" makes this an OPEN RELAY, unless the MTA itself rejects mail: any client can send to any recipient',
        warning=True,
    ),
    Check(
        ("relay.routing",),
        lambda c: not c.relay.routing and not c.written.isdisjoint(_STEPS),
        "false, so no client relays, and deny, allow, interfaces, authenticated, default and always have no effect",
        warning=True,
    ),
    Check(
        ("quarantine.keep_reviewed", "quarantine.keep"),
        lambda c: c.quarantine.keep_reviewed > c.quarantine.keep,
        "more than keep, so a message that has not been reviewed is removed earlier; the two were probably swapped",
        warning=True,
    ),
    Check(
        ("release.port", "release.host"),
        lambda c: c.release.port == 25 and c.release.host.lower() in _THIS_HOST,
        "25 is the service for incoming mail, which uses the filter: a released message would be held again;"
        " use the port of the service without the filter, such as 10026",
        warning=True,
    ),
    Check(
        ("turf.reply", "turf.answer"),
        lambda c: "turf.reply" in c.written and c.turf.answer is Answer.ACCEPT,
        'has no effect, because turf.answer is "accept"',
        warning=True,
    ),
    Check(
        ("turf.spare_clients", "turf.tables"),
        lambda c: bool(c.turf.spare_clients) and _unlisted(c),
        _UNLISTED,
        warning=True,
    ),
    Check(("turf.spare_local", "turf.tables"), lambda c: c.turf.spare_local and _unlisted(c), _UNLISTED, warning=True),
    Check(
        ("turf.spare_clients",),
        lambda c: bool(c.turf.spare_clients) and c.here.require_auth and c.turf.spare_authenticated,
        "has no effect, because require_auth admits only authenticated clients, which spare_authenticated spares",
        warning=True,
    ),
    Check(
        ("turf.spare_local",),
        lambda c: c.turf.spare_local and bool(c.here.port or c.here.address),
        "has no effect, because local submissions have no port and no address, so they never match this listener;"
        " set it in [turf]",
        warning=True,
    ),
)
# In the following two, the key "" is the section itself.
LISTENER_CHECKS: tuple[Check[ListenerConfig], ...] = (
    Check(
        ("", "port", "address", "daemon"),
        lambda listener: listener.conditions.conditions == 0,
        "no condition, so its connections could not be recognised; set port, address or daemon",
    ),
)
CAP_CHECKS: tuple[Check[CapConfig], ...] = (
    Check(
        ("", *_CONDITIONS),
        lambda cap: all(getattr(cap, condition) is None for condition in _CONDITIONS),
        f"no condition, so it would apply to all mail; set one of {', '.join(_CONDITIONS)}, or use [limits]",
    ),
    Check(
        ("", *_NUMBERS),
        lambda cap: all(getattr(cap, number) is None for number in _NUMBERS),
        f"no limit, so it would have no effect; set one of {', '.join(_NUMBERS)}",
    ),
    Check(
        ("authenticated",),
        lambda cap: cap.authenticated is not None and not cap.authenticated,
        "no account, so the cap would never apply; write true or a list of accounts, or remove the key",
    ),
    Check(
        ("listener",),
        lambda cap: cap.listener == (),
        "empty, so the cap would never apply; name a listener, or remove the key",
    ),
)


TIE = (
    "matches connections that [listener.{other}] also matches, and has the same number of conditions;"
    " make them disjoint, or add another condition to one of the two"
)
NO_LISTENER = "there is no [listener.{name}]"


def check(config: Config, notes: Notes) -> None:
    """Report every check that applies, except those that read a key whose own value is wrong."""
    _say(CHECKS, config, notes)
    if notes.tables:
        notes.entries("connect", config.connect.clients.warnings)
    for name, listener in config.listener.items():
        _check_listener(name, listener, config, notes)
    for number, cap in enumerate(config.cap):
        _check_cap(f"cap[{number}]", cap, config, notes)
    _check_ties(config, notes)


def _check_listener(name: str, listener: ListenerConfig, config: Config, notes: Notes) -> None:
    above = f"listener.{name}"
    if (key := f"{above}.turf.may_shrink") in notes.written:
        notes.problem(key, "applies to all tables; write it in [turf]")
    overriding = sections(ListenerConfig)
    _say(LISTENER_CHECKS, listener, notes, lambda key: f"{above}.{key}" if key else above)
    _say_of_own(config.at(name), notes, lambda key: f"{above}.{key}" if key.partition(".")[0] in overriding else key)
    if notes.tables:
        notes.entries(f"{above}.connect", listener.connect.clients.warnings)


def _check_cap(above: str, cap: CapConfig, config: Config, notes: Notes) -> None:
    _say(CAP_CHECKS, cap, notes, lambda key: f"{above}.{key}" if key else above)
    for name in ("", *config.listener) if cap.listener is None else cap.listener:
        if name and name not in config.listener:
            _note_missing(name, f"{above}.listener", config, notes)
            continue
        view = config.at(name)
        view = replace(view, limits=cap.over(view.limits))
        _say_of_own(view, notes, lambda key: key.replace("limits.", f"{above}."))


def _note_missing(name: str, key: str, config: Config, notes: Notes) -> None:
    if not notes.unusable(f"listener.{name}"):
        known = f"; known listeners: {', '.join(config.listener)}" if config.listener else "; add that section"
        notes.problem(key, NO_LISTENER.format(name=name) + (probably(name, config.listener) or known))


def _check_ties(config: Config, notes: Notes) -> None:
    for (one, this), (other, that) in combinations(config.listener.items(), 2):
        paths = (f"listener.{name}.{key}" for name in (one, other) for key in ("port", "address", "daemon"))
        if this.conditions.ties(that.conditions) and not any(map(notes.unusable, paths)):
            notes.problem(f"listener.{other}", TIE.format(other=one))


def _say_of_own(view: Config, notes: Notes, path: Callable[[str], str]) -> None:
    """Report the checks that apply to `view` because of its own keys; those it inherits have been reported already.

    `path` returns the path of a key in the configuration.
    """
    own = (one for one in CHECKS if any(path(key) in notes.written for key in one.keys))
    _say((one for one in own if not any(map(notes.unusable, one.keys))), view, notes, path)


def _say(checks: Iterable[Check[S]], subject: S, notes: Notes, path: Callable[[str], str] = str) -> None:
    """Report the checks that apply to `subject`; `path` returns the path of a key in the configuration."""
    readable = (c for c in checks if notes.tables or _TABLES.isdisjoint(c.keys))
    applying = [c for c in readable if not any(notes.unusable(path(key)) for key in c.keys) and c.applies(subject)]
    for one in applying:
        key = path(one.keys[0])
        notes.warning(f"{key}: {one.sentence}") if one.warning else notes.problem(key, one.sentence)
