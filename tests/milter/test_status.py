"""status.json: its content, and that writing it does no harm."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

import turfmilter
from rig import wait
from rig.filesystem import tmpfs
from rig.filter import Filters
from rig.program import configured, running

HELD = """
workers = 2
domains = ["rig.test"]
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
"""


def test_it_describes_the_daemon_and_its_work(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    with turf.session() as client:
        client.message("<a@out.test>", ["<b@rig.test>"])
        seen = turf.wait_for_status(lambda seen: seen["sessions_open"] == 1)
    assert (seen["version"], seen["pid"]) == (turfmilter.__version__, turf.daemon.process.pid)
    assert (seen["mode"], seen["generation"], seen["reloads_failed"], seen["problems"]) == ("enforce", 1, 0, [])
    assert seen["sessions_served"] == 1
    assert (seen["names_known"], seen["names_asked"], seen["log_lines_dropped"]) == (0, 0, 0)
    assert [Path(one["directory"]) for one in seen["quarantines"]] == [turf.quarantine]
    assert 0 < seen["quarantines"][0]["free_bytes"] < seen["quarantines"][0]["total_bytes"]
    assert {one["pid"] for one in seen["workers"]} == set(turf.daemon.workers())
    for one in seen["workers"]:
        assert (one["generation"], one["state"], one["answering"]) == (1, "serving", True)
        assert one["rss"] >= one["pss"] > 0
        assert one["cpu_seconds"] > 0
    assert turf.wait_for_status(lambda seen: seen["sessions_open"] == 0)["sessions_last_minute"] == 1


def test_the_counts_of_a_worker_that_has_ended_remain_in_the_totals(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    with turf.session() as client:
        client.message("<a@out.test>", ["<b@rig.test>"])
    turf.wait_for_status(lambda seen: seen["sessions_served"] == 1)
    for pid in turf.daemon.workers():
        os.kill(pid, signal.SIGKILL)
    seen = turf.wait_for_status(lambda seen: not seen["workers"])
    assert seen["sessions_served"] == 1


def test_it_is_removed_when_the_daemon_stops(own_filter: Filters, place: Path) -> None:
    turf = own_filter(HELD)
    path = place / "status.json"
    turf.wait_for_status(bool)
    with turf.client() as client:
        client.greet()
        turf.daemon.process.send(signal.SIGTERM)
        wait.until(lambda: not turf.socket.exists(), "the end of the socket")
        assert not path.exists()
        client.quit()
    assert turf.daemon.process.wait() == 0
    assert not path.exists()


def test_readers_see_all_of_it_at_any_time(own_filter: Filters, place: Path) -> None:
    turf = own_filter(HELD)
    path = place / "status.json"
    turf.wait_for_status(bool)
    written = set[int]()
    while len(written) < 3:
        json.loads(path.read_text())
        written.add(path.stat().st_ino)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["status.json", ".status.json.{pid}"])
def test_a_link_in_its_place_is_replaced_and_not_followed(own_filter: Filters, place: Path, name: str) -> None:
    turf = own_filter(HELD)
    turf.wait_for_status(bool)
    victim, link = place / "victim", place / name.format(pid=turf.daemon.process.pid)
    victim.write_text("precious")
    victim.chmod(0o666)
    link.unlink(missing_ok=True)
    link.symlink_to(victim)
    path = place / "status.json"
    wait.until(lambda: not path.is_symlink() and not link.is_symlink(), "the next status")
    assert victim.read_text() == "precious"


def test_a_failure_to_write_it_is_reported_once_and_stops_nothing(place: Path) -> None:
    path = configured(place)
    path.write_text(path.read_text().replace("/status.json", "/missing/status.json"))
    with running(place, "-c", path):
        said = f"warning: status: {place}/missing/status.json cannot be written: No such file or directory"
        wait.until(lambda: said in (place / "log").read_text(), "the problem")
        (place / "missing").mkdir(mode=0o777)
        (place / "missing").chmod(0o777)
        wait.until(lambda: (place / "missing/status.json").exists(), "the status")
    assert (place / "log").read_text().count("status: ") == 1


def test_on_a_full_disk_no_file_is_left_behind_and_it_is_written_again_when_there_is_room(place: Path) -> None:
    (place / "run").mkdir()
    path = configured(place)
    path.write_text(path.read_text().replace("/status.json", "/run/status.json"))
    with tmpfs(place / "run", size="8k", mode="0777") as run:
        (run / "rubbish").write_bytes(bytes(8192))
        with running(place, "-c", path):
            said = "status.json cannot be written: No space left on device"
            wait.until(lambda: said in (place / "log").read_text(), "the problem")
            wait.until(lambda: {one.name for one in run.iterdir()} == {"control.sock", "rubbish"}, "nothing else")
            (run / "rubbish").unlink()
            wait.until((run / "status.json").exists, "the status")
    assert (place / "log").read_text().count("status: ") == 1


def test_a_directory_in_its_place_is_reported_and_no_file_is_left_beside_it(place: Path) -> None:
    (place / "status.json").mkdir()
    with running(place, "-c", configured(place)):
        wait.until(
            lambda: "status.json cannot be written: Is a directory" in (place / "log").read_text(), "the problem"
        )
        wait.until(lambda: not list(place.glob(".status.json.*")), "nothing beside it")


def test_none_is_written_where_none_is_wanted(place: Path) -> None:
    path = configured(place)
    path.write_text(path.read_text().replace(f"{place}/status.json", ""))
    with running(place, "-c", path):
        assert "status" not in (place / "log").read_text()
    assert not (place / "status.json").exists()


def test_a_new_path_for_it_is_used_after_a_reload(own_filter: Filters, place: Path) -> None:
    turf = own_filter(HELD)
    turf.wait_for_status(bool)
    turf._status = place / "other.json"
    turf.configure(HELD)
    turf.reload()
    assert turf.wait_for_status(lambda seen: seen["generation"] == 2)
    wait.until(lambda: not (place / "status.json").exists(), "the end of the old one")
