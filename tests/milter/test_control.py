"""Orders through the control socket, and tables that must not shrink by mistake."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rig import wait
from rig.filter import Filter, rewrite
from rig.golden import Golden
from rig.quarantine import turfctl
from turfmilter.core.journal.line import encode
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.session import Connection
from turfmilter.daemon.control import Client, Control

TURF = """
domains = ["rig.test"]
[turf]
tables = ["file:turf.table"]
directory = "{quarantine}"
"""
MANY = "".join(f"@d{number}.test\n" for number in range(100))
FEW = "".join(f"@d{number}.test\n" for number in range(49))


@pytest.fixture
def table(place: Path) -> Path:
    path = place / "turf.table"
    path.write_text(MANY)
    return path


@pytest.fixture
def turf(place: Path, table: Path) -> Iterator[Filter]:
    assert table.exists()
    turf = Filter(place, TURF)
    turf.start()
    yield turf
    turf.daemon.stop()


@pytest.fixture
def door(place: Path) -> Path:
    return place / "control.sock"


def holds(turf: Filter, domain: str) -> bool:
    with turf.session() as client:
        return str(client.message(f"<a@{domain}>", ["<b@rig.test>"], [("From", " g@out.test")]).end) == "discard"


def asked(door: Path, request: bytes, *, end: bool = False) -> bytes:
    """The answer to a request."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(wait.AMPLE)
        client.connect(str(door))
        client.sendall(request)
        if end:
            client.shutdown(socket.SHUT_WR)
        with client.makefile("rb") as file:
            return file.readline()


def test_a_reload_that_was_ordered_shows_what_has_changed(turf: Filter, table: Path, door: Path) -> None:
    rewrite(table, MANY + "@new.test\n")
    done = turfctl(turf.config, "reload")
    assert done.returncode == 0, done.stderr
    assert done.stdout in ("generation 2: turf +1 -0\n", "generation 3: no change\n")  # the daemon may have been faster
    assert holds(turf, "new.test")
    assert stat.S_IMODE(door.stat().st_mode) == 0o600


def test_a_reload_of_broken_files_says_what_is_wrong(turf: Filter, table: Path, golden: Golden) -> None:
    rewrite(table, "spam.test\n")
    done = turfctl(turf.config, "reload")
    assert (done.returncode, done.stdout) == (1, "")
    golden("control", done.stderr)


def test_a_table_that_shrinks_needs_consent_which_is_good_once(turf: Filter, table: Path, golden: Golden) -> None:
    rewrite(table, FEW)
    done = turfctl(turf.config, "reload")
    assert done.returncode == 1
    golden("control", done.stderr)
    assert holds(turf, "d99.test")
    done = turfctl(turf.config, "reload", "--may-shrink")
    assert done.returncode == 0, done.stderr
    assert "turf +0 -51" in done.stdout
    assert not holds(turf, "d99.test")
    assert holds(turf, "d9.test")
    rewrite(table, "@one.test\n")
    assert turfctl(turf.config, "reload").returncode == 1


def test_a_table_that_is_emptied_stays_in_force(turf: Filter, table: Path) -> None:
    rewrite(table, "")
    said = "turf.tables has lost 100 of 100 entries; if this is intended, run: turfctl reload --may-shrink"
    turf.daemon.wait_for_log(f"generation 1 stays in force: {said}")
    assert turf.wait_for_status(lambda seen: seen["reloads_failed"])["broken"] == [said]
    assert holds(turf, "d99.test")
    rewrite(table, MANY)
    turf.wait_for_generation(2)


def test_entries_that_have_expired_may_go(turf: Filter, table: Path) -> None:
    expired = "".join(f"@e{number}.test expires=2026-01-01\n" for number in range(500))
    rewrite(table, MANY + expired)
    turf.wait_for_generation(2)
    rewrite(table, MANY)
    turf.wait_for_generation(3)


def test_one_of_several_files_that_is_emptied_stays_in_force(turf: Filter, table: Path, place: Path) -> None:
    other = place / "other.table"
    other.write_text("".join(f"@o{number}.test\n" for number in range(300)))
    turf.configure(TURF.replace('"file:turf.table"', '"file:turf.table", "file:other.table"'))
    turf.reload()
    turf.wait_for_generation(2)
    rewrite(table, "")
    turf.daemon.wait_for_log("generation 2 stays in force: turf.tables: turf.table has lost 100 of 100 entries")
    assert holds(turf, "d99.test")


