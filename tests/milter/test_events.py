"""[events] command: real programs are run for real events, and mail is never affected."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from rig import wait
from rig.filter import USER, Filter, Filters, give
from rig.golden import Golden
from turfmilter.config.schema import Config
from turfmilter.daemon import events
from turfmilter.daemon.events import Events
from turfmilter.desk import SystemClock

SETTINGS = """
workers = 1
domains = ["rig.test"]
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
[events]
command = COMMAND
timeout = 1
"""
# Adds the event to a file, with what else the program can see.
RECORD = """#!/bin/sh
event=$(cat)
{
    echo "arguments: $*"
    env | sort
    pwd
    id -un
    echo files
    readlink /proc/$$/fd/*
} >"$1/seen"
printf '%s\\n' "$event" >>"$1/events"
"""


class Watcher:
    """A program for events in `place`, with the filter that runs it."""

    def __init__(self, own_filter: Filters, place: Path, script: str = RECORD) -> None:
        self.place = place
        self.program = place / "event"
        self._out = place / "out"
        self._out.mkdir()
        give(self._out)
        self.program.write_text(script)
        self.program.chmod(0o755)
        self.turf: Filter = own_filter(self.settings(), "text")

    def settings(self, *words: str, more: str = "") -> str:
        command = json.dumps([str(self.program), str(self._out), *words])
        return SETTINGS.replace("COMMAND", command) + more

    def events(self) -> list[dict[str, Any]]:
        """The events that the program was told, in their order."""
        file = self._out / "events"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def seen(self) -> str:
        return (self._out / "seen").read_text()

    def wait_for(self, kind: str, number: int = 1) -> list[dict[str, Any]]:
        """The events of a kind, once there are so many."""

        def found() -> list[dict[str, Any]]:
            return [one for one in self.events() if one["event"] == kind]

        wait.until(lambda: len(found()) >= number, lambda: f"{kind} in {self.events()}\n{self.turf.daemon.log()}")
        return found()

    def break_the_files(self) -> None:
        """Make the next reload fail; the daemon notices it at once."""
        self.turf.configure(self.settings() + "nonsense = 1\n")
        self.turf.reload()

    def look_after(self, more: str = "") -> None:
        """Let the upkeep run at once: it does with a new configuration."""
        generation = self.turf.status()["generation"]
        self.turf.configure(self.settings(more=more))
        self.turf.reload()
        self.turf.wait_for_generation(generation + 1)


Watch = Callable[..., Watcher]


@pytest.fixture
def watch(own_filter: Filters, place: Path) -> Watch:
    return lambda script=RECORD: Watcher(own_filter, place, script)


def spam(turf: Filter, sender: str = "spam@turf.test") -> str:
    with turf.session() as client:
        return str(client.message(f"<{sender}>", ["<b@rig.test>"], [("Subject", " a\x1b[2J b")]).end)


def test_a_reload_that_failed_is_told(watch: Watch) -> None:
    watcher = watch()
    watcher.break_the_files()
    (event,) = watcher.wait_for("reload_failed")
    assert event["generation"] == 1
    assert "nonsense" in event["problems"][0] and event["problems"][0] in event["text"]
    assert event["host"] == os.uname().nodename


def test_the_program_sees_nothing_of_the_filter(watch: Watch) -> None:
    watcher = watch()
    watcher.turf.configure(watcher.settings("$(id)", "a b;c", "*") + "nonsense = 1\n")
    watcher.turf.reload()
    watcher.break_the_files()
    watcher.turf.configure(watcher.settings("$(id)", "a b;c", "*"))
    watcher.turf.reload()
    watcher.turf.wait_for_generation(2)
    os.kill(watcher.turf.daemon.workers()[0], signal.SIGKILL)
    watcher.wait_for("worker_died")
    said, _, files = watcher.seen().partition("files\n")
    arguments, *environment, directory, user = said.splitlines()
    assert arguments == f"arguments: {watcher.place}/out $(id) a b;c *"
    names = [line.partition("=")[0] for line in environment]
    assert sorted(names) == ["LANG", "PATH", "PWD"], "the shell of the script sets PWD"
    assert (directory, user) == ("/", USER or getuser())
    stdin, *others = files.splitlines()
    assert stdin.startswith("pipe:")
    # The shell keeps the script open, and its own output while that goes to a file.
    assert set(others) == {f"{watcher.place}/out/seen", "/dev/null", str(watcher.program)}


def test_a_worker_that_died_is_told(watch: Watch) -> None:
    watcher = watch()
    (pid,) = watcher.turf.daemon.workers()
    os.kill(pid, signal.SIGKILL)
    (event,) = watcher.wait_for("worker_died")
    assert (event["pid"], event["how"]) == (pid, "signal 9")


def test_the_first_message_of_a_sender_is_told_once(watch: Watch) -> None:
    watcher = watch()
    for sender in ("a@turf.test", "A@TURF.TEST", "b@turf.test"):
        assert spam(watcher.turf, sender) == "discard"
    watcher.look_after()
    first, second = sorted(watcher.wait_for("held", 2), key=lambda one: str(one["sender"]))
    assert [first["sender"], second["sender"]] == ["a@turf.test", "b@turf.test"]
    assert second["id"] in [one.id for one in watcher.turf.held() if one.sender == "b@turf.test"]
    assert (first["recipients"], first["rule"], first["client"]) == (["b@rig.test"], "turf", "192.0.2.9")
    assert (first["entry"], first["quarantine"]) == ("@turf.test turf.tables[0]", str(watcher.turf.quarantine))
    assert first["subject"] == r"a\x1b[2J b"
    assert spam(watcher.turf, "a@turf.test") == spam(watcher.turf, "c@turf.test") == "discard"
    watcher.look_after('[quarantine]\nkeep = "29d"\n')
    senders = [event["sender"] for event in watcher.wait_for("held", 3)]
    assert sorted(senders) == ["a@turf.test", "b@turf.test", "c@turf.test"]


def test_a_sender_whose_mail_was_held_before_the_daemon_started_is_known(watch: Watch) -> None:
    watcher = watch()
    spam(watcher.turf, "a@turf.test")
    assert watcher.turf.daemon.stop() == 0
    watcher.turf.start()
    spam(watcher.turf, "a@turf.test")
    spam(watcher.turf, "b@turf.test")
    watcher.look_after()
    assert [event["sender"] for event in watcher.wait_for("held")] == ["b@turf.test"]


def test_a_quarantine_that_is_nearly_full_is_told_until_there_is_room(watch: Watch) -> None:
    watcher = watch()
    spam(watcher.turf)
    size = sum(one.stat().st_size for one in watcher.turf.quarantine.glob("new/*"))
    nearly, roomy = (f'[quarantine]\nfloor = "0%"\nmax_size = {round(size * factor)}\n' for factor in (1.1, 10))
    for terms in (nearly, nearly.replace("0%", "0.1%"), roomy):
        watcher.look_after(terms)
    watcher.wait_for("quarantine_nearly_full")
    watcher.turf.wait_for_status(lambda seen: not seen["quarantine_warnings"])
    watcher.look_after(nearly)
    first, second = watcher.wait_for("quarantine_nearly_full", 2)
    assert first["quarantine"] == second["quarantine"] == str(watcher.turf.quarantine)
    assert first["used"] >= 0.8


MISBEHAVING = {
    "hanging": "#!/bin/sh\nsleep 3600 & echo $! >$1/child; echo $$ >$1/pid; wait\n",
    "failing": "#!/bin/sh\nexit 3\n",
    "killed": "#!/bin/sh\nkill -9 $$\n",
    "no_format": "nonsense",
}


@pytest.mark.parametrize("what", [*MISBEHAVING, "missing", "not_executable", "a_directory"])
def test_a_command_that_cannot_be_run_is_reported_once_and_mail_goes_on(
    watch: Watch, what: str, golden: Golden
) -> None:
    watcher = watch(MISBEHAVING.get(what, RECORD))
    if what in ("missing", "a_directory"):
        watcher.program.unlink()
    if what == "a_directory":
        watcher.program.mkdir()
    if what == "not_executable":
        watcher.program.chmod(0o644)
    for number in (1, 2):
        (pid,) = watcher.turf.daemon.workers()
        os.kill(pid, signal.SIGKILL)
        watcher.turf.wait_for_status(
            lambda seen, number=number: (
                seen["metrics"]['turfmilter_worker_ends_total{reason="died"}'] == number
                and [one["state"] for one in seen["workers"]] == ["serving"]
            )
        )
        assert spam(watcher.turf) == "discard"
        watcher.turf.daemon.wait_for_log("warning: events: ")
    assert watcher.turf.daemon.stop() == 0
    lines = [line for line in watcher.turf.daemon.log().splitlines() if "events: " in line]
    golden("log", "\n".join(lines), {str(watcher.place): "DIR"})


def test_a_command_that_hangs_is_killed_with_what_it_has_started(watch: Watch) -> None:
    watcher = watch(MISBEHAVING["hanging"])
    watcher.break_the_files()
    watcher.turf.daemon.wait_for_log("events: .* killed, because it did not end within 1 s")
    for name in ("pid", "child"):
        pid = int((watcher.place / "out" / name).read_text())
        wait.until(lambda pid=pid: not Path(f"/proc/{pid}").exists() or zombie(pid), f"the end of {name} {pid}")


def zombie(pid: int) -> bool:
    """Whether a process has ended and only waits to be collected."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_what_a_command_leaves_in_the_background_is_killed_when_it_ends(watch: Watch) -> None:
    watcher = watch("#!/bin/sh\nsleep 3600 & echo $! >$1/child\ncat >>$1/events\n")
    watcher.break_the_files()
    watcher.wait_for("reload_failed")
    pid = int((watcher.place / "out" / "child").read_text())
    wait.until(lambda: zombie(pid), f"the end of {pid}")


def test_a_command_that_does_not_read_is_no_failure(watch: Watch) -> None:
    watcher = watch("#!/bin/sh\ntouch $1/events.run\n")
    watcher.break_the_files()
    wait.until((watcher.place / "out" / "events.run").exists, watcher.turf.daemon.log)
    assert watcher.turf.daemon.stop() == 0
    assert "events: " not in watcher.turf.daemon.log()


def test_the_daemon_stops_at_once_while_a_command_runs(watch: Watch) -> None:
    watcher = watch(MISBEHAVING["hanging"])
    watcher.turf.configure(watcher.settings().replace("timeout = 1", "timeout = 300"))
    watcher.turf.reload()
    watcher.turf.wait_for_generation(2)
    watcher.break_the_files()
    pid = watcher.place / "out" / "pid"
    wait.until(lambda: pid.exists() and pid.read_text(), watcher.turf.daemon.log)
    try:
        watcher.turf.daemon.process.send(signal.SIGTERM)
        assert watcher.turf.daemon.process.wait() == 0
    finally:
        os.killpg(int(pid.read_text()), signal.SIGKILL)


def test_no_more_than_a_hundred_of_a_kind_are_told_within_an_hour() -> None:
    said: list[str] = []
    told = Events(SystemClock(), lambda _, sentence: said.append(sentence))
    assert [told.tell(events.WORKER_DIED, "") for _ in range(150)].count(True) == 100
    assert told.tell(events.RELOAD_FAILED, "")
    assert len(said) == 1 and "100" in said[0]


def test_without_a_command_nothing_waits() -> None:
    told = Events(SystemClock(), lambda *_: None)
    assert told.tell(events.RELOAD_FAILED, "")
    assert told.due(Config().events) == float("inf")
