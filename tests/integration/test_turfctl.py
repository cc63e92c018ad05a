"""turfctl as it is called: what it prints, what it changes, how it leaves."""

from __future__ import annotations

import json
import mailbox
import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rig.child import in_child
from rig.filter import USER, give, make_quarantine
from rig.program import ENVIRONMENT
from rig.quarantine import MESSAGE, TIME, command, hold, reviewed, turfctl
from rig.terminal import printed
from turfmilter.cli.turfctl import main
from turfmilter.core.held.ledger import Line

NASTY = (
    b"From: evil@x.example\r\nSubject: \x1b]0;owned\x07 =?utf-8?q?=1b[2J=E2=80=AE?=\r\n\r\n"
    b"text \x1b[31m \xe2\x80\xae \x9b31m \x00 \x0b \r alone\r\n"
)


@pytest.fixture
def quarantine(place: Path) -> Path:
    return reviewed(place)[0]


@pytest.fixture
def config(quarantine: Path) -> Path:
    return quarantine.parent / "turfmilter.toml"


def names(quarantine: Path) -> list[str]:
    return sorted(f"{part}/{path.name}" for part in ("new", "cur") for path in (quarantine / part).iterdir())


def on_terminal(config: Path, *arguments: str, answer: str = "") -> tuple[str, int]:
    """What a person sees and answers, and the exit status."""
    seen, status = printed(command(config, *arguments), ENVIRONMENT, keys=answer)
    return seen.decode(), status


def test_the_list_shows_what_is_held(quarantine: Path, config: Path) -> None:
    first = hold(quarantine, time=TIME)
    second = hold(quarantine, time=TIME + timedelta(days=1), sender="", file="cur/{id}:2,S")
    done = turfctl(config, "list")
    assert (done.returncode, done.stderr) == (0, "r reviewed\n")
    shown = [line.split() for line in done.stdout.splitlines()[2:]]
    assert [words[:1] + words[4:] if words[0] in (first, second) else words for words in shown] == [
        [second, str(len(MESSAGE)), "r", "<>", "(spam@turf.example)"],
        ["anna@example.org", "hello"],
        [first, str(len(MESSAGE)), "spam@turf.example"],
        ["anna@example.org", "hello"],
    ]


@pytest.mark.parametrize(
    ("flags", "options", "listed"),
    [
        ("", [], True),
        ("S", [], True),
        ("F", [], True),
        ("P", [], False),
        ("T", [], False),
        ("P", ["--all"], True),
        ("T", ["--all"], True),
        ("P", ["--state", "released"], True),
        ("T", ["--state", "deleted", "--state", "released"], True),
    ],
)
def test_open_mail_is_listed_unless_more_is_wanted(
    quarantine: Path, config: Path, flags: str, options: list[str], listed: bool
) -> None:
    id = hold(quarantine, file=f"cur/{{id}}:2,{flags}")
    done = turfctl(config, "list", *options)
    assert (id in done.stdout, done.returncode) == (listed, 0 if listed else 1)
    assert ("turfctl: no open messages; --all lists 1 message in other states" in done.stderr) is not listed


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("delet", 'there is no command "delet"; "delete" was probably meant'),
        ("relase", 'there is no command "relase"; "release" was probably meant'),
        ("mailq", "No such command 'mailq'."),
    ],
)
def test_a_mistyped_command_is_recognised(config: Path, word: str, said: str) -> None:
    done = turfctl(config, word)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, f"Error: {said}")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sender", "@turf.example"], "no message matches; --all lists 1 message in other states"),
        (["--state", "reviewed"], "no message matches; --all lists 1 message in other states"),
        (["--sender", "@other.example"], "no message matches"),
    ],
)
def test_a_list_without_messages_says_whether_conditions_are_why(
    quarantine: Path, config: Path, options: list[str], said: str
) -> None:
    assert turfctl(config, "list").stderr == "turfctl: the quarantine is empty\n"
    hold(quarantine, file="cur/{id}:2,P")
    assert turfctl(config, "list", *options).stderr == f"turfctl: {said}\n"


