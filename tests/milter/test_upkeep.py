"""The daemon looks after its quarantines: what is due goes, and the MTA waits where there is no room."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import wait
from rig.filter import Filter
from rig.milterclient import MilterClient
from turfmilter.stores.ledger import Ledger, Line

DAY = 86400
HELD = """
domains = ["rig.test"]
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
[quarantine]
floor = "0%"
"""


@pytest.fixture
def turf(place: Path) -> Iterator[Filter]:
    with Filter(place, HELD, log="text") as turf:
        yield turf


def hold(turf: Filter, *, days: int = 0, flags: str = "", size: int = 100) -> Path:
    """A message that was held so many days ago; its flags are set today."""
    before = set((turf.quarantine / "new").iterdir())
    with turf.session() as client:
        assert spam(client, size) == "discard"
    (path,) = set((turf.quarantine / "new").iterdir()) - before
    at = time.time() - days * DAY
    os.utime(path, (at, at))
    return path.rename(turf.quarantine / "cur" / f"{path.name}:2,{flags}") if flags else path


def spam(client: MilterClient, size: int = 100) -> str:
    return str(client.message("<spam@turf.test>", ["<b@rig.test>"], body=b"x" * size).end)


def look_after(turf: Filter, more: str = "") -> None:
    """Have the daemon take a new configuration, with which it begins at once."""
    turf.configure(HELD + more)
    turf.reload()


def lines(turf: Filter) -> list[Line]:
    directory = os.open(turf.quarantine, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return list(Ledger(directory).lines())
    finally:
        os.close(directory)


def test_a_message_that_is_older_than_keep_goes_and_the_ledger_says_so(turf: Filter) -> None:
    old, young = hold(turf, days=31), hold(turf, days=29)
    look_after(turf)
    wait.until(lambda: not old.exists(), turf.daemon.log)
    assert young.exists()
    (line,) = lines(turf)
    assert (line.act, line.id, line.who, line.note) == ("expire", old.name, "the daemon", "unreviewed, for 31 days")
    turf.daemon.wait_for_log(f"info: expire {old.name} \\(done\\) by the daemon")


def test_room_is_made_of_what_was_reviewed_and_the_rest_stays(turf: Filter) -> None:
    unreviewed, reviewed = hold(turf, size=700_000), hold(turf, size=700_000, flags="S")
    look_after(turf, 'max_size = "1 MiB"\n')
    wait.until(lambda: not reviewed.exists(), turf.daemon.log)
    assert unreviewed.exists()


def test_the_mta_hears_452_when_unreviewed_mail_takes_all_the_room_until_there_is_some_again(turf: Filter) -> None:
    first, second = hold(turf, size=700_000), hold(turf, size=700_000)
    look_after(turf, 'max_size = "1 MiB"\n')
    turf.daemon.wait_for_log(f"warning: {turf.quarantine}: max_size is reached, 1 MiB: .* answered 452")
    with turf.session() as client:
        assert spam(client) == "452 4.3.1 insufficient storage, try again later"
        assert first.exists() and second.exists()
        second.unlink()
        look_after(turf, 'max_size = "2 MiB"\n')
        wait.until(lambda: not (turf.quarantine / "full").exists(), turf.daemon.log)
        assert spam(client) == "discard"


def test_a_warning_comes_before(turf: Filter) -> None:
    hold(turf, size=900_000)
    look_after(turf, 'max_size = "1 MiB"\n')
    turf.daemon.wait_for_log("warning: .*room is running out, and messages will be answered 452")
    hold(turf)


def test_what_was_said_is_not_said_again_until_it_was_otherwise(turf: Filter) -> None:
    hold(turf, size=900_000)
    said = "room is running out"
    for number, (room, times) in enumerate([("1 MiB", 1), ("1025 KiB", 1), ("9 MiB", 1), ("1 MiB", 2)], 2):
        due = hold(turf, days=31)
        look_after(turf, f'max_size = "{room}"\n')
        turf.wait_for_generation(number)
        wait.until(lambda due=due: not due.exists(), turf.daemon.log)
        wait.until(lambda times=times: turf.daemon.log().count(said) >= times, turf.daemon.log)
    assert turf.daemon.stop() == 0
    assert turf.daemon.log().count(said) == 2


def test_a_quarantine_that_cannot_be_looked_after_is_named_and_the_filter_serves_on(turf: Filter) -> None:
    (turf.quarantine / "ledger").mkdir()
    old = hold(turf, days=31)
    look_after(turf)
    turf.daemon.wait_for_log(f"warning: quarantine {turf.quarantine}: the ledger cannot be opened or written")
    assert old.exists()
    hold(turf)


def test_the_process_for_it_is_gone_when_it_is_done(turf: Filter) -> None:
    (first,) = turf.daemon.workers()
    old = hold(turf, days=31)
    look_after(turf)
    wait.until(lambda: not old.exists(), turf.daemon.log)
    wait.until(lambda: len(turf.daemon.workers()) == 1 and first not in turf.daemon.workers(), "the new worker alone")
    assert turf.daemon.stop() == 0
