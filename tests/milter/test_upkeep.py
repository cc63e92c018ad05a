"""The daemon looks after its quarantines: what is due goes, and the MTA waits where there is no room."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rig import wait
from rig.filter import Filter, give
from rig.hostclock import DAY, has_watched
from rig.milterclient import MilterClient
from rig.quarantine import hold as held_before
from turfmilter.core.held.ledger import Line
from turfmilter.stores.ledger import Ledger
from turfmilter.stores.retention import RetentionState, read_clocks

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


def hold(turf: Filter, *, flags: str = "", size: int = 100) -> Path:
    """A message that is held now."""
    before = set((turf.quarantine / "new").iterdir())
    with turf.session() as client:
        assert spam(client, size) == "discard"
    (path,) = set((turf.quarantine / "new").iterdir()) - before
    return path.rename(turf.quarantine / "cur" / f"{path.name}:2,{flags}") if flags else path


def hold_old(turf: Filter) -> Path:
    """A message that was held 31 days ago, and that this host has seen there ever since."""
    path = turf.quarantine / "new" / held_before(turf.quarantine, time=datetime.now(UTC) - 31 * DAY)
    (turf.state / "retention").unlink(missing_ok=True)
    has_watched(turf.state, turf.quarantine, 31 * DAY)
    return path


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


def test_a_message_older_than_keep_expires_and_the_ledger_records_it(turf: Filter) -> None:
    old = hold_old(turf)
    young = hold(turf)
    look_after(turf)
    wait.until(lambda: not old.exists(), turf.daemon.log)
    turf.daemon.wait_for_log(f"info: expire {old.name} \\(intent\\) by the daemon .*; unreviewed, for 31 days")
    turf.daemon.wait_for_log(f"info: expire {old.name} \\(outcome\\) by the daemon .*; done")
    assert young.exists()
    intent, outcome = lines(turf)
    assert (intent.act, intent.id, intent.who, intent.note) == (
        "expire",
        old.name,
        "the daemon",
        "unreviewed, for 31 days",
    )
    assert (outcome.stage, outcome.note) == ("outcome", "done")


def test_a_message_held_just_now_stays_whatever_the_time_of_its_file(turf: Filter) -> None:
    has_watched(turf.state, turf.quarantine, 31 * DAY)
    path, due = hold(turf), hold_old(turf)
    os.utime(path, (0, 0))
    look_after(turf)
    wait.until(lambda: not due.exists(), turf.daemon.log)
    assert path.exists()


def test_a_clock_that_jumped_stops_expiry_and_log_and_status_say_so(turf: Filter) -> None:
    due = hold_old(turf)
    memory, now = RetentionState(turf.state), read_clocks()
    # As if the clock had been set ahead since.
    memory.observe(replace(now, wall=now.wall - 31 * DAY.total_seconds()))
    memory.observe(replace(now, wall=now.wall - 31 * DAY.total_seconds()))
    look_after(turf)
    said = (
        "the clock moved forward by 31 days, .*: no message expires by its age until the clock has run evenly for a day"
    )
    turf.daemon.wait_for_log(f"warning: {said}")
    turf.wait_for_status(lambda status: any(re.fullmatch(said, one) for one in status["quarantine_warnings"]))
    assert due.exists()


def test_a_missing_state_directory_is_reported_and_no_unreviewed_message_expires(turf: Filter) -> None:
    due = hold_old(turf)
    shutil.rmtree(turf.state)
    look_after(turf)
    said = f"state {turf.state}/retention: No such file or directory: unreviewed messages do not expire"
    turf.daemon.wait_for_log(f"warning: {said}")
    turf.wait_for_status(lambda status: any(one.startswith(said) for one in status["quarantine_warnings"]))
    assert due.exists()
    turf.state.mkdir()
    give(turf.state)
    look_after(turf)
    turf.wait_for_status(lambda status: not status["quarantine_warnings"])


def test_too_much_at_once_goes_hour_by_hour(turf: Filter) -> None:
    for _ in range(120):
        held_before(turf.quarantine, time=datetime.now(UTC) - 31 * DAY)
    has_watched(turf.state, turf.quarantine, 31 * DAY)
    look_after(turf)
    turf.daemon.wait_for_log("warning: .*more messages are old enough than may be removed in an hour")
    assert len(list((turf.quarantine / "new").iterdir())) == 20


def test_flagged_mail_that_fills_the_quarantine_does_not_keep_reviewed_mail(turf: Filter) -> None:
    flagged, reviewed = hold(turf, size=700_000, flags="F"), hold(turf, size=700_000, flags="S")
    look_after(turf, 'max_size = "1 MiB"\n')
    wait.until(lambda: not reviewed.exists(), turf.daemon.log)
    assert flagged.exists()
    turf.wait_for_status(lambda status: status["generation"] == 2)
    with turf.session() as client:
        assert spam(client) == "discard"


def test_room_is_made_of_what_was_reviewed_and_the_rest_stays(turf: Filter) -> None:
    unreviewed, reviewed = hold(turf, size=700_000), hold(turf, size=700_000, flags="S")
    look_after(turf, 'max_size = "1 MiB"\n')
    wait.until(lambda: not reviewed.exists(), turf.daemon.log)
    assert unreviewed.exists()


def test_the_mta_receives_452_while_unreviewed_mail_fills_the_quarantine(turf: Filter) -> None:
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


def test_a_warning_is_not_repeated_until_its_cause_has_disappeared_and_returned(turf: Filter) -> None:
    hold(turf, size=900_000)
    said = "room is running out"
    for number, (room, times) in enumerate([("1 MiB", 1), ("1025 KiB", 1), ("9 MiB", 1), ("1 MiB", 2)], 2):
        due = hold_old(turf)
        look_after(turf, f'max_size = "{room}"\n')
        turf.wait_for_generation(number)
        wait.until(lambda due=due: not due.exists(), turf.daemon.log)
        wait.until(lambda times=times: turf.daemon.log().count(said) >= times, turf.daemon.log)
    assert turf.daemon.stop() == 0
    assert turf.daemon.log().count(said) == 2


def test_a_quarantine_whose_upkeep_fails_is_named_and_the_filter_continues_to_serve(turf: Filter) -> None:
    (turf.quarantine / "ledger").mkdir()
    old = hold_old(turf)
    look_after(turf)
    turf.daemon.wait_for_log(f"warning: quarantine {turf.quarantine}: the ledger cannot be opened or written")
    assert old.exists()
    hold(turf)


def test_the_process_of_the_upkeep_ends_with_its_work(turf: Filter) -> None:
    (first,) = turf.daemon.workers()
    old = hold_old(turf)
    look_after(turf)
    wait.until(lambda: not old.exists(), turf.daemon.log)
    wait.until(lambda: len(turf.daemon.workers()) == 1 and first not in turf.daemon.workers(), "the new worker alone")
    assert turf.daemon.stop() == 0
