"""Turf mail to exempt and other recipients together: the others are removed by the very string that the MTA knows.

delrcpt reports no miss.  What Postfix and Sendmail compare it with is in the tables below.
"""

from __future__ import annotations

import pytest

from rig import wire
from rig.filter import Filters
from rig.milterclient import Argument
from rig.wire import Action, Text

OURS = 'domains = ["rig.test", "127.0.0.1"]\n[relay]\nallow = ["198.51.100.7"]\n[turf]\ntables = ["@turf.test"]\n'
HELD = OURS + 'directory = "{quarantine}"\n'
REJECTED = HELD + 'answer = "reject"\n'
DISCARDED = OURS + "discard = true\n"
NOBODY_EXEMPT = HELD + "exempt = []\n"
OTHERS_EXEMPT = HELD + 'exempt = ["security@rig.test", "@open.rig.test", "!closed@open.rig.test"]\n'
UNCLEAR = "451 4.3.0 cannot handle these recipients together, send them one by one"
EXEMPT = "<postmaster@rig.test>"


@pytest.mark.parametrize("settings", [HELD, REJECTED, DISCARDED])
def test_exempt_recipients_receive_the_message_and_the_others_are_removed(filters: Filters, settings: str) -> None:
    turf = filters(settings)
    recipients: list[Argument] = ["<a@rig.test>", EXEMPT, ("<B@rig.test>", "NOTIFY=NEVER"), "<abuse@rig.test>"]
    with turf.session() as client:
        told = client.message("<spam@turf.test>", recipients)
    assert str(told.end) == "accept"
    assert told.changes.delrcpt == ["<a@rig.test>", "<B@rig.test>"]


