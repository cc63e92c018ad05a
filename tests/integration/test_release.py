"""Releasing a held message: what is sent, to whom, how often, and what the ledger says of it."""

from __future__ import annotations

import fcntl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rig.desk import MESSAGE, SLIP, Desk
from rig.nexthop import CLOSE, ScriptedNextHop
from turfmilter.core.address.addressed import Addressed, addressed
from turfmilter.review.release import NotReleased, Uncertain
from turfmilter.stores.opened import HeldFile


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path / "quarantine")
    with desk.maildir:
        yield desk


def test_sender_held_recipients_parameters_and_bytes_are_the_original_ones(desk: Desk) -> None:
    with ScriptedNextHop() as hop:
        released = desk.release(hop)
    assert hop.commands[1:4] == [
        f"MAIL FROM:<anna@out.test> BODY=8BITMIME SIZE={len(MESSAGE)}",
        "RCPT TO:<bob@rig.test> NOTIFY=NEVER",
        "RCPT TO:<carol@rig.test>",
    ]
    assert hop.messages == [MESSAGE.replace(b"\r\n.dot", b"\r\n..dot")]
    assert released.complete
    assert desk.files() == [f"cur/{desk.file.id}:2,PS"]


def test_the_ledger_has_an_intent_before_and_an_outcome_after_and_syslog_the_same(desk: Desk) -> None:
    with ScriptedNextHop() as hop:
        desk.release(hop)
    intent, outcome = desk.lines()
    assert (intent.stage, intent.recipients, intent.replies) == ("intent", ("bob@rig.test", "carol@rig.test"), ())
    assert (outcome.stage, outcome.recipients) == ("outcome", intent.recipients)
    assert set(outcome.replies) == {"250 2.0.0 Ok: queued as 4711"}
    for line in (intent, outcome):
        assert (line.act, line.id, line.attempt) == ("release", desk.file.id, intent.attempt)
        assert (line.who, line.uid, line.origin, line.time) == ("ada", 1000, "pts/0", "2026-11-22T10:00:00Z")
    assert [desk.file.id in said for said in desk.syslog.lines] == [True, True]


def test_a_second_release_is_refused_unless_forced(desk: Desk) -> None:
    with ScriptedNextHop() as hop:
        desk.release(hop)
        with pytest.raises(NotReleased, match="released already"):
            desk.release(hop)
        assert len(hop.messages) == 1
        desk.release(hop, force=True)
        assert len(hop.messages) == 2


def mark_taken_off(desk: Desk) -> None:
    desk.maildir.change(desk.maildir.again(desk.file), remove="P")


def ledger_taken_away(desk: Desk) -> None:
    (desk.path / "ledger").unlink()


def outcome_cut_off(desk: Desk) -> None:
    mark_taken_off(desk)
    ledger = desk.path / "ledger"
    ledger.write_bytes(ledger.read_bytes().splitlines(keepends=True)[0])


def a_copy_under_its_name(desk: Desk) -> None:
    """As it was held, put in again without a flag."""
    file = desk.maildir.again(desk.file)
    path = desk.path / file.part / file.name
    (desk.path / "new" / file.id).write_bytes(path.read_bytes())
    path.unlink()


@pytest.mark.parametrize("hide", [mark_taken_off, ledger_taken_away, outcome_cut_off, a_copy_under_its_name])
def test_a_release_is_not_forgotten_because_one_trace_of_it_is_gone(desk: Desk, hide: Callable[[Desk], None]) -> None:
    with ScriptedNextHop() as hop:
        desk.release(hop)
        hide(desk)
        with pytest.raises(NotReleased):
            desk.release(hop)
        assert len(hop.messages) == 1


def test_a_line_that_somebody_wrote_into_the_ledger_sends_nothing_and_adds_nobody(desk: Desk) -> None:
    forged = ("mallory@x.test", "carol@rig.test")
    desk.recorder.note("release", "intent", desk.file.id, attempt="0", recipients=forged)
    with ScriptedNextHop() as hop:
        with pytest.raises(NotReleased, match="MTA's log"):
            desk.release(hop)
        with pytest.raises(NotReleased, match="not held from mallory"):
            desk.release(hop, "mallory@x.test", force=True)
        desk.release(hop, force=True)
    assert [command for command in hop.commands if "mallory" in command] == []


HOSTILE = ('"a\\nb", "id": "x"@rig.test', '"{}[]<>"@rig.test', "caf\udce9@rig.test", "\u202ebob@rig.test")


