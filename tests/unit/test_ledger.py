"""The ledger of a quarantine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
    assert list(ledger.lines(SECOND.id)) == [SECOND]


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


def test_no_link_is_followed(tmp_path: Path, directory: int) -> None:
    (tmp_path / "elsewhere").write_text("")
    (tmp_path / "ledger").symlink_to("elsewhere")
    with pytest.raises(LedgerError):
        Ledger(directory).append(FIRST)
    assert (tmp_path / "elsewhere").read_text() == ""


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
