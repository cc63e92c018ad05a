"""The turf rule over the milter's socket: what is held, the answer to the sender, and every byte of what is stored."""

from __future__ import annotations

import pytest

from rig.filter import Filters
from rig.milterclient import Macro

TABLE = 'tables = ["@turf.test", "!friend@turf.test", "news*@lists.test", "<>", "mallory@"]\n'
OURS = 'domains = ["rig.test"]\n[relay]\nallow = []\n[turf]\n' + TABLE
HELD = OURS + 'directory = "{quarantine}"\n'
NO_BOUNCES = HELD.replace('"<>", ', "")
REJECTED = HELD + 'answer = "reject"\n'
REJECTED_IN_OUR_WORDS = REJECTED + 'reply = "554 5.7.0 no thanks"\n'
DISCARDED = OURS + "discard = true\n"
DISCARDED_AND_REJECTED = DISCARDED + 'answer = "reject"\n'
SENDERS_ONLY = HELD + 'match = ["sender"]\n'
AUTHORS_ONLY = HELD + 'match = ["author"]\n'
UNREADABLE = HELD + 'unreadable_author = "enforce"\n'
EVEN_ACCOUNTS = HELD + "spare_authenticated = false\n"
REFUSED = "550 5.7.1 message refused by local policy"
GOOD = ("From", " Good <good@out.test>")


def test_a_held_message_is_stored_whole_and_its_sender_receives_250(filters: Filters) -> None:
    turf = filters(HELD)
    headers = [GOOD, ("Subject", " spam"), ("X-Folded", " one\n\ttwo"), ("X-Tight", "no space")]
    with turf.session() as client:
        told = client.message("<spam@turf.test>", ["<b@rig.test>"], headers, b"one\r\ntwo\r\n")
    assert str(told.end) == "discard"
    (held,) = turf.held()
    assert held.message == (
        b"From: Good <good@out.test>\r\nSubject: spam\r\nX-Folded: one\r\n\ttwo\r\nX-Tight:no space\r\n"
        b"\r\none\r\ntwo\r\n"
    )


def test_the_block_says_where_the_message_came_from_and_why_it_is_held(filters: Filters) -> None:
    turf = filters(HELD)
    sender = ("<spam@turf.test>", "SIZE=1000", "BODY=8BITMIME")
    recipients = [("<b@rig.test>", "NOTIFY=NEVER", "ORCPT=rfc822;b@rig.test"), "<c@elsewhere.test>", "d@rig.test"]
    with turf.session("mx.turf.test", "192.0.2.9", macros={"daemon_name": "smtpd"}) as client:
        client.message(sender, recipients, [GOOD])
        client.macros.learn({"i": None})
    (held,) = turf.held()
    slip = held.slip
    assert held.sender == "spam@turf.test SIZE=1000 BODY=8BITMIME"
    assert held.recipients == ("b@rig.test NOTIFY=NEVER ORCPT=rfc822;b@rig.test", "d@rig.test")
    assert (slip.client, slip.name, slip.helo) == ("192.0.2.9", "mx.turf.test", "mx.turf.test")
    assert (slip.account, slip.listener, slip.queue_id) == ("", "smtpd", "4XyZ000001")
    assert (slip.rule, slip.entry) == ("turf", "@turf.test turf.tables[0]")