def test_no_recipient_can_forge_a_line(desk: Desk) -> None:
    file = desk.hold(replace(SLIP, recipients=tuple(map(Addressed, HOSTILE))))
    with ScriptedNextHop() as hop:
        desk.release(hop, file=file)
    intent, outcome = desk.lines()
    assert intent.recipients == outcome.recipients == HOSTILE
    assert (desk.path / "ledger").read_bytes().count(b"\n") == 2
    assert all(said.isascii() and said.isprintable() for said in desk.syslog.lines)


def test_what_a_mail_program_marked_as_passed_on_counts_as_released(desk: Desk) -> None:
    desk.maildir.change(desk.file, add="P")
    with ScriptedNextHop() as hop, pytest.raises(NotReleased, match="released already"):
        desk.release(hop)


def test_a_partial_success_stays_one_and_the_rest_can_follow(desk: Desk) -> None:
    with ScriptedNextHop({"RCPT TO:<carol@": "450 4.2.0 later"}) as hop:
        released = desk.release(hop)
    assert released.replies == {"bob@rig.test": "250 2.0.0 Ok: queued as 4711", "carol@rig.test": "450 4.2.0 later"}
    assert not released.complete
    assert desk.files() == [f"cur/{desk.file.id}:2,S"]
    with ScriptedNextHop() as hop:
        assert desk.release(hop).complete
    assert [command for command in hop.commands if command.startswith("RCPT")] == ["RCPT TO:<carol@rig.test>"]
    assert desk.files() == [f"cur/{desk.file.id}:2,PS"]


def test_one_can_choose_among_the_held_recipients(desk: Desk) -> None:
    with ScriptedNextHop() as hop:
        assert not desk.release(hop, "carol@rig.test").complete
        with pytest.raises(NotReleased, match=r"released already to carol@rig\.test"):
            desk.release(hop, "carol@rig.test")
        assert desk.release(hop).complete
    rcpts = [command for command in hop.commands if command.startswith("RCPT")]
    assert rcpts == ["RCPT TO:<carol@rig.test>", "RCPT TO:<bob@rig.test> NOTIFY=NEVER"]


def test_a_recipient_that_is_chosen_twice_gets_one_message(desk: Desk) -> None:
    with ScriptedNextHop() as hop:
        desk.release(hop, "carol@rig.test", "<carol@rig.test>", "carol@rig.test")
    assert [command for command in hop.commands if command.startswith("RCPT")] == ["RCPT TO:<carol@rig.test>"]


@pytest.mark.parametrize("stranger", ["everybody@elsewhere.test", "bob@rig.test NOTIFY=NEVER", ""])
def test_nobody_else_can_be_chosen(desk: Desk, stranger: str) -> None:
    with ScriptedNextHop() as hop:
        with pytest.raises(NotReleased, match="not held from"):
            desk.release(hop, stranger, force=True)
        assert hop.commands == []


@pytest.mark.parametrize("broken", [{".": CLOSE}])
def test_an_answer_that_never_came_leaves_it_unknown_until_somebody_insists(desk: Desk, broken: dict[str, str]) -> None:
    with ScriptedNextHop(broken) as hop, pytest.raises(Uncertain, match="MTA's log"):
        desk.release(hop)
    assert [line.stage for line in desk.lines()] == ["intent"]
    with ScriptedNextHop() as hop:
        with pytest.raises(NotReleased, match="MTA's log"):
            desk.release(hop)
        assert hop.messages == []
        assert desk.release(hop, force=True).complete


@pytest.mark.parametrize("replies", [{"MAIL": "550 5.1.0 no"}, {"RCPT": CLOSE}, {"": "421 4.3.2 busy"}])
def test_what_went_wrong_before_the_message_can_simply_be_tried_again(desk: Desk, replies: dict[str, str]) -> None:
    with ScriptedNextHop(replies) as hop, pytest.raises(NotReleased, match="nothing was sent"):
        desk.release(hop)
    with ScriptedNextHop() as hop:
        assert desk.release(hop).complete


def test_a_message_that_the_next_hop_refused_can_be_tried_again(desk: Desk) -> None:
    with ScriptedNextHop({".": "550 5.7.1 spam"}) as hop:
        assert set(desk.release(hop).replies.values()) == {"550 5.7.1 spam"}
    assert desk.files() == [f"new/{desk.file.id}"]
    with ScriptedNextHop() as hop:
        assert desk.release(hop).complete


