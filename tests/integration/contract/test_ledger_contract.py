"""What every implementation of Ledger keeps, and what it does with lines that it did not write."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import asdict

import pytest

from rig.store import Store, line
from turfmilter.core.held.ledger import LedgerError, Line, Mark, encode_line
from turfmilter.core.ports import Ledger

HOSTILE = ['a", "id": "b', "a\nb", "\\", "caf\udce9", "\x1b[2J", "\u202e", "{}", "'; DROP TABLE ledger; --", ""]


def test_a_ledger_without_lines_is_empty(ledger: Ledger) -> None:
    assert list(ledger.lines()) == list(ledger.damaged()) == []
    assert list(ledger.about("1m4x8q-7kz0ha")) == []


@pytest.mark.parametrize("durable", [True, False])
def test_lines_are_kept_whole_and_in_their_order(store: Store, ledger: Ledger, durable: bool) -> None:
    lines = [
        line("a", "release", "intent", recipients=("bob@example.org", "carol@x.example"), note=""),
        line("b", "delete", "intent"),
        line("a", "release", recipients=("bob@example.org",), replies=("250 2.0.0 Ok: queued as 4711",), origin=""),
    ]
    for one in lines:
        ledger.append(one, durable=durable)
    assert list(ledger.lines()) == list(store.desk().ledger.lines()) == lines
    assert list(ledger.damaged()) == []


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_no_text_can_forge_a_line_or_hide_one(store: Store, ledger: Ledger, text: str) -> None:
    lines = [
        line(text, who=text, origin=text, act=text, attempt=text, note=text, recipients=(text,), replies=(text,)),
        line("b", note=text),
    ]
    for one in lines:
        ledger.append(one)
    assert list(store.desk().ledger.lines()) == lines
    assert list(ledger.lines([text])) == lines[:1]
    assert list(ledger.about("b")) == lines[1:]


def test_lines_of_some_messages_are_selected_by_their_ids(ledger: Ledger) -> None:
    lines = [line(id, note=str(number)) for number, id in enumerate("abcabc")]
    for one in lines:
        ledger.append(one)
    assert list(ledger.lines(["a", "c", "x"])) == [lines[number] for number in (0, 2, 3, 5)]
    assert list(ledger.lines([])) == []
    assert list(ledger.lines(["ab"])) == []


def test_what_is_known_about_a_message_includes_what_others_have_just_written(store: Store, ledger: Ledger) -> None:
    other = store.desk().ledger
    ledger.expect(["a", "b"])
    written: dict[str, list[Line]] = {"a": [], "b": [], "c": []}
    for number, id in enumerate("abcab"):
        written[id].append(line(id, note=str(number)))
        other.append(written[id][-1])
        for asked in "abc":
            assert list(ledger.about(asked)) == written[asked]


def test_lines_of_the_older_version_are_read(store: Store, ledger: Ledger) -> None:
    """It wrote one line for an act, without the fields that it had no use for."""
    old = {
        "time": "2026-01-02T03:04:05Z",
        "who": "ada",
        "uid": 0,
        "origin": "",
        "act": "delete",
        "stage": "done",
        "id": "a",
    }
    store.add_to_ledger(json.dumps(old).encode() + b"\n")
    expected = Line(**old)  # type: ignore[arg-type]
    assert (expected.attempt, expected.recipients, expected.note) == ("", (), "")
    assert list(ledger.lines()) == list(ledger.about("a")) == [expected]
    ledger.append(line("a"))
    assert list(ledger.about("a")) == [expected, line("a")]


DAMAGED = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"\xff\xfe",
    b"[" * 100_000,
    json.dumps(asdict(line("a")) | {"uid": "0"}).encode(),
    json.dumps(asdict(line("a")) | {"recipients": "bob"}).encode(),
    json.dumps(asdict(line("a")) | {"unknown": 1}).encode(),
    json.dumps(asdict(line("a"))).encode()[:-9],
]


@pytest.mark.parametrize("data", DAMAGED, ids=lambda data: ascii(data[:30]))
def test_a_damaged_line_is_reported_and_spoils_no_other(store: Store, ledger: Ledger, data: bytes) -> None:
    ledger.append(line("a"))
    store.add_to_ledger(data + b"\n")
    ledger.append(line("a", note="after it"))
    assert list(ledger.lines()) == list(ledger.lines(["a"])) == list(ledger.about("a"))
    assert list(ledger.about("a")) == [line("a"), line("a", note="after it")]
    assert list(ledger.damaged()) == ([2] if data else [])


def test_a_line_with_two_ids_is_about_none_of_the_messages_that_are_asked_for(store: Store, ledger: Ledger) -> None:
    """Somebody wrote it: whatever reads ids quickly and whatever parses the line must not disagree about it."""
    whole = json.dumps(asdict(line("b")))
    store.add_to_ledger(f'{{"id": "a", {whole[1:]}\n'.encode())
    assert [one.id for one in ledger.lines(["a"])] == [one.id for one in ledger.about("a")] == []


def test_what_was_begun_and_has_no_outcome_is_found(store: Store, ledger: Ledger) -> None:
    for id, act, stage, attempt in [
        ("done", "release", "intent", "1"),
        ("done", "release", "outcome", "1"),
        ("begun", "release", "intent", "2"),
        ("again", "release", "intent", "3"),
        ("again", "release", "intent", "4"),
        ("again", "release", "outcome", "4"),
        ("other act", "delete", "intent", "5"),
    ]:
        ledger.append(line(id, act, stage, attempt=attempt, note='"act": "release", "attempt": "6"'))
    store.add_to_ledger(json.dumps(asdict(line("half", "release", "intent", attempt="7"))).encode()[:-9] + b"\n")
    assert ledger.unfinished("release") == {"begun", "again"}


def test_half_a_line_that_a_crash_left_is_not_joined_to_the_next(store: Store, ledger: Ledger) -> None:
    store.add_to_ledger(json.dumps(asdict(line("a"))).encode()[:40])
    ledger.append(line("a"))
    assert list(ledger.lines()) == [line("a")]
    assert list(ledger.damaged()) == [1]


def test_desks_that_write_at_once_lose_no_line(store: Store) -> None:
    written = [[line(f"{desk}", note=str(number)) for number in range(25)] for desk in range(4)]

    def write(ledger: Ledger, lines: list[Line]) -> None:
        for one in lines:
            ledger.append(one)

    threads = [threading.Thread(target=write, args=(store.desk().ledger, lines)) for lines in written]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger = store.desk().ledger
    assert list(ledger.damaged()) == []
    assert [list(ledger.lines([str(desk)])) for desk in range(4)] == written


@pytest.mark.parametrize(
    "act",
    [
        lambda ledger: ledger.append(line("a")),
        lambda ledger: ledger.append(line("a"), durable=False),
        lambda ledger: list(ledger.lines()),
        lambda ledger: list(ledger.lines(["a"])),
        lambda ledger: list(ledger.damaged()),
        lambda ledger: list(ledger.about("a")),
    ],
    ids=["append", "append without fsync", "lines", "lines of some", "damaged", "about"],
)
def test_a_broken_ledger_is_an_error(store: Store, ledger: Ledger, act: Callable[[Ledger], object]) -> None:
    ledger.append(line("a"))
    store.break_ledger()
    with pytest.raises(LedgerError):
        act(ledger)


def test_a_ledger_of_a_newer_version_is_read_and_not_written(store: Store, ledger: Ledger) -> None:
    ledger.append(line("a"))
    store.upgrade()
    with pytest.raises(LedgerError, match="newer version"):
        ledger.append(line("a"))
    assert list(ledger.lines()) == [line("a")]


def test_what_was_added_since_a_mark_is_read_once(store: Store, ledger: Ledger) -> None:
    first, second, third = (line(id, "release") for id in "abc")
    assert ledger.added(Mark()) == (Mark(), [])
    ledger.append(first)
    mark, lines = ledger.added(Mark())
    assert lines == [first]
    assert store.desk().ledger.added(mark) == (mark, [])
    ledger.append(second)
    store.add_to_ledger(b"damaged\n")
    ledger.append(third)
    mark, lines = ledger.added(mark)
    assert lines == [second, third]
    assert ledger.added(mark) == (mark, [])


def test_a_line_that_is_being_written_is_left_to_the_next_reading(store: Store, ledger: Ledger) -> None:
    ledger.append(line("a", "release"))
    mark, _ = ledger.added(Mark())
    data = encode_line(line("b", "release"))
    store.add_to_ledger(data[:20])
    assert ledger.added(mark) == (mark, [])
    store.add_to_ledger(data[20:])
    assert [one.id for one in ledger.added(mark)[1]] == ["b"]
