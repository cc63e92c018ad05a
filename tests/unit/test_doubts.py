"""On which versions of Python the program warns about pymilter."""

from __future__ import annotations

import pytest

from rig.golden import Golden
from turfmilter.config.schema import ProtocolEngine
from turfmilter.mta.engines import choose
from turfmilter.mta.server import doubts


@pytest.mark.parametrize("version", [(3, 12), (3, 13), (3, 14)])
def test_a_version_with_a_known_risk_causes_a_warning(version: tuple[int, int], golden: Golden) -> None:
    (sentence,) = doubts(version)
    assert sentence.startswith(f"Python {version[0]}.{version[1]}: ")
    golden("log", sentence)


def test_the_best_tested_version_causes_no_warning() -> None:
    assert doubts((3, 11)) == []


@pytest.mark.parametrize(
    ("wanted", "python", "engine", "why"),
    [
        ("auto", (3, 11), "libmilter", "auto: pymilter is sound on Python 3.11"),
        ("auto", (3, 12), "loop", "auto: pymilter accesses freed memory on Python 3.12"),
        ("auto", (3, 14), "loop", "auto: pymilter accesses freed memory on Python 3.14"),
        ("libmilter", (3, 13), "libmilter", "configured"),
        ("loop", (3, 11), "loop", "configured"),
    ],
)
def test_which_protocol_engine_serves_and_why(wanted: str, python: tuple[int, int], engine: str, why: str) -> None:
    assert str(choose(ProtocolEngine(wanted), python)) == f"{engine} ({why})"