def test_the_list_as_json_has_all_that_is_known(quarantine: Path, config: Path) -> None:
    id = hold(quarantine)
    assert json.loads(turfctl(config, "list", "--json").stdout) == [
        {
            "id": id,
            "directory": str(quarantine),
            "held": "2026-03-01T12:30:05Z",
            "state": "unreviewed",
            "size": len(MESSAGE),
            "sender": "spam@turf.example",
            "authors": ["spam@turf.example"],
            "recipients": ["anna@example.org"],
            "client": "192.0.2.7",
            "name": "mail.turf.example",
            "rule": "turf",
            "entry": "@turf.example turf.table:12",
            "subject": "hello",
            "doubt": "",
        }
    ]


def test_what_is_left_out_is_said(quarantine: Path, config: Path) -> None:
    for _ in range(3):
        hold(quarantine)
    done = turfctl(config, "list", "--limit", "2")
    assert len(done.stdout.splitlines()) == 2 + 2 * 2
    assert done.stderr == "2 of 3; --limit 0 shows all\n"
    assert len(turfctl(config, "list", "--limit", "0").stdout.splitlines()) == 2 + 2 * 3


def test_messages_are_grouped(quarantine: Path, config: Path) -> None:
    for sender in ("a@x.example", "a@x.example", "b@x.example"):
        hold(quarantine, sender=sender)
    done = turfctl(config, "list", "--group-by", "sender", "--json")
    assert [(group["sender"], group["count"]) for group in json.loads(done.stdout)] == [
        ("a@x.example", 2),
        ("b@x.example", 1),
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ["--sender", "spam.example"],
            'Invalid value for \'--sender\': "spam.example": the "@" is missing; @spam.example',
        ),
        (["--client", "a@b"], "a mail address in a list of hosts; probably meant b"),
        (["--newer", "week"], '"week" is not a span of time; write a number with m, h, d or w, such as "30d"'),
        (["--older", "999999w"], "999999w is too long ago"),
        (["--larger", "10 meg"], '"10 meg" is not a size; write bytes as a number, or text such as "10 MiB"'),
        (["--directory", "/none"], "/none is not a quarantine in the configuration; choose from "),
    ],
)
def test_an_option_that_makes_no_sense_is_explained(config: Path, options: list[str], said: str) -> None:
    done = turfctl(config, "list", *options)
    assert done.returncode == 2
    assert said in done.stderr


def test_options_read_sizes_and_spans_as_the_configuration_does(config: Path, quarantine: Path) -> None:
    hold(quarantine, sender="a@x.example")
    options = ["--smaller", "10M", "--larger", "0KB", "--newer", "9999 w", "--older", "90m"]
    assert turfctl(config, "list", "--json", *options).returncode == 0


