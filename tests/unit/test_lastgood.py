"""The copy of the last good generation: what is kept comes back as it was; what others put there is not believed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from turfmilter.stores.lastgood import NAME, SIZES, Copy, LastGood, NoCopy, NotKept

PATH = Path("/etc/turfmilter/turfmilter.toml")
COPY = Copy(datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC), {str(PATH): "domains = []\n", "/etc/turfmilter/a": "a\n"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a\r\nb\r\n",
        "no end",
        "\ufeffmark\n",
        "\0\x1b[2J\x85\u2028",
        "jürgen@例え.jp\n",
        "x" * (1 << 20),
        '"\\u0041"',
    ],
    ids=range(8),
)
def test_what_is_kept_comes_back_as_it_was(tmp_path: Path, text: str) -> None:
    kept = Copy(COPY.since, {str(PATH): text, "relative/name": text, "postfix:main.cf": text})
    LastGood(tmp_path).keep(PATH, kept)
    assert LastGood(tmp_path).read(PATH) == kept


def test_the_last_one_counts_and_nothing_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / f".{NAME}.00000000").write_text("of a process that was killed")
    (tmp_path / "other").write_text("of somebody else")
    for number in range(3):
        LastGood(tmp_path).keep(PATH, Copy(COPY.since, {"a": str(number)}))
    assert LastGood(tmp_path).read(PATH).texts == {"a": "2"}
    assert sorted(path.name for path in tmp_path.iterdir()) == [NAME, SIZES, "other"]
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600


def test_there_is_none(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "missing"):
        with pytest.raises(NotKept):
            LastGood(directory).read(PATH)


def test_the_copy_of_another_configuration_is_not_used(tmp_path: Path) -> None:
    LastGood(tmp_path).keep(Path("/etc/other.toml"), COPY)
    with pytest.raises(NoCopy, match=r"a copy of /etc/other\.toml"):
        LastGood(tmp_path).read(PATH)


WHOLE = {"format": 1, "configuration": str(PATH), "since": "2026-11-30T12:00:05+00:00", "texts": {"a": "b"}}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        json.dumps(WHOLE)[:-1],
        "[]",
        "null",
        '"text"',
        "[" * 100_000,
        json.dumps(WHOLE | {"format": 2}),
        json.dumps(WHOLE | {"texts": []}),
        json.dumps(WHOLE | {"texts": None}),
        json.dumps(WHOLE | {"since": 5}),
        json.dumps(WHOLE | {"since": "yesterday"}),
        json.dumps({key: value for key, value in WHOLE.items() if key != "texts"}),
    ],
    ids=range(13),
)
def test_what_is_damaged_is_not_used(tmp_path: Path, content: str) -> None:
    (tmp_path / NAME).write_text(content)
    with pytest.raises(NoCopy):
        LastGood(tmp_path).read(PATH)


def linked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to(path.with_name("elsewhere"))


def piped(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("plant", [linked, piped, a_directory])
def test_what_is_planted_in_its_place_is_neither_read_nor_written_to(
    tmp_path: Path, plant: Callable[[Path], None]
) -> None:
    LastGood(tmp_path).keep(PATH, COPY)
    plant(tmp_path / NAME)
    with pytest.raises(NoCopy):
        LastGood(tmp_path).read(PATH)
    if plant is not a_directory:
        before = (tmp_path / "elsewhere").read_bytes() if plant is linked else b""
        LastGood(tmp_path).keep(PATH, Copy(COPY.since, {"new": ""}))
        assert LastGood(tmp_path).read(PATH).texts == {"new": ""}
        assert plant is not linked or (tmp_path / "elsewhere").read_bytes() == before
