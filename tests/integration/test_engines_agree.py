"""Both protocol engines answer the same bytes, and call the same callbacks with the same arguments."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fuzz.engines import SETTINGS, Comparison, Play, generate, negotiation
from rig.wire import frame, strings

PLAYS = 40  # for each configuration; `make fuzz TARGETS=engines` plays as many as there is time for

CLIENT = [frame(b"C", strings("client.out.test") + b"4\x9c\x40192.0.2.9\0"), frame(b"H", strings("h"))]
ENVELOPE = [frame(b"M", strings("<spam@turf.test>")), frame(b"R", strings("<b@rig.test>"))]
CONTENT = [frame(b"T"), frame(b"L", strings("Subject", " x")), frame(b"N"), frame(b"B", b"body"), frame(b"E")]
SESSION = b"".join([*CLIENT, *ENVELOPE, *CONTENT, frame(b"Q")])


@pytest.fixture(scope="module")
def comparisons(module_place: Path) -> Iterator[dict[str, Comparison]]:
    with ExitStack() as ending:
        yield {
            name: ending.enter_context(Comparison(module_place / str(number), settings))
            for number, (name, settings) in enumerate(SETTINGS.items())
        }


@pytest.mark.parametrize("settings", SETTINGS)
def test_engines_agree_about_random_frames(comparisons: dict[str, Comparison], settings: str) -> None:
    chance = random.Random(settings)
    differences = [comparisons[settings].difference(generate(chance)) for _ in range(PLAYS)]
    assert [difference for difference in differences if difference] == []


@pytest.mark.parametrize("size", [1, 2, 3, 5, 11, 64, len(SESSION)])
def test_engines_agree_about_a_session_in_pieces_of_any_size(comparisons: dict[str, Comparison], size: int) -> None:
    writes = tuple((0, SESSION[at : at + size]) for at in range(0, len(SESSION), size))
    assert comparisons["held"].difference(Play((negotiation(),), writes)) == ""


def test_engines_agree_about_sessions_whose_bytes_are_interleaved(comparisons: dict[str, Comparison]) -> None:
    writes = tuple((number, SESSION[at : at + 1]) for at in range(len(SESSION)) for number in range(5))
    assert comparisons["held"].difference(Play((negotiation(),) * 5, writes)) == ""


def test_engines_agree_about_a_session_that_ends_at_any_byte(comparisons: dict[str, Comparison]) -> None:
    ends = tuple((number, SESSION[:number]) for number in range(len(SESSION)))
    assert comparisons["held"].difference(Play((negotiation(),) * len(SESSION), ends)) == ""