def test_the_configuration_may_allow_it(turf: Filter, table: Path) -> None:
    turf.configure(TURF.replace("[turf]\n", "[turf]\nmay_shrink = true\n"))
    turf.reload()
    turf.wait_for_generation(2)
    rewrite(table, "@one.test\n")
    turf.wait_for_generation(3)
    assert not holds(turf, "d99.test")


def test_a_start_keeps_the_table_as_well(turf: Filter, table: Path) -> None:
    turf.stop()
    rewrite(table, "@one.test\n")
    turf.start()
    turf.daemon.wait_for_log("ALARM: started from the copy of the generation of .*: the files are broken")
    turf.daemon.wait_for_log("turf.tables has lost 99 of 100 entries")
    assert holds(turf, "d99.test")
    assert turfctl(turf.config, "reload", "--may-shrink").returncode == 0
    assert not holds(turf, "d99.test")
    turf.stop()
    turf.start()
    assert holds(turf, "one.test")
    assert not holds(turf, "d99.test")


def test_entries_that_expire_before_a_start_are_not_lost(turf: Filter, table: Path, place: Path) -> None:
    turf.stop()
    rewrite(table, "".join(f"@e{number}.test expires=2026-01-01\n" for number in range(100)) + "@one.test\n")
    sizes = place / "state/last-good.sizes.json"
    sizes.write_text(sizes.read_text().replace('"turf.tables": 100', '"turf.tables": 101'))
    turf.start()
    assert holds(turf, "one.test")
    assert "has lost" not in turf.daemon.log()


def test_without_a_copy_a_start_uses_the_files_and_warns(turf: Filter, table: Path) -> None:
    turf.stop()
    turf.kept.unlink()
    rewrite(table, "@one.test\n")
    turf.start()
    assert holds(turf, "one.test")
    assert "turf.tables has lost 99 of 100 entries" in turf.daemon.log()


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (b"\n", "unknown request"),
        (b"{}\n", "unknown request"),
        (b"[1]\n", "unknown request"),
        (b"\xff\xfe\n", "unknown request"),
        (b'{"request": "stop"}\n', "unknown request"),
        (b"[" * 4000 + b"\n", "unknown request"),
        (b"x" * 200_000, "the request is too long"),
    ],
)
def test_what_is_not_a_request_is_refused(turf: Filter, door: Path, request_: bytes, answer: str) -> None:
    assert json.loads(asked(door, request_)) == {"error": answer}
    assert holds(turf, "d99.test")


def test_half_a_request_is_forgotten_when_its_client_ends(turf: Filter, door: Path) -> None:
    assert asked(door, b'{"request": "reload"', end=True) == b""
    assert turf.status()["generation"] == 1


def test_other_users_cannot_connect(turf: Filter) -> None:
    done = turfctl(turf.config, "reload", user="daemon")
    assert done.returncode != 0
    assert turf.status()["generation"] == 1


def test_many_clients_that_say_nothing_do_not_keep_the_daemon_from_its_work(turf: Filter, door: Path) -> None:
    idle = []
    for _ in range(20):
        client = socket.socket(socket.AF_UNIX)
        wait.until(lambda one=client: _connected(one, door), "a place in the backlog")
        idle.append(client)
    refused = wait.until(lambda: [one for one in idle if _too_many(one)], "a refusal")
    assert refused
    assert holds(turf, "d99.test")
    for client in idle:
        client.close()
    wait.until(lambda: turfctl(turf.config, "reload").returncode == 0, turf.daemon.log)


def _connected(client: socket.socket, door: Path) -> bool:
    client.setblocking(False)
    try:
        client.connect(str(door))
    except BlockingIOError:
        return False
    return True


def _too_many(client: socket.socket) -> bool:
    try:
        return b"too many" in client.recv(1000)
    except BlockingIOError:
        return False


def test_an_orderer_that_leaves_does_no_harm(turf: Filter, table: Path, door: Path) -> None:
    rewrite(table, MANY + "@new.test\n")
    for _ in range(5):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(door))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sendall(b'{"request": "reload"}\n')
    turf.wait_for_status(lambda seen: seen["generation"] >= 2)
    assert turfctl(turf.config, "reload").returncode == 0


def test_without_a_daemon_the_order_fails_clearly(turf: Filter, golden: Golden, place: Path) -> None:
    turf.stop()
    done = turfctl(turf.config, "reload")
    assert done.returncode == 1
    golden("control", done.stderr, {str(place): "DIR"})


def test_the_socket_of_a_daemon_that_was_killed_is_replaced(turf: Filter, door: Path) -> None:
    os.kill(turf.daemon.process.pid, signal.SIGKILL)
    wait.until(lambda: not turf.daemon.workers(), turf.daemon.log)
    assert door.exists()
    turf.stop()
    turf.start()
    assert turfctl(turf.config, "reload").returncode == 0
    turf.stop()
    assert not door.exists()


