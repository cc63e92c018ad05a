"""A new generation is a transaction: connections are cut off by none, and what is broken changes nothing."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rig import wait
from rig.child import forked, status
from rig.filter import USER, Filter, Filters, rewrite
from rig.milterclient import MilterClient
from rig.ownworker import service
from turfmilter.config.schema import Config
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.policy import Generation, Policy
from turfmilter.daemon.background import Caller
from turfmilter.daemon.listener import MilterSocket
from turfmilter.daemon.notify import Notify
from turfmilter.daemon.reload import Loaded, Program
from turfmilter.daemon.supervisor import Supervisor
from turfmilter.desk import SystemClock
from turfmilter.mta.service import Service
from turfmilter.telemetry.sink import Stream
from turfmilter.telemetry.writer import LogWriter

TURF = """
workers = 2
domains = ["rig.test"]
[turf]
tables = ["file:turf.table"]
directory = "{quarantine}"
"""
MANY = 150_000  # entries, which take a while to load


@pytest.fixture
def table(place: Path) -> Path:
    """The turf table, which lists old.test."""
    path = place / "turf.table"
    path.write_text("@old.test\n")
    return path


def verdict(client: MilterClient, domain: str) -> str:
    return str(client.message(f"<spam@{domain}>", ["<b@rig.test>"]).end)


def holds(turf: Filter, domain: str) -> bool:
    with turf.session() as client:
        return verdict(client, domain) == "discard"


def test_hup_reloads_the_tables_and_logs_what_has_changed(own_filter: Filters, table: Path) -> None:
    turf = own_filter(TURF)
    rewrite(table, "@new.test\n@other.test\n")
    turf.reload()
    assert turf.wait_for_generation(2) == "turf +2 -1"
    assert (holds(turf, "new.test"), holds(turf, "old.test")) == (True, False)
    assert [line["gen"] for line in turf.wait_for_records(2)] == [2, 2]


@pytest.mark.usefixtures("table")
def test_hup_reloads_the_configuration(own_filter: Filters) -> None:
    turf = own_filter(TURF)
    turf.configure('mode = "trial"\n' + TURF.replace("workers = 2", "workers = 3"))
    turf.reload()
    assert turf.wait_for_generation(2) == "workers, mode"
    assert not holds(turf, "old.test")
    seen = turf.wait_for_status(lambda seen: seen["generation"] == 2 and len(seen["workers"]) == 3)
    assert (seen["mode"], [one["generation"] for one in seen["workers"]]) == ("trial", [2, 2, 2])


@pytest.mark.parametrize("change", [rewrite, Path.write_text])
def test_a_changed_file_is_reloaded_without_a_signal(
    own_filter: Filters, table: Path, change: Callable[[Path, str], object]
) -> None:
    turf = own_filter(TURF)
    change(table, "@old.test\n@new.test\n")
    assert turf.wait_for_generation(2) == "turf +1 -0"
    assert holds(turf, "new.test")
    assert "a file in use has changed" in turf.daemon.log()


def test_a_connection_keeps_the_generation_that_it_began_with(own_filter: Filters, table: Path) -> None:
    turf = own_filter(TURF)
    with turf.client() as client:
        client.greet()
        client.mail("<spam@old.test>")
        rewrite(table, "@new.test\n")
        turf.reload()
        turf.wait_for_generation(2)
        client.rcpt("<b@rig.test>")
        client.data()
        client.eoh()
        assert str(client.eom()) == "discard"
        assert [verdict(client, domain) for domain in ("new.test", "old.test")] == ["accept", "discard"]
        assert holds(turf, "new.test")
        assert {one["generation"] for one in turf.status()["workers"]} == {1, 2}
        client.quit()
    turf.wait_for_status(lambda seen: [one["generation"] for one in seen["workers"]] == [2, 2])


BROKEN_TABLE = "@old.test\nnonsense\n"


def no_quarantine(turf: Filter) -> None:
    turf.quarantine.rename(turf.quarantine.with_name("away"))


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda turf: rewrite(turf.socket.parent / "turf.table", BROKEN_TABLE), "turf.table:2: "),
        (lambda turf: (turf.socket.parent / "turf.table").unlink(), "turf.table: cannot be read: No such file"),
        (lambda turf: turf.configure(TURF + "directori = 1"), "turf.directori: unknown key"),
        (lambda turf: turf.configure("domains ="), "the value is missing"),
        (no_quarantine, "does not exist"),
    ],
)
def test_a_broken_file_changes_nothing_and_is_reported_and_counted(
    own_filter: Filters, spoil: Callable[[Filter], object], said: str
) -> None:
    turf = own_filter(TURF)
    workers = set(turf.daemon.workers())
    spoil(turf)
    turf.reload()
    turf.daemon.wait_for_log(f"generation 1 stays in force: .*{said}")
    seen = turf.wait_for_status(lambda seen: seen["reloads_failed"])
    assert seen["generation"] == 1
    assert any(said in problem["problem"] for problem in seen["problems"])
    assert set(turf.daemon.workers()) == workers
    with turf.session() as client:
        assert verdict(client, "new.test") == "accept"


def test_a_table_that_is_suddenly_empty_is_an_alarm_until_the_next_generation(own_filter: Filters, table: Path) -> None:
    table.write_text("@old.test\n@other.test\n")
    turf = own_filter(TURF)
    rewrite(table, "# nothing\n")
    said = "turf.tables: turf.table is now empty: 2 entries are gone; is this intended?"
    turf.daemon.wait_for_log(re.escape(said))
    assert turf.wait_for_status(lambda seen: seen["generation"] == 2)["alarms"] == [said]
    assert not holds(turf, "old.test")
    rewrite(table, "@old.test\n@other.test\n")
    turf.wait_for_generation(3)
    assert turf.wait_for_status(lambda seen: seen["generation"] == 3)["alarms"] == []


def test_a_line_of_megabytes_leaves_log_and_status_small_and_is_forgotten_when_it_is_removed(
    own_filter: Filters, table: Path, place: Path
) -> None:
    turf = own_filter(TURF)
    rewrite(table, "x" * 10_000_000 + "\n")
    turf.wait_for_status(lambda seen: seen["reloads_failed"])
    assert (place / "status.json").stat().st_size < 20_000
    assert len(turf.daemon.log()) < 20_000
    rewrite(table, "@old.test\n")
    turf.wait_for_generation(2)
    seen = turf.wait_for_status(lambda seen: seen["generation"] == 2)
    assert (seen["problems"], seen["broken"]) == ([], [])


def test_a_fixed_file_is_loaded(own_filter: Filters, table: Path) -> None:
    turf = own_filter(TURF)
    rewrite(table, BROKEN_TABLE)
    turf.daemon.wait_for_log("generation 1 stays in force: ")
    rewrite(table, "@old.test\n@sense.test\n")
    assert turf.wait_for_generation(2) == "turf +1 -0"
    assert turf.daemon.log().count("generation 1 stays in force: ") == 1


@pytest.mark.usefixtures("table")
def test_a_table_created_after_the_configuration_that_names_it_is_loaded(own_filter: Filters, place: Path) -> None:
    turf = own_filter(TURF)
    turf.configure(TURF.replace('"file:turf.table"', '"file:turf.table", "file:late.table"'))
    turf.daemon.wait_for_log("generation 1 stays in force: .*late.table: cannot be read")
    rewrite(place / "late.table", "@late.test\n")
    assert turf.wait_for_generation(2) == "turf +1 -0"


@pytest.mark.usefixtures("table")
def test_what_only_a_restart_changes_is_named(own_filter: Filters) -> None:
    turf = own_filter(TURF)
    turf.configure('socket_mode = "0600"\n' + TURF)
    turf.reload()
    turf.daemon.wait_for_log("socket_mode: takes effect only after a restart")
    assert turf.wait_for_generation(2) == "socket_mode"
    assert turf.socket.stat().st_mode & 0o777 == 0o660


@pytest.mark.usefixtures("table")
def test_the_log_can_take_another_form(own_filter: Filters) -> None:
    turf = own_filter(TURF, log="text")
    turf.daemon.wait_for_log("\ninfo: main.cf")
    turf._log = "json"
    turf.configure(TURF)
    turf.reload()
    assert turf.wait_for_generation(2) == "log.format"
    assert holds(turf, "old.test")
    assert len(turf.wait_for_records(1)) == 1


def test_a_file_that_only_root_can_read_is_warned_about_at_the_start(own_filter: Filters, table: Path) -> None:
    assert os.geteuid() == 0, "only root can read what others cannot: run this test as root"
    table.chmod(0o600)
    turf = own_filter(TURF)
    assert f"{table}: cannot be read by {USER}: a reload would fail" in turf.daemon.log()
    assert holds(turf, "old.test")
    turf.reload()
    turf.daemon.wait_for_log("generation 1 stays in force: .*turf.table: cannot be read: Permission denied")
    assert holds(turf, "old.test")


def minds_no_hup(pid: int) -> bool:
    """True if the process ignores HUP; before that, HUP would end it."""
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
    return bool(ignored >> (signal.SIGHUP - 1) & 1)


def test_hup_while_the_first_tables_are_loaded_does_no_harm(place: Path) -> None:
    (place / "turf.table").write_text("".join(f"@d{number}.test\n" for number in range(MANY)))
    turf = Filter(place, TURF)

    sent = []

    def started() -> bool:
        if not turf.socket.exists() and minds_no_hup(turf.daemon.process.pid):
            turf.reload()
            sent.append(signal.SIGHUP)
        return turf.daemon.manager.heard("READY=1")

    turf.daemon.manager.open()
    try:
        turf.daemon.process.start(started)
        assert sent
        assert holds(turf, "d0.test")
    finally:
        assert turf.daemon.stop() == 0


def test_of_two_reloads_at_once_the_last_word_is_the_last_content(own_filter: Filters, table: Path) -> None:
    turf = own_filter(TURF)
    for domain in ("second.test", "third.test", "fourth.test"):
        rewrite(table, f"@{domain}\n")
        turf.reload()
    wait.until(lambda: holds(turf, "fourth.test"), "the last content")


@pytest.fixture
def reloading(own_filter: Filters, table: Path) -> Iterator[Filter]:
    """A filter that is about to load a large table, but has not received the signal yet."""
    turf = own_filter(TURF)
    rewrite(table, "".join(f"@d{number}.test\n" for number in range(MANY)))
    turf.daemon.manager.forget()
    turf.reload()
    wait.until(lambda: turf.daemon.manager.heard("RELOADING=1"), "the beginning of the load")
    assert "generation 2" not in turf.daemon.log()
    yield turf


def test_mail_is_accepted_while_a_table_is_loaded(reloading: Filter) -> None:
    assert holds(reloading, "old.test")
    assert reloading.wait_for_generation(2) == f"turf +{MANY} -1"
    assert holds(reloading, f"d{MANY - 1}.test")


def test_a_reload_that_is_asked_for_while_a_table_is_loaded_follows(reloading: Filter) -> None:
    for _ in range(3):
        reloading.reload()
    reloading.wait_for_generation(2)
    assert reloading.wait_for_generation(3) == "no change"


def test_a_worker_that_dies_while_a_table_is_loaded_is_noticed_and_replaced(reloading: Filter) -> None:
    os.kill(reloading.daemon.workers()[0], signal.SIGKILL)
    reloading.wait_for_generation(2)
    seen = reloading.wait_for_status(lambda seen: [one["generation"] for one in seen["workers"]] == [2, 2])
    assert [one["state"] for one in seen["workers"]] == ["serving", "serving"]
    assert holds(reloading, "d0.test")


def test_the_daemon_can_stop_while_a_table_is_loaded(reloading: Filter) -> None:
    with reloading.client() as client:
        client.greet()
        reloading.daemon.process.send(signal.SIGTERM)
        wait.until(lambda: not reloading.socket.exists(), "the end of the socket")
        assert verdict(client, "old.test") == "discard"
        client.quit()
    assert reloading.daemon.process.wait() == 0
    assert "generation 2" not in reloading.daemon.log()


class Senders:
    """Threads that send message after message, each in a connection of its own."""

    def __init__(self, turf: Filter, number: int) -> None:
        self._turf = turf
        self._enough = threading.Event()
        self._threads = [threading.Thread(target=self._send) for _ in range(number)]
        self.failures: list[str] = []
        self.sent = 0

    @contextmanager
    def at_work(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._enough.set()
            for thread in self._threads:
                thread.join()

    def _send(self) -> None:
        while not self._enough.is_set():
            try:
                with self._turf.session() as client:
                    answers = {verdict(client, "old.test"), verdict(client, "good.test")}
                if answers != {"discard", "accept"}:
                    self.failures.append(str(answers))
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))
            self.sent += 1


def test_three_rolling_restarts_and_three_reloads_fail_no_session(own_filter: Filters, table: Path) -> None:
    turf = own_filter("worker_sessions = 100\n" + TURF)
    senders = Senders(turf, 4)
    with senders.at_work():
        for number in (2, 3, 4):
            rewrite(table, f"@old.test\n@new{number}.test\n")
            turf.reload()
            turf.wait_for_generation(number)
            replaced = turf.daemon.log().count("is being replaced: it has served")
            wait.until(
                lambda seen=replaced: turf.daemon.log().count("is being replaced: it has served") > seen,
                "a worker that is replaced",
            )
    assert senders.failures == []
    assert senders.sent > 300


def refusing_the_second(loaded: Loaded, log: LogWriter) -> Service:
    if loaded.generation.number == 2:
        raise LookupError("no second")
    return service(log, lambda: loaded.generation)


def test_a_generation_whose_workers_cannot_start_does_not_come_into_force(place: Path) -> None:
    path, log_file = place / "s", place / "log"

    def load(number: int) -> Loaded:
        return Loaded(replace(Config(), workers=2, status=None), Generation(Policy(()), number=number))

    def serve() -> None:
        program = Program(
            load,
            refusing_the_second,
            lambda _config: LogWriter(Stream(log_file.open("a"))),
            lambda _: [],
            lambda _: [],
            SystemClock(),
        )
        listener = MilterSocket(SocketSpec.parse(f"unix:{path}"))
        Supervisor(listener, program, load(1), 0.0, caller=Caller(), notify=Notify({})).run([("info", "serving")])

    def log() -> str:
        return log_file.read_text() if log_file.exists() else ""

    with forked(serve) as pid:
        wait.until(lambda: "serving" in log(), log)
        os.kill(pid, signal.SIGHUP)
        wait.until(
            lambda: (
                "generation 1 stays in force: the workers of the new one could not be started: LookupError: no second"
                in log()
            ),
            log,
        )
        with MilterClient(path) as client:
            client.greet()
            assert verdict(client, "old.test") == "accept"
            client.quit()
        os.kill(pid, signal.SIGHUP)
        wait.until(lambda: "generation 3: no change" in log(), log)
        os.kill(pid, signal.SIGTERM)
        assert status(pid) == 0
