"""The ledger of a quarantine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from turfmilter.stores.ledger import Ledger, LedgerError, Line

FIRST = Line("2026-11-22T10:00:00Z", "anna", 1000, "pts/0", "release", "intent", "1m4x8q-7kz0ha", "a1", ("b@rig.test",))
SECOND = Line("2026-11-22T10:00:01Z", "ben", 1001, "", "delete", "done", "1m4x8q-000000", note="caf\udce9 \n\u202e")


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_lines_come_back_as_they_were_written_and_in_order(directory: int) -> None:
    ledger = Ledger(directory)
    ledger.append(FIRST)
    ledger.append(SECOND)
    assert list(ledger.lines()) == [FIRST, SECOND]
    assert list(ledger.lines({SECOND.id})) == [SECOND]


def test_a_quarantine_without_a_ledger_has_no_lines(directory: int) -> None:
    assert list(Ledger(directory).lines()) == []
    assert list(Ledger(directory).damaged()) == []


@pytest.mark.parametrize(
    "half",
    [
        b'{"time": "2026',
        b"\xff\xfe\n",
        b"[]\n",
        b"null\n",
        b'{"time": "t", "who": "a", "uid": "0", "origin": "", "act": "x", "stage": "y", "id": "z"}\n',
        b'{"time": 1, "who": "a", "uid": 0, "origin": "", "act": "x", "stage": "y", "id": "z"}\n',
        b'{"time": "t", "who": "a", "uid": 0, "origin": "", "act": "x", "stage": "y", "id": "z", "evil": 1}\n',
    ],
)
def test_a_damaged_line_spoils_no_other(tmp_path: Path, directory: int, half: bytes) -> None:
    ledger = Ledger(directory)
    ledger.append(FIRST)
    with (tmp_path / "ledger").open("ab") as file:
        file.write(half)
    ledger.append(SECOND)
    assert list(ledger.lines()) == [FIRST, SECOND]
    assert list(ledger.damaged()) == [2]


@pytest.mark.parametrize(
    "plant",
    [
        lambda ledger, other: ledger.symlink_to(other),
        lambda ledger, other: ledger.hardlink_to(other),
        lambda ledger, _: os.mkfifo(ledger),
        lambda ledger, _: ledger.mkdir(),
    ],
    ids=["a symbolic link", "a second name", "a pipe", "a directory"],
)
def test_what_is_planted_in_its_place_is_neither_written_nor_read(
    tmp_path: Path, directory: int, plant: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "elsewhere").write_text("")
    plant(tmp_path / "ledger", tmp_path / "elsewhere")
    with pytest.raises(LedgerError):
        Ledger(directory).append(FIRST)
    with pytest.raises(LedgerError):
        list(Ledger(directory).lines())
    assert (tmp_path / "elsewhere").read_text() == ""


def test_a_line_is_about_one_message_only_whatever_its_texts_hold(tmp_path: Path, directory: int) -> None:
    ledger = Ledger(directory)
    ledger.append(replace(FIRST, who='"id": "b"', note='", "id": "b", "'))
    with (tmp_path / "ledger").open("a") as file:
        file.write(json.dumps(asdict(SECOND)).replace("{", '{"id": "b", ', 1) + "\n")  # the last id counts
    assert list(ledger.lines({"b", FIRST.id})) == [replace(FIRST, who='"id": "b"', note='", "id": "b", "')]


def test_a_message_may_have_any_name(directory: int) -> None:
    line = replace(FIRST, id='"\udce9" \\ \n')
    Ledger(directory).append(line)
    assert list(Ledger(directory).lines({line.id})) == [line]


def test_a_full_disk_is_said() -> None:
    descriptor = os.open("/dev", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with pytest.raises(LedgerError):
            Ledger(descriptor, "full").append(FIRST)
    finally:
        os.close(descriptor)


def test_those_who_write_at_once_lose_no_line(directory: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: Ledger(directory).append(FIRST), range(200)))
    assert list(Ledger(directory).lines()) == [FIRST] * 200