def test_an_answer_too_long_for_the_socket_is_cut_between_sentences(turf: Filter, table: Path) -> None:
    rewrite(table, "".join(f"spam{number}.test\n" for number in range(10000)))
    done = turfctl(turf.config, "reload")
    assert done.returncode == 1
    assert "generation 1 stays in force:" in done.stderr
    assert 'turf.table:1: "spam0.test"' in done.stderr


def _ignore(*, may_shrink: bool) -> None:
    """Take an order to reload, and do nothing."""
    del may_shrink


def _ignored(client: Client, request: dict[str, Any]) -> None:
    """Take a question, and do nothing."""
    del client, request


def test_an_answer_that_is_cut_counts_what_is_left_out(tmp_path: Path) -> None:
    control = Control(_ignore, _ignored, print)
    control.settle(tmp_path / "control.sock", None, 0.0)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(tmp_path / "control.sock"))
        client.sendall(b'{"request": "reload"}\n')
        control.read()
        control.clients[0].read()
        control.settle(tmp_path / "control.sock", {"generation": 1, "problems": ("x" * 998,) * 1000}, 0.0)
        with client.makefile("rb") as file:
            said = json.loads(file.readline())["problems"]
    control.close()
    assert (len(said), said[-1]) == (101, "900 more are in the log of turfmilter")


def test_a_path_that_is_too_long_is_reported_with_the_reason(tmp_path: Path) -> None:
    said: list[str] = []
    Control(_ignore, _ignored, said.append).settle(tmp_path / ("x" * 120) / "control.sock", None, 0.0)
    assert "AF_UNIX path too long" in said[0]


def test_the_socket_of_a_newer_daemon_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    older, newer = (Control(_ignore, _ignored, print) for _ in range(2))
    older.settle(path, None, 0.0)
    newer.settle(path, None, 0.0)
    older.close()
    assert path.exists()
    newer.close()
    assert not path.exists()


NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)
QUESTION = encode(Transaction(NOON, "", Connection(), sender="<a@d7.test>", today=NOON.date())).decode()
FACTS = ["--client", "192.0.2.1", "--name", "x.example", "--from", "a@d7.test", "--rcpt", "b@rig.test"]


def test_the_daemon_explains_by_the_rules_that_it_has_in_force(turf: Filter, table: Path) -> None:
    rewrite(table, "spam.test\n")  # an error: the files cannot be loaded any more
    turf.daemon.wait_for_log("generation 1 stays in force")
    done = turfctl(turf.config, "explain", *FACTS)
    assert (done.returncode, done.stderr) == (1, "")
    assert "verdict: hold, by turf @d7.test turf.table:8 (sender)" in done.stdout


def test_a_daemon_that_does_not_answer_is_not_needed(turf: Filter) -> None:
    before = turfctl(turf.config, "explain", *FACTS)
    turf.stop()
    assert turfctl(turf.config, "explain", *FACTS).stdout == before.stdout


@pytest.mark.usefixtures("turf")
def test_questions_are_answered_side_by_side_and_not_too_many(door: Path) -> None:
    request = json.dumps({"request": "explain", "transaction": QUESTION}).encode() + b"\n"
    with ThreadPoolExecutor(8) as threads:
        answers = [json.loads(one) for one in threads.map(lambda _: asked(door, request), range(8))]
    kinds = {tuple(sorted(one)) for one in answers}
    assert kinds <= {("accepted", "document", "lines", "same"), ("error",)}
    assert ("accepted", "document", "lines", "same") in kinds
    assert {one["error"] for one in answers if "error" in one} <= {"busy"}


@pytest.mark.usefixtures("turf")
@pytest.mark.parametrize("transaction", ["", "{}", "[]", '{"v":9}'])
def test_a_question_without_a_transaction_is_refused(door: Path, transaction: str) -> None:
    request = json.dumps({"request": "explain", "transaction": transaction}).encode() + b"\n"
    assert json.loads(asked(door, request)) == {"error": "the request has no transaction of this version"}


def test_whoever_asks_and_leaves_keeps_nothing_waiting(turf: Filter, door: Path) -> None:
    for _ in range(10):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(door))
            client.sendall(json.dumps({"request": "explain", "transaction": QUESTION}).encode() + b"\n")
    wait.until(lambda: turfctl(turf.config, "explain", *FACTS).returncode == 1, turf.daemon.log)
    assert turf.daemon.stop() == 0
