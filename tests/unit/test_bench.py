"""The bench: what it reports, and that its groups are documented."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.catalogue import GROUPS, measure
from bench.report import Figure, Results, Samples, Target, at_least, at_most, number
from bench.table import markdown, progress, write_json
from bench.turns import Effort
from rig.golden import Golden

PAGE = Path(__file__).parents[2] / "docs/explanation/performance.md"

RATE = Figure(
    name="sessions/s, envelope",
    measured=Samples("loop, 1 worker", [8_000, 9_000, 7_000], "/s"),
    reference=Samples("C no-op", [10_000, 10_000, 14_000], "/s"),
    target=at_least(0.90),
    limit="the filter and the load share two processors",
    details=("CPU a session 90 µs",),
)
COST = Figure(
    name="CPU of a held message",
    measured=Samples("loop, 2 workers", [450.0, 470.0], " µs"),
    reference=Samples("plain files", [90.0, 94.0], " µs"),
    target=at_most(500),
    absolute=True,
)
ALONE = Figure(name="memory", measured=Samples("", [27.25], " MB"), target=at_most(60), fault="3 sessions lost")
BESIDE = Figure(
    "sessions/s, envelope", Samples("empty Python filter", [9_000.0], "/s"), Samples("C no-op", [10_000.0], "/s")
)
RESULTS = Results([RATE, COST, ALONE, BESIDE], {"envelope": 71.4, "quarantine": 108.5}, {"mail": "OSError: no room"})


def test_each_group_of_figures_is_in_the_table_of_the_documentation() -> None:
    table = PAGE.read_text().partition("## Measuring")[2].partition("\n## ")[0]
    documented = [name for cell in re.findall(r"(?m)^\| (`[^|]*) \|", table) for name in re.findall(r"`(\w+)`", cell)]
    assert documented == list(GROUPS)


def test_the_result_is_markdown(golden: Golden) -> None:
    golden("bench", markdown(RESULTS))


def test_a_figure_is_shown_as_soon_as_it_is_measured(golden: Golden) -> None:
    golden("bench", "".join(f"{progress(figure)}\n" for figure in RESULTS.figures))


def test_the_ratio_is_that_of_the_runs_of_the_same_turn() -> None:
    assert RATE.ratio is not None
    assert list(RATE.ratio.values) == [0.8, 0.9, 0.5]
    assert RATE.judged.median == 0.8


@pytest.mark.parametrize("target", [at_least(0.5), at_most(2.0)])
def test_a_reference_that_measured_nothing_reaches_no_target(target: Target) -> None:
    assert Figure("x", Samples("loop", [5.0]), Samples("C no-op", [0.0]), target).missed


def test_an_absolute_target_is_about_the_value_itself() -> None:
    assert COST.judged.median == 460.0
    assert COST.ratio is not None
    assert COST.bound == "at most 500 µs"


@pytest.mark.parametrize(
    ("target", "values", "missed"),
    [
        (at_least(2.0), [2.0], False),
        (at_least(2.0), [1.0, 1.9, 9.0], True),
        (at_most(2.0), [2.0], False),
        (at_most(2.0), [1.0, 2.1, 9.0], True),
        (at_most(0), [0], False),
        (None, [1e9], False),
    ],
)
def test_the_median_reaches_the_target_or_misses_it(target: Target | None, values: list[float], missed: bool) -> None:
    assert Figure("x", Samples("", values), target=target).missed is missed


def test_a_fault_misses_the_target_whatever_was_measured() -> None:
    assert ALONE.missed
    assert ALONE.verdict == "missed: 3 sessions lost"


def test_the_run_succeeds_if_everything_was_measured_and_reached() -> None:
    assert Results([COST, BESIDE], {"mail": 1.0}).reached
    assert not Results([COST, RATE]).reached
    assert not Results([COST], {}, {"mail": "OSError: no room"}).reached


def test_a_group_that_breaks_off_keeps_its_figures_and_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(_place: Path, _effort: Effort) -> Iterator[Figure]:
        yield COST
        raise RuntimeError("the load ended with 71\nand more")

    monkeypatch.setitem(GROUPS, "mail", breaks)
    results = Results()
    assert list(measure("mail", Effort(), results)) == [COST]
    assert results.figures == [COST]
    assert results.broken == {"mail": "RuntimeError: the load ended with 71"}
    assert list(results.seconds) == ["mail"]


def test_the_file_has_every_value(place: Path) -> None:
    path = place / "new" / "figures.json"
    write_json(RESULTS, path)
    written = json.loads(path.read_text())
    assert (written["seconds"], written["broken"]) == (RESULTS.seconds, RESULTS.broken)
    assert [row["measured"] for row in written["figures"]] == [
        list(figure.measured.values) for figure in RESULTS.figures
    ]
    assert [row["result"] for row in written["figures"]] == ["missed", "reached", "missed: 3 sessions lost", ""]
    assert written["figures"][0]["reference"] == {"filter": "C no-op", "values": [10_000, 10_000, 14_000]}
    assert written["figures"][2]["reference"] is None


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12_345.6, "12,346"),
        (123.4, "123"),
        (12.34, "12.3"),
        (1.234, "1.23"),
        (0.0123, "0.012"),
        (0, "0"),
        (0.0, "0.00"),
        (7, "7"),
        (-5.0, "-5.00"),
    ],
)
def test_numbers_have_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text
