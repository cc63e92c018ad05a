"""Whether the values go together: for the program as a whole, for each listener and for each cap."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations
from typing import TypeVar

from turfmilter.config.checks import CAP_CHECKS, CHECKS, LISTENER_CHECKS, Check
from turfmilter.config.given import Notes, probably
from turfmilter.config.limits import CapConfig
from turfmilter.config.listener import ListenerConfig
from turfmilter.config.schema import Config
from turfmilter.config.setting import sections
from turfmilter.core.generation import Listener

S = TypeVar("S")

TIE = (
    "takes connections that [listener.{other}] takes too, and has as many conditions;"
    " let them differ, or give one of the two another condition"
)
NO_LISTENER = "there is no [listener.{name}]"


def check(config: Config, notes: Notes) -> None:
    """Note every sentence that applies; keys whose own values are wrong are not spoken about again."""
    _say(CHECKS, config, notes)
    notes.entries("connect", config.connect.clients.warnings)
    for name, listener in config.listener.items():
        _check_listener(name, listener, config, notes)
    for number, cap in enumerate(config.cap):
        _check_cap(f"cap[{number}]", cap, config, notes)
    _check_ties(config, notes)


def _check_listener(name: str, listener: ListenerConfig, config: Config, notes: Notes) -> None:
    above = f"listener.{name}"
    overriding = sections(ListenerConfig)
    _say(LISTENER_CHECKS, listener, notes, lambda key: f"{above}.{key}" if key else above)
    _say_of_own(config.at(name), notes, lambda key: f"{above}.{key}" if key.partition(".")[0] in overriding else key)
    notes.entries(f"{above}.connect", listener.connect.clients.warnings)


def _check_cap(above: str, cap: CapConfig, config: Config, notes: Notes) -> None:
    _say(CAP_CHECKS, cap, notes, lambda key: f"{above}.{key}" if key else above)
    for name in ("", *config.listener) if cap.listener is None else cap.listener:
        if name and name not in config.listener:
            _note_missing(name, f"{above}.listener", config, notes)
            continue
        view = config.at(name)
        view = replace(view, limits=replace(view.limits, **cap.numbers))
        _say_of_own(view, notes, lambda key: key.replace("limits.", f"{above}."))


def _note_missing(name: str, key: str, config: Config, notes: Notes) -> None:
    if not notes.unusable(f"listener.{name}"):
        known = f"; known are {', '.join(config.listener)}" if config.listener else "; write that section too"
        notes.problem(key, NO_LISTENER.format(name=name) + (probably(name, config.listener) or known))


def _check_ties(config: Config, notes: Notes) -> None:
    for (one, this), (other, that) in combinations(config.listener.items(), 2):
        paths = (f"listener.{name}.{key}" for name in (one, other) for key in ("port", "address", "daemon"))
        if _tie(this.conditions, that.conditions) and not any(map(notes.unusable, paths)):
            notes.problem(f"listener.{other}", TIE.format(other=one))


def _tie(one: Listener, other: Listener) -> bool:
    """True when one connection can fulfil the conditions of both, and both have as many."""
    pairs = ((one.ports, other.ports), (one.addresses, other.addresses), (one.daemons, other.daemons))
    meet = all(not mine or not theirs or mine & theirs for mine, theirs in pairs)
    return meet and one.conditions == other.conditions > 0


def _say_of_own(view: Config, notes: Notes, path: Callable[[str], str]) -> None:
    """Note what applies in this `view`, whose keys have the given `path`; what it only inherits has been said."""
    own = (one for one in CHECKS if any(path(key) in notes.written for key in one.keys))
    _say((one for one in own if not any(map(notes.unusable, one.keys))), view, notes, path)


def _say(checks: Iterable[Check[S]], subject: S, notes: Notes, path: Callable[[str], str] = str) -> None:
    """Note what applies to `subject`, whose keys have the given `path`."""
    applying = [c for c in checks if not any(notes.unusable(path(key)) for key in c.keys) and c.applies(subject)]
    for one in applying:
        if one.warning:
            notes.warning(f"{path(one.keys[0])}: {one.sentence}")
        else:
            notes.problem(path(one.keys[0]), one.sentence)
