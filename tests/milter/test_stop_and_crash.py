"""Stops and crashes of the daemon and its processes: messages are finished, or stay with the MTA."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rig import wait
from rig.child import forked, status
from rig.filter import Filter, Filters
from rig.golden import Golden
from rig.link import accepts
from rig.milterclient import MilterClient
from rig.ownworker import service
from rig.ports import free_port
from turfmilter.config.schema import Config
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.policy import Generation, Policy
from turfmilter.daemon import worker
from turfmilter.daemon.background import Caller
from turfmilter.daemon.generations import WorkerFailed
from turfmilter.daemon.listener import MilterSocket
from turfmilter.daemon.notify import Notify
from turfmilter.daemon.reload import Loaded, Program, Report
from turfmilter.daemon.supervisor import Supervisor
from turfmilter.desk import SystemClock
from turfmilter.mta.libmilter import Libmilter
from turfmilter.mta.server import Door
from turfmilter.mta.service import Service
from turfmilter.telemetry.sink import Stream
from turfmilter.telemetry.writer import LogWriter

HELD = """
workers = 1
domains = ["rig.test"]
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
"""


def half_a_message(client: MilterClient) -> None:
    """A turf message up to the middle of its body, the first part of which goes to the disk."""
    client.mail("<spam@turf.test>")
    client.rcpt("<b@rig.test>")
    client.data()
    client.eoh()
    client.body(b"x" * 500_000)


def spam(client: MilterClient) -> str:
    """The end of a whole turf message."""
    return str(client.message("<spam@turf.test>", ["<b@rig.test>"]).end)


def worker_of(turf: Filter) -> int:
    """The process id of the one worker."""
    (pid,) = turf.daemon.workers()
    return pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_message_that_has_begun_is_finished_before_the_daemon_ends(
    own_filter: Filters, number: signal.Signals, golden: Golden
) -> None:
    turf = own_filter(HELD)
    with turf.client() as client:
        client.greet()
        half_a_message(client)
        turf.daemon.process.send(number)
        wait.until(lambda: not turf.socket.exists(), "the end of the socket")
        assert str(client.eom()) == "discard"
        # The connection is still open, so its next message is taken as well.
        assert spam(client) == "discard"
        client.quit()
    assert turf.daemon.process.wait() == 0
    assert [len(held.message) for held in turf.held()] in ([500_002, 25], [25, 500_002])
    assert turf.unfinished() == []
    said = turf.daemon.log()
    golden("log", "\n".join(line for line in said.splitlines() if "stop" in line))
    assert said.rstrip().endswith('"stopped"}')
    assert "connections still open" not in said


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_stops_it_at_once_and_the_message_stays_with_the_mta(
    own_filter: Filters, second: signal.Signals
) -> None:
    turf = own_filter(HELD)
    with turf.client() as client:
        client.greet()
        half_a_message(client)
        turf.daemon.process.send(signal.SIGTERM)
        wait.until(lambda: not turf.socket.exists(), "the end of the socket")
        turf.daemon.process.send(second)
        assert turf.daemon.process.wait() == 0
        with pytest.raises(ConnectionError):
            client.eom()
    assert turf.held() == []


def test_a_stopping_daemon_accepts_no_new_connection(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    with turf.client() as client:
        client.greet()
        turf.daemon.process.send(signal.SIGTERM)
        wait.until(lambda: not turf.socket.exists(), "the end of the socket")
        with pytest.raises(OSError):
            turf.client()
        assert spam(client) == "discard"
        client.quit()
    assert turf.daemon.process.wait() == 0


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@contextmanager
def taken_by(turf: Filter, pid: int) -> Iterator[MilterClient]:
    """A connection that this worker has accepted and on which nothing was sent."""
    while True:
        before = {one: open_files(one) for one in turf.daemon.workers()}
        with turf.client() as client:
            (taker,) = wait.until(
                lambda seen=before: [one for one in seen if open_files(one) > seen[one]], "the connection to be taken"
            )
            if taker == pid:
                yield client
                return
        wait.until(lambda one=taker, seen=before: open_files(one) == seen[one], "the connection to be given up")


def test_a_connection_that_was_accepted_but_has_sent_nothing_is_finished_as_well(own_filter: Filters) -> None:
    turf = own_filter(HELD.replace("workers = 1", "workers = 2"))
    with taken_by(turf, turf.daemon.workers()[0]) as client:
        turf.daemon.process.send(signal.SIGTERM)
        wait.until(lambda: len(turf.daemon.workers()) < 2, "the end of the idle one")
        client.greet()
        assert spam(client) == "discard"
        client.quit()
    assert turf.daemon.process.wait() == 0


def test_a_listening_socket_that_is_closed_accepts_no_client_and_can_still_be_queried() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"inet:{listening.getsockname()[1]}@127.0.0.1"
        assert accepts(address)
        Door(listening.fileno()).close()
        assert not accepts(address)
        with socket.socket(fileno=os.dup(listening.fileno())) as asked, pytest.raises(BlockingIOError):
            asked.accept()


def test_another_daemon_may_start_while_the_first_one_finishes(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    with turf.client() as client:
        client.greet()
        half_a_message(client)
        first = turf.daemon.process
        first.send(signal.SIGTERM)
        wait.until(lambda: not turf.socket.exists(), "the end of the socket")
        with Filter(turf.socket.parent, HELD) as second:
            assert str(client.eom()) == "discard"
            client.quit()
            assert first.wait() == 0
            # The first one's end took nothing of the second one's away.
            with second.session() as other:
                assert spam(other) == "discard"


def test_signals_to_the_whole_process_group_end_nothing_too_early(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    with turf.client() as client:
        client.greet()
        half_a_message(client)
        os.killpg(turf.daemon.process.pid, signal.SIGTERM)
        wait.until(lambda: not turf.socket.exists(), "the end of the socket")
        assert str(client.eom()) == "discard"
        client.quit()
    assert turf.daemon.process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_worker_obeys_its_supervisor_alone(own_filter: Filters, number: signal.Signals) -> None:
    turf = own_filter(HELD)
    pid = worker_of(turf)
    with turf.session() as client:
        half_a_message(client)
        os.kill(pid, number)
        assert str(client.eom()) == "discard"
    assert worker_of(turf) == pid


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_leaves_its_message_with_the_mta_and_another_serves_on(
    own_filter: Filters, number: signal.Signals
) -> None:
    turf = own_filter(HELD)
    pid = worker_of(turf)
    with turf.client() as client:
        client.greet()
        half_a_message(client)
        os.kill(pid, number)
        with pytest.raises(ConnectionError):
            client.eom()
    assert turf.held() == []
    turf.daemon.wait_for_log(f"worker {pid} ended \\(signal {int(number)}\\), starting another")
    with turf.session() as client:
        assert spam(client) == "discard"
    assert worker_of(turf) != pid
    assert [len(held.message) for held in turf.held()] == [25]
    assert turf.daemon.stop() == 0


def test_a_daemon_can_stop_while_it_waits_to_replace_a_worker(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    os.kill(worker_of(turf), signal.SIGKILL)
    turf.daemon.wait_for_log("starting another")
    assert turf.daemon.stop() == 0


def test_when_the_supervisor_dies_the_worker_finishes_and_ends(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    process = turf.daemon.process
    pid = worker_of(turf)
    with turf.client() as client:
        client.greet()
        half_a_message(client)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert str(client.eom()) == "discard"
        assert process.pids() == [pid]
        client.quit()
    wait.until(lambda: not process.pids(), "the end of the worker")
    assert [len(held.message) for held in turf.held()] == [500_002]


def test_when_the_supervisor_dies_every_worker_notices_it_whatever_the_others_do(own_filter: Filters) -> None:
    turf = own_filter(HELD.replace("workers = 1", "workers = 3"))
    process = turf.daemon.process
    youngest = max(turf.daemon.workers())
    with taken_by(turf, youngest) as client:
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        wait.until(lambda: process.pids() == [youngest], "the end of the others")
        client.greet()
        assert spam(client) == "discard"
        client.quit()
    wait.until(lambda: not process.pids(), "the end of the last one")


def test_after_a_crash_the_next_start_succeeds(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    with turf.client() as client:
        client.greet()
        half_a_message(client)
        turf.daemon.kill()
        with pytest.raises(ConnectionError):
            client.eom()
    assert turf.socket.exists()
    assert turf.held() == []
    turf.daemon.start()
    with turf.session() as client:
        assert spam(client) == "discard"
    # What the crash left may still be somebody's of another host, or of a process that lives: it stays for 36 hours.
    assert len(turf.unfinished()) == 1


def test_a_socket_whose_file_is_removed_is_logged_once_and_shown_in_the_status(
    own_filter: Filters, golden: Golden
) -> None:
    turf = own_filter(HELD)
    with turf.client() as client:
        client.greet()
        turf.socket.unlink()
        seen = turf.wait_for_status(lambda seen: seen["problems"])
        (problem,) = (one["problem"] for one in seen["problems"])
        golden("log", problem)
        assert spam(client) == "discard"
        client.quit()
    written = seen["written"]
    turf.wait_for_status(lambda seen: seen["written"] > written)
    assert turf.daemon.log().count(problem) == 1


def no_service(_loaded: Loaded, _log: LogWriter) -> Service:
    raise LookupError("no service")


def test_a_program_whose_workers_cannot_start_reports_why_and_removes_its_socket(place: Path, golden: Golden) -> None:
    path, said = place / "s", place / "said"
    loaded = Loaded(replace(Config(), workers=3, status=None), Generation(Policy(())))
    program = Program(
        lambda _number: loaded,
        no_service,
        lambda _config: LogWriter(Stream((place / "log").open("a"))),
        lambda _: [],
        lambda _: [],
        SystemClock(),
    )

    def serve() -> None:
        listener = MilterSocket(SocketSpec.parse(f"unix:{path}"))
        try:
            Supervisor(listener, program, loaded, 0.0, caller=Caller(), notify=Notify({})).run([])
        except WorkerFailed as error:
            said.write_text(str(error))
        finally:
            listener.close()

    with forked(serve) as pid:
        assert status(pid) == 0
    golden("command_line", said.read_text())
    assert not path.exists()


def test_a_worker_in_which_libmilter_does_not_start_reports_it_and_exits(place: Path) -> None:
    log_file = place / "log"
    ours, theirs = socket.socketpair()

    def serve() -> None:
        log = LogWriter(Stream(log_file.open("a")))
        worker.run(999, theirs, lambda log: service(log, lambda: Generation(Policy(()))), log, 0.0, Libmilter)

    with forked(serve) as pid, ours, theirs:
        assert status(pid) == worker.FAILED
        assert json.loads(ours.recv(4096)) == {"failed": "OSError: [Errno 9] Bad file descriptor"}
    assert log_file.read_text() == "error: OSError: [Errno 9] Bad file descriptor\n"


def test_a_process_that_waits_for_a_disk_does_not_keep_the_port_after_the_others_have_ended(place: Path) -> None:
    log_file = place / "log"
    spec = SocketSpec.parse(f"inet:{free_port()}@127.0.0.1")
    waiting, enough = os.pipe()
    begun, telling = os.pipe()

    def load(number: int) -> Loaded:
        quarantined = replace(Config().turf, directory=place)
        return Loaded(
            replace(Config(), workers=1, status=None, turf=quarantined), Generation(Policy(()), number=number)
        )

    def look_after(_config: Config, _before: Mapping[str, Any]) -> Report:
        os.close(enough)
        os.write(telling, b"!")
        os.read(waiting, 1)
        return Report()

    def serve() -> None:
        program = Program(
            load,
            lambda loaded, log: service(log, lambda: loaded.generation),
            lambda _config: LogWriter(Stream(log_file.open("a"))),
            look_after,
            lambda _: [],
            SystemClock(),
        )
        listener = MilterSocket(spec)
        Supervisor(listener, program, load(1), 0.0, caller=Caller(), notify=Notify({})).run([("info", "serving")])

    with forked(serve) as pid:
        wait.until(lambda: log_file.exists() and "serving" in log_file.read_text(), "its start")
        os.kill(pid, signal.SIGHUP)
        assert os.read(begun, 1) == b"!"
        os.kill(pid, signal.SIGTERM)
        assert status(pid) == 0
    MilterSocket(spec).close()
    for end in (waiting, enough, begun, telling):
        os.close(end)