def test_a_connection_lost_within_the_message_is_known_to_have_sent_nothing(desk: Desk) -> None:
    with ScriptedNextHop({"DATA": CLOSE}) as hop, pytest.raises(NotReleased, match="nothing was sent"):
        desk.release(hop)
    intent, outcome = desk.lines()
    assert (intent.stage, outcome.stage) == ("intent", "outcome")
    assert {reply.partition(":")[0] for reply in outcome.replies} == {"not sent"}
    with ScriptedNextHop() as hop:
        assert desk.release(hop).complete


def test_a_ledger_that_fails_after_nothing_was_sent_does_not_hide_that(desk: Desk) -> None:
    def meanwhile(command: str) -> str | None:
        if command != "DATA":
            return None
        (desk.path / "ledger").unlink()
        (desk.path / "ledger").symlink_to("/dev/full")
        return CLOSE

    told = pytest.raises(NotReleased, match=r"nothing was sent: .*; the ledger cannot be opened")
    with ScriptedNextHop(meanwhile=meanwhile) as hop, told:
        desk.release(hop)


def test_nothing_is_sent_when_the_ledger_cannot_be_written(desk: Desk) -> None:
    (desk.path / "ledger").symlink_to("/dev/full")
    with ScriptedNextHop() as hop:
        with pytest.raises(NotReleased, match="ledger"):
            desk.release(hop)
        assert hop.messages == []


def test_a_changed_message_is_released_only_by_force(desk: Desk) -> None:
    path = desk.path / "new" / desk.file.name
    path.write_bytes(path.read_bytes().replace(b"dot", b"dog"))
    with ScriptedNextHop() as hop:
        with pytest.raises(NotReleased, match="digest"):
            desk.release(hop)
        assert hop.messages == []
        desk.release(hop, force=True)
        assert hop.messages[0].endswith(b"..dog\r\n")


def test_a_changed_block_is_believed_only_by_force(desk: Desk) -> None:
    path = desk.path / "new" / desk.file.name
    path.write_bytes(path.read_bytes().replace(b"carol@rig", b"mallo@rig"))
    with ScriptedNextHop() as hop, pytest.raises(NotReleased, match="block was changed"):
        desk.release(hop)


def test_a_copy_is_no_second_message(desk: Desk) -> None:
    (desk.path / "new" / "copy").write_bytes((desk.path / "new" / desk.file.name).read_bytes())
    with ScriptedNextHop() as hop, pytest.raises(NotReleased, match="its block belongs to"):
        desk.release(hop, file=HeldFile("copy", "new"))


def test_a_file_without_a_block_is_never_sent_whatever_it_says_of_recipients(desk: Desk) -> None:
    (desk.path / "new" / "mail").write_bytes(MESSAGE)
    with ScriptedNextHop() as hop:
        with pytest.raises(NotReleased, match="put in by hand"):
            desk.release(hop, file=HeldFile("mail", "new"), force=True)
        assert hop.commands == []


def test_a_deleted_message_is_not_released(desk: Desk) -> None:
    desk.maildir.change(desk.file, add="T")
    with ScriptedNextHop() as hop, pytest.raises(NotReleased, match="undelete"):
        desk.release(hop)


def test_of_two_who_release_at_once_one_does(desk: Desk) -> None:
    with desk.maildir.open(desk.file) as file, ScriptedNextHop() as hop:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(NotReleased, match="another administrator"):
            desk.release(hop)
        assert hop.commands == []


def test_the_empty_sender_stays_empty(desk: Desk) -> None:
    bounce = desk.hold(replace(SLIP, sender=Addressed("")))
    with ScriptedNextHop() as hop:
        desk.release(hop, file=bounce)
    assert hop.commands[1].startswith("MAIL FROM:<> SIZE=")


@pytest.mark.parametrize(
    "text",
    ["<alice@rig. test>", "<(x) alice>", "< alice>", "<@a.test: alice>", "<alice@rig. NOTIFY=NEVER>", "alice (x)"],
)
def test_a_recipient_with_blanks_is_released_as_the_mta_accepted_it(desk: Desk, text: str) -> None:
    file = desk.hold(replace(SLIP, recipients=(addressed(text, ("NOTIFY=NEVER",)),)))
    with ScriptedNextHop() as hop:
        assert desk.release(hop, file=file).complete
    assert hop.commands[2] == f"RCPT TO:{text} NOTIFY=NEVER"