def test_the_log_tells_of_a_held_message_in_one_line_with_its_id(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        client.message("<spam@turf.test>", ["<b@rig.test>", "<c@rig.test>"], [GOOD])
    (held,), (line,) = turf.held(), turf.records()
    assert (line["queue_id"], line["verdict"], line["id"]) == ("4XyZ000001", "hold", held.id)
    assert (line["nrcpt"], line["rcpt"]) == (2, ["b@rig.test", "c@rig.test"])
    assert (line["rule"], line["entry"]) == ("turf", "@turf.test turf.tables[0]")
    assert "reply" not in line


@pytest.mark.parametrize(
    ("sender", "author", "end"),
    [
        ("<good@out.test>", " good@out.test", "accept"),
        ("<spam@turf.test>", " good@out.test", "discard"),
        ("<spam@sub.turf.test>", " good@out.test", "discard"),
        ("<SPAM@TURF.TEST.>", " good@out.test", "discard"),
        ("spam@turf.test", " good@out.test", "discard"),
        ("<@out.test:spam@turf.test>", " good@out.test", "discard"),
        ('<"sp am"@turf.test>', " good@out.test", "discard"),
        ("<friend@turf.test>", " good@out.test", "accept"),
        ("<friend@sub.turf.test>", " good@out.test", "discard"),
        ("<spam@pturf.test>", " good@out.test", "accept"),
        ("<news4711@lists.test>", " good@out.test", "discard"),
        ("<old@lists.test>", " good@out.test", "accept"),
        ("<mallory@anywhere.test>", " good@out.test", "discard"),
        ("<>", " good@out.test", "discard"),
        ("<good@out.test>", " spam@turf.test", "discard"),
        ("<good@out.test>", ' "a@b.test" <spam@turf.test>', "discard"),
        ("<good@out.test>", " =?utf-8?q?x?=\n\t<spam@turf.test>", "discard"),
        ("<good@out.test>", " group: a@out.test, spam@turf.test;", "discard"),
        ("<good@out.test>", " (a comment) spam(x)@(y)turf.test", "discard"),
        ("<good@out.test>", " friend@turf.test", "accept"),
        ("<good@out.test>", b" caf\xe9 <spam@turf.test>", "discard"),
        # One authors' exception is no exception for the other.
        ("<good@out.test>", " friend@turf.test, spam@turf.test", "discard"),
    ],
)
def test_sender_and_author_are_looked_up(filters: Filters, sender: str, author: str | bytes, end: str) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        assert str(client.message(sender, ["<b@rig.test>"], [("From", author)]).end) == end
    assert len(turf.held()) == (end == "discard")


@pytest.mark.parametrize("name", ["From", "FROM", "from"])
def test_any_of_several_from_fields_holds(filters: Filters, name: str) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        told = client.message("<good@out.test>", ["<b@rig.test>"], [GOOD, (name, " spam@turf.test")])
    assert str(told.end) == "discard"


@pytest.mark.parametrize(
    ("settings", "sender", "author", "end"),
    [
        (SENDERS_ONLY, "<spam@turf.test>", " good@out.test", "discard"),
        (SENDERS_ONLY, "<good@out.test>", " spam@turf.test", "accept"),
        (AUTHORS_ONLY, "<spam@turf.test>", " good@out.test", "accept"),
        (AUTHORS_ONLY, "<good@out.test>", " spam@turf.test", "discard"),
        (NO_BOUNCES, "<>", " good@out.test", "accept"),
        (NO_BOUNCES, "<>", " spam@turf.test", "discard"),
    ],
)
def test_each_of_them_can_be_switched_off(filters: Filters, settings: str, sender: str, author: str, end: str) -> None:
    with filters(settings).session() as client:
        assert str(client.message(sender, ["<b@rig.test>"], [("From", author)]).end) == end


@pytest.mark.parametrize(
    ("settings", "end", "verdict", "kept"),
    [
        (HELD, "discard", "hold", 1),
        (REJECTED, REFUSED, "hold", 1),
        (REJECTED_IN_OUR_WORDS, "554 5.7.0 no thanks", "hold", 1),
        (DISCARDED, "discard", "discard", 0),
        (DISCARDED_AND_REJECTED, REFUSED, "discard", 0),
    ],
)
@pytest.mark.parametrize(
    ("sender", "author"), [("<spam@turf.test>", " good@out.test"), ("<good@out.test>", " spam@turf.test")]
)
def test_what_happens_to_a_match_is_the_configurations_choice(
    filters: Filters, settings: str, sender: str, author: str, end: str, verdict: str, kept: int
) -> None:
    turf = filters(settings)
    with turf.session() as client:
        told = client.message(sender, ["<b@rig.test>"], [("From", author)])
    assert str(told.end) == end
    assert told.changes.delrcpt == []
    assert len(turf.held()) == kept
    (line,) = turf.records()
    assert (line["verdict"], line["rule"]) == (verdict, "turf")
    assert line.get("reply", "discard") == end
    assert ("id" in line) == bool(kept)


@pytest.mark.parametrize(
    "headers",
    [
        [("Subject", " no From at all")],
        [("From", " nobody in particular")],
        [("From", "")],
        [("From", ' "never closed <good@out.test>')],
        [GOOD, ("From", " ;")],
    ],
)
def test_an_author_that_cannot_be_read_is_tried_by_default_and_held_when_asked_for(
    filters: Filters, headers: list[tuple[str, str]]
) -> None:
    tried, held = filters(HELD), filters(UNREADABLE)
    for turf, end in ((tried, "accept"), (held, "discard")):
        with turf.session() as client:
            assert str(client.message("<good@out.test>", ["<b@rig.test>"], headers).end) == end
    (line,) = tried.records()
    assert (line["verdict"], line["trial"]) == ("accept", ["unreadable_author hold"])
    (line,) = held.records()
    assert (line["verdict"], line["rule"]) == ("hold", "unreadable_author")
    assert (len(tried.held()), len(held.held())) == (0, 1)


@pytest.mark.parametrize(
    ("settings", "macros", "end"),
    [
        (HELD, {"auth_type": "PLAIN", "auth_authen": "anna"}, "accept"),
        (HELD, {"auth_type": "ANONYMOUS", "auth_authen": "anna"}, "discard"),
        (HELD, {"auth_author": "anna"}, "discard"),
        (EVEN_ACCOUNTS, {"auth_type": "PLAIN", "auth_authen": "anna"}, "discard"),
    ],
)
@pytest.mark.parametrize("sender", ["<spam@turf.test>", "<good@out.test>"])
def test_authenticated_clients_are_spared_unless_told_otherwise(
    filters: Filters, settings: str, macros: Macro, sender: str, end: str
) -> None:
    with filters(settings).session() as client:
        client.macros.learn(macros)
        assert str(client.message(sender, ["<b@rig.test>"], [("From", " spam@turf.test")]).end) == end


def test_a_held_message_of_an_account_names_it(filters: Filters) -> None:
    turf = filters(EVEN_ACCOUNTS)
    with turf.session() as client:
        client.macros.learn({"auth_type": "PLAIN", "auth_authen": "anna"})
        client.message("<spam@turf.test>", ["<b@rig.test>"])
    (held,), (line,) = turf.held(), turf.records()
    assert held.slip.account == line["account"] == "anna"


def test_a_local_submission_is_held_like_any_other_message(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session("localhost", "127.0.0.1", 0) as client:
        assert str(client.message("spam@turf.test", ["b@rig.test", "c@elsewhere.test"]).end) == "discard"
    (held,) = turf.held()
    assert held.recipients == ("b@rig.test", "c@elsewhere.test")


def test_a_message_whose_body_is_empty_is_held_whole(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        client.message("<spam@turf.test>", ["<b@rig.test>"], [GOOD], b"")
    (held,) = turf.held()
    assert held.message == b"From: Good <good@out.test>\r\n\r\n"


def test_a_message_without_a_header_is_held_whole(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        client.message("<spam@turf.test>", ["<b@rig.test>"], [], b"body\r\n")
    (held,) = turf.held()
    assert held.message == b"\r\nbody\r\n"


def test_the_body_of_a_message_that_is_not_held_is_not_asked_for(filters: Filters) -> None:
    with filters(HELD).session() as client:
        client.message("<good@out.test>", ["<b@rig.test>"], [GOOD], b"x" * 1_000_000)
        assert client.sent_bytes["body"] == 0
