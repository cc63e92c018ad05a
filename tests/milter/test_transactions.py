"""Several messages in one connection, and transactions that end early: nothing of one is found in the next."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rig import wait, wire
from rig.filter import Filters
from rig.milterclient import MilterClient
from rig.wire import frame, strings

Step = Callable[[MilterClient], object]

HELD = """
domains = ["rig.test"]
[relay]
allow = []
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
"""
REFUSED = "550 5.7.1 relaying prohibited"
GOOD = [("From", " good@out.test")]

# A turf message up to the step before its end, one step at a time; its first body frame goes to the disk.
STEPS: dict[str, Step] = {
    "negotiate": lambda client: client.negotiate(),
    "connect": lambda client: client.connect(),
    "helo": lambda client: client.helo(),
    "mail": lambda client: client.mail("<spam@turf.test>"),
    "rcpt": lambda client: client.rcpt("<b@rig.test>"),
    "refused rcpt": lambda client: client.rcpt("<c@elsewhere.test>"),
    "data": lambda client: client.data(),
    "header": lambda client: client.header("From", " spam@turf.test"),
    "eoh": lambda client: client.eoh(),
    "body": lambda client: client.body(b"x" * 500_000),
}
NAMES = list(STEPS)


def go_to(client: MilterClient, name: str) -> None:
    """All steps up to and including `name`."""
    for step in NAMES[: NAMES.index(name) + 1]:
        STEPS[step](client)


def test_a_good_message_after_a_held_one_passes(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        ends = [
            str(client.message(sender, ["<b@rig.test>"], [("From", author)]).end)
            for sender, author in (
                ("<spam@turf.test>", " good@out.test"),
                ("<good@out.test>", " good@out.test"),
                ("<good@out.test>", " spam@turf.test"),
                ("<good@out.test>", " good@out.test"),
            )
        ]
    assert ends == ["discard", "accept", "discard", "accept"]
    assert [line["verdict"] for line in turf.records()] == ["hold", "accept", "hold", "accept"]


def test_each_message_has_its_own_recipients_queue_id_and_bytes(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        for name in (b"one", b"two"):
            recipient = b"<" + name + b"@rig.test>"
            client.message("<spam@turf.test>", [recipient, "<c@elsewhere.test>"], [("Subject", b" " + name)], name)
    found = {(h.recipients, h.slip.queue_id, h.message) for h in turf.held()}
    assert found == {
        (("one@rig.test",), "4XyZ000001", b"Subject: one\r\n\r\none"),
        (("two@rig.test",), "4XyZ000002", b"Subject: two\r\n\r\ntwo"),
    }


def test_a_login_ends_with_the_session_that_it_belongs_to(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        client.mail("<a@out.test>", macros={"auth_type": "PLAIN", "auth_authen": "anna"})
        assert str(client.rcpt("<c@elsewhere.test>")) == "continue"
        client.abort()
    with turf.session() as client:
        client.mail("<a@out.test>")
        assert str(client.rcpt("<c@elsewhere.test>")) == REFUSED


@pytest.mark.parametrize("name", NAMES[NAMES.index("mail") :])
def test_rset_at_any_stage_leaves_nothing_behind(filters: Filters, name: str) -> None:
    turf = filters(HELD)
    with turf.client() as client:
        go_to(client, name)
        client.abort()
        wait.until(lambda: not turf.unfinished(), "the end of the transaction")
        told = client.message("<good@out.test>", ["<b@rig.test>"], GOOD)
        assert str(told.end) == "accept"
        assert str(client.message("<spam@turf.test>", ["<b@rig.test>"]).end) == "discard"
        client.quit()
    assert len(turf.held()) == 1
    assert [line["verdict"] for line in turf.records() if line["verdict"] != "reject"] == ["accept", "hold"]


@pytest.mark.parametrize("name", NAMES[NAMES.index("mail") :])
def test_helo_in_mid_transaction_ends_it(filters: Filters, name: str) -> None:
    turf = filters(HELD)
    with turf.client() as client:
        go_to(client, name)
        client.abort()
        client.helo("again.test")
        assert str(client.message("<spam@turf.test>", ["<b@rig.test>"]).end) == "discard"
        client.quit()
    (held,) = turf.held()
    assert (held.slip.helo, held.message) == ("again.test", b"Subject: test\r\n\r\nHello.\r\n")
    assert turf.unfinished() == []


@pytest.mark.parametrize("name", ["mail", "rcpt", "refused rcpt"])
def test_an_mta_that_does_not_tell_of_the_end_needs_not_to(filters: Filters, name: str) -> None:
    turf = filters(HELD)
    with turf.client() as client:
        go_to(client, name)
        client.helo("again.test")
        client.mail("<good@out.test>")
        assert str(client.rcpt("<c@rig.test>")) == "continue"
        client.mail("<spam@turf.test>")
        client.rcpt("<d@rig.test>")
        client.data()
        client.eoh()
        assert str(client.eom()) == "discard"
        client.quit()
    (held,) = turf.held()
    assert (held.slip.helo, held.recipients) == ("again.test", ("d@rig.test",))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("politely", [True, False])
def test_the_end_of_the_connection_at_any_stage_leaves_nothing_behind(
    filters: Filters, name: str, politely: bool
) -> None:
    turf = filters(HELD)
    with turf.client() as client:
        go_to(client, name)
        if name == "body":
            assert len(turf.unfinished()) == 1
        if politely:
            client.quit()
    wait.until(lambda: not turf.unfinished(), "the end of the transaction")
    assert turf.held() == []


def test_a_connection_without_any_command_does_no_harm(filters: Filters) -> None:
    with filters(HELD).client():
        pass


def test_however_connections_end_none_is_waited_for(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    turf.client().close()
    for name in NAMES:
        for ending in (MilterClient.close, MilterClient.quit):
            client = turf.client()
            go_to(client, name)
            ending(client)
    assert turf.daemon.stop() == 0
    assert "connections still open" not in turf.daemon.log()


def test_frames_that_arrive_all_at_once_are_handled_one_by_one(filters: Filters) -> None:
    turf = filters(HELD)
    envelope = [
        frame(b"H", strings("piped.test")),
        frame(b"D", b"M" + strings("{auth_type}", "PLAIN", "{auth_authen}", "anna")),
        frame(b"M", strings("<first@out.test>")),
        frame(b"R", strings("<c@elsewhere.test>")),
        frame(b"A"),
        frame(b"D", b"M" + strings("{auth_type}", "", "{auth_authen}", "")),
        frame(b"M", strings("<spam@turf.test>")),
        frame(b"R", strings("<c@elsewhere.test>")),
        frame(b"D", b"R" + strings("i", "4Piped")),
        frame(b"R", strings("<b@rig.test>")),
    ]
    content = [frame(b"T"), frame(b"L", strings("From", " good@out.test")), frame(b"N"), frame(b"B", b"hi\r\n")]
    with turf.client() as client:
        client.negotiate()
        client.connect()
        client.send(b"".join([*envelope, *content, frame(b"E")]))
        answers = [str(client.read_answer(wire.ALL_ACTIONS)) for _ in range(7)]
        client.quit()
    assert answers == ["continue", REFUSED, "continue", "continue", "continue", "continue", "discard"]
    (held,) = turf.held()
    assert (held.slip.queue_id, held.slip.helo, held.slip.account) == ("4Piped", "piped.test", "")
    assert held.message == b"From: good@out.test\r\n\r\nhi\r\n"


def test_a_frame_that_arrives_byte_by_byte_is_handled(filters: Filters) -> None:
    turf = filters(HELD)
    with turf.session() as client:
        client.mail("<spam@turf.test>")
        for byte in frame(b"R", strings("<c@elsewhere.test>")):
            client.send(bytes([byte]))
        assert str(client.read_answer()) == REFUSED
        client.abort()


def test_many_connections_at_the_same_time_do_not_mix(filters: Filters) -> None:
    turf = filters(HELD)
    clients = [turf.client() for _ in range(40)]
    for step in NAMES:
        for number, client in enumerate(clients):
            if step == "helo":
                client.helo(f"client{number}.test")
            elif step == "body":
                client.body(b"%d" % number)
            else:
                STEPS[step](client)
    assert {str(client.eom()) for client in clients} == {"discard"}
    for client in clients:
        client.quit()
    found = sorted((held.slip.helo, held.message.rpartition(b"\n")[2]) for held in turf.held())
    assert found == sorted((f"client{number}.test", b"%d" % number) for number in range(40))