@pytest.mark.parametrize(
    "arguments", [["list"], ["show", "2q"], ["delete", "2q"], ["delete", "--rule", "turf", "--yes"]]
)
def test_nothing_found_is_1(config: Path, arguments: list[str]) -> None:
    done = turfctl(config, *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(("turfctl: no message ", "turfctl: the quarantine is empty"))


def test_a_broken_configuration_is_said_in_the_words_of_the_daemon(place: Path) -> None:
    config = place / "turfmilter.toml"
    config.write_text("dommains = []\n")
    done = turfctl(config, "list")
    assert done.returncode == 78
    assert done.stderr.startswith("turfctl: dommains: ")


@pytest.mark.parametrize(
    ("turf", "said"),
    [
        ("", "turfctl: no quarantine: the configuration has no [turf] directory\n"),
        ('[turf]\ndirectory = "/none"', "turfctl: quarantine /none: No such file or directory\n"),
    ],
)
def test_without_a_quarantine_it_is_78(place: Path, turf: str, said: str) -> None:
    config = place / "turfmilter.toml"
    config.write_text(f'user = "{USER}"\ndomains = ["example.org"]\n{turf}\n')
    done = turfctl(config, "list")
    assert (done.returncode, done.stderr) == (78, said)


def test_who_may_read_but_not_write_is_told_so(
    quarantine: Path, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    id = hold(quarantine)
    for path in (quarantine, *quarantine.iterdir(), quarantine / "new" / id):
        path.chmod(path.stat().st_mode & 0o777 | 0o055)

    def as_somebody_else() -> None:
        with pytest.raises(SystemExit, match=r"^1$"):
            main(["-c", str(config), "quarantine", "show", "--mark", id])

    in_child(as_somebody_else, user="daemon")
    seen = capfd.readouterr()
    assert "world" in seen.out
    assert seen.err == "turfctl: the ledger cannot be opened or written: Permission denied\n"


def test_who_has_seen_enough_is_told_nothing(quarantine: Path, config: Path) -> None:
    hold(quarantine, b"\r\n" + b"x\r\n" * 1_000_000)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command(config, "export", "--rule", "turf"), env=ENVIRONMENT, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


def test_the_longer_commands_of_earlier_versions_still_work(quarantine: Path, config: Path) -> None:
    hold(quarantine)
    short, long = turfctl(config, "list"), turfctl(config, "quarantine", "list")
    assert (short.returncode, short.stdout, short.stderr) == (long.returncode, long.stdout, long.stderr)
    assert "quarantine" not in turfctl(config, "--help").stdout.partition("Commands:")[2]
    assert turfctl(config, "quarantine", "show", "2q").returncode == 1


def test_help_needs_no_configuration(place: Path) -> None:
    assert turfctl(place / "none", "list", "--help").returncode == 0


def test_root_becomes_the_owner_and_whoever_is_not_root_needs_permission(
    quarantine: Path, config: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    hold(quarantine)
    assert turfctl(config, "list").returncode == 0
    index = (quarantine / ".index").stat()
    assert (pwd.getpwuid(index.st_uid).pw_name, index.st_mode & 0o777) == (USER, 0o600)
    assert turfctl(config, "list", user=USER).returncode == 0

    def as_somebody_else() -> None:
        with pytest.raises(SystemExit, match=r"^78$"):
            main(["-c", str(config), "quarantine", "list"])

    in_child(as_somebody_else, user="daemon")
    assert f"turfctl: quarantine {quarantine}: Permission denied\n" in capfd.readouterr().err


def test_a_message_is_shown_with_all_that_is_known(place: Path) -> None:
    (place / "turf.table").write_text("# a comment\n@turf.example\n")
    quarantine, config = reviewed(place, 'tables = ["file:turf.table"]')
    id = hold(quarantine, sender="spam@turf.example SIZE=2000", recipients=("a@x.example NOTIFY=NEVER", "b@x.example"))
    done = turfctl(config, "show", id[:9])
    assert done.stdout.splitlines() == [
        f"id         {id}",
        "state      unreviewed",
        "held       2026-03-01 12:30 UTC",
        "kept until 2026-03-31 12:30 UTC",
        f"in         {quarantine}",
        f"size       {len(MESSAGE)} bytes",
        "sender     spam@turf.example SIZE=2000",
        "recipient  a@x.example NOTIFY=NEVER",
        "recipient  b@x.example",
        "client     192.0.2.7",
        "name       mail.turf.example",
        "helo       turf",
        "queue id   4Xb1cD",
        "rule       turf",
        "entry      @turf.example turf.table:12 (still there, now at turf.table:2)",
        "",
        "From: Spam <spam@turf.example>",
        "Subject: hello",
        "",
        "world",
        "",
    ]


@pytest.mark.parametrize("options", [(), ("--raw",), ("--headers",), ("--json",)])
def test_to_look_at_a_message_changes_nothing_unless_it_is_to_be_marked(
    quarantine: Path, config: Path, options: tuple[str, ...]
) -> None:
    id = hold(quarantine)
    assert turfctl(config, "show", *options, id).returncode == 0
    assert names(quarantine) == [f"new/{id}"]
    assert not (quarantine / "ledger").exists()
    for _ in range(2):
        assert turfctl(config, "show", *options, "--mark", id).returncode == 0
        assert names(quarantine) == [f"cur/{id}:2,S"]
    lines = [json.loads(line) for line in (quarantine / "ledger").read_text().splitlines()]
    assert [(line["act"], line["stage"], line["note"]) for line in lines] == [
        ("review", "intent", ""),
        ("review", "outcome", "done"),
    ]


@pytest.mark.parametrize(
    ("table", "standing"),
    [
        ("\n" * 11 + "@turf.example", "still there"),
        ("@turf.example expires=2026-03-02", "expired on 2026-03-02"),
        ("@sub.turf.example", "no longer there"),
        ("", "no longer there"),
    ],
)
def test_it_is_said_whether_the_entry_still_stands(place: Path, table: str, standing: str) -> None:
    (place / "turf.table").write_text(table)
    quarantine, config = reviewed(place, 'tables = ["file:turf.table"]')
    shown = json.loads(turfctl(config, "show", hold(quarantine), "--json").stdout)
    assert shown["standing"] == standing


@pytest.mark.parametrize(
    ("old", "new", "doubt"),
    [
        (b"", b"", ""),
        (b"world", b"words", "the message was changed: its digest does not hold"),
        (b"anna@", b"eve@", "its block was changed: the seal does not hold"),
        (
            b"X-Quarantine-ID: ",
            b"X-",
            "its block is damaged: line 1 does not belong there; X-Quarantine-ID is missing",
        ),
        (
            b"X-Quarantine-Account: ",
            b"X-Quarantine-Account:",
            "its block is damaged: line 7, X-Quarantine-Account, is damaged",
        ),
        (b"X-Quarantine-", b"X-Somebody-", "put in by hand: it has no block of ours"),
    ],
)
def test_a_message_that_was_changed_is_shown_as_such(
    quarantine: Path, config: Path, old: bytes, new: bytes, doubt: str
) -> None:
    id = hold(quarantine)
    path = quarantine / "new" / id
    path.write_bytes(path.read_bytes().replace(old, new))
    assert json.loads(turfctl(config, "show", id, "--json").stdout)["doubt"] == doubt
    assert ("CAUTION" in turfctl(config, "show", id).stdout) is bool(doubt)


@pytest.mark.parametrize("options", [[], ["--headers"], ["--raw"], ["--json"]])
def test_a_terminal_is_shown_nothing_that_it_would_obey(quarantine: Path, config: Path, options: list[str]) -> None:
    id = hold(quarantine, NASTY, helo="\x1b[31m")
    (quarantine / "new" / "by-hand\x1b[31m\n").write_bytes(NASTY)
    seen, status = on_terminal(config, "show", id, *options)
    assert status == 0
    assert set(seen) <= {"\r", "\n", *map(chr, range(32, 127))}
    assert "1b" in seen and "202e" in seen
    seen, _ = on_terminal(config, "list")
    assert {char for char in seen if not char.isprintable()} == {"\r", "\n"}


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\r\n",
        b"no header and no body",
        b"X: " + b"x" * 10_000_000 + b"\r\n\r\nhello",
        b"Subject: " + b"=?utf-8?q?=E2=80=AE?= " * 100_000 + b"\r\n\r\nhello",
        b"From: " + b"(" * 100_000 + b"\r\n\r\nhello",
        b"From: " + b"a@b.example, " * 100_000 + b"\r\n\r\nhello",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 100_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(1000)),
        b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"-" * 100_000,
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 100_000,
        b"Subject: \x00\r\n\r\n" + bytes(range(256)) * 1000,
    ],
    ids=lambda message: ascii(message[:30]),
)
def test_a_hostile_message_is_listed_and_shown(quarantine: Path, config: Path, message: bytes) -> None:
    id = hold(quarantine, message)
    for arguments in (["list"], ["show", id], ["show", id, "--headers"], ["show", id, "--json"], ["export", id]):
        assert turfctl(config, *arguments, errors="replace").returncode == 0


