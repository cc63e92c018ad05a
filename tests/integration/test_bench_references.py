"""The filters with which the bench compares turfmilter: for the same rules they ask for the same, and answer alike."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from bench.contestants import Contestant, empty, noop, same_events, turfmilter
from bench.growth import idle
from bench.settings import TURF, settings
from bench.turns import Effort
from rig.milterclient import MilterClient
from rig.wire import Action, Protocol

# As the bench configures the turf rule, and the domain of the senders that it then loads the filter with.
KINDS = {
    "envelope": ({"match": '"sender"'}, "out.example"),
    "author": ({"match": '"sender", "author"'}, "out.example"),
    "trial": ({"mode": "trial"}, TURF),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_reference_asks_for_what_turfmilter_asks_for(place: Path, kind: str) -> None:
    keys, domain = KINDS[kind]
    with turfmilter(place / "own", settings(place / "own", turf=10, networks=10, **keys)) as ours:  # type: ignore[arg-type]
        wanted = _seen(ours, domain)
    references: dict[str, Callable[[Path, str], AbstractContextManager[Contestant]]] = {
        "C": same_events,
        "Python": empty,
    }
    for name, reference in references.items():
        with reference(place, kind) as running:
            assert (name, _seen(running, domain)) == (name, wanted)


def test_the_other_reference_answers_five_events_and_receives_no_content(place: Path) -> None:
    with noop(place) as running:
        seen = _seen(running, "out.example")
    assert seen["round trips"] == dict.fromkeys(("negotiate", "connect", "helo", "mail", "rcpt", "eom"), 1)
    assert seen["macros"] == {}


def test_a_group_runs_at_a_hundredth_of_its_size(place: Path) -> None:
    figures = list(idle(place, Effort(rounds=1, divisor=100)))
    assert [figure.measured.who for figure in figures] == ["libmilter, 2 workers", "loop, 2 workers"]
    assert [figure.fault for figure in figures] == ["", ""]


def _seen(filter_: Contestant, domain: str) -> dict[str, object]:
    """What it negotiates, and how a message goes that it lets pass."""
    with MilterClient(filter_.socket) as client:
        client.greet()
        actions, protocol = Action(client.actions), Protocol(client.protocol)
        header = [("Subject", " hello"), ("From", " a@out.example")]
        end = client.message(f"<a@{domain}>", ["<user@rig.test>"], header).end
        return {
            "actions": actions,
            "protocol": protocol,
            "macros": client.macros.requested,
            "round trips": dict(client.round_trips),
            "end": end,
        }
