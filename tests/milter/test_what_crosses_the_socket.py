"""The MTA is asked for what the configuration needs, and waits only where an answer can differ."""

from __future__ import annotations

import pytest

from rig.filter import Filters
from rig.wire import Action, Protocol, Stage

RELAY = 'domains = ["rig.test"]\n[relay]\nallow = ["198.51.100.0/24"]\n'
NAMED = 'domains = ["rig.test"]\n[relay]\nallow = ["partner.test"]\n'
AT_ONCE = RELAY + '[connect]\ndeny = ["198.51.100.7"]\nreply_at = "connect"\n'
MEASURED = RELAY + '[limits]\nmessage_size = "1 MB"\n'
MEASURED_IN_TRIAL = 'mode = "trial"\n' + MEASURED
STAMPED = RELAY + '[reverse_name]\ncheck = "stamp"\n'
HELD = RELAY + '[turf]\ntables = ["@turf.test"]\ndirectory = "{quarantine}"\n'
DISCARDED = RELAY + '[turf]\ntables = ["@turf.test"]\ndiscard = true\n'
HELD_AND_MEASURED = HELD + '[limits]\nmessage_size = "1 MB"\n'
SENDERS_ONLY = HELD + 'match = ["sender"]\n'
SENDERS_DISCARDED = DISCARDED + 'match = ["sender"]\n'
TRIED = 'mode = "trial"\n' + HELD
SENDERS_TRIED = 'mode = "trial"\n' + SENDERS_ONLY
OFF = 'mode = "off"\n' + HELD

NO_ANSWERS = Protocol.NR_CONN | Protocol.NR_HELO | Protocol.NR_MAIL | Protocol.NR_HDR
BUT_CONNECT = NO_ANSWERS & ~Protocol.NR_CONN
ALWAYS = Protocol.NOUNKNOWN | Protocol.SKIP
NO_CONTENT = Protocol.NOHDRS | Protocol.NOEOH | Protocol.NOBODY
WHOLE = Protocol.HDR_LEADSPC
MACROS = {
    Stage.CONNECT: "j v client_resolve client_name daemon_name daemon_addr daemon_port if_addr",
    Stage.MAIL: "i auth_type auth_authen tls_version",
    Stage.RCPT: "i rcpt_addr",
    Stage.DATA: "i",
}


@pytest.mark.parametrize(
    ("settings", "protocol", "actions"),
    [
        (RELAY, ALWAYS | NO_ANSWERS | NO_CONTENT, Action.SETSYMLIST),
        # Postfix would tell of connect only at the first RCPT: the look-up of names begins earlier.
        (NAMED, ALWAYS | BUT_CONNECT | NO_CONTENT, Action.SETSYMLIST),
        (AT_ONCE, ALWAYS | BUT_CONNECT | NO_CONTENT, Action.SETSYMLIST),
        (MEASURED, ALWAYS | NO_ANSWERS | WHOLE, Action.SETSYMLIST),
        (STAMPED, ALWAYS | BUT_CONNECT | NO_CONTENT, Action.SETSYMLIST | Action.ADDHDRS | Action.CHGHDRS),
        (HELD, ALWAYS | NO_ANSWERS | WHOLE, Action.SETSYMLIST | Action.DELRCPT),
        (SENDERS_ONLY, ALWAYS | NO_ANSWERS | WHOLE, Action.SETSYMLIST | Action.DELRCPT),
        (DISCARDED, ALWAYS | NO_ANSWERS | Protocol.NOBODY, Action.SETSYMLIST | Action.DELRCPT),
        (SENDERS_DISCARDED, ALWAYS | NO_ANSWERS | NO_CONTENT, Action.SETSYMLIST | Action.DELRCPT),
        (TRIED, ALWAYS | NO_ANSWERS | Protocol.NOBODY, Action.SETSYMLIST),
        (SENDERS_TRIED, ALWAYS | NO_ANSWERS | NO_CONTENT, Action.SETSYMLIST),
    ],
)
def test_events_answers_and_actions_follow_from_the_configuration(
    filters: Filters, settings: str, protocol: Protocol, actions: Action
) -> None:
    with filters(settings).session() as client:
        assert client.protocol == protocol
        assert client.actions == actions
        assert {stage: " ".join(names) for stage, names in client.macros.requested.items()} == MACROS


def test_when_everything_is_off_connect_is_the_only_event_that_is_waited_for(own_filter: Filters) -> None:
    with own_filter(OFF).client() as client:
        client.negotiate()
        assert client.protocol == ALWAYS | NO_CONTENT | BUT_CONNECT
        client.connect()
        assert client.round_trips == {"negotiate": 1, "connect": 1}


