"""turfctl review on a real terminal: thirty messages, each key, and what others do meanwhile."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from rig import reviewer
from rig.golden import Golden
from rig.nexthop import ScriptedNextHop
from rig.program import ENVIRONMENT
from rig.quarantine import hold, reviewed, turfctl
from rig.reviewer import KEYS, letters
from rig.terminal import Terminal

Open = Callable[..., Terminal]


@pytest.fixture
def hop() -> Iterator[ScriptedNextHop]:
    with ScriptedNextHop() as running:
        yield running


@pytest.fixture
def config(place: Path, hop: ScriptedNextHop) -> Path:
    (place / "turf.table").write_text("@turf.example\n")
    return reviewed(place, 'tables = ["file:turf.table"]', more=f"[release]\nport = {hop.port}\n")[1]


@pytest.fixture
def quarantine(config: Path) -> Path:
    return config.parent / "quarantine"


@pytest.fixture
def review(config: Path) -> Iterator[Open]:
    """Starts `turfctl review` on a terminal."""
    with ExitStack() as open_ones:
        yield lambda *arguments: open_ones.enter_context(reviewer.review(config, *arguments))


def acts(quarantine: Path) -> list[tuple[str, str]]:
    """What was done to which message, according to the ledger."""
    lines = map(json.loads, (quarantine / "ledger").read_text().splitlines())
    return [(line["act"], line["id"]) for line in lines if line["stage"] == "outcome"]


def states(config: Path) -> dict[str, str]:
    """The state of each message that exists."""
    every = [f"--state={state}" for state in ("unreviewed", "reviewed", "released", "deleted")]
    rows = json.loads(turfctl(config, "list", "--json", "--limit", "0", *every).stdout)
    return {row["id"]: row["state"] for row in rows}


def test_thirty_messages_are_reviewed(review: Open, config: Path, quarantine: Path, hop: ScriptedNextHop) -> None:
    ids = letters(quarantine, 30)
    terminal = review()
    terminal.shows("Message 1 of 30", "letter 1\n", KEYS)
    for number in range(0, 30, 3):
        left = 30 - 2 * (number // 3)
        place = number // 3 + 1
        terminal.press("r", f"Message {place} of {left - 1}", ids[number + 1], "250 2.0.0 Ok", KEYS)
        if left > 2:
            terminal.press("d", f"Message {place} of {left - 2}", ids[number + 2], f"{ids[number + 1]}: deleted", KEYS)
            terminal.press("m", ids[min(number + 3, 29)], f"{ids[number + 2]}: marked reviewed", KEYS)
    terminal.type("q")
    assert terminal.ends() == 0
    assert terminal.screen.endswith("\n10 released, 10 deleted, 10 marked reviewed; 10 messages left\n")
    assert states(config) == {id: ("released", "deleted", "reviewed")[number % 3] for number, id in enumerate(ids)}
    assert len(hop.messages) == 10
    assert len(acts(quarantine)) == 30


def test_the_screens_of_a_review(review: Open, quarantine: Path, golden: Golden) -> None:
    _, id = letters(quarantine, 2, sender="bounce@turf.example", recipients=("anna@example.org", "bob@example.org"))
    terminal = review()
    terminal.shows(KEYS)
    second = terminal.press("n", id, KEYS)
    assert (second.count("\n"), max(map(len, second.splitlines())) < 80) == (23, True)
    golden("review", second, {id: "ID-NUMBER-ONE"})
    golden("review", terminal.press("?", "any key goes back"))


def test_the_arrows_go_on_and_back(review: Open, quarantine: Path) -> None:
    first, second = letters(quarantine, 2)
    terminal = review()
    terminal.shows(first, KEYS)
    for key, id in [("\x1b[B", second), ("\x1b[A", first), ("\x1bOC", second), ("\x1b[D", first), ("n", second)]:
        terminal.press(key, id, KEYS)
    terminal.press("n", second, "this is the last message", KEYS)
    terminal.press("p", first, KEYS)
    terminal.press("p", first, "this is the first message", KEYS)


@pytest.mark.parametrize("key", ["x", "\x1b", "\x1b[5~", "\x1b[200~", "é", "\x00", "D"])
def test_other_keys_do_nothing(review: Open, config: Path, quarantine: Path, key: str) -> None:
    (id,) = letters(quarantine, 1)
    terminal = review()
    terminal.shows(id, KEYS)
    terminal.press(key, id, "no such key; ? explains the keys", KEYS)
    assert states(config) == {id: "unreviewed"}


def test_the_conditions_are_those_of_the_list(review: Open, quarantine: Path) -> None:
    letters(quarantine, 1)
    (wanted,) = letters(quarantine, 1, sender="news@isp.example")
    review("--sender", "@isp.example").shows("Message 1 of 1", wanted, KEYS)
    terminal = review("--sender", "@other.example")
    assert terminal.ends() == 1
    assert terminal.text == "turfctl: no message matches\n"


def test_each_act_that_can_be_undone_is_undone(review: Open, config: Path, quarantine: Path) -> None:
    first, second = letters(quarantine, 2)
    terminal = review()
    terminal.shows(first, KEYS)
    terminal.press("u", "nothing to undo", KEYS)
    terminal.press("d", second, f"{first}: deleted", KEYS)
    assert states(config)[first] == "deleted"
    terminal.press("u", first, f"{first}: no longer deleted", "unreviewed", KEYS)
    terminal.press("m", second, f"{first}: marked reviewed", KEYS)
    assert states(config)[first] == "reviewed"
    terminal.press("u", first, f"{first}: no longer marked reviewed", "unreviewed", KEYS)
    assert states(config) == {first: "unreviewed", second: "unreviewed"}
    assert acts(quarantine) == [(act, first) for act in ("delete", "undelete", "review", "unreview")]
    terminal.press("r", second, f"{first}: released", KEYS)
    terminal.press("u", f"{first} was released: that cannot be undone", KEYS)


def test_the_last_decision_can_be_undone_too(review: Open, quarantine: Path) -> None:
    (id,) = letters(quarantine, 1)
    terminal = review()
    terminal.shows(id, KEYS)
    terminal.press("d", "No message is left.", f"{id}: deleted", KEYS)
    terminal.press("n", "No message is left.", "this is the last message", KEYS)
    terminal.press("r", "No message is left.", KEYS)
    terminal.press("u", "Message 1 of 1", id, KEYS)
    terminal.type("q")
    assert terminal.ends() == 0
    assert terminal.screen.endswith("\nnothing was changed; 1 message left\n")


def test_a_sender_is_allowed_in_the_same_step(review: Open, config: Path, quarantine: Path) -> None:
    first, second = letters(quarantine, 2)
    terminal = review("--for", "3d")
    terminal.shows(first, KEYS)
    terminal.press("a", second, f"{first}: released", "!spam@turf.example turf.table:2: added", KEYS)
    table = (config.parent / "turf.table").read_text()
    assert re.search(rf"(?m)^!spam@turf.example expires=\S+ why=\"released {first}\"", table)
    terminal.press("a", "No message is left.", f"{second}: released", KEYS)
    assert table == (config.parent / "turf.table").read_text()


def test_without_a_table_to_edit_nothing_is_released_by_that_key(
    review: Open, config: Path, quarantine: Path, hop: ScriptedNextHop
) -> None:
    config.write_text(config.read_text().replace("file:turf.table", "@turf.example"))
    (id,) = letters(quarantine, 1)
    terminal = review()
    terminal.shows(id, KEYS)
    terminal.press("a", id, "not released, as no exception can be added:", "no file to edit; set", KEYS)
    assert hop.messages == []


def test_a_release_that_fails_is_shown_in_the_words_of_the_mta(
    review: Open, config: Path, quarantine: Path, place: Path
) -> None:
    (id,) = letters(quarantine, 1)
    with ScriptedNextHop({"RCPT": "450 4.2.0 later\x1b[2J"}) as busy:
        reviewed(place, 'tables = ["file:turf.table"]', more=f"[release]\nport = {busy.port}\n")
        terminal = review()
        terminal.shows(id, KEYS)
        screen = terminal.press("r", "Message 1 of 1", id, "450 4.2.0 later\\x1b[2J", KEYS)
        assert "REJECTED" in screen
    screen = terminal.press("r", "Message 1 of 1", id, "Connection refused", KEYS)
    assert "nothing was sent" in screen
    assert states(config) == {id: "unreviewed"}


def test_a_message_released_to_some_stays(review: Open, config: Path, quarantine: Path, place: Path) -> None:
    (id,) = letters(quarantine, 1, recipients=("anna@example.org", "bob@example.org"))
    with ScriptedNextHop({"RCPT TO:<bob": "550 5.1.1 no bob"}) as half:
        reviewed(place, 'tables = ["file:turf.table"]', more=f"[release]\nport = {half.port}\n")
        terminal = review()
        terminal.shows(id, KEYS)
        terminal.press(
            "r", "Message 1 of 1", "partly released", "anna@example.org (released)", "550 5.1.1 no bob", KEYS
        )
    assert states(config) == {id: "partly released"}


@pytest.mark.parametrize("key", ["r", "d", "m"])
def test_a_message_that_someone_else_releases_or_removes_is_skipped(
    review: Open, config: Path, quarantine: Path, key: str
) -> None:
    first, second, third, last = letters(quarantine, 4)
    terminal = review()
    terminal.shows(first, KEYS)
    assert turfctl(config, "release", "--yes", first).returncode == 0
    (quarantine / "new" / second).unlink()
    terminal.press(
        "p", "Message 1 of 2", third, f"{first}: skipped: someone else has released it", f"{second}: skipped", KEYS
    )
    assert turfctl(config, "delete", "--yes", third).returncode == 0
    terminal.press(key, "Message 1 of 1", last, f"{third}: skipped: someone else has deleted it", KEYS)
    assert states(config) == {first: "released", third: "deleted", last: "unreviewed"}


def test_what_changed_since_it_was_shown_is_not_acted_on_at_once(review: Open, config: Path, quarantine: Path) -> None:
    (id,) = letters(quarantine, 1)
    terminal = review()
    terminal.shows(id, KEYS)
    turfctl(config, "show", "--mark", id)
    terminal.press("d", "reviewed", "not done: the message has just changed", KEYS)
    assert states(config) == {id: "reviewed"}
    terminal.press("d", "No message is left.", KEYS)


def test_the_undo_of_a_message_that_is_gone_is_said(review: Open, quarantine: Path) -> None:
    (id,) = letters(quarantine, 1)
    terminal = review()
    terminal.shows(id, KEYS)
    terminal.press("d", "No message is left.", KEYS)
    next((quarantine / "cur").iterdir()).unlink()
    terminal.press("u", f"{id}: cannot be undone: it was removed", KEYS)


def test_keys_typed_during_a_release_are_not_for_the_next_message(
    review: Open, config: Path, quarantine: Path, hop: ScriptedNextHop
) -> None:
    first, second = letters(quarantine, 2)
    terminal = review()
    terminal.shows(first, KEYS)
    terminal.press("rrrrdddd", second, f"{first}: released", KEYS)
    terminal.press("?", "any key goes back")
    assert states(config) == {first: "released", second: "unreviewed"}
    assert len(hop.messages) == 1


def test_the_whole_message_is_shown(review: Open, quarantine: Path) -> None:
    (id,) = letters(quarantine, 1)
    terminal = review()
    terminal.shows(id, KEYS)
    terminal.type("v")
    terminal.shows("queue id", "Its text.", "(any key goes back)")
    terminal.press("q", id, KEYS)
    assert terminal.process.poll() is None


def test_what_a_sender_wrote_does_not_control_the_terminal(review: Open, quarantine: Path) -> None:
    header = b"From: a\x1b]0;x\x07@b\r\nSubject: \x1b[2J =?utf-8?q?=1b[H=E2=80=AE?=\r\n"
    nasty = header + b"\r\ntext \x1b[31m \x9b \xe2\x80\xae\r\n"
    hold(quarantine, nasty, sender='"\x1b[H\x1b[2J"@turf.example', recipients=("\x07@example.org",))
    terminal = review()
    screen = terminal.shows("text", KEYS)
    assert all(line.isprintable() for line in screen.split("\n")), ascii(screen)
    assert screen.count("\n") == 23


def test_a_file_that_is_no_message_is_said_and_stays(review: Open, quarantine: Path) -> None:
    id = hold(quarantine)
    (quarantine / "new" / id).write_bytes(b"no block\r\n\r\nat all\r\n")
    terminal = review()
    terminal.shows("CAUTION", "put in by hand", KEYS)
    terminal.press("r", "; its recipients are\nunknown", id, KEYS)


def test_trouble_with_a_message_is_shown_and_the_review_goes_on(review: Open, quarantine: Path) -> None:
    first, second, third = letters(quarantine, 3)
    terminal = review()
    terminal.shows(first, KEYS)
    (quarantine / "new").chmod(0)
    for key in "dmrv":
        terminal.press(key, "Message 1 of 3", "CAUTION", "Permission denied", KEYS)
    terminal.press("d", "not done: the message cannot be read", KEYS)
    terminal.press("n", "Message 2 of 3", "Permission denied", KEYS)
    (quarantine / "new").chmod(0o750)
    terminal.press("n", "Message 3 of 3", third, KEYS)
    terminal.press("d", "Message 2 of 2", second, f"{third}: deleted", KEYS)


def test_the_configuration_is_not_read_again_to_show_a_message(review: Open, config: Path, quarantine: Path) -> None:
    (id,) = letters(quarantine, 1)
    terminal = review()
    terminal.shows(id, KEYS)
    config.unlink()
    terminal.type("v")
    terminal.shows("queue id", "Its text.", "(any key goes back)")
    terminal.press(" ", id, KEYS)


def test_without_a_terminal_it_is_a_usage_error(config: Path, quarantine: Path) -> None:
    letters(quarantine, 1)
    done = subprocess.run(
        reviewer.reviewing(config),
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.endswith(
        "Error: review reads keys from a terminal; without one, use list, show, release and delete\n"
    )
