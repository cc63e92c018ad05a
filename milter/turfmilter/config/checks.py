"""What values say together: contradictions, which are refused, and states worth a warning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from turfmilter.config.choices import Answer, Default, OnError
from turfmilter.config.given import Notes
from turfmilter.config.schema import Config
from turfmilter.core.policy import Mode


@dataclass(frozen=True, slots=True)
class Check:
    """One sentence about the first of `keys`, said when `applies`; the others are the keys that it looks at."""

    keys: tuple[str, ...]
    applies: Callable[[Config], bool]
    sentence: str
    warning: bool = False


def check(config: Config, notes: Notes) -> None:
    """Note every sentence of CHECKS that applies; keys whose own values are wrong are not spoken about again."""
    unusable = {key.partition("[")[0] for key in notes.broken}
    for one in CHECKS:
        if any(key in unusable or key.partition(".")[0] in unusable for key in one.keys) or not one.applies(config):
            continue
        if one.warning:
            notes.warning(f"{one.keys[0]}: {one.sentence}")
        else:
            notes.problem(one.keys[0], one.sentence)


_STEPS = {f"relay.{step}" for step in ("deny", "allow", "interfaces", "authenticated", "default", "always")}
CHECKS = (
    Check(
        ("domains", "relay.mode"),
        lambda c: not c.domains and c.relay.mode is not Mode.OFF,
        "empty, so the relay rule would refuse every recipient; write the domains that this host receives mail for",
    ),
    Check(
        ("relay.on_error",),
        lambda c: c.relay.on_error is OnError.CONTINUE,
        '"continue" would let everybody relay whenever DNS is away; write "tempfail"',
    ),
    Check(
        ("relay.authenticated_needs_tls", "relay.authenticated"),
        lambda c: c.relay.authenticated_needs_tls and not c.relay.authenticated,
        "true, but relay.authenticated lets nobody relay; set relay.authenticated, or take this key out",
    ),
    Check(
        ("turf.directory", "turf.discard", "turf.tables", "turf.mode"),
        lambda c: bool(c.turf.tables) and not c.turf.directory and not c.turf.discard and c.turf.mode is not Mode.OFF,
        "not set, although turf.tables has entries; name the directory, or write discard = true to lose their mail",
    ),
    Check(
        ("turf.discard", "turf.directory"),
        lambda c: c.turf.discard and c.turf.directory is not None,
        "true, although turf.directory is set; a message is held or lost, so take one of the two out",
    ),
    Check(
        ("turf.match", "turf.mode"),
        lambda c: not c.turf.match and c.turf.mode is not Mode.OFF,
        'empty, so no message would ever match; write ["sender", "author"], or mode = "off"',
    ),
    Check(
        ("turf.reply", "turf.answer"),
        lambda c: c.turf.answer is Answer.REJECT and not c.turf.reply.permanent,
        "a 4xx reply makes the sender try again, and every try would be held; write a 5xx reply",
    ),
    Check(
        ("mode",),
        lambda c: c.mode is Mode.OFF,
        '"off": no rule is asked, every message passes',
        warning=True,
    ),
    Check(
        ("socket",),
        lambda c: not c.socket.loopback,
        "other machines may reach it, and a milter knows no passwords; use a unix socket or a loopback address",
        warning=True,
    ),
    Check(
        ("socket_mode", "socket"),
        lambda c: c.socket.family == "unix" and bool(c.socket_mode & 0o002),
        "every user of this machine may talk to the filter; socket_group and 0660 let the MTA in",
        warning=True,
    ),
    Check(
        ("socket_mode", "socket"),
        lambda c: c.socket.family != "unix" and "socket_mode" in c.written,
        "does nothing, because the socket is no unix socket",
        warning=True,
    ),
    Check(
        ("socket_group", "socket"),
        lambda c: c.socket.family != "unix" and bool(c.socket_group),
        "does nothing, because the socket is no unix socket",
        warning=True,
    ),
    Check(
        ("relay.default", "relay.routing"),
        lambda c: c.relay.default is Default.ALLOW and c.relay.routing,
        '"allow" makes this an OPEN RELAY, unless the MTA itself refuses: any client may send to any recipient',
        warning=True,
    ),
    Check(
        ("relay.routing",),
        lambda c: not c.relay.routing and not c.written.isdisjoint(_STEPS),
        "false, so nobody relays, and deny, allow, interfaces, authenticated, default and always do nothing",
        warning=True,
    ),
    Check(
        ("turf.reply", "turf.answer"),
        lambda c: "turf.reply" in c.written and c.turf.answer is Answer.ACCEPT,
        'never heard, because turf.answer is "accept"',
        warning=True,
    ),
)
