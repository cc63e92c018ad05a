"""The log's own thread: lines reach syslog or a stream, and nobody ever waits for them."""

from __future__ import annotations

import contextlib
import io
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.golden import Golden
from turfmilter.core.report import Record
from turfmilter.telemetry.line import JSON
from turfmilter.telemetry.sink import GivingUp, Stream, Syslog
from turfmilter.telemetry.writer import LogWriter

MAIL_INFO, MAIL_WARNING, MAIL_ERROR = 22, 20, 19
FOR_EVER = 100_000


class Syslogd:
    """A syslog daemon as far as the log sees it: a datagram socket."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(20)
        self._socket.bind(str(path))

    def line(self) -> str:
        return self._socket.recv(65536).decode()

    def go(self) -> None:
        self._socket.close()
        self._path.unlink()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def syslogd(path: Path) -> Iterator[Syslogd]:
    syslogd = Syslogd(path)
    yield syslogd
    syslogd.go()


def syslog(priority: int, said: str) -> str:
    return f"<{priority}>turfmilter[{os.getpid()}]: {said}"


def test_lines_reach_syslog_with_facility_mail(path: Path, syslogd: Syslogd) -> None:
    log = LogWriter(Syslog(path))
    log.start()
    log.write(Record("A1", helo="x\ny"))
    log.say("info", "started")
    log.say("warning", "table broken")
    log.say("error", "trouble")
    assert syslogd.line() == syslog(MAIL_INFO, r'A1: helo="x\x0ay"')
    assert syslogd.line() == syslog(MAIL_INFO, "info: started")
    assert syslogd.line() == syslog(MAIL_WARNING, "warning: table broken")
    assert syslogd.line() == syslog(MAIL_ERROR, "error: trouble")
    log.stop()


def test_stopping_writes_what_waits() -> None:
    stream = io.StringIO()
    log = LogWriter(Stream(stream))
    for number in range(100):
        log.write(Record(f"A{number}"))
    assert stream.getvalue() == ""
    log.start()
    log.stop()
    assert stream.getvalue() == "".join(f"A{number}: \n" for number in range(100))


def test_json_lines_are_whole_objects() -> None:
    stream = io.StringIO()
    log = LogWriter(Stream(stream), JSON)
    log.write(Record("A1"))
    log.say("info", "stopped")
    log.start()
    log.stop()
    assert stream.getvalue() == '{"queue_id": "A1"}\n{"level": "info", "text": "stopped"}\n'


def test_lines_beyond_the_room_are_dropped_counted_and_reported(golden: Golden) -> None:
    stream = io.StringIO()
    log = LogWriter(Stream(stream), room=3)
    for number in range(10):
        log.write(Record(f"A{number}"))
    log.start()
    log.stop()
    golden("log", stream.getvalue())


def test_dropped_lines_are_reported_even_if_none_follows(golden: Golden) -> None:
    stream = io.StringIO()
    log = LogWriter(Stream(stream), room=0)
    log.write(Record("A1"))
    log.start()
    log.stop()
    golden("log", stream.getvalue())


def test_a_stuck_reader_blocks_nothing_and_every_line_is_accounted_for(path: Path, syslogd: Syslogd) -> None:
    log = LogWriter(Syslog(path), room=50)
    log.start()
    written = 5000
    for number in range(written):
        log.write(Record(f"A{number}"))
    records = dropped = 0
    while records + dropped < written:
        line = syslogd.line()
        said = re.search(r": warning: dropped=(\d+): ", line)
        dropped += int(said[1]) if said else 0
        records += 0 if said else 1
    assert records + dropped == written
    assert dropped > 0
    log.stop()


def test_a_reader_that_never_comes_back_does_not_keep_the_program_from_stopping(path: Path, syslogd: Syslogd) -> None:
    log = LogWriter(Syslog(path), room=5000)
    log.start()
    for number in range(5000):
        log.write(Record(f"A{number}"))
    log.stop(within=FOR_EVER)
    assert syslogd.line() == syslog(MAIL_INFO, "A0: ")


def test_a_full_pipe_does_not_keep_the_program_from_stopping() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stream:
        log = LogWriter(Stream(stream), room=5000)
        log.start()
        for _ in range(5000):
            log.write(Record("A" * 200))
        log.stop(within=0.1)
        os.close(reader)  # lets the thread go
        log.stop(within=FOR_EVER)
        with contextlib.suppress(BrokenPipeError):
            stream.close()


def test_a_restarted_syslog_gets_the_lines_that_follow(path: Path) -> None:
    first = Syslogd(path)
    log = LogWriter(Syslog(path))
    log.start()
    log.write(Record("A1"))
    assert first.line() == syslog(MAIL_INFO, "A1: ")
    first.go()
    second = Syslogd(path)
    log.write(Record("A2"))
    assert second.line() == syslog(MAIL_INFO, "A2: ")
    log.stop()
    second.go()


def test_the_last_line_reaches_a_syslog_that_was_restarted_meanwhile(path: Path) -> None:
    first = Syslogd(path)
    log = LogWriter(Syslog(path))
    log.start()
    log.write(Record("A1"))
    assert first.line() == syslog(MAIL_INFO, "A1: ")
    first.go()
    second = Syslogd(path)
    log.say("info", "stopped")
    log.stop()
    assert second.line() == syslog(MAIL_INFO, "info: stopped")
    second.go()


def test_lines_wait_for_a_syslog_that_is_away(path: Path) -> None:
    log = LogWriter(Syslog(path))
    log.start()
    log.write(Record("A1"))
    log.write(Record("A2"))
    syslogd = Syslogd(path)
    assert syslogd.line() == syslog(MAIL_INFO, "A1: ")
    assert syslogd.line() == syslog(MAIL_INFO, "A2: ")
    log.stop()
    syslogd.go()


def test_a_syslog_that_is_away_does_not_keep_the_program_from_stopping(path: Path) -> None:
    log = LogWriter(Syslog(path))
    log.start()
    for number in range(100):
        log.write(Record(f"A{number}"))
    log.stop(within=FOR_EVER)


def test_a_long_run_gives_up_a_stuck_syslog_after_one_attempt(path: Path, syslogd: Syslogd, golden: Golden) -> None:
    said: list[str] = []
    sink = GivingUp(Syslog(path), said.append)
    filled = 0
    while sink.send([(6, f"line {filled}")]):
        filled += 1
    assert sink.send([(6, "late")] * 3) == 0
    for _ in range(filled):
        syslogd.line()
    assert sink.send([(6, "later")]) == 0, "it would be taken now, but the run does not try again"
    golden("log", "\n".join(said))


def test_a_log_that_is_a_stuck_pipe_is_tried_once_as_well() -> None:
    said: list[str] = []
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w") as stream:
        sink = GivingUp(Stream(stream), said.append)
        while sink.send([(6, "x" * 1000)]):
            pass
        assert sink.send([(6, "late")]) == 0
    assert len(said) == 1


def test_of_a_syslog_that_is_not_there_nothing_is_said(path: Path) -> None:
    said: list[str] = []
    assert GivingUp(Syslog(path), said.append).send([(6, "line")]) == 0
    assert said == []


def test_a_closed_stream_is_no_exception() -> None:
    stream = io.StringIO()
    stream.close()
    log = LogWriter(Stream(stream))
    log.start()
    log.write(Record("A1"))
    log.stop(within=FOR_EVER)


def test_nothing_runs_before_the_start() -> None:
    before = threading.enumerate()
    LogWriter(Stream(io.StringIO())).say("info", "not yet")
    assert set(threading.enumerate()) <= set(before)


def test_many_threads_may_write_at_once() -> None:
    stream = io.StringIO()
    log = LogWriter(Stream(stream), room=10_000)
    log.start()

    def write(number: int) -> None:
        for ms in range(1, 201):
            log.write(Record(f"A{number}", ms=ms))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.stop()
    lines = stream.getvalue().splitlines()
    assert sorted(lines) == sorted(f"A{n}: ms={i}" for n in range(8) for i in range(1, 201))
