"""Headers that no program writes: more fields than are read, and more forged results than an MTA can take out."""

from __future__ import annotations

import pytest

from rig.filter import Filters

RULES = 'domains = ["rig.test"]\nauthserv_id = "rig.test"\n'
HELD = RULES + '[turf]\ntables = ["@turf.test"]\ndirectory = "{quarantine}"\n'
SENDERS_ONLY = HELD + 'match = ["sender"]\n'
MEASURED = RULES + '[limits]\nmessage_size = "100 MB"\n'
CLEANED = RULES + "[reverse_name]\nremove_forged = true\n"
IN_TRIAL = 'mode = "trial"\n'
MOST = 20_000
TOO_LONG = "550 5.6.0 too many header fields"
TOO_MANY = "550 5.7.1 too many Authentication-Results fields"
FORGED = ("Authentication-Results", " rig.test; spf=pass")


@pytest.mark.parametrize(
    ("settings", "number", "end"),
    [
        (HELD, MOST, "discard"),
        (HELD, MOST + 1, TOO_LONG),
        (HELD, 100_000, TOO_LONG),
        (SENDERS_ONLY, MOST + 1, TOO_LONG),
        (MEASURED, MOST, "accept"),
        (MEASURED, MOST + 1, TOO_LONG),
        (CLEANED, MOST + 1, TOO_LONG),
        (RULES, MOST + 1, "accept"),  # nothing depends on the header: it is not even asked for
        (IN_TRIAL + HELD, MOST + 1, "accept"),
        (IN_TRIAL + MEASURED, MOST + 1, "accept"),
    ],
)
def test_a_header_is_read_whole_or_the_message_is_refused(
    filters: Filters, settings: str, number: int, end: str
) -> None:
    turf = filters(settings)
    with turf.session() as client:
        told = client.message("<a@turf.test>", ["<b@rig.test>"], [("X", " y")] * number)
    assert str(told.end) == end
    assert [held.message.count(b"X: y\r\n") for held in turf.held()] == ([number] if end == "discard" else [])
    (line,) = turf.records()
    assert (line.get("rule"), line.get("reply")) == (
        ("header", TOO_LONG) if end == TOO_LONG else (line.get("rule"), None)
    )
    assert ("header reject" in line.get("trial", [])) == settings.startswith(IN_TRIAL)
    assert turf.unfinished() == []


def test_of_a_message_whose_header_is_too_big_nothing_is_written(filters: Filters) -> None:
    turf = filters(HELD + "[limits]\nmessage_size = 500\n")
    with turf.session() as client:
        client.mail("<a@turf.test>")
        client.rcpt("<b@rig.test>")
        client.data()
        client.header("From", " a@turf.test" + "\n x" * 300)
        assert str(client.eoh()) == "continue"
        assert turf.unfinished() == []
        assert str(client.body(b"x")) == "skip"
        assert str(client.eom()) == "552 5.3.4 message too big"


@pytest.mark.parametrize(("number", "end"), [(200, "accept"), (201, TOO_MANY), (14_000, TOO_MANY)])
def test_forged_results_are_all_removed_or_the_message_is_refused(filters: Filters, number: int, end: str) -> None:
    turf = filters(CLEANED)
    with turf.session() as client:
        told = client.message("<a@out.test>", ["<b@rig.test>"], [FORGED] * number)
    assert str(told.end) == end
    assert len(told.changes.chgheader) == (number if end == "accept" else 0)


def test_on_trial_too_many_results_are_only_noted(filters: Filters) -> None:
    turf = filters(IN_TRIAL + CLEANED)
    with turf.session() as client:
        assert str(client.message("<a@out.test>", ["<b@rig.test>"], [FORGED] * 201).end) == "accept"
    (line,) = turf.records()
    assert line["trial"] == ["remove_forged reject"]


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.9", "::1", "192.0.2.25"])
def test_connections_of_this_host_to_itself_are_left_unchanged(filters: Filters, address: str) -> None:
    turf = filters(CLEANED + 'check = "stamp"\n')
    with turf.session("[x]", address, macros={"daemon_addr": "192.0.2.25"}) as client:
        told = client.message("<a@out.test>", ["<b@rig.test>"], [FORGED] * 201)
    assert str(told.end) == "accept"
    assert (told.changes.chgheader, told.changes.insheader, told.changes.addheader) == ([], [], [])
