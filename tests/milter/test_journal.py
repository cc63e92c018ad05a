"""What a real daemon writes to its journal: the facts that the rules were given, and what was decided."""

from __future__ import annotations

import json
import os
import pwd
import signal
import stat
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig import wait
from rig.filesystem import tmpfs
from rig.filter import Filter, give
from rig.prom import read
from rig.sessions import Message, Plan, play
from turfmilter.compose import build_generation
from turfmilter.config.loader import configure
from turfmilter.core.journal.transaction import Answer, Transaction

SETTINGS = """
metrics = "{quarantine}/../turfmilter.prom"
domains = ["rig.test"]
[connect]
mode = "trial"
deny = ["192.0.2.9"]
[relay]
allow = ["198.51.100.0/24"]
[limits]
recipients_per_message = 2
message_size = 1000
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
[journal]
directory = "{journal}"
"""
GOOD = [("From", " Good <good@out.test>"), ("Subject", " a secret"), ("To", " b@rig.test")]


@pytest.fixture(scope="module")
def turf(module_place: Path) -> Iterator[Filter]:
    turf = Filter(module_place, SETTINGS)
    turf.make_journal()
    turf.start()
    yield turf
    assert turf.daemon.stop() == 0


@pytest.fixture
def own(place: Path) -> Iterator[Filter]:
    turf = Filter(place, SETTINGS)
    turf.make_journal()
    yield turf
    turf.daemon.stop()


def kept(turf: Filter, sender: str, number: int = 1) -> list[Transaction]:
    """The transactions of a sender, once there are so many."""

    def found() -> list[Transaction]:
        return [one for one in turf.transactions(0) if one.sender == sender]

    wait.until(lambda: len(found()) >= number, lambda: f"{number} of {sender}, not {turf.transactions(0)}")
    return found()


def test_an_accepted_message_is_kept_with_its_facts(turf: Filter) -> None:
    with turf.session(macros={"i": "4cT1zq"}) as client:
        client.message(("<good1@out.test>", "SIZE=10"), ["<b@rig.test>"], GOOD, body=b"a body\r\n")
    (one,) = kept(turf, "<good1@out.test>")
    assert (str(one.connection.client), one.helo, one.params) == ("192.0.2.9", "client.out.test", ("SIZE=10",))
    assert [(tried.recipient.text, tried.answer) for tried in one.tried] == [("<b@rig.test>", None)]
    assert one.fields == {"from": (" Good <good@out.test>",)}
    assert one.answer == Answer("accept")
    assert one.size is not None
    assert one.generation == 1
    assert [(trial.rule, trial.verdict, trial.recipient) for trial in one.trials] == [
        ("connect", "reject", "b@rig.test")
    ]


def test_neither_a_subject_nor_a_body_is_kept(turf: Filter) -> None:
    with turf.session() as client:
        client.message("<good2@out.test>", ["<b@rig.test>"], GOOD, body=b"a body that nobody else may read\r\n")
    kept(turf, "<good2@out.test>")
    text = b"".join(path.read_bytes() for path in turf.journal.iterdir())
    assert b"secret" not in text
    assert b"body" not in text


def test_each_refused_recipient_is_kept_with_its_answer(turf: Filter) -> None:
    with turf.session() as client:
        client.message("<some@out.test>", ["<c@elsewhere.test>", "<b@rig.test>", "<d@rig.test>", "<e@rig.test>"], GOOD)
    (one,) = kept(turf, "<some@out.test>")
    answers = [tried.answer for tried in one.tried]
    assert answers[0] == Answer("reject", "relay", reply="550 5.7.1 relaying prohibited")
    assert answers[1:3] == [None, None]
    assert (answers[3].verdict, answers[3].saw) == ("tempfail", "3 of 2") if answers[3] else False
    assert one.answer.verdict == "accept"


