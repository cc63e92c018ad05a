"""Any record is exactly one printable line, which a naive parser reads back."""

from __future__ import annotations

import json as stdlib
import re
from typing import get_type_hints

from hypothesis import given
from hypothesis import strategies as st

from turfmilter.core.report import Record
from turfmilter.telemetry.line import json, text

ITEM = r'(?:"(?:[^"\\]|\\.)*"|[^" ,]+)'
PAIR = rf"([a-z]+)=({ITEM}(?:,{ITEM})*)"
LINE = re.compile(rf"({ITEM}): ({PAIR}(?: {PAIR})*)?")
ESCAPE = re.compile(r'\\(?:([\\"])|x(..)|u(....)|U(.{8}))')

raw = st.binary(max_size=16).map(lambda octets: octets.decode("utf-8", "surrogateescape"))
hostile = st.sampled_from(['"', "\\", " verdict=accept", "\nA1: ", ",", "=", "<>", "\u2028", '\\"', "\\x0a", "\udcff"])
odd = st.lists(hostile | st.characters(exclude_categories=()), max_size=5).map("".join)
short = st.text(max_size=16) | raw | odd
long = st.text(st.characters(exclude_categories=()), min_size=100) | short.map(lambda text: text * 5000)


def records(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Record]:
    counts = st.integers(0, 10**12)
    lists = st.lists(texts, max_size=12).map(tuple)
    kinds = {str: texts, str | None: st.none() | texts, int: counts, int | None: st.none() | counts}
    return st.builds(Record, **{name: kinds.get(kind, lists) for name, kind in get_type_hints(Record).items()})


def plain(item: str) -> str:
    if not item.startswith('"'):
        return "" if item == "<>" else item

    def char(escape: re.Match[str]) -> str:
        literal, byte, short, long = escape.groups()
        code = int(byte or short or long or "0", 16)
        return literal or chr(0xDC00 + code if byte and code >= 0x80 else code)

    return ESCAPE.sub(char, item[1:-1])


def said(record: Record) -> dict[str, object]:
    """What the line must say: the fields that are not absent."""
    absent = Record._field_defaults
    present = {name: value for name, value in record._asdict().items() if value != absent[name]}
    shown = {k: v[:10] if isinstance(v, tuple) else (str(v),) for k, v in present.items()}
    return {"queue_id": ("NOQUEUE",), **shown}


@given(record=records(short))
def test_a_naive_parser_reads_the_text_back(record: Record) -> None:
    line = text(record)
    whole = LINE.fullmatch(line)
    assert whole is not None
    parsed: dict[str, tuple[str, ...]] = {"queue_id": (plain(whole[1]),)}
    for key, items in re.findall(PAIR, whole[2] or ""):
        parsed[key] = tuple(plain(item) for item in re.findall(ITEM, items))
    assert parsed == said(record)
    assert list(parsed) == list(said(record))


@given(record=records(short))
def test_json_holds_the_same_keys_and_as_many_items(record: Record) -> None:
    parsed = stdlib.loads(json(record))
    assert list(parsed) == list(said(record))
    assert {k: len(v) if isinstance(v, list) else 1 for k, v in parsed.items()} == {
        k: len(v) for k, v in said(record).items() if isinstance(v, tuple)
    }


@given(record=records(short | long))
def test_any_record_is_one_printable_line_below_8_kib(record: Record) -> None:
    for line in (text(record), json(record)):
        assert line.isprintable()
        assert len(line.encode()) < 8100
    assert LINE.fullmatch(text(record))