def test_a_recipient_with_blanks_can_be_chosen_with_and_without_brackets(desk: Desk) -> None:
    recipients = (addressed("<alice@rig. test>"), addressed("<bob@rig.test>"))
    first, second = (desk.hold(replace(SLIP, recipients=recipients)) for _ in range(2))
    with ScriptedNextHop() as hop:
        desk.release(hop, "<alice@rig. test>", file=first)
        desk.release(hop, "alice@rig. test", file=second)
        desk.release(hop, "<bob@rig.test>", file=desk.maildir.again(second))
    rcpts = [command for command in hop.commands if command.startswith("RCPT")]
    assert rcpts == ["RCPT TO:<alice@rig. test>"] * 2 + ["RCPT TO:<bob@rig.test>"]


def edit(desk: Desk, old: bytes, new: bytes) -> None:
    """As somebody does with an editor."""
    path = desk.path / "new" / desk.file.name
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"X-Quarantine-Account: \r\n", b"X-Quarantine-Account:\r\n", "line 8, X-Quarantine-Account, is damaged"),
        (b"X-Quarantine-Account: \r\n", b"X-Quarantine-Account: \n", "line 8, X-Quarantine-Account, is damaged"),
        (b"X-Quarantine-Helo: \r\n", b"", "X-Quarantine-Helo is missing"),
        (b"X-Quarantine-Rule: turf", b"rubbish", "line 12 does not belong there; X-Quarantine-Rule is missing"),
        (b"X-Quarantine-Time: 2026", b"X-Quarantine-Time: MMXXVI", "X-Quarantine-Time has no time"),
        (b"X-Quarantine-Seal: 2:", b"X-Quarantine-Seal: ", "seal does not hold"),
        (b"X-Quarantine-SHA256: ", b"X-Quarantine-SHA256:", "line 15, X-Quarantine-SHA256, is damaged"),
        (b"X-Quarantine-ID", b"\xef\xbb\xbfX-Quarantine-ID", "X-Quarantine-ID is missing"),
    ],
)
def test_what_is_damaged_in_a_block_is_said_and_force_uses_the_rest(
    desk: Desk, old: bytes, new: bytes, said: str
) -> None:
    edit(desk, old, new)
    with ScriptedNextHop() as hop:
        with pytest.raises(NotReleased, match=said):
            desk.release(hop)
        assert hop.commands == []
        assert desk.release(hop, force=True).complete
    assert hop.commands[1].startswith("MAIL FROM:<anna@out.test> BODY=8BITMIME")
    assert hop.commands[2:4] == ["RCPT TO:<bob@rig.test> NOTIFY=NEVER", "RCPT TO:<carol@rig.test>"]
    assert hop.messages == [MESSAGE.replace(b"\r\n.dot", b"\r\n..dot")]
    assert {line.id for line in desk.lines()} == {desk.file.id}


@pytest.mark.parametrize("name", ["X-Envelope-From", "X-Envelope-To"])
def test_a_block_without_its_envelope_is_not_sent_even_by_force(desk: Desk, name: str) -> None:
    path = desk.path / "new" / desk.file.name
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if not line.startswith(name.encode())))
    with ScriptedNextHop() as hop:
        with pytest.raises(NotReleased, match=f"{name} is missing"):
            desk.release(hop, force=True)
        assert hop.commands == []


def test_a_message_of_a_newer_format_is_not_sent_even_by_force(desk: Desk) -> None:
    edit(desk, b"X-Quarantine-Seal: 2:", b"X-Quarantine-Seal: 3:")
    with ScriptedNextHop() as hop:
        with pytest.raises(NotReleased, match="newer version of turfmilter wrote it: it is in format 3"):
            desk.release(hop, force=True)
        assert hop.commands == []


def test_a_copy_that_an_imap_server_has_made_does_not_keep_the_original_from_being_released(desk: Desk) -> None:
    copy = HeldFile("1764530000.M1P1.mx,S=99:2,S", "cur")
    (desk.path / copy.part / copy.name).hardlink_to(desk.path / "new" / desk.file.name)
    with ScriptedNextHop() as hop:
        with pytest.raises(NotReleased, match=f"its block belongs to {desk.file.id}"):
            desk.release(hop, file=copy)
        assert desk.release(hop).complete
        with pytest.raises(NotReleased, match="its block belongs to"):
            desk.release(hop, file=copy)
    assert len(hop.messages) == 1
