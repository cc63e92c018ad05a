"""What the first version has written is listed, shown, verified and released by this one."""

from __future__ import annotations

import json
import mailbox
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from rig import firstversion as held
from rig.filter import USER
from rig.nexthop import ScriptedNextHop
from rig.program import ENVIRONMENT
from rig.quarantine import turfctl
from rig.sink import Delivery, Sink

STATES = {
    held.UNREVIEWED: "unreviewed",
    held.NULL_SENDER_WITH_PARAMETER: "unreviewed",
    held.NULL_SENDER: "unreviewed",
    held.REVIEWED: "reviewed",
    held.RELEASED: "released",
    held.PARTLY_RELEASED: "partly released",
    held.UNKNOWN: "unknown",
    held.DELETED: "deleted",
    held.UNDELETED: "unreviewed",
    held.ODD_ADDRESSES: "unreviewed",
    held.BLANKS_IN_ADDRESSES: "unreviewed",
    held.UTF8: "unreviewed",
    held.RAW_BYTES: "unreviewed",
    held.FORGED_BLOCK: "unreviewed",
    held.ATTACHMENT: "unreviewed",
    held.IPV6_CLIENT: "unreviewed",
    held.NO_NAME: "unreviewed",
    held.LOCAL: "unreviewed",
    held.BY_HAND: "unreviewed",
}
BODY_OF_8_BITS = b".a dot\r\ncaf\xc3\xa9\r\n\r\n.\r\n"


@pytest.fixture
def config(place: Path) -> Path:
    """A configuration of the quarantine, which nobody has touched since."""
    quarantine, _ = held.unpack(place)
    return configured(place, quarantine)


def configured(place: Path, quarantine: Path, port: int = 10026) -> Path:
    path = place / "turfmilter.toml"
    path.write_text(
        f'user = "{USER}"\nstate = "{place}/state"\nstatus = "{place}/status.json"\ndomains = ["rig.test"]\n'
        f'[turf]\ndirectory = "{quarantine}"\n'
        f'tables = ["@turf.test"]\n[release]\nport = {port}\n'
    )
    return path


def listed(config: Path, *states: str) -> dict[str, dict[str, Any]]:
    """Every message in these states; by default all."""
    asked = [
        word for state in states or ("unreviewed", "reviewed", "released", "deleted") for word in ("--state", state)
    ]
    done = turfctl(config, "list", "--json", "--limit", "0", *asked)
    assert done.returncode == 0, done.stderr
    return {row["id"]: row for row in json.loads(done.stdout)}


