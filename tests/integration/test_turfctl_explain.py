"""turfctl explain: why a message is treated as it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from rig.dnsserver import DnsServer
from rig.golden import Golden
from rig.journal import Journal
from rig.program import ENVIRONMENT
from rig.quarantine import command, turfctl
from rig.sessions import Message, Plan
from rig.zone import named

TABLE = """\
@spam.example
@old.spam.example expires=2026-01-31
!friend@spam.example
"""
MORE = """
[connect]
deny = ["203.0.113.0/24", "!203.0.113.7"]
[relay]
allow = ["198.51.100.0/24", "!198.51.100.66"]
[limits]
recipients_per_message = 2
[listener.submission]
port = 587
require_auth = true
"""
HELD = re.compile(r"held as [\w-]+")
DYNAMIC = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
SPAM = Plan(client="192.0.2.1", messages=(Message("<x@spam.example>", ("<bob@example.org>", "<c@else.example>")),))
GOOD = Plan(
    client="192.0.2.1", messages=(Message("<x@good.example>", ("<bob@example.org>",), author="x@good.example"),)
)


@pytest.fixture
def kept(place: Path) -> Journal:
    (place / "turf.table").write_text(TABLE)
    return Journal(place, 'tables = ["file:turf.table"]\n', MORE)


BY_NAME = ["--name", "mx.good.example"]
TO = ["--rcpt", "b@example.org"]
GIVEN = {
    "accepted": ["--client", "192.0.2.1", *BY_NAME, "--from", "a@good.example", *TO],
    "held": ["--client", "192.0.2.1", *BY_NAME, "--from", "a@old.spam.example", *TO],
    "excepted": ["--client", "192.0.2.1", *BY_NAME, "--from", "friend@spam.example", *TO],
    "denied": ["--client", "203.0.113.9", *BY_NAME, "--from", "a@good.example", *TO],
    "relays": ["--client", "198.51.100.7", *BY_NAME, "--from", "a@good.example", "--rcpt", "b@else.example"],
    "hidden": ["--client", "192.0.2.1", *BY_NAME, "--rcpt", "b%else.example@example.org"],
    "no login": ["--client", "192.0.2.1", *BY_NAME, "--listener", "submission", *TO],
    "too many": ["--client", "192.0.2.1", *BY_NAME, "--from", "a@good.example", *TO, *TO, *TO],
}


@pytest.mark.parametrize("name", GIVEN)
def test_given_facts_are_explained_rule_by_rule(kept: Journal, golden: Golden, name: str) -> None:
    done = turfctl(kept.config, "explain", *GIVEN[name])
    assert done.stderr == ""
    golden("explain", f"{done.stdout}exit status {done.returncode}\n")


def test_the_client_is_looked_up_in_dns(kept: Journal) -> None:
    with DnsServer(named("192.0.2.1", "mx.dial.example")) as server:
        text = kept.config.read_text().replace('"!203.0.113.7"', '"dial.example"')
        kept.config.write_text(f'{text}\n[dns]\nnameservers = ["{server.address[0]}:{server.address[1]}"]\n')
        done = turfctl(kept.config, "explain", "--client", "192.0.2.1", "--rcpt", "b@example.org")
    assert "client's name in connect.allow and deny: mx.dial.example" in done.stdout
    assert "550" in done.stdout
    assert done.returncode == 1


def test_a_message_file_is_explained_with_its_authors(kept: Journal, place: Path) -> None:
    message = place / "message.eml"
    message.write_bytes(b"Subject: x\r\nFrom: Spam <a@spam.example>\r\n\r\nbody\r\n")
    options = ["--client", "192.0.2.1", "--name", "x.example", "--from", "a@good.example", "--rcpt", "b@example.org"]
    done = turfctl(kept.config, "explain", *options, str(message))
    assert "author in turf.tables: a@spam.example" in done.stdout
    assert "verdict: hold, by turf @spam.example turf.table:1 (author)" in done.stdout
    assert done.returncode == 1


def test_json_has_the_same(kept: Journal) -> None:
    done = turfctl(kept.config, "explain", *GIVEN["held"], "--json")
    found = json.loads(done.stdout)
    assert found["answer"] == {
        "verdict": "hold",
        "rule": "turf",
        "entry": "@spam.example turf.table:1",
        "saw": "sender",
    }
    sender = next(one for one in found["rules"] if one["rule"] == "turf")["looked_at"][0]
    assert [one["passed_over"] for one in sender["entries"]] == ["expired on 2026-01-31", ""]


def test_what_happened_is_explained_by_queue_id(kept: Journal, golden: Golden) -> None:
    kept.play(GOOD, SPAM)
    done = turfctl(kept.config, "explain", "Q10")
    assert done.returncode == 1
    golden("explain", HELD.sub("held as ID", DYNAMIC.sub("(time)", done.stdout)))
    assert turfctl(kept.config, "explain", "Q00").returncode == 0


def test_the_newest_message_is_meant_if_a_queue_id_was_used_again(kept: Journal) -> None:
    first = kept.play(GOOD)[0]
    kept.write([first._replace(sender="<later@good.example>", time=first.time.replace(microsecond=5))])
    assert "later@good.example" in turfctl(kept.config, "explain", "Q00").stdout


def test_what_would_happen_now_is_shown_beside_what_did(kept: Journal) -> None:
    kept.play(GOOD)
    (kept.config.parent / "turf.table").write_text("@good.example\n")
    done = turfctl(kept.config, "explain", "Q00")
    assert "the rules in force decide otherwise:" in done.stdout
    assert "verdict: hold, by turf @good.example turf.table:1 (sender)" in done.stdout
    found = json.loads(turfctl(kept.config, "explain", "Q00", "--json").stdout)
    assert (found["same"], found["then"]["answer"]["verdict"], found["now"]["answer"]["verdict"]) == (
        False,
        "accept",
        "hold",
    )


@pytest.mark.parametrize("id", ["1m4x8q-7kz0ha", "1M4X8Q7KZ0HA", "1m4x8q"])
def test_a_held_message_is_explained_by_its_id(kept: Journal, id: str) -> None:
    (held, *_) = kept.play(SPAM)
    kept.write([held._replace(id="1m4x8q-7kz0ha", queue_id="")])
    assert "held as 1m4x8q-7kz0ha" in turfctl(kept.config, "explain", id).stdout


@pytest.mark.parametrize(
    "line",
    [
        "Dec  1 12:00:00 mx turfmilter[7]: Q00: client=192.0.2.1 sender=x@good.example nrcpt=1 verdict=accept",
        '{"queue_id": "Q00", "client": "192.0.2.1"}',
        "NOQUEUE: client=192.0.2.1 helo=client.example sender=x@good.example nrcpt=1 rcpt=bob@example.org",
    ],
)
def test_a_line_of_the_log_is_explained(kept: Journal, line: str) -> None:
    kept.play(GOOD)
    done = subprocess.run(
        command(kept.config, "explain"), input=f"{line}\n", env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "MAIL FROM:<x@good.example>" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["Q99"], 1, "has no such message"),
        (["what is it"], 2, "neither a queue id"),
        (["Q00", "--from", "x@spam.example", "--tls"], 2, "--tls, --from: facts need --client"),
        (["--client", "mx.example"], 2, '"mx.example" is not an IP address'),
        (["--client", "192.0.2.1", "--listener", "none"], 2, "known are: submission"),
        (["--client", "192.0.2.1", "/missing.eml"], 2, "/missing.eml: No such file"),
        (["--client", "192.0.2.1", "--config", "/missing.toml"], 78, "/missing.toml"),
    ],
)
def test_what_cannot_be_explained_is_said(kept: Journal, arguments: list[str], status: int, said: str) -> None:
    kept.play(GOOD)
    done = turfctl(kept.config, "explain", *arguments)
    assert (done.returncode, said in done.stderr) == (status, True), done.stderr


def test_nothing_in_a_message_reaches_the_terminal_unescaped(kept: Journal) -> None:
    evil = "<\x1b]0;owned\x07\u202e@good.example>"
    kept.play(
        Plan(helo="\x1b[2J", messages=(Message(evil, ("<bob@example.org>",), author="\x1b[2J <a@good.example>"),))
    )
    done = turfctl(kept.config, "explain", "Q00")
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


def test_facts_that_a_request_cannot_carry_are_judged_by_loading(kept: Journal, place: Path) -> None:
    message = place / "big.eml"
    message.write_bytes(b"From: " + b"x" * 70_000 + b" <a@good.example>\r\n\r\n")
    options = ["--client", "192.0.2.1", *BY_NAME, *TO, "--rcpt", "eve@else.example", str(message)]
    done = turfctl(kept.config, "explain", *options)
    assert (done.returncode, "550 5.7.1 relaying prohibited" in done.stdout) == (1, True)


def explained(kept: Journal, line: str) -> subprocess.CompletedProcess[str]:
    """What is printed about a line of the log on standard input."""
    return subprocess.run(
        command(kept.config, "explain"), input=f"{line}\n", env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def test_a_refusal_is_not_confused_with_a_later_message_that_passed(kept: Journal) -> None:
    kept.play(SPAM)
    kept.play(
        Plan(client="192.0.2.1", messages=(Message("<x@spam.example>", ("<c@else.example>", "<bob@example.org>")),))
    )
    later = Message("<x@spam.example>", ("<c@else.example>",))
    kept.play(Plan(client="192.0.2.1", account="anna", messages=(later,)))
    line = "NOQUEUE: client=192.0.2.1 sender=x@spam.example nrcpt=1 rcpt=c@else.example verdict=reject rule=relay"
    assert "RCPT TO:<c@else.example> => reject by relay" in explained(kept, line).stdout


def test_an_address_that_the_log_quotes_is_found(kept: Journal) -> None:
    kept.play(Plan(client="192.0.2.1", messages=(Message("<\x07@good.example>", ('<"a,b"@else.example>',)),)))
    who = r'client=192.0.2.1 sender="\x07@good.example" nrcpt=1 rcpt="\"a,b\"@else.example"'
    line = f"NOQUEUE: {who} verdict=reject rule=relay"
    assert "RCPT TO:" in explained(kept, line).stdout


@pytest.mark.parametrize(
    "line",
    [
        '{"queue_id":5}',
        '{"client":"192.0.2.1","rcpt":5}',
        '{"client":"192.0.2.1","sender":5}',
        '{"client":"192.0.2.1","rcpt":[["a"]]}',
        '{"a":' + "[" * 60_000,
        "{",
    ],
)
def test_a_damaged_line_is_refused(kept: Journal, line: str) -> None:
    done = explained(kept, line)
    assert done.returncode == 2
    assert "damaged" in done.stderr


def test_another_place_of_the_same_entry_is_no_other_decision(kept: Journal) -> None:
    kept.play(SPAM)
    (kept.config.parent / "turf.table").write_text(f"# a line above\n{TABLE}")
    assert "the rules in force decide the same:" in turfctl(kept.config, "explain", "Q00").stdout


def test_bytes_that_are_not_utf8_are_explained(kept: Journal) -> None:
    done = turfctl(kept.config, "explain", "--client", "192.0.2.1", *BY_NAME, "--from", "\udcff@x.example", *TO)
    assert done.returncode == 0, done.stderr


def test_a_pipe_is_not_waited_for(kept: Journal, place: Path) -> None:
    os.mkfifo(place / "pipe")
    done = turfctl(kept.config, "explain", "--client", "192.0.2.1", *BY_NAME, *TO, str(place / "pipe"))
    assert done.returncode == 2
