"""The files of tests/golden: each entry belongs to a test that there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rig.golden import Golden, areas, entries

TESTS = Path(__file__).parents[1]


def test_each_entry_is_that_of_a_test() -> None:
    functions = {
        f"{path.stem}::{name}"
        for path in TESTS.glob("*/test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    named = {re.split(r"[\[#]", name)[0] for area in areas() for name in entries(area)}
    assert named <= functions


def test_another_text_than_the_entry_fails(golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOLDEN", raising=False)
    golden("golden", "as in DIR\n", {"/tmp/x": "DIR"})
    with pytest.raises(AssertionError, match=r"not what tests/golden/golden\.txt has"):
        golden("golden", "as in the file\n")
    with pytest.raises(AssertionError, match="begins an entry"):
        golden("golden", "=== as an entry\n")