def test_a_message_without_accepted_recipients_is_kept_without_an_answer(turf: Filter) -> None:
    with turf.session() as client:
        client.message("<none@out.test>", ["<c@elsewhere.test>"])
    (one,) = kept(turf, "<none@out.test>")
    assert one.answer == Answer()
    assert one.fields is None
    assert [tried.answer.rule for tried in one.tried if tried.answer] == ["relay"]


def test_a_held_message_is_kept_with_its_id_and_the_entry(turf: Filter) -> None:
    with turf.session() as client:
        client.message("<spam1@turf.test>", ["<b@rig.test>"], GOOD)
    (one,) = kept(turf, "<spam1@turf.test>")
    assert (one.answer.verdict, one.answer.rule) == ("hold", "turf")
    assert one.answer.entry.startswith("@turf.test turf.tables[0]")
    assert one.id in {path.name for path in (turf.quarantine / "new").iterdir()}


def test_the_transactions_of_one_connection_have_its_name_and_its_counts(turf: Filter) -> None:
    with turf.session() as client:
        for _ in range(3):
            client.message("<three@out.test>", ["<b@rig.test>"], GOOD)
    with turf.session() as client:
        client.message("<three@out.test>", ["<b@rig.test>"], GOOD)
    four = kept(turf, "<three@out.test>", 4)
    assert len({one.session for one in four[:3]}) == 1
    assert four[3].session != four[0].session
    assert [one.messages for one in four] == [0, 1, 2, 0]
    assert [one.octets for one in four] == [0, four[0].size, (four[0].size or 0) * 2, 0]


def test_what_a_client_sends_cannot_forge_a_line(turf: Filter) -> None:
    evil = b'<x"\n{"v":1,"time":"2026-12-01T00:00:00.000000","sender":"forged"}\xff@out.test>'
    with turf.session() as client:
        client.message(evil, ["<b@rig.test>"], [("From", b' "a\r\n {}" <good@out.test>')])
        client.message("<after@out.test>", ["<b@rig.test>"], GOOD)
    kept(turf, "<after@out.test>")
    lines = [line for path in turf.journal.iterdir() for line in path.read_bytes().splitlines()]
    senders = [json.loads(line)["sender"] for line in lines]
    assert "forged" not in senders
    assert any("forged" in sender for sender in senders)


def test_a_message_with_very_many_recipients_is_kept_incomplete(turf: Filter) -> None:
    with turf.session() as client:
        client.message("<many@out.test>", [f"<r{number}@elsewhere.test>" for number in range(500)])
    (one,) = kept(turf, "<many@out.test>")
    assert not one.complete
    assert len(one.tried) == 200


def test_the_files_belong_to_the_filter_and_its_group(turf: Filter) -> None:
    with turf.session() as client:
        client.message("<files@out.test>", ["<b@rig.test>"], GOOD)
    kept(turf, "<files@out.test>")
    for path in turf.journal.iterdir():
        status = path.stat()
        assert stat.S_IMODE(status.st_mode) == 0o640
        assert (status.st_uid, status.st_gid) == (turf.journal.stat().st_uid, pwd.getpwuid(status.st_uid).pw_gid)


def test_the_metrics_count_what_was_kept(turf: Filter) -> None:
    with turf.session() as client:
        client.message("<metric@out.test>", ["<b@rig.test>"], GOOD)
    kept(turf, "<metric@out.test>")
    number = len(turf.transactions(1))
    path = turf.quarantine.parent / "turfmilter.prom"
    wait.until(lambda: read(path.read_text())["turfmilter_journal_lines_total"] >= number, path.read_text)
    samples = read(path.read_text())
    assert samples['turfmilter_journal_lines_dropped_total{reason="disk"}'] == 0
    assert samples['turfmilter_journal_lines_dropped_total{reason="queue"}'] == 0


