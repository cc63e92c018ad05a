"""What fuzzing begins with, and what it has found, is read without a failure by everything that reads bytes."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzz.readers import TARGETS

FUZZ = Path(__file__).parents[1] / "fuzz"
SEEDS = sorted((FUZZ / "seeds").iterdir())


@pytest.mark.parametrize("name", TARGETS)
def test_what_fuzzing_begins_with_and_what_it_has_found_is_read(name: str) -> None:
    assert len(SEEDS) >= len(TARGETS)
    for path in [*SEEDS, *sorted((FUZZ / "found" / name).glob("*"))]:
        try:
            TARGETS[name](path.read_bytes())
        except Exception as error:
            error.add_note(str(path))
            raise
