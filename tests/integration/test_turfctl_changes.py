"""turfctl where it changes more than a mark: expire, verify, digest, and the turf table."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rig.filter import USER
from rig.golden import Golden
from rig.hostclock import DAY, has_watched
from rig.nexthop import CLOSE, ScriptedNextHop
from rig.quarantine import hold, reviewed, turfctl

TABLE = "# ours\n@spam.example\n"


@pytest.fixture
def config(place: Path) -> Path:
    (place / "turf.table").write_text(TABLE)
    return reviewed(place, 'tables = ["file:turf.table"]', more='[quarantine]\nfloor = "0%"')[1]


@pytest.fixture
def quarantine(config: Path) -> Path:
    return config.parent / "quarantine"


@pytest.fixture
def table(config: Path) -> Path:
    return config.parent / "turf.table"


def in_turf(config: Path, *arguments: str, user: str | None = None) -> subprocess.CompletedProcess[str]:
    """What turfctl turf says, and how it leaves."""
    return turfctl(config, "turf", *arguments, user=user)


def test_what_is_due_goes_when_that_is_agreed(quarantine: Path, config: Path) -> None:
    due = hold(quarantine)
    has_watched(config.parent / "state", quarantine, 31 * DAY)
    young = hold(quarantine)
    listed = turfctl(config, "expire", "--dry-run")
    assert [line.split() for line in listed.stdout.splitlines()] == [
        ["ID", "WHY"],
        [due, "unreviewed,", "for", "31", "days"],
    ]
    asked = turfctl(config, "expire")
    assert (asked.returncode, "no terminal to ask for confirmation" in asked.stderr) == (2, True)
    assert (quarantine / "new" / due).exists()
    assert turfctl(config, "expire", "--yes").stderr == "1 message removed\n"
    assert [path.name for path in (quarantine / "new").iterdir()] == [young]
    assert turfctl(config, "expire").stderr == "0 messages removed\n"


def test_expire_waits_as_the_daemon_does_and_says_so_unless_dates_are_to_be_trusted(
    quarantine: Path, config: Path
) -> None:
    due = hold(quarantine, time=datetime.now(UTC) - 31 * DAY)
    hold(quarantine, time=datetime.now(UTC) - 29 * DAY)
    told = turfctl(config, "expire", "--yes")
    assert told.stderr == (
        "turfctl: warning: the clock was not observed for long enough: no message expires by its age until the clock"
        " has run evenly for a day\n0 messages removed\n"
    )
    assert len(list((quarantine / "new").iterdir())) == 2
    asked = turfctl(config, "expire", "--trust-dates")
    assert (asked.returncode, "no terminal to ask for confirmation" in asked.stderr) == (2, True)
    assert turfctl(config, "expire", "--trust-dates", "--yes").stderr == "1 message removed\n"
    assert not (quarantine / "new" / due).exists()


@pytest.mark.parametrize("harm", [lambda state: state.rmdir(), lambda state: state.chmod(0o555)])
def test_expire_says_that_it_cannot_remember(quarantine: Path, config: Path, harm: Callable[[Path], None]) -> None:
    hold(quarantine)
    harm(config.parent / "state")
    told = turfctl(config, "expire", "--yes", user=USER or None)
    assert f"turfctl: warning: state {config.parent}/state/retention: " in told.stderr
    assert "unreviewed messages do not expire" in told.stderr
    assert len(list((quarantine / "new").iterdir())) == 1


def test_expire_counts_what_it_has_removed_and_tells_what_it_could_not(
    quarantine: Path, config: Path, golden: Golden
) -> None:
    ids = [hold(quarantine) for _ in range(2)]
    has_watched(config.parent / "state", quarantine, 31 * DAY)
    (quarantine / "new").chmod(0o500)
    done = turfctl(config, "expire", "--yes")
    assert done.returncode == 1
    (quarantine / "new").chmod(0o750)
    no_ledger(quarantine)
    failed = turfctl(config, "expire", "--yes")
    assert failed.returncode == 1
    golden("turfctl", done.stderr + failed.stderr, dict.fromkeys(ids, "ID"))


def test_what_agrees_is_said_and_what_does_not_is_named(quarantine: Path, config: Path) -> None:
    id = hold(quarantine)
    done = turfctl(config, "verify")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "files, flags and ledger agree\n")
    turfctl(config, "show", "--mark", id)
    (path,) = (quarantine / "cur").iterdir()
    path.unlink()
    done = turfctl(config, "verify", "--json")
    assert done.returncode == 1
    assert [(row["id"], row["wrong"]) for row in json.loads(done.stdout)] == [
        (id, "it is gone, and the ledger has no line about its expiry")
    ]


def test_the_letter_is_printed_unless_it_is_to_be_mailed(quarantine: Path, config: Path) -> None:
    assert turfctl(config, "digest").stdout.startswith("no open messages that were held since ")
    id = hold(quarantine)
    assert f"turfctl release {id}" in turfctl(config, "digest", "--newer", "9999w").stdout
    config.write_text(f"{config.read_text()}[release]\nport = 1\n")
    done = turfctl(config, "digest", "--newer", "9999w", "--mail", "postmaster")
    assert (done.returncode, done.stderr) == (1, "turfctl: 127.0.0.1:1: Connection refused\n")


def test_an_entry_comes_and_goes(config: Path, table: Path) -> None:
    added = in_turf(config, "add", "--yes", "--why", "a b", "!boss@spam.example")
    assert added.stdout.startswith("!boss@spam.example turf.table:3: added")
    assert table.read_text().startswith(f'{TABLE}!boss@spam.example why="a b" by=')
    listed = json.loads(in_turf(config, "list", "--json", "boss").stdout)
    assert [(row["entry"], row["why"], row["where"]) for row in listed] == [
        ("!boss@spam.example", "a b", "turf.table:3")
    ]
    checked = json.loads(in_turf(config, "check", "--json", "boss@spam.example").stdout)
    assert [(row["verdict"], row["where"]) for row in checked] == [("not listed", "turf.table:3")]
    assert in_turf(config, "remove", "--yes", "!boss@spam.example").returncode == 0
    assert table.read_text() == TABLE


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["add", "@x.example"], 2, '"@x.example" will be added to '),
        (["add", "--dry-run", "@x.example"], 0, '"@x.example" would be added to '),
        (["add", "--yes", "spam.example"], 1, 'turf.table:3: "spam.example": the "@" is missing'),
        (["add", "--yes", "@spam.example"], 1, 'turf.table:2: "@spam.example" is already there'),
        (["add", "--yes", "--why", "a\nb", "@x.example"], 1, "a note is one line of text"),
        (["add", "--yes", "--for", "soon", "@x.example"], 2, '"soon" is not a span of time'),
        (["add", "--yes", "--for", "36h", "@x.example"], 2, '"36h" is not a number of whole days'),
        (["add", "--yes", "--table", "other.table", "@x.example"], 2, "is not a turf table in the configuration"),
        (["remove", "@spam.example"], 2, '"@spam.example" will be removed from '),
        (["remove", "--dry-run", "@spam.example"], 0, '"@spam.example" would be removed from '),
        (["remove", "@x.example"], 1, '"@x.example" is not in turf.table'),
        (["remove", "--yes", "@x.example"], 1, '"@x.example" is not in turf.table'),
        (["check", "spam.example"], 2, "such as anyone@spam.example, or list entries: turfctl turf list spam.example"),
        (["check", "=@spam.example"], 2, '"=@spam.example" is not an address; check one such as anyone@spam.example'),
        (["check", "boss@"], 2, '"boss@" is not an address; check one such as boss@domain.example'),
        (["list", "nobody"], 1, "no such entry"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    config: Path, table: Path, arguments: list[str], status: int, said: str
) -> None:
    done = in_turf(config, *arguments)
    assert done.returncode == status
    assert said in done.stdout + done.stderr
    assert table.read_text() == TABLE


def test_the_filters_own_user_cannot_edit_the_table(quarantine: Path, config: Path, table: Path) -> None:
    table.parent.chmod(0o755)
    os.chown(table.parent, 0, 0)
    done = in_turf(config, "add", "--yes", "@x.example", user=USER)
    assert (done.returncode, "Permission denied" in done.stderr) == (1, True)
    done = turfctl(config, "release", "--yes", "--and-allow", hold(quarantine), user=USER)
    assert done.returncode == 1
    assert "its directory cannot be written to; start turfctl as root" in done.stderr
    assert table.read_text() == TABLE


def test_an_entry_for_one_message_is_added_with_a_warning(config: Path, table: Path) -> None:
    added = in_turf(config, "add", "--yes", "!news-anna=example.org@spam.example")
    assert added.returncode == 0
    assert added.stderr.endswith("is added with: turfctl turf add '!news-*@spam.example'\n")
    assert "!news-anna=example.org@spam.example" in table.read_text()
    assert in_turf(config, "add", "--yes", "!news-*@spam.example").stderr == ""


@pytest.mark.parametrize(
    ("sender", "verdict"),
    [
        ("prvs=1234abcdef=anna@spam.example", "not listed"),
        ("prvs=1234abcdef=bob@spam.example", "listed"),
        ("SRS0=HHHH=TT=spam.example=bob@forwarder.example", "listed"),
        ("SRS0=HHHH=TT=spam.example=anna@forwarder.example", "not listed"),
        ("<;bob%spam.example>", "listed"),
        ("bob@fine.example", "not listed"),
        ("<bob@spam.example>", "listed"),
        ("root", "not listed"),
        ("<>", "not listed"),
    ],
)
def test_a_wrapped_sender_is_checked_as_the_rule_does(config: Path, table: Path, sender: str, verdict: str) -> None:
    table.write_text(TABLE + "!anna@spam.example\n")
    (checked,) = json.loads(in_turf(config, "check", "--json", sender).stdout)
    assert checked["verdict"] == verdict


def test_a_sender_that_is_another_one_in_each_message_is_released_without_an_exception(
    config: Path, quarantine: Path, table: Path
) -> None:
    first = hold(quarantine, sender="news-17-4711815@spam.example")
    second = hold(quarantine, sender="prvs=1234abcdef=anna@spam.example")
    with ScriptedNextHop() as hop:
        config.write_text(f"{config.read_text()}[release]\nport = {hop.port}\n")
        done = turfctl(config, "release", "--yes", "--and-allow", first, second)
    assert done.returncode == 1
    assert f"{first}: released, but no exception was added: news-17-4711815@spam.example looks like" in done.stderr
    assert "turfctl turf add '!news-17-*@spam.example'\n" in done.stderr
    assert [line.split()[0] for line in table.read_text().splitlines()[2:]] == ["!anna@spam.example"]
    assert len(hop.messages) == 2


@pytest.mark.parametrize(
    ("match", "added"),
    [
        ('["author"]', ["!anna@turf.example"]),
        ('["sender", "author", "originator"]', ["!anna@turf.example", "!office@turf.example"]),
    ],
)
def test_a_release_adds_exceptions_for_originators_if_the_rule_compares_them(
    config: Path, quarantine: Path, table: Path, match: str, added: list[str]
) -> None:
    table.write_text("@turf.example\n")
    text = b"From: anna@turf.example\r\nSender: office@turf.example\r\n\r\nhello\r\n"
    id = hold(quarantine, text, sender="x@out.example")
    with ScriptedNextHop() as hop:
        written = config.read_text().replace("tables =", f"match = {match}\ntables =")
        config.write_text(f"{written}[release]\nport = {hop.port}\n")
        done = turfctl(config, "release", "--yes", "--and-allow", id)
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in table.read_text().splitlines()[1:]] == added


def test_a_release_without_an_exception_names_everything_that_was_compared(
    config: Path, quarantine: Path, table: Path
) -> None:
    table.write_text("@other.example\n")
    id = hold(quarantine)
    with ScriptedNextHop() as hop:
        written = config.read_text().replace("tables =", 'match = ["sender", "author", "originator"]\ntables =')
        config.write_text(f"{written}[release]\nport = {hop.port}\n")
        done = turfctl(config, "release", "--yes", "--and-allow", id)
    assert "no exception was added: neither sender, authors nor originators are listed now" in done.stderr


@pytest.mark.parametrize("sender", [r'"a\\b c"@turf.example', r'"a\"b"@turf.example', "it's!$HOME`id`@turf.example"])
def test_the_command_that_removes_an_exception_can_be_pasted_into_a_shell(
    config: Path, quarantine: Path, table: Path, sender: str
) -> None:
    table.write_text("@turf.example\n")
    id = hold(quarantine, sender=sender)
    with ScriptedNextHop() as hop:
        config.write_text(f"{config.read_text()}[release]\nport = {hop.port}\n")
        done = turfctl(config, "release", "--yes", "--and-allow", id)
    undo = [line.partition("undo it with: turfctl ")[2] for line in done.stdout.splitlines() if "undo it" in line]
    assert undo
    for command in undo:
        pasted = subprocess.run(
            ["bash", "-ic", f"printf '%s\\n' {command}"], capture_output=True, text=True, check=True
        )
        assert turfctl(config, *pasted.stdout.splitlines(), "--yes").returncode == 0
    assert table.read_text() == "@turf.example\n"


def test_a_message_with_many_listed_addresses_gets_no_exceptions(config: Path, quarantine: Path, table: Path) -> None:
    table.write_text("@turf.example\n")
    authors = b",\r\n ".join(b"x%d@turf.example" % number for number in range(11))
    id = hold(quarantine, b"From: " + authors + b"\r\n\r\nhello\r\n", sender="x1@turf.example")
    with ScriptedNextHop() as hop:
        config.write_text(f"{config.read_text()}[release]\nport = {hop.port}\n")
        done = turfctl(config, "release", "--yes", "--and-allow", id)
    assert (done.returncode, len(hop.messages), table.read_text()) == (1, 1, "@turf.example\n")
    assert f"{id}: released, but no exception was added: 11 of its addresses are listed" in done.stderr


@pytest.mark.parametrize("local", ["news\x1b[2J-4711815", "news-\u202e-4711815", "news\x07-anna=example.org"])
def test_controls_in_a_sender_that_gets_no_exception_do_not_reach_the_terminal(
    config: Path, quarantine: Path, local: str
) -> None:
    id = hold(quarantine, sender=f'"{local}"@spam.example')
    with ScriptedNextHop() as hop:
        config.write_text(f"{config.read_text()}[release]\nport = {hop.port}\n")
        done = turfctl(config, "release", "--yes", "--and-allow", id)
    assert "no exception was added" in done.stderr
    assert all(line.isprintable() for line in (done.stdout + done.stderr).split("\n")), ascii(done.stdout + done.stderr)


LISTENERS = """
[listener.mx]
port = 25
[listener.mx.turf]
tables = ["file:mx.table", "@turf.example"]
[listener.fax]
port = 26
[listener.fax.turf]
tables = ["@turf.example"]
[listener.submission]
port = 587
"""


@pytest.mark.parametrize(
    ("listener", "edited", "said"),
    [
        ("mx", "mx.table", "!spam@turf.example mx.table:2: added"),
        ("submission", "turf.table", "!spam@turf.example turf.table:3: added"),
        ("", "turf.table", "!spam@turf.example turf.table:3: added"),
        ("gone", "turf.table", "!spam@turf.example turf.table:3: added"),
        ("fax", "", "!spam@turf.example was not added: tables of [listener.fax.turf] names no file to edit"),
    ],
)
def test_an_exception_goes_into_the_table_that_held_the_message(
    config: Path, quarantine: Path, listener: str, edited: str, said: str
) -> None:
    tables = {name: config.parent / name for name in ("turf.table", "mx.table")}
    for path in tables.values():
        path.write_text(f"{TABLE if path.name == 'turf.table' else ''}@turf.example\n".replace("@spam.example\n", ""))
    id = hold(quarantine, listener=listener)
    with ScriptedNextHop() as hop:
        config.write_text(f"{config.read_text()}[release]\nport = {hop.port}\n{LISTENERS}")
        done = turfctl(config, "release", "--yes", "--and-allow", id)
    assert said in done.stdout + done.stderr
    assert done.returncode == (0 if edited else 1)
    assert [name for name, path in tables.items() if "!spam@turf.example" in path.read_text()] == [edited][
        : bool(edited)
    ]
    assert len(hop.messages) == 1


@pytest.mark.parametrize(
    ("options", "before", "said"),
    [
        ((), "", "!spam@turf.example turf.table:3: added"),
        ((), "!spam@turf.example\n", "neither sender nor authors are listed now"),
        (("--dry-run",), "", "would be released"),
        (("--to", "nobody@example.org"), "", "not held from nobody@example.org"),
    ],
)
def test_a_release_that_prints_json_prints_nothing_else_there(
    quarantine: Path, config: Path, table: Path, options: tuple[str, ...], before: str, said: str
) -> None:
    table.write_text(f"{TABLE}@turf.example\n{before}".replace("@spam.example\n", "", 1))
    ids = {hold(quarantine), hold(quarantine)}
    with ScriptedNextHop() as hop:
        config.write_text(f"{config.read_text()}[release]\nport = {hop.port}\n")
        done = turfctl(config, "release", "--yes", "--and-allow", "--json", *options, *ids)
    rows = json.loads(done.stdout)
    assert {row["id"] for row in rows} == (set() if "--to" in options else ids)
    assert said in done.stderr


def unreadable(quarantine: Path) -> None:
    """From now on, no message can be looked at."""
    (quarantine / "new").chmod(0)
    (quarantine / "cur").chmod(0)


def no_ledger(quarantine: Path) -> None:
    """From now on, nothing can be recorded."""
    (quarantine / "ledger").unlink()
    (quarantine / "ledger").symlink_to("/dev/full")


@pytest.mark.parametrize(
    ("harm", "at", "reply", "said"),
    [
        (unreadable, ".", None, "released, but no exception was added: "),
        (no_ledger, ".", None, "it was sent (250 2.0.0 Ok: queued as 4711), but the ledger cannot be opened"),
        (no_ledger, "DATA", CLOSE, "nothing was sent: "),
    ],
)
@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
def test_what_was_released_is_printed_whatever_fails_then(
    quarantine: Path,
    config: Path,
    table: Path,
    harm: Callable[[Path], None],
    at: str,
    reply: str | None,
    said: str,
    as_json: bool,
) -> None:
    table.write_text("@turf.example\n")
    ids = [hold(quarantine), hold(quarantine), hold(quarantine)]

    def meanwhile(command: str) -> str | None:
        if command != at or len(hop.messages) != (2 if at == "." else 1):
            return None
        harm(quarantine)
        return reply

    with ScriptedNextHop(meanwhile=meanwhile) as hop:
        config.write_text(f"{config.read_text()}[release]\nport = {hop.port}\n")
        done = turfctl(config, "release", "--yes", "--and-allow", *ids, *(["--json"] if as_json else []))
    assert done.returncode == 1
    assert ids[0] in done.stdout
    assert "!spam@turf.example turf.table:2: added" in (done.stderr if as_json else done.stdout)
    assert said in done.stderr
    assert f"turfctl: {ids[2]}: nothing was sent: " in done.stderr
    assert "Traceback" not in done.stderr
    if as_json:
        assert ids[0] in {row["id"] for row in json.loads(done.stdout)}


@pytest.mark.parametrize(
    "command", [("list",), ("add", "--yes", "@y.example"), ("remove", "--yes", '"a\x1b[2Jb"@x.example')]
)
def test_controls_in_a_table_do_not_reach_the_terminal(config: Path, table: Path, command: tuple[str, ...]) -> None:
    table.write_text('"a\x1b[2Jb"@x.example why="\u202e\x07" by=x\n"c\x9bd"@y.example\n')
    done = in_turf(config, *command)
    assert done.returncode == 0, done.stderr
    assert all(line.isprintable() for line in (done.stdout + done.stderr).split("\n")), ascii(done.stdout + done.stderr)
