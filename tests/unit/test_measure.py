"""Sizes and spans of time: one spelling in the configuration and in options."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from rig.golden import Golden
from turfmilter.config.loader import ConfigError, configure
from turfmilter.config.schema import Config
from turfmilter.core.measure import MeasureError, parse_size, parse_span

SIZES = {
    "0": 0,
    "1048576": 1 << 20,
    "512K": 512 << 10,
    "512k": 512 << 10,
    "512 KiB": 512 << 10,
    "512KB": 512_000,
    "10M": 10 << 20,
    "10 M": 10 << 20,
    "10MiB": 10 << 20,
    "10 mib": 10 << 20,
    "10MB": 10_000_000,
    "10 mb": 10_000_000,
    "2G": 2 << 30,
    "2 GiB": 2 << 30,
    "2 gb": 2_000_000_000,
    "9223372036854775807": (1 << 63) - 1,
}
NO_SIZES = [
    "",
    " 1",
    "1 ",
    "-1",
    "1.5 GiB",
    "ten MiB",
    "10 meg",
    "10T",
    "10  MiB",
    "MiB",
    "1_000",
    "\u0661\u0660",
    "10 MiBs",
]
SPANS = {
    "0d": timedelta(),
    "90m": timedelta(minutes=90),
    "12h": timedelta(hours=12),
    "30d": timedelta(days=30),
    "30 d": timedelta(days=30),
    "2w": timedelta(weeks=2),
    "999999w": timedelta(weeks=999_999),
}
NO_SPANS = ["", "30", "d", "-1d", "1.5d", "30D", "6M", "1y", "10s", "1d12h", "30  d", "a month", "1000000w", "\u0663d"]


@pytest.mark.parametrize("text", SIZES)
def test_a_size_is_a_number_of_bytes_or_has_a_unit(text: str) -> None:
    assert parse_size(text) == SIZES[text]


@pytest.mark.parametrize("text", NO_SIZES)
def test_any_other_text_is_not_a_size(text: str) -> None:
    with pytest.raises(MeasureError, match=r"^is not a size; "):
        parse_size(text)


@pytest.mark.parametrize("text", ["9223372036854775808", "9999999999999999999 GiB"])
def test_a_size_that_no_disk_and_no_database_has_is_too_much(text: str) -> None:
    with pytest.raises(MeasureError, match=r"^is too large"):
        parse_size(text)


@pytest.mark.parametrize("text", SPANS)
def test_a_span_is_a_number_with_a_letter(text: str) -> None:
    assert parse_span(text) == SPANS[text]


@pytest.mark.parametrize("text", NO_SPANS)
def test_any_other_text_is_not_a_span(text: str) -> None:
    with pytest.raises(MeasureError, match=r"^is not a span of time; "):
        parse_span(text)


@pytest.mark.parametrize("text", SIZES)
def test_a_key_reads_the_same_sizes(text: str) -> None:
    assert _configured(f'[limits]\nmessage_size = "{text}"').limits.message_size == SIZES[text]


@pytest.mark.parametrize("text", [text for text, span in SPANS.items() if span >= timedelta(hours=1)])
def test_a_key_reads_the_same_spans(text: str) -> None:
    assert _configured(f'[quarantine]\nkeep_reviewed = "{text}"').quarantine.keep_reviewed == SPANS[text]


@pytest.mark.parametrize("text", ["6m", "59m", "0d", "0w"])
def test_a_message_is_kept_for_an_hour_at_least(text: str) -> None:
    with pytest.raises(ConfigError, match=f'^quarantine.keep: "{text}" is less than an hour; '):
        _configured(f'[quarantine]\nkeep = "{text}"')


def test_what_is_wrong_is_said_with_what_to_write(golden: Golden) -> None:
    keys = '[limits]\nmessage_size = "10 meg"\nsession_size = "9999999999 GiB"\n[quarantine]\nkeep = "a month"\n'
    with pytest.raises(ConfigError) as refused:
        _configured(keys + 'keep_reviewed = "6m"')
    golden("measure", "\n".join(refused.value.problems))


def _configured(text: str) -> Config:
    return configure({"domains": ["example.org"], **tomllib.loads(text)}, Path("/nowhere"))
