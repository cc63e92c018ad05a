"""The filter killed, or told to stop, while a message is on its way: nothing is lost, and nothing is half there."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time

import pytest

from e2e.gate import Gate
from e2e.mailhost import MESSAGE
from e2e.postfixhost import PostfixHost
from rig import wait
from rig.smtp import SmtpClient

CONFIG = """\
workers = 1
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""
TEMPFAIL = "451 4.7.1 Service unavailable - try again later"
BIG = MESSAGE + b"0123456789abcdef\r\n" * 120_000
HALF = len(BIG) // 2
HOUR = 3600


@pytest.fixture
def host(place: Path) -> Iterator[PostfixHost]:
    """Between Postfix and the filter stands a gate at the listener "gated"."""
    gate = f"unix:{place}/gate"
    with PostfixHost(place, {"inbound": CONFIG}, listeners={"gated": {"smtpd_milters": gate}}) as running:
        yield running


@pytest.fixture
def gate(host: PostfixHost, place: Path) -> Iterator[Gate]:
    with Gate(place / "gate", host.filter.socket) as running:
        yield running


def kill_worker(host: PostfixHost) -> None:
    (worker,) = host.filter.daemon.workers()
    os.kill(worker, signal.SIGKILL)
    host.filter.said(f"worker {worker} ended \\(signal 9\\), starting another")


def kill_everything(host: PostfixHost) -> None:
    host.filter.daemon.kill()
    assert host.send("<bob@rig.test>") == [TEMPFAIL]
    host.filter.start()


def begin(client: SmtpClient, sender: str = "<x@turf.test>") -> None:
    replies = client.pipeline(f"MAIL FROM:{sender}", "RCPT TO:<bob@rig.test>", "DATA")
    assert [reply.code for reply in replies] == [250, 250, 354]


def stop_half_way(host: PostfixHost, gate: Gate, client: SmtpClient) -> None:
    gate.stop_after(HALF)
    begin(client)
    client.send(BIG + b".\r\n")
    wait.until(lambda: any(path.stat().st_size for path in host.filter.half_written()), "a file in tmp that grows")


@pytest.mark.parametrize("kill", [kill_worker, kill_everything])
@pytest.mark.parametrize("sender", ["<x@turf.test>", "<anna@out.test>"])
def test_killed_while_the_client_sends_it_leaves_the_message_with_the_client(
    host: PostfixHost, kill: Callable[[PostfixHost], None], sender: str
) -> None:
    with host.client() as client:
        begin(client, sender)
        client.send(BIG[:HALF])
        kill(host)
        client.send(BIG[HALF:])
        assert str(client.content(b"")) == TEMPFAIL
    assert (host.reached(), host.filter.held(), host.filter.half_written()) == ([], [], [])
    assert host.send("<bob@rig.test>", sender=sender, message=BIG)[-1].startswith("250 ")
    assert [held.message for held in host.filter.held()] == ([BIG] if "turf" in sender else [])
    assert host.reached() == ([] if "turf" in sender else ["bob@rig.test"])


@pytest.mark.parametrize("kill", [kill_worker, kill_everything])
def test_killed_while_it_writes_the_filter_shows_nothing_half_written(
    host: PostfixHost, gate: Gate, kill: Callable[[PostfixHost], None]
) -> None:
    with host.client("gated") as client:
        stop_half_way(host, gate, client)
        kill(host)
        assert str(client.reply()) == TEMPFAIL
    assert (host.reached(), host.filter.held()) == ([], [])
    gate.open()
    host.send("<bob@rig.test>", sender="<x@turf.test>", message=BIG)
    assert [held.message for held in host.filter.held()] == [BIG]
    assert len(host.filter.half_written()) == 1


def test_when_postfix_dies_the_filter_removes_what_it_has_written(host: PostfixHost, gate: Gate) -> None:
    with host.client("gated") as client:
        stop_half_way(host, gate, client)
        host.postfix.stop()
        gate.open()
        wait.until(lambda: not host.filter.half_written(), "an empty tmp")
    assert host.filter.held() == []


def test_what_a_crash_left_in_tmp_is_removed_after_36_hours(host: PostfixHost, gate: Gate) -> None:
    with host.client("gated") as client:
        stop_half_way(host, gate, client)
        host.filter.daemon.kill()
    (left,) = host.filter.half_written()
    id, dot, here = left.name.partition(".")
    other_host, other_program = left.with_name(f"{id}{dot}other-{here}"), left.with_name(f"1234{dot}{here}")
    for path, hours in ((left, 35), (other_host, 37), (other_program, 37)):
        path.touch()
        os.utime(path, (0, time() - hours * HOUR))
    host.filter.start()
    assert left.exists()
    host.filter.daemon.stop()
    os.utime(left, (0, time() - 37 * HOUR))
    host.filter.start()
    assert sorted(host.filter.half_written()) == sorted([other_host, other_program])


def test_when_stopped_it_finishes_what_the_client_is_sending(host: PostfixHost) -> None:
    with host.client() as client:
        begin(client)
        client.send(BIG[:HALF])
        host.filter.daemon.process.send(signal.SIGTERM)
        host.filter.said("stopping")
        client.send(BIG[HALF:])
        assert client.content(b"").code == 250
        assert host.send("<bob@rig.test>") == [TEMPFAIL]
    assert host.filter.daemon.process.wait() == 0
    assert [held.message for held in host.filter.held()] == [BIG]
    assert (host.reached(), host.filter.half_written()) == ([], [])
    assert host.filter.daemon.log().endswith("info: stopped\n")


def test_when_stopped_it_finishes_what_it_writes(host: PostfixHost, gate: Gate) -> None:
    with host.client("gated") as client:
        stop_half_way(host, gate, client)
        host.filter.daemon.process.send(signal.SIGTERM)
        host.filter.said("stopping")
        gate.open()
        assert client.reply().code == 250
    assert host.filter.daemon.process.wait() == 0
    assert [held.message for held in host.filter.held()] == [BIG]


def test_a_worker_whose_supervisor_was_killed_finishes_and_ends(host: PostfixHost) -> None:
    (worker,) = host.filter.daemon.workers()
    with host.client() as client:
        begin(client)
        client.send(BIG[:HALF])
        os.kill(host.filter.daemon.process.pid, signal.SIGKILL)
        client.send(BIG[HALF:])
        assert client.content(b"").code == 250
    wait.until(lambda: not host.filter.daemon.process.pids(), f"the end of worker {worker}")
    assert [held.message for held in host.filter.held()] == [BIG]


def test_a_session_whose_filter_has_ended_is_deferred_and_the_next_one_is_not(host: PostfixHost) -> None:
    with host.client() as client:
        client.transaction("<anna@out.test>", "<bob@rig.test>", message=MESSAGE)
        kill_everything(host)
        # What needs no answer of the filter (MAIL) does not show yet that nobody hears it.
        assert str(client.transaction("<x@turf.test>", "<carol@rig.test>", message=MESSAGE)[-1]) == TEMPFAIL
    assert host.send("<dave@rig.test>")[-1].startswith("250 ")
    assert sorted(host.reached()) == ["bob@rig.test", "dave@rig.test"]
