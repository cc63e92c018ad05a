"""On which versions of Python the program warns about pymilter."""

from __future__ import annotations

import pytest

from rig.golden import Golden
from turfmilter.mta.server import doubts


@pytest.mark.parametrize("version", [(3, 12), (3, 13), (3, 14)])
def test_a_version_with_a_known_risk_causes_a_warning(version: tuple[int, int], golden: Golden) -> None:
    (sentence,) = doubts(version)
    assert sentence.startswith(f"Python {version[0]}.{version[1]}: ")
    golden("log", sentence)


def test_the_best_tested_version_causes_no_warning() -> None:
    assert doubts((3, 11)) == []
