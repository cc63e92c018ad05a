"""The ledger of a quarantine."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from turfmilter.core.held.ledger import LedgerError, Line
from turfmilter.stores.ledger import FollowedLedger, Ledger

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
        b"[" * 200_000 + b"\n",
        b'{"a":' * 200_000 + b"\n",
        b'{"recipients": ' + b"[" * 200_000 + b"\n",
        b'{"time": "t", "who": "a", "uid": 0, "origin": "", "act": "x", "stage": "y", "id": "z", "replies": "250"}\n',
        b'{"time": "t", "who": "a", "uid": ' + b"9" * 10_000 + b"}\n",
        b'{"id": "1m4x8q-000000", "time": "' + b"x" * (40 << 20) + b'"}\n',
    ],
    ids=lambda half: half[:20],
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


def test_what_is_followed_is_read_once_and_then_what_others_add(directory: int) -> None:
    ledger, followed = Ledger(directory), FollowedLedger(Ledger(directory))
    followed.expect({FIRST.id, SECOND.id})
    assert followed.about(FIRST.id) == []
    ledger.append(FIRST)
    assert followed.about(FIRST.id) == [FIRST]
    ledger.append(SECOND)
    ledger.append(FIRST)
    assert followed.about(SECOND.id) == [SECOND]
    assert followed.about(FIRST.id) == [FIRST, FIRST]
    assert followed.about("not expected") == []
    assert followed.about(FIRST.id) == [FIRST, FIRST]


def test_half_a_line_is_followed_to_its_end(tmp_path: Path, directory: int) -> None:
    data = json.dumps(asdict(FIRST)).encode()
    followed = FollowedLedger(Ledger(directory))
    for half in (data[:40], data[40:]):
        assert followed.about(FIRST.id) == []
        with (tmp_path / "ledger").open("ab") as file:
            file.write(half)
    for _ in range(2):
        assert followed.about(FIRST.id) == [FIRST], "all but the end of the line"
    Ledger(directory).append(SECOND)
    assert followed.about(FIRST.id) == [FIRST]
    assert followed.about(SECOND.id) == [SECOND]


@pytest.mark.parametrize("replace", [lambda path: path.write_bytes(b""), lambda path: path.unlink()])
def test_a_ledger_that_begins_anew_is_read_anew(
    tmp_path: Path, directory: int, replace: Callable[[Path], object]
) -> None:
    ledger, followed = Ledger(directory), FollowedLedger(Ledger(directory))
    ledger.append(FIRST)
    ledger.append(FIRST)
    assert followed.about(FIRST.id) == [FIRST, FIRST]
    replace(tmp_path / "ledger")
    ledger.append(FIRST)
    assert followed.about(FIRST.id) == [FIRST]


@pytest.mark.parametrize("what", [b"[" * 200_000, b"x" * (40 << 20)], ids=["deep", "long"])
def test_a_damaged_line_does_not_stop_who_follows(tmp_path: Path, directory: int, what: bytes) -> None:
    followed = FollowedLedger(Ledger(directory))
    Ledger(directory).append(FIRST)
    assert followed.about(FIRST.id) == [FIRST]
    with (tmp_path / "ledger").open("ab") as file:
        file.write(what + b"\n")
    Ledger(directory).append(FIRST)
    assert followed.about(FIRST.id) == [FIRST, FIRST]


def test_who_may_only_read_the_ledger_cannot_hold_it_up(tmp_path: Path, directory: int) -> None:
    Ledger(directory).append(FIRST)
    with (tmp_path / "ledger").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        Ledger(directory).append(SECOND)
        assert list(Ledger(directory).lines()) == [FIRST, SECOND]
    assert stat.S_IMODE((tmp_path / ".ledger.lock").stat().st_mode) == 0o600


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("other")])
def test_what_is_planted_in_place_of_the_lock_is_not_used(
    tmp_path: Path, directory: int, plant: Callable[[Path], object]
) -> None:
    plant(tmp_path / ".ledger.lock")
    with pytest.raises(LedgerError):
        Ledger(directory).append(FIRST)
    assert not (tmp_path / "other").exists()