def release(config: Path, port: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Release to the server at `port`."""
    return turfctl(configured(config.parent, config.parent / "quarantine", port), "release", "--yes", *arguments)


def delivered(config: Path, id: str, *arguments: str) -> Delivery:
    """What a real SMTP server receives when the message is released."""
    with Sink() as sink:
        done = release(config, sink.port, id, *arguments)
        assert done.returncode == 0, done.stderr
        (delivery,) = sink.deliveries
    return delivery


def test_every_message_is_listed_in_its_state(config: Path) -> None:
    rows = listed(config)
    assert {id: row["state"] for id, row in rows.items()} == STATES
    assert {id for id, row in rows.items() if row["doubt"]} == {held.BY_HAND}
    seen = rows[held.UNREVIEWED]
    assert (seen["sender"], seen["recipients"]) == ("news@turf.test", ["bob@rig.test", "carol@rig.test"])
    assert (seen["client"], seen["name"], seen["rule"]) == ("192.0.2.9", "client.out.test", "turf")
    assert (seen["entry"], seen["subject"]) == ("@turf.test turf.table:1", "café")
    assert rows[held.NULL_SENDER_WITH_PARAMETER]["sender"] == rows[held.NULL_SENDER]["sender"] == ""
    assert rows[held.IPV6_CLIENT]["client"] == "2001:db8::7"
    assert (rows[held.LOCAL]["client"], rows[held.NO_NAME]["name"]) == ("127.0.0.1", "")


def test_an_index_of_the_first_version_is_no_obstacle_and_none_is_needed(config: Path) -> None:
    with_index = listed(config)
    (config.parent / "quarantine" / ".index").unlink()
    assert listed(config) == with_index


@pytest.mark.parametrize("id", STATES)
def test_every_message_is_shown(config: Path, id: str) -> None:
    done = turfctl(config, "show", id)
    assert done.returncode == 0, done.stderr
    assert id in done.stdout
    assert ("CAUTION" in done.stdout) == (id == held.BY_HAND)


def test_the_ledger_is_shown_with_the_message(config: Path) -> None:
    done = turfctl(config, "show", "--json", held.PARTLY_RELEASED)
    seen = json.loads(done.stdout)
    assert seen["releases"] == {"bob@rig.test": "released", "carol@rig.test": "refused"}
    assert [(line["act"], line["stage"]) for line in seen["ledger"]] == [("release", "intent"), ("release", "outcome")]


def test_nothing_is_wrong_but_what_was_wrong_when_it_was_written(config: Path) -> None:
    done = turfctl(config, "verify", "--json")
    wrong = {row["id"]: row["wrong"] for row in json.loads(done.stdout)}
    assert wrong.keys() == {held.BY_HAND, held.UNKNOWN}


def test_every_message_is_exported(config: Path) -> None:
    ids = [id for id in STATES if id != held.BY_HAND]
    path = config.parent / "mbox"
    path.write_text(turfctl(config, "export", *ids, errors="surrogateescape").stdout, errors="surrogateescape")
    assert len(mailbox.mbox(path)) == len(ids)


@pytest.mark.parametrize(
    ("id", "sender", "recipients"),
    [
        (held.UNREVIEWED, "news@turf.test", ["bob@rig.test", "carol@rig.test"]),
        (held.NULL_SENDER_WITH_PARAMETER, "<>", ["bob@rig.test"]),
        (held.NULL_SENDER, "<>", ["bob@rig.test"]),
        (held.REVIEWED, "a@turf.test", ["bob@rig.test"]),
        (held.PARTLY_RELEASED, "a@turf.test", ["carol@rig.test"]),
        (held.UNDELETED, "a@turf.test", ["bob@rig.test"]),
        (held.UTF8, "jürgen@turf.test", ["étienne@rig.test"]),
        (held.FORGED_BLOCK, "a@turf.test", ["bob@rig.test"]),
        (held.ATTACHMENT, "a@turf.test", ["bob@rig.test"]),
        (held.LOCAL, "a@turf.test", ["bob@rig.test"]),
    ],
)
def test_it_is_released_to_those_who_do_not_have_it_yet(
    config: Path, id: str, sender: str, recipients: Sequence[str]
) -> None:
    raw = turfctl(config, "show", "--raw", id, errors="surrogateescape").stdout
    delivery = delivered(config, id)
    assert (delivery.sender, delivery.recipients) == (sender, tuple(recipients))
    assert delivery.data.replace(b"\r\n", b"\n") == raw.encode(errors="surrogateescape")
    assert listed(config)[id]["state"] == "released"


def test_its_bytes_and_parameters_are_those_that_came(config: Path) -> None:
    with ScriptedNextHop() as hop:
        assert release(config, hop.port, held.UNREVIEWED).returncode == 0
    mail, *rcpts, _data, _quit = hop.commands[1:]
    assert mail.startswith("MAIL FROM:<news@turf.test> BODY=8BITMIME RET=HDRS ENVID=QQ1 SIZE=")
    assert rcpts == [
        "RCPT TO:<bob@rig.test> NOTIFY=NEVER ORCPT=rfc822;b+2Bx@rig.test",
        "RCPT TO:<carol@rig.test>",
    ]
    (message,) = hop.messages
    assert message.endswith(
        b"\r\nX-Folded: one\r\n\ttwo\r\nX-Tight:no space\r\n\r\n." + BODY_OF_8_BITS[:-3] + b"..\r\n"
    )


@pytest.mark.parametrize(
    ("id", "commands"),
    [
        (
            held.BLANKS_IN_ADDRESSES,
            [
                "MAIL FROM:<a@turf.test> SIZE=53",
                "RCPT TO:<alice@rig. test>",
                "RCPT TO:< bob@rig.test>",
                "RCPT TO:<(x) carol@rig.test>",
                "RCPT TO:<dave@rig. test> NOTIFY=NEVER",
            ],
        ),
        (
            held.ODD_ADDRESSES,
            [
                'MAIL FROM:<"a b"@turf.test> RET=FULL SIZE=53',
                'RCPT TO:<"x RET=FULL"@rig.test>',
                "RCPT TO:<Joe <alice@rig.test>>",
                "RCPT TO:<alice (a comment)@rig.test>",
                "RCPT TO:<@a.test:bob@rig.test>",
                "RCPT TO:<dave>",
                "RCPT TO:<al\\ice@rig.test> NOTIFY=NEVER",
            ],
        ),
        (
            held.RAW_BYTES,
            ["MAIL FROM:<mallory@out.test> SMTPUTF8 SIZE=53", "RCPT TO:<caf\udce9@rig.test>"],
        ),
    ],
)
def test_odd_addresses_are_named_as_the_client_named_them(config: Path, id: str, commands: list[str]) -> None:
    with ScriptedNextHop() as hop:
        assert release(config, hop.port, id).returncode == 0
    assert hop.commands[1:-2] == commands


def test_a_damaged_block_of_the_first_version_is_used_by_force(config: Path) -> None:
    path = config.parent / "quarantine" / "new" / held.BLANKS_IN_ADDRESSES
    path.write_bytes(path.read_bytes().replace(b"X-Quarantine-Account: ", b"X-Quarantine-Account:"))
    with ScriptedNextHop() as hop:
        done = release(config, hop.port, held.BLANKS_IN_ADDRESSES)
        assert "line 10, X-Quarantine-Account, is damaged" in done.stderr
        assert release(config, hop.port, "--force", held.BLANKS_IN_ADDRESSES).returncode == 0
    assert "RCPT TO:<dave@rig. test> NOTIFY=NEVER" in hop.commands


@pytest.mark.parametrize("id", [held.RELEASED, held.UNKNOWN, held.DELETED, held.BY_HAND])
def test_what_must_not_be_sent_again_is_not(config: Path, id: str) -> None:
    with ScriptedNextHop() as hop:
        assert release(config, hop.port, id).returncode == 1
    assert hop.messages == []


def test_a_status_file_of_the_first_version_is_read(place: Path) -> None:
    config = configured(place, held.unpack(place)[0])
    start = "from turfmilter.cli.turfctl import main; main(prog_name='turfctl')"
    done = subprocess.run(
        [sys.executable, "-c", start, "-c", str(config), "status"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1  # the process of that time is not there any more, or says nothing
    assert "turfmilter 0.1.0, process 11697" in done.stdout
    assert "not what turfmilter writes" not in done.stderr