@pytest.mark.parametrize("settings", [RELAY, SENDERS_TRIED])
def test_rules_about_the_envelope_see_no_byte_of_the_message(filters: Filters, settings: str) -> None:
    with filters(settings).session() as client:
        recipients = ["<b@rig.test>", "<c@elsewhere.test>", "<d@rig.test>"]
        assert str(client.message("<a@out.test>", recipients, body=b"x" * 100_000).end) == "accept"
        assert client.sent_bytes.keys().isdisjoint({"header", "eoh", "body", "eom"})
        # One a recipient and one at DATA; connect, HELO and MAIL cost no waiting.
        assert client.round_trips == {"negotiate": 1, "rcpt": 3, "data": 1}


def test_a_discarded_sender_costs_no_content_either(filters: Filters) -> None:
    with filters(SENDERS_DISCARDED).session() as client:
        assert str(client.message("<spam@turf.test>", ["<b@rig.test>"]).end) == "discard"
        assert client.sent_bytes.keys().isdisjoint({"header", "eoh", "body"})
        assert client.round_trips == {"negotiate": 1, "rcpt": 1, "data": 1, "eom": 1}


@pytest.mark.parametrize("settings", [HELD, DISCARDED, TRIED])
def test_rules_about_the_author_see_the_header_without_waiting_for_its_fields(filters: Filters, settings: str) -> None:
    with filters(settings).session() as client:
        headers = [("From", " a@out.test"), *[(f"X-{number}", " x") for number in range(20)]]
        assert str(client.message("<a@out.test>", ["<b@rig.test>"], headers, b"x" * 100_000).end) == "accept"
        assert client.sent_bytes.keys().isdisjoint({"body", "eom"})
        assert client.round_trips == {"negotiate": 1, "rcpt": 1, "data": 1, "eoh": 1}


def test_rules_about_the_sender_let_other_messages_pass_at_data(filters: Filters) -> None:
    with filters(SENDERS_ONLY).session() as client:
        assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"
        assert client.sent_bytes.keys().isdisjoint({"header", "eoh", "body", "eom"})


def test_a_held_message_crosses_the_socket_whole(filters: Filters) -> None:
    with filters(HELD).session() as client:
        assert str(client.message("<spam@turf.test>", ["<b@rig.test>"], body=b"x" * 200_000).end) == "discard"
        assert client.round_trips == {"negotiate": 1, "rcpt": 1, "data": 1, "eoh": 1, "body": 4, "eom": 1}


def test_a_cap_on_the_size_counts_the_body_and_stops_it_as_soon_as_it_is_too_big(filters: Filters) -> None:
    with filters(MEASURED).session() as client:
        assert str(client.message("<a@out.test>", ["<b@rig.test>"], body=b"x" * 150_000).end) == "accept"
        assert client.round_trips == {"negotiate": 1, "rcpt": 1, "data": 1, "eoh": 1, "body": 3, "eom": 1}
        client.sent_bytes.clear()
        too_big = client.message("<a@out.test>", ["<b@rig.test>"], body=b"x" * 5_000_000)
        assert str(too_big.end).startswith("552 5.3.4")
        # 15 chunks of 65,535 bytes are within the megabyte, and the sixteenth is the last that is asked for.
        assert client.round_trips["body"] == 3 + 16
        assert client.sent_bytes["body"] == 16 * (65_535 + 5)


def test_a_cap_on_the_size_in_trial_sees_the_whole_body(filters: Filters) -> None:
    with filters(MEASURED_IN_TRIAL).session() as client:
        assert str(client.message("<a@out.test>", ["<b@rig.test>"], body=b"x" * 1_500_000).end) == "accept"
        assert client.sent_bytes["body"] == 1_500_000 + 23 * 5


def test_a_held_message_that_is_too_big_is_not_read_to_its_end(filters: Filters) -> None:
    running = filters(HELD_AND_MEASURED)
    with running.session() as client:
        assert str(client.message("<spam@turf.test>", ["<b@rig.test>"], body=b"x" * 5_000_000).end).startswith("552")
        assert client.round_trips["body"] == 16
    assert running.held() == []
    assert running.unfinished() == []


@pytest.mark.parametrize("settings", [RELAY, HELD, DISCARDED, TRIED])
def test_unknown_commands_are_not_shown(filters: Filters, settings: str) -> None:
    with filters(settings).session() as client:
        assert not client.unknown("FOO").sent
