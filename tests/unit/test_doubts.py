"""On which versions of Python the library below us is doubtful."""

from __future__ import annotations

import pytest

from turfmilter.mta.server import doubts


@pytest.mark.parametrize(
    ("version", "said"),
    [((3, 11), []), ((3, 12), ["freed memory"]), ((3, 13), ["freed memory"]), ((3, 14), ["not known to work"])],
)
def test_what_is_said_at_the_start(version: tuple[int, int], said: list[str]) -> None:
    sentences = doubts(version)
    assert len(sentences) == len(said)
    for sentence, part in zip(sentences, said, strict=True):
        assert sentence.startswith(f"Python {version[0]}.{version[1]}: ")
        assert part in sentence