def test_a_journal_that_cannot_be_written_is_reported_once_and_mail_is_not_affected(own: Filter) -> None:
    own.journal.chmod(0o500)
    own.start()
    with own.session() as client:
        for _ in range(3):
            assert str(client.message("<good@out.test>", ["<b@rig.test>"], GOOD).end) == "accept"
    own.daemon.wait_for_log("journal: Permission denied: transactions are not kept, and mail is not affected")
    own.journal.chmod(0o750)
    with own.session() as client:
        client.message("<later@out.test>", ["<b@rig.test>"], GOOD)
    own.daemon.wait_for_log("journal: transactions are kept again; 3 were not")
    assert [one.sender for one in own.transactions(1)] == ["<later@out.test>"]
    assert own.daemon.log().count("transactions are not kept") == 1


def test_a_directory_that_is_missing_is_reported_at_the_start(own: Filter) -> None:
    own.journal.rmdir()
    own.start()
    own.daemon.wait_for_log("journal.directory: .* does not exist, or is not a directory, so no transaction is kept")
    with own.session() as client:
        assert str(client.message("<good@out.test>", ["<b@rig.test>"], GOOD).end) == "accept"


def test_on_a_full_disk_mail_passes_and_no_half_line_is_left(own: Filter) -> None:
    with tmpfs(own.journal, size="64k"):
        give(own.journal)
        own.start()
        with own.session() as client:
            for number in range(300):
                end = client.message(f"<{number}@out.test>", ["<b@rig.test>"], GOOD).end
                assert str(end) == "accept"
        own.daemon.wait_for_log("journal: .*: transactions are not kept, and mail is not affected")
        for path in own.journal.iterdir():
            assert path.read_bytes().endswith(b"\n")


def test_a_worker_that_is_killed_leaves_whole_lines_or_one_that_is_skipped(own: Filter) -> None:
    own.start()
    with own.client() as client:
        client.greet()
        for number in range(50):
            client.message(f"<{number}@out.test>", ["<b@rig.test>"], GOOD)
        own.transactions(10)
        for pid in own.daemon.workers():
            os.kill(pid, signal.SIGKILL)
    wait.until(lambda: "starting another" in own.daemon.log(), own.daemon.log)
    with own.session() as client:
        client.message("<after@out.test>", ["<b@rig.test>"], GOOD)
    assert kept(own, "<after@out.test>")
    assert [one.sender for one in own.transactions(11)][:10] == [f"<{number}@out.test>" for number in range(10)]


def test_what_waits_is_written_when_the_daemon_stops(own: Filter) -> None:
    own.start()
    with own.session() as client:
        for number in range(100):
            client.message(f"<{number}@out.test>", ["<b@rig.test>"], GOOD)
    assert own.daemon.stop() == 0
    assert len(own.transactions(100)) == 100


def test_the_upkeep_compresses_the_files_of_workers_that_have_ended(own: Filter) -> None:
    own.start()
    with own.session() as client:
        client.message("<one@out.test>", ["<b@rig.test>"], GOOD)
    own.transactions(1)
    before = set(own.daemon.workers())
    for generation, size in ((2, 2000), (3, 3000)):  # each is followed by the upkeep at once
        own.configure(SETTINGS.replace("message_size = 1000", f"message_size = {size}"))
        own.reload()
        own.wait_for_generation(generation)
        wait.until(lambda: before.isdisjoint(own.daemon.workers()), own.daemon.log)
    wait.until(lambda: {path.suffix for path in own.journal.iterdir()} == {".gz"}, own.daemon.log)
    assert len(own.transactions(1)) == 1


def test_a_fault_in_the_journal_does_not_change_the_answer(place: Path) -> None:
    class Broken:
        def session(self) -> str:
            return "s"

        def write(self, transaction: Transaction) -> None:
            raise LookupError(transaction.sender)

    told = play(
        build_generation(configure(tomllib.loads('domains = ["rig.test"]\n'), place)),
        Plan(messages=(Message("<a@out.test>", ("<b@rig.test>",)),)),
        journal=Broken(),
    )
    assert told.replies == [["", ""]]
    assert told.failures == ["journal: LookupError: <a@out.test>"]
