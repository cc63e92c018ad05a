"""How one held message looks on screens of every width, and in every encoding."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rig.golden import Golden
from rig.steps import steps
from turfmilter.cli.onebyone.display import fold
from turfmilter.core.held.message import shown_id
from turfmilter.review.layout import Row, Screen, heading, human_size, legend, lines, width

NOW = datetime(2026, 11, 30, 9, 0, tzinfo=UTC)
PLAIN = Row(
    "2q06cc-pnctn5", datetime(2026, 11, 29, 6, 30, tzinfo=UTC), 5120, "unreviewed", "news@turf.example", (), (), ""
)
ROWS = [
    PLAIN._replace(authors=("news@turf.example",), recipients=("anna@example.org",), subject="Our offer"),
    PLAIN._replace(sender="", recipients=("anna@example.org", "ben@example.org"), subject="Undelivered Mail", size=999),
    PLAIN._replace(
        authors=("boss@corp.example",), recipients=("a@b.example",) * 3, state="partly released", size=10240
    ),
    PLAIN._replace(held=NOW - timedelta(days=300), sender="<bounce-17-anna=example.org@lists.example>", size=1_048_000),
    PLAIN._replace(held=NOW + timedelta(days=1), authors=("a@x.example", "b@x.example"), state="unknown", size=1 << 40),
    PLAIN._replace(sender=None, id="by hand\x1b[2J", state="reviewed", doubt=True, subject="\u6771\u4eac" * 30),
    PLAIN._replace(sender="a" * 70 + "@bank.example " * 3 + "@evil.example", subject="x\u202e\x1b[2J" * 20),
    PLAIN._replace(subject="e\u0301" * 100, state="deleted", recipients=("\u0645@\u0645\u062b\u0627\u0644.example",)),
]


@pytest.fixture(autouse=True)
def in_vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("columns", "encoding"),
    [*((columns, "utf-8") for columns in (20, 59, 60, 80, 100, 120, 200)), (80, "ascii"), (120, "ascii")],
)
def test_rows_look_as_agreed_on_every_screen(golden: Golden, columns: int, encoding: str) -> None:
    screen = Screen(columns, encoding, NOW)
    shown = [*heading(screen), *(line for row in ROWS for line in lines(row, screen)), legend(ROWS)]
    assert max(map(width, shown[:-1])) <= columns
    golden("layout", "\n".join(shown))


@given(
    some.integers(20, 250),
    some.sampled_from(["utf-8", "ascii", "latin-1", "koi8-r"]),
    some.builds(
        Row,
        some.text(min_size=1),
        some.datetimes(timezones=some.just(UTC), min_value=datetime(1970, 1, 3), max_value=datetime(9990, 1, 1)),  # noqa: DTZ001
        some.integers(0, 1 << 63),
        some.sampled_from(["unreviewed", "reviewed", "something else"]),
        some.none() | some.text(),
        some.tuples() | some.tuples(some.text(), some.text()),
        some.tuples() | some.tuples(some.text(), some.text()),
        some.text(),
        some.booleans(),
    ),
)
def test_no_row_is_wider_than_its_screen_or_harms_it(columns: int, encoding: str, row: Row) -> None:
    shown = lines(row, Screen(columns, encoding, NOW))
    assert max(map(width, shown)) <= columns
    assert "".join(shown).isprintable()
    assert "".join(shown).encode(encoding)
    assert [line[0] for line in shown[1:]] == [" "] * (len(shown) - 1), "the first word of a line is always an id"
    id = Screen(columns, encoding, NOW).displayable(shown_id(row.id))
    assert shown[0].split(" ")[0][:4] == id[:4]


def test_columns_do_not_depend_on_the_rows() -> None:
    screen = Screen(120, "utf-8", NOW)
    [line] = lines(ROWS[0], screen)
    assert [line.index(part) for part in ("news@", "anna@", "Our")] == [
        heading(screen)[0].index(name) for name in ("SENDER", "RECIPIENT", "SUBJECT")
    ]


def test_the_domain_of_a_long_address_is_kept() -> None:
    assert "…@evil.example" in lines(ROWS[6], Screen(120, "utf-8", NOW))[0]


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        *((0, "0"), (1023, "1023"), (1024, "1.0K"), (1025, "1.1K"), (10189, "10K"), (10240, "10K"), (10241, "11K")),
        *((1023 * 1024, "1023K"), (1023 * 1024 + 1, "1.0M"), (5 << 30, "5.0G"), (7 << 40, "7.0T"), (1 << 53, "8.0P")),
    ],
)
def test_sizes_are_those_of_ls(size: int, shown: str) -> None:
    assert human_size(size) == shown


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("", [""]),
        ("a" * 20, ["a" * 20]),
        ("a" * 21, ["a" * 20, "a"]),
        ("é" * 21, ["é" * 20, "é"]),
        ("漢" * 11, ["漢" * 10, "漢"]),
        ("one two three four five", ["one two three four", "five"]),
        ("e" + "\u0301" * 50, ["e" + "\u0301" * 50]),
    ],
)
def test_a_long_line_is_folded(text: str, folded: list[str]) -> None:
    assert list(fold(text, Screen(20, "utf-8", NOW))) == folded


def test_the_first_lines_of_a_text_cost_the_same_however_long_it_is() -> None:
    """`turfctl review` shows the beginning of a text of 64 KiB, which may be one line, at each key."""

    def cost(length: int) -> int:
        return steps(lambda: list(islice(fold("é" * length, Screen(79, "utf-8", NOW)), 24)))

    assert cost(64_000) < 2 * cost(4000)
