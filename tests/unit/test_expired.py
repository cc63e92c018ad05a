"""Expired entries cause a warning, one for each file."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from rig.golden import Golden
from turfmilter.config.expired import expired
from turfmilter.config.loader import configure
from turfmilter.core.table.entries import Source, table_file
from turfmilter.core.table.pattern import parse_host, parse_sender

TODAY = date(2026, 6, 15)


def said(text: str) -> list[str]:
    return [str(problem) for problem in expired([table_file("t", text)], parse_sender, TODAY)]


@pytest.mark.parametrize(
    "line",
    [
        "@a.test",
        "@a.test expires=2026-06-15",  # the last day on which it matches
        "@a.test expires=2027-01-01",
        "#@a.test expires=2020-01-01",
        '@a.test why="expires=2020-01-01"',
        '@a.test why="it expires=2020-01-01 or so"',
        "@a.test # expires=2020-01-01",
        "@a.test expires=2020-01-32",  # an error of its own
        "expires=2020-01-01@a.test",
    ],
)
def test_what_still_matches_is_not_mentioned(line: str) -> None:
    assert said(f"{line}\n") == []


@pytest.mark.parametrize(
    "line",
    ["@a.test expires=2026-06-14", "\t!@a.test\twhy=x expires=2020-01-01 # later", '@a.test expires="2020-01-01"'],
)
def test_an_entry_whose_last_day_is_over_is_named(line: str) -> None:
    (sentence,) = said(f"# a table\n\n{line}\r\n@b.test\n")
    assert sentence.startswith("t:3: ")
    assert "@a.test" in sentence


def test_only_the_first_of_a_file_is_named_with_the_number_of_the_others(golden: Golden) -> None:
    lines = [f"@a{number}.test expires=2020-01-{number:02}" for number in range(1, 20)]
    golden("table", "\n".join(said("\n".join(["@x.test", *lines]))))


def test_each_source_is_reported_by_itself() -> None:
    sources = [Source("connect.deny[0]", "192.0.2.1 expires=2020-01-01"), table_file("f", "a.test expires=2021-01-01")]
    found = [(str(one.where), one.warning) for one in expired(sources, parse_host, TODAY)]
    assert found == [("connect.deny[0]", True), ("f:1", True)]


@pytest.mark.parametrize(("today", "warnings"), [(None, 0), (date(2020, 1, 1), 0), (date(2020, 1, 2), 1)])
def test_a_configuration_is_compared_with_the_day_that_its_reader_gives(today: date | None, warnings: int) -> None:
    table = {"domains": ["example.org"], "connect": {"deny": ["192.0.2.1 expires=2020-01-01"]}}
    assert len(configure(table, Path("/nowhere"), today=today).warnings) == warnings