def test_raw_is_the_message_byte_for_byte(quarantine: Path, config: Path) -> None:
    id = hold(quarantine, NASTY)
    done = subprocess.run(command(config, "show", id, "--raw"), env=ENVIRONMENT, capture_output=True, check=True)
    assert done.stdout == NASTY


def test_a_locale_without_letters_is_no_reason_to_fail(quarantine: Path, config: Path) -> None:
    hold(quarantine, "Subject: äöü €\r\n\r\n".encode())
    environment = ENVIRONMENT | {"PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command(config, "list"), env=environment, capture_output=True, check=True)
    assert "äöü \\u20ac".encode("latin-1") in done.stdout


def test_a_link_is_shown_as_what_it_is_and_not_followed(quarantine: Path, config: Path) -> None:
    (quarantine / "new" / "linked").symlink_to("/etc/passwd")
    done = turfctl(config, "show", "linked")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "turfctl: a symbolic link, not a message\n"


def test_an_id_that_several_have_says_which(quarantine: Path, config: Path) -> None:
    ids = sorted(hold(quarantine) for _ in range(2))
    done = turfctl(config, "show", ids[0][:6])
    assert done.returncode == 1
    assert done.stderr == f'turfctl: several messages have an id like "{ids[0][:6]}": {ids[0]}, {ids[1]}\n'


def test_an_id_that_is_there_twice_is_named_by_its_files(quarantine: Path, config: Path) -> None:
    id = hold(quarantine)
    (quarantine / "cur" / f"{id}:2,S").write_bytes(b"another")
    done = turfctl(config, "show", id)
    assert done.stderr == f'turfctl: several messages have an id like "{id}": cur/{id}:2,S, new/{id}\n'


def written(quarantine: Path, id: str, *stages: tuple[str, dict[str, str]]) -> None:
    """What a release writes into the ledger: for each stage, to whom and what the MTA said."""
    for stage, replies in stages:
        said = tuple(filter(None, replies.values()))
        with (quarantine / "ledger").open("a") as ledger:
            line = Line("2026-03-02T09:00:00Z", "ada", 1000, "pts/1", "release", stage, id, "a1", tuple(replies), said)
            ledger.write(json.dumps(asdict(line)) + "\n")
    give(quarantine / "ledger")


TO_BOTH = ("anna@example.org NOTIFY=NEVER", "ben@example.org")
INTENT = ("intent", {"anna@example.org": "", "ben@example.org": ""})


@pytest.mark.parametrize(
    ("stages", "state"),
    [
        ([INTENT], "unknown"),
        ([INTENT, ("outcome", {"anna@example.org": "250 ok", "ben@example.org": "550 no"})], "partly released"),
        ([INTENT, ("outcome", {"anna@example.org": "450 no", "ben@example.org": "550 no"})], "reviewed"),
    ],
)
def test_what_a_release_left_behind_is_seen_in_the_list(
    quarantine: Path, config: Path, stages: list[tuple[str, dict[str, str]]], state: str
) -> None:
    other = hold(quarantine)
    id = hold(quarantine, recipients=TO_BOTH, file="cur/{id}:2,S")
    written(quarantine, id, *stages)
    listed = {row["id"]: row["state"] for row in json.loads(turfctl(config, "list", "--json").stdout)}
    assert listed == {other: "unreviewed", id: state}
    assert state in turfctl(config, "list").stderr
    for spelled in (state, state.replace(" ", "-")):
        done = turfctl(config, "list", "--json", "--state", spelled)
        assert [row["id"] for row in json.loads(done.stdout)] == [id]
        assert f"1  {state}"[:1] in turfctl(config, "list", "--group-by", "sender", "--state", spelled).stdout
    assert turfctl(config, "list", "--state", "released").returncode == 1


def test_a_released_message_that_may_have_been_sent_again_is_open(quarantine: Path, config: Path) -> None:
    """Marked by a mail program, or released again with --force; then the next hop did not answer."""
    hold(quarantine, file="cur/{id}:2,PS")
    id = hold(quarantine, recipients=TO_BOTH, file="cur/{id}:2,PS", sender="news@turf.example")
    written(quarantine, id, INTENT)
    for options in ([], ["--state", "unknown"], ["--sender", "@turf.example"]):
        listed = json.loads(turfctl(config, "list", "--json", *options).stdout)
        assert [(row["id"], row["state"]) for row in listed] == [(id, "unknown")]
    assert turfctl(config, "list", "--sender", "@other.example").returncode == 1


def test_a_message_is_shown_with_what_became_of_it_for_each_recipient(quarantine: Path, config: Path) -> None:
    id = hold(quarantine, recipients=TO_BOTH, file="cur/{id}:2,S")
    written(quarantine, id, INTENT, ("outcome", {"anna@example.org": "250 ok", "ben@example.org": "550 no"}))
    shown = turfctl(config, "show", id).stdout.splitlines()
    assert [line for line in shown if line.startswith(("state", "recipient", "ledger"))] == [
        "state      partly released",
        "recipient  anna@example.org NOTIFY=NEVER (released)",
        "recipient  ben@example.org (refused)",
        f"ledger     2026-03-02 09:00 UTC release {id} (intent) by ada (uid 1000) from pts/1;"
        " <anna@example.org>; <ben@example.org>",
        f"ledger     2026-03-02 09:00 UTC release {id} (outcome) by ada (uid 1000) from pts/1;"
        " <anna@example.org> 250 ok; <ben@example.org> 550 no",
    ]
    known = json.loads(turfctl(config, "show", id, "--json").stdout)
    assert known["releases"] == {"anna@example.org": "released", "ben@example.org": "refused"}
    assert [line["stage"] for line in known["ledger"]] == ["intent", "outcome"]


def test_a_ledger_that_cannot_be_read_is_no_reason_to_show_nothing(quarantine: Path, config: Path) -> None:
    id = hold(quarantine)
    os.mkfifo(quarantine / "ledger")
    done = turfctl(config, "list")
    assert id in done.stdout
    assert done.stderr.startswith("turfctl: warning: the ledger is not a file of its own")


def test_a_message_is_deleted_and_can_be_had_back(quarantine: Path, config: Path) -> None:
    id = hold(quarantine, file="new/{id}")
    assert turfctl(config, "delete", id).stderr == f"1 message deleted; undo it with: turfctl undelete {id}\n"
    assert names(quarantine) == [f"cur/{id}:2,T"]
    assert turfctl(config, "list").returncode == 1
    assert id in turfctl(config, "list", "--state", "deleted").stdout
    assert turfctl(config, "undelete", id[:10]).stderr == f"1 message restored; undo it with: turfctl delete {id}\n"
    assert names(quarantine) == [f"cur/{id}:2,"]


def test_a_selection_is_deleted_as_a_whole_and_nothing_else(quarantine: Path, config: Path) -> None:
    spam = sorted(hold(quarantine, sender="a@spam.example") for _ in range(3))
    other = hold(quarantine)
    done = turfctl(config, "delete", "--sender", "@spam.example", "--yes")
    said, _, undo = done.stderr.partition("; undo it with: turfctl undelete ")
    assert (done.returncode, said, sorted(undo.split())) == (0, "3 messages deleted", spam)
    assert names(quarantine) == sorted([f"new/{other}", *(f"cur/{id}:2,T" for id in spam)])
    assert turfctl(config, "undelete", "--sender", "@spam.example", "--yes").stderr.startswith("3 messages restored")


def test_a_dry_run_changes_nothing(quarantine: Path, config: Path) -> None:
    id = hold(quarantine)
    done = turfctl(config, "delete", "--rule", "turf", "--dry-run")
    assert (done.returncode, done.stderr) == (0, "1 message would be deleted\n")
    assert done.stdout == turfctl(config, "list").stdout
    assert names(quarantine) == [f"new/{id}"]


@pytest.mark.parametrize(("answer", "status", "part"), [("y\n", 0, "cur"), ("n\n", 1, "new"), ("\n", 1, "new")])
def test_a_person_is_asked_first(quarantine: Path, config: Path, answer: str, status: int, part: str) -> None:
    for _ in range(2):
        hold(quarantine)
    seen, left = on_terminal(config, "delete", "--rule", "turf", answer=answer)
    assert "2 messages will be deleted. Go on? [y/N]" in seen
    assert all(name.partition("/")[2].partition(":")[0] in seen for name in names(quarantine))
    assert ("nothing was changed\r\n" in seen, left) == (status == 1, status)
    assert {name.partition("/")[0] for name in names(quarantine)} == {part}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name messages by their ids, or select them by conditions"),
        (["2q", "--rule", "turf"], "name messages by their ids, or select them by conditions"),
        (["--rule", "turf"], "2 messages will be deleted, but there is no terminal to ask for confirmation; use --yes"),
    ],
)
def test_what_is_not_said_clearly_is_not_done(
    quarantine: Path, config: Path, arguments: Sequence[str], said: str
) -> None:
    ids = [hold(quarantine) for _ in range(2)]
    done = turfctl(config, "delete", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert names(quarantine) == sorted(f"new/{id}" for id in ids)


def test_one_wrong_id_of_several_stops_all(quarantine: Path, config: Path) -> None:
    id = hold(quarantine)
    done = turfctl(config, "delete", id, "none", "neither", "--yes")
    assert done.returncode == 1
    assert done.stderr == 'turfctl: no message has the id "none"\nturfctl: no message has the id "neither"\n'
    assert names(quarantine) == [f"new/{id}"]


def test_an_export_is_an_mbox_that_python_reads(quarantine: Path, config: Path, place: Path) -> None:
    hold(quarantine, b"Subject: one\r\n\r\nFrom here\r\n>From there\r\nlast", sender="", time=TIME)
    hold(quarantine, b"Subject: two\r\n\r\n\r\n", sender='"a b"@x.example SIZE=1', time=TIME + timedelta(days=1))
    done = turfctl(config, "export", "--rule", "turf")
    assert (done.returncode, done.stderr) == (0, "2 messages exported\n")
    (place / "mbox").write_text(done.stdout)
    two, one = mailbox.mbox(place / "mbox")
    assert [two.get_from(), one.get_from()] == [
        '"a_b"@x.example Mon Mar  2 12:30:05 2026',
        "MAILER-DAEMON Sun Mar  1 12:30:05 2026",
    ]
    assert one.get_payload() == ">From here\n>>From there\nlast\n"
    assert names(quarantine)[0].startswith("new/")


def test_an_export_is_not_for_a_terminal(quarantine: Path, config: Path) -> None:
    hold(quarantine)
    seen, status = on_terminal(config, "export", "--rule", "turf")
    assert status == 2
    assert "an mbox could harm a terminal" in seen


def test_the_statistics_have_a_bar_for_each_day_and_the_busiest_entries(quarantine: Path, config: Path) -> None:
    now = datetime.now(UTC)
    for days in (0, 0, 1, 400):
        hold(quarantine, time=now - timedelta(days=days))
    lines = turfctl(config, "stats", "--days", "3").stdout.splitlines()
    bars = {line.split()[0]: line.count("█") for line in lines[:3]}
    today, yesterday, before = ((now - timedelta(days=days)).date().isoformat() for days in range(3))
    assert bars[before] == 0 < bars[yesterday] < bars[today]
    assert any(line.split() == ["4", *line.split()[1:-1], "@turf.example"] for line in lines)
    stats = json.loads(turfctl(config, "stats", "--days", "3", "--json").stdout)
    assert stats["days"] == {before: 0, yesterday: 1, today: 2}
    assert stats["total"] == 4


def test_statistics_count_the_days_of_this_host_and_json_those_of_utc(quarantine: Path, config: Path) -> None:
    noon = datetime.now(UTC).replace(hour=12, minute=0) - timedelta(days=2)
    hold(quarantine, time=noon)
    for zone, hours in (("East-14", 14), ("West+12", -12), ("Nepal-5:45", 5.75), ("Nowhere0", 0)):
        day = (noon + timedelta(hours=hours)).date()
        seen = subprocess.run(
            command(config, "stats", "--days", "4"),
            env=ENVIRONMENT | {"TZ": zone},
            capture_output=True,
            text=True,
            check=True,
        )
        assert [line.split()[0] for line in seen.stdout.splitlines() if "█" in line] == [f"{day}"], zone
    days = json.loads(turfctl(config, "stats", "--json").stdout)["days"]
    assert {day: number for day, number in days.items() if number} == {f"{noon.date()}": 1}


def test_statistics_of_nothing_are_empty(config: Path) -> None:
    assert turfctl(config, "stats").stdout.endswith("0 held in all\n")


def test_every_listeners_quarantine_is_reviewed_and_one_can_be_chosen(place: Path) -> None:
    second = make_quarantine(place / "second")
    more = f'[listener.mx]\nport = 25\n[listener.mx.turf]\ndirectory = "{second}"'
    first, config = reviewed(place, more=more)
    here, there = hold(first, time=TIME), hold(second, time=TIME + timedelta(hours=1))

    def ids(*options: str) -> list[str]:
        return [message["id"] for message in json.loads(turfctl(config, "list", "--json", *options).stdout)]

    assert ids() == [there, here]
    assert ids("--limit", "1") == [there]
    assert ids("--directory", str(first)) == [here]
    assert turfctl(config, "delete", here, there, "--yes").returncode == 0
    assert names(first) + names(second) == [f"cur/{here}:2,T", f"cur/{there}:2,T"]