def test_the_held_copy_names_those_that_it_is_kept_from(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        client.message("<spam@turf.test>", ["<a@rig.test>", EXEMPT, ("<B@rig.test>", "NOTIFY=NEVER")])
    (held,), (line,) = turf.held(), turf.records()
    assert held.recipients == ("a@rig.test", "B@rig.test NOTIFY=NEVER")
    assert (line["verdict"], line["nrcpt"], line["id"]) == ("hold", 3, held.id)


@pytest.mark.parametrize("settings", [HELD, REJECTED, DISCARDED])
def test_when_all_recipients_are_exempt_nothing_is_kept(filters: Filters, settings: str) -> None:
    turf = filters(settings)
    with turf.session() as client:
        told = client.message("<spam@turf.test>", [EXEMPT, "<ABUSE@sub.rig.test>"])
    assert str(told.end) == "accept"
    assert told.changes.delrcpt == []
    assert turf.held() == []
    (line,) = turf.records()
    assert (line["verdict"], line["rule"]) == ("accept", "turf")


def test_an_exempt_recipient_that_was_refused_does_not_count(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        told = client.message("<spam@turf.test>", ["<postmaster@elsewhere.test>", "<a@rig.test>"])
    assert str(told.end) == "discard"


@pytest.mark.parametrize(
    ("settings", "recipient", "end"),
    [
        (NOBODY_EXEMPT, "<postmaster@rig.test>", "discard"),
        (OTHERS_EXEMPT, "<postmaster@rig.test>", "discard"),
        (OTHERS_EXEMPT, "<Security@rig.test>", "accept"),
        (OTHERS_EXEMPT, "<anna@open.rig.test>", "accept"),
        (OTHERS_EXEMPT, "<closed@open.rig.test>", "discard"),
        (HELD, "postmaster", "accept"),
        (HELD, "<POSTMASTER>", "accept"),
        (HELD, "<xpostmaster@rig.test>", "discard"),
        (HELD, '<"postmaster@elsewhere.test"@rig.test>', "550 5.7.1 relaying prohibited"),
    ],
)
def test_who_is_exempt_is_the_configurations_choice(filters: Filters, settings: str, recipient: str, end: str) -> None:
    with filters(settings).session() as client:
        assert str(client.message("<spam@turf.test>", [recipient]).end) == end


@pytest.mark.parametrize(
    ("recipient", "taken_off_as"),
    [
        ("<bob@rig.test>", "<bob@rig.test>"),
        ("bob@rig.test", "<bob@rig.test>"),
        # Postfix compares case, in the domain too.
        ("<Alice@RIG.test>", "<Alice@RIG.test>"),
        # Postfix keeps a recipient without its route: the string as sent would miss, and deliver.
        ("<@a.test:alice@rig.test>", "<alice@rig.test>"),
        ("<@a.test,@B.test:Alice@rig.test>", "<Alice@rig.test>"),
        ("@a.test:alice@rig.test", "<alice@rig.test>"),
        ("alice", "<alice>"),
        ("<alice>", "<alice>"),
        ('<"bob"@rig.test>', '<"bob"@rig.test>'),
        ('<"bob smith"@rig.test>', '<"bob smith"@rig.test>'),
        ("<alice%rig.test@rig.test>", "<alice%rig.test@rig.test>"),
        ("<alice+tag@rig.test>", "<alice+tag@rig.test>"),
        ("<o'brien/x=y@rig.test>", "<o'brien/x=y@rig.test>"),
        ("<jörg@rig.test>", "<jörg@rig.test>"),
    ],
)
def test_a_recipient_is_removed_by_the_string_that_the_mta_keeps_and_by_the_one_that_was_sent(
    filters: Filters, recipient: str, taken_off_as: str
) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        client.mail("<spam@turf.test>")
        assert str(client.rcpt(recipient, macros={"rcpt_addr": "alice@rig.test"})) == "continue"
        client.rcpt(EXEMPT)
        client.data()
        client.eoh()
        told = client.eom()
    assert str(told) == "accept"
    assert told.changes.delrcpt == list(dict.fromkeys([taken_off_as, recipient]))
    assert len(turf.held()) == 1


@pytest.mark.parametrize(
    ("version", "end"), [("8.17.1.9", UNCLEAR), ("", UNCLEAR), ("Postfix 3.7.11", "accept")], ids=["S", "unknown", "P"]
)
def test_an_exempt_recipient_of_a_held_ones_mailbox_leaves_the_message_with_the_sender(
    filters: Filters, version: str, end: str
) -> None:
    """Sendmail would remove both; Postfix removes only the one it is asked to."""
    turf = filters(OTHERS_EXEMPT)
    with turf.session(macros={"v": version}) as client:
        client.mail("<spam@turf.test>")
        client.rcpt("<security@rig.test>", macros={"rcpt_addr": "alice"})
        client.rcpt("<bob@rig.test>", macros={"rcpt_addr": "bob"})
        client.rcpt("<alice@rig.test>", macros={"rcpt_addr": "alice"})
        client.data()
        client.eoh()
        told = client.eom()
    assert str(told) == end
    assert len(turf.held()) == (end == "accept")


@pytest.mark.parametrize(
    "recipient",
    [
        "<alice(comment)@rig.test>",
        "<Joe <alice@rig.test>>",
        "<a\\lice@rig.test>",
        '<"a\\lice"@rig.test>',
        "<alice@[127.0.0.1]>",
        "<alice@rig.test.>",
        "<\tbob@rig.test >",
        "<bob @rig.test>",
        "<bob@rig.test> ",
        "<bob@rig.test",
        "bob@rig.test>",
        b"<\xe9t\xe9@rig.test>",
        b"<bob@rig.test\x80>",
    ],
)
@pytest.mark.parametrize("settings", [HELD, REJECTED, DISCARDED])
def test_a_spelling_that_we_are_not_sure_of_leaves_the_message_with_the_sender(
    filters: Filters, settings: str, recipient: Text
) -> None:
    turf = filters(settings)
    with turf.session("[198.51.100.7]", "198.51.100.7") as client:  # it may relay: that rule is not to decide here
        told = client.message("<spam@turf.test>", [recipient, EXEMPT])
    assert str(told.end) == UNCLEAR
    assert told.changes.delrcpt == []
    assert turf.held() == []
    assert turf.unfinished() == []
    (line,) = turf.records()
    assert (line["verdict"], line["rule"], line["reply"]) == ("tempfail", "turf", UNCLEAR)
    assert "id" not in line


@pytest.mark.parametrize(
    ("settings", "answer"),
    [(HELD, "discard"), (REJECTED, "550 5.7.1 message refused by local policy"), (DISCARDED, "accept")],
)
def test_a_local_submission_is_held_from_all_or_none_because_no_recipient_can_be_removed(
    filters: Filters, settings: str, answer: str
) -> None:
    turf = filters(settings)
    with turf.session("localhost", "127.0.0.1", 0) as client:
        told = client.message("spam@turf.test", ["b@rig.test", "postmaster@rig.test"])
    assert str(told.end) == answer
    assert told.changes.delrcpt == []
    assert [held.recipients for held in turf.held()] in ([("b@rig.test", "postmaster@rig.test")], [])


def test_such_a_spelling_does_no_harm_if_no_recipient_is_exempt(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        assert str(client.message("<spam@turf.test>", ["<alice(comment)@rig.test>"]).end) == "discard"
    (held,) = turf.held()
    assert held.recipients == ("alice(comment)@rig.test",)


def test_such_a_spelling_of_an_exempt_recipient_does_no_harm(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        client.mail("<spam@turf.test>")
        client.rcpt("<a@rig.test>")
        client.rcpt("<postmaster(us)@rig.test>", macros={"rcpt_addr": "postmaster@rig.test"})
        client.data()
        client.eoh()
        told = client.eom()
    assert (str(told), told.changes.delrcpt) == ("accept", ["<a@rig.test>"])


@pytest.mark.parametrize("resolved", ['"postmaster "@rig.test', "alice@rig.test", '"postmaster @rig.test"@rig.test'])
def test_such_a_spelling_is_held_if_the_mta_delivers_to_another_user(filters: Filters, resolved: str) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        client.mail("<spam@turf.test>")
        client.rcpt('<"postmaster @rig.test">', macros={"rcpt_addr": resolved})
        client.rcpt("<postmaster(us)@rig.test>", macros={"rcpt_addr": resolved})
        client.data()
        client.eoh()
        assert str(client.eom()) == "discard"
    (held,) = turf.held()
    assert held.recipients == ('"postmaster @rig.test"', "postmaster(us)@rig.test")


@pytest.mark.parametrize("settings", [HELD, DISCARDED])
def test_without_delrcpt_the_message_stays_with_the_sender(filters: Filters, settings: str) -> None:
    turf = filters(settings)
    with turf.session(actions=wire.ALL_ACTIONS & ~Action.DELRCPT) as client:
        told = client.message("<spam@turf.test>", ["<a@rig.test>", EXEMPT])
        assert str(told.end) == UNCLEAR
        assert turf.held() == []
        assert turf.unfinished() == []
        assert str(client.message("<spam@turf.test>", ["<a@rig.test>"]).end) == "discard"
        assert str(client.message("<spam@turf.test>", [EXEMPT]).end) == "accept"
