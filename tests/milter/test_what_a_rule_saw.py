"""`saw` in the log: what the rule measured, or what the names of rule and entry leave open."""

from __future__ import annotations

import pytest

from rig.filter import Filters
from rig.milterclient import Argument

RULES = 'domains = ["rig.test"]\n'
LIMITS = RULES + "[limits]\nrecipients_per_message = 2\nrecipients_per_bounce = 1\nmessage_size = 1000\n"
SESSION = RULES + "[limits]\nmessage_size = 1000\nsession_size = 1500\nmessages_per_session = 3\n"
TURF = RULES + '[turf]\ntables = ["@turf.test"]\ndirectory = "{quarantine}"\nunreadable_author = "enforce"\n'
NO_ROUTING = RULES + '[relay]\nrouting = false\nallow = ["192.0.2.0/24"]\n'
DENIED = RULES + '[relay]\ndeny = ["192.0.2.9"]\n'
CONNECT = RULES + '[connect]\ndefault = "deny"\nallow = ["!192.0.2.9", "192.0.2.10"]\n'
AUTH = RULES + "[listener.x]\nport = 25\nrequire_auth = true\n"
FORGED = RULES + 'authserv_id = "rig.test"\n[reverse_name]\nremove_forged = true\n'

GOOD, BOUNCE, TURFED = "<a@out.test>", "<>", "<a@turf.test>"
B, C, D, FAR = "<b@rig.test>", "<c@rig.test>", "<d@rig.test>", "<x@far.test>"
RESULT = ("Authentication-Results", " rig.test; none")


@pytest.mark.parametrize(
    ("settings", "sender", "recipients", "author", "size", "saw"),
    [
        (LIMITS, GOOD, [B, C, D], "a@out.test", 0, "recipients_per_message: 3 of 2"),
        (LIMITS, BOUNCE, [B, C], "a@out.test", 0, "recipients_per_bounce: 2 of 1"),
        (LIMITS, (GOOD, "SIZE=5000"), [B], "a@out.test", 0, "message_size: 5000 of 1000"),
        (LIMITS, GOOD, [B], "a@out.test", 2000, "message_size: 2018 of 1000"),
        (TURF, TURFED, [B], "a@out.test", 0, "turf: sender"),
        (TURF, GOOD, [B], "a@turf.test", 0, "turf: author"),
        (TURF, GOOD, [B], "nobody", 0, "unreadable_author: None"),
        (NO_ROUTING, GOOD, [FAR], "a@out.test", 0, "relay: routing off"),
        (RULES, GOOD, [FAR], "a@out.test", 0, "relay: None"),
        (DENIED, GOOD, [FAR], "a@out.test", 0, "relay: None"),
        (CONNECT, GOOD, [B], "a@out.test", 0, "connect: None"),
        (AUTH, GOOD, [B], "a@out.test", 0, "require_auth: None"),
    ],
)
def test_the_log_says_what_the_rule_saw(
    filters: Filters, settings: str, sender: Argument, recipients: list[str], author: str, size: int, saw: str
) -> None:
    turf = filters(settings)
    with turf.session(macros={"daemon_port": "25"}) as client:
        client.message(sender, recipients, [("From", f" {author}")], b"x" * size)
    deciding = [line for line in turf.records() if "rule" in line]
    assert [f"{line['rule']}: {line.get('saw')}" for line in deciding] == [saw]


def test_the_log_says_how_much_a_session_was(filters: Filters) -> None:
    turf = filters(SESSION)
    with turf.session() as client:
        for size in (900, 900, 10, 10, 10):
            client.message(GOOD, [B], [("From", " a@out.test")], b"x" * size)
    deciding = [line for line in turf.records() if "rule" in line]
    assert [f"{line['rule']}: {line['saw']}" for line in deciding] == [
        "session_size: 1836 of 1500",
        "messages_per_session: 4 of 3",
    ]


def test_clients_on_no_list_and_exceeded_limits_are_logged_too(filters: Filters) -> None:
    turf = filters(CONNECT)
    with turf.session("x.test", "192.0.2.11") as client:
        client.message(GOOD, [B])
    assert [line["saw"] for line in turf.records() if line.get("client") == "192.0.2.11"] == ["not listed"]
    turf = filters(TURF)
    with turf.session() as client:
        client.message(GOOD, [B], [("From", ", ".join(["a@out.test"] * 4000))] * 3)
    assert [line["saw"] for line in turf.records()] == ["too many authors"]
    turf = filters(FORGED)
    with turf.session() as client:
        client.message(GOOD, [B], [RESULT] * 201)
    assert [line["saw"] for line in turf.records()] == ["201 fields of 200"]


def test_in_text_it_follows_the_entry(filters: Filters) -> None:
    turf = filters(LIMITS + TURF.removeprefix(RULES), "text")
    with turf.session() as client:
        client.message(TURFED, [B, C, D], [("From", " a@out.test")])
    refused, held = (line for line in turf.lines() if "verdict=" in line)
    assert ' rule=recipients_per_message saw="3 of 2" reply="452 ' in refused
    assert ' rule=turf entry="@turf.test turf.tables[0]" saw=sender id=' in held
