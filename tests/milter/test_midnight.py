"""Midnight in the middle of a message: entries expire then, and a message is judged by the day on which it began."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from rig.filter import Held, make_quarantine, read_held
from rig.milterclient import MilterClient
from rig.ownworker import OwnWorker, service
from rig.transcript import Transcript
from turfmilter.config.loader import configure
from turfmilter.core.policy import Generation
from turfmilter.mta.service import Service
from turfmilter.policies import build_policy
from turfmilter.stores.maildir import Maildir
from turfmilter.telemetry.writer import LogWriter

LAST_DAY = date(2027, 1, 31)
NIGHTS = 16  # more than one message ever asks for the day
BODY = b"x" * 10_000

SETTINGS = """
domains = ["rig.test"]
[turf]
tables = ["@turf.test"]
directory = "/nowhere"
"""


class Nights:
    """A clock on which midnight comes after the day has been asked for so many times; later in each connection."""

    def __init__(self) -> None:
        self._asked = self._night = 0

    def connected(self, _client: object) -> None:
        """The next connection has its midnight one question later."""
        self._night += 1
        self._asked = 0

    def today(self) -> date:
        self._asked += 1
        return LAST_DAY if self._asked < self._night else LAST_DAY + timedelta(days=1)

    def now(self) -> datetime:
        return datetime.combine(LAST_DAY, time(23, 59, 59), UTC)


Play = Callable[[str, Callable[[MilterClient], Transcript]], list[tuple[Transcript, list[Held]]]]


@pytest.fixture
def play(place: Path) -> Iterator[Play]:
    """Sends one message in each of the nights, and returns the answers and what was held."""

    def played(settings: str, message: Callable[[MilterClient], Transcript]) -> list[tuple[Transcript, list[Held]]]:
        quarantine = make_quarantine(place / "quarantine")
        clock = Nights()

        def started(log: LogWriter) -> Service:
            config = configure(tomllib.loads(settings), place)
            policy = build_policy(config, quarantine=Maildir(quarantine))
            return replace(service(log, lambda: Generation(policy), clock=clock), watch=clock.connected)

        seen = []
        with OwnWorker(place, started) as worker:
            for _ in range(NIGHTS):
                with worker.client() as client:
                    told = message(client)
                    client.quit()
                files = list((quarantine / "new").iterdir())
                seen.append((told, [read_held(file) for file in files]))
                for file in files:
                    file.unlink()
            assert worker.stop() == 0
        return seen

    yield played


def big(client: MilterClient) -> Transcript:
    return client.message("<a@turf.test>", ["<b@rig.test>"], [("From", " a@turf.test")], BODY)


TIGHT = '[limits]\nmessage_size = 500\n[[cap]]\nsender = ["@turf.test expires=2027-01-31"]\nmessage_size = 0\n'
WIDE = '[[cap]]\nsender = ["@turf.test expires=2027-01-31"]\nmessage_size = 500\n'


@pytest.mark.parametrize("limits", [TIGHT, WIDE])
def test_a_held_message_is_whole_although_its_cap_expires_meanwhile(play: Play, limits: str) -> None:
    seen = play(SETTINGS + limits, big)
    assert {str(told.end) for told, _ in seen} == {"discard", "552 5.3.4 message too big"}
    for told, held in seen:
        whole = [b"From: a@turf.test\r\n\r\n" + BODY] if str(told.end) == "discard" else []
        assert [one.message for one in held] == whole


def test_who_is_exempt_is_the_same_in_what_is_held_and_in_what_is_delivered(play: Play) -> None:
    recipients = ["<postmaster@rig.test>", "<b@rig.test>"]
    settings = SETTINGS + 'exempt = ["postmaster@ expires=2027-01-31"]\n'
    seen = play(settings, lambda client: client.message("<a@turf.test>", recipients))
    for told, (held,) in seen:
        if str(told.end) == "discard":
            assert held.recipients == ("postmaster@rig.test", "b@rig.test")
        else:
            assert str(told.end) == "accept"
            assert held.recipients == ("b@rig.test",)
            assert any("b@rig.test" in taken for taken in told.changes.delrcpt)
    assert {str(told.end) for told, _ in seen} == {"discard", "accept"}


@pytest.mark.parametrize(
    ("before", "below", "to"),
    [
        ('domains = ["rig.test expires=2027-01-31"]\n', "", "rig.test"),
        ('domains = ["rig.test"]\n', '[relay]\nallow = ["192.0.2.9 expires=2027-01-31"]\n', "far.test"),
        ('domains = ["rig.test"]\n', '[relay]\nalways = ["far.test expires=2027-01-31"]\n', "far.test"),
        ('domains = ["rig.test"]\n', '[connect]\ndeny = ["192.0.2.9 expires=2027-01-31"]\n', "rig.test"),
        (
            'domains = ["rig.test"]\n',
            "[limits]\nrecipients_per_message = 1\n"
            '[[cap]]\nclient = ["192.0.2.9 expires=2027-01-31"]\nrecipients_per_message = 9\n',
            "rig.test",
        ),
    ],
)
def test_what_holds_for_the_second_recipient_holds_for_those_that_follow(
    play: Play, before: str, below: str, to: str
) -> None:
    recipients = [f"<{name}@{to}>" for name in "abcdefgh"]
    seen = play(before + below, lambda client: client.message("<a@out.test>", recipients))
    ends = [{answer.kind for answer in told.rcpts[1:]} for told, _ in seen]
    assert all(len(kinds) == 1 for kinds in ends)
    assert len({frozenset(kinds) for kinds in ends}) == 2  # the day makes a difference
