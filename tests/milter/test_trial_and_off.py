"""Trial evaluates and logs, and changes nothing; off asks nothing: for each rule and for the whole program."""

from __future__ import annotations

import pytest

from rig.filter import Filters
from rig.wire import Action

RELAY = "[relay]\nallow = []\n"
TURF = '[turf]\ntables = ["@turf.test"]\ndirectory = "{quarantine}"\nunreadable_author = "enforce"\n'
OURS = 'domains = ["rig.test"]\n'
ENFORCED = OURS + RELAY + TURF
PROGRAM_TRIED = 'mode = "trial"\n' + ENFORCED
BOTH_TRIED = OURS + RELAY + 'mode = "trial"\n' + TURF + 'mode = "trial"\n'
RELAY_TRIED = OURS + RELAY + 'mode = "trial"\n' + TURF
TURF_TRIED = OURS + RELAY + TURF + 'mode = "trial"\n'
RELAY_OFF = OURS + RELAY + 'mode = "off"\n' + TURF
TURF_OFF = OURS + RELAY + TURF + 'mode = "off"\n'
PROGRAM_OFF = 'mode = "off"\n' + ENFORCED
RULES_OFF = OURS + RELAY + 'mode = "off"\n' + TURF + 'mode = "off"\n[limits]\nmode = "off"\n'

REFUSED = "550 5.7.1 relaying prohibited"
RELAY_TRIAL = "relay reject c@elsewhere.test"
TURF_TRIAL = "turf hold @turf.test turf.tables[0]"
AUTHOR_TRIAL = "unreadable_author hold"


@pytest.mark.parametrize(
    ("settings", "answer", "end", "trial"),
    [
        (ENFORCED, REFUSED, "discard", None),
        (PROGRAM_TRIED, "continue", "accept", [TURF_TRIAL, RELAY_TRIAL]),
        (BOTH_TRIED, "continue", "accept", [TURF_TRIAL, RELAY_TRIAL]),
        (RELAY_TRIED, "continue", "discard", [RELAY_TRIAL]),
        (TURF_TRIED, REFUSED, "accept", [TURF_TRIAL]),
        (RELAY_OFF, "continue", "discard", None),
        (TURF_OFF, REFUSED, "accept", None),
    ],
)
def test_a_rule_in_trial_only_logs_what_it_would_have_done(
    filters: Filters, settings: str, answer: str, end: str, trial: list[str] | None
) -> None:
    turf = filters(settings)
    with turf.session() as client:
        headers = [("From", " good@out.test")]
        told = client.message("<spam@turf.test>", ["<b@rig.test>", "<c@elsewhere.test>"], headers)
    assert [str(one) for one in told.rcpts] == ["continue", answer]
    assert str(told.end) == end
    assert len(turf.held()) == (end == "discard")
    *refusals, message = turf.records()
    assert len(refusals) == (answer == REFUSED)
    assert message.get("trial") == trial
    assert message["verdict"] == {"discard": "hold", "accept": "accept"}[end]


@pytest.mark.parametrize(
    ("settings", "end", "trial"),
    [
        (ENFORCED, "discard", None),
        (PROGRAM_TRIED, "accept", [AUTHOR_TRIAL]),
        (TURF_TRIED, "accept", [AUTHOR_TRIAL]),
        (TURF_OFF, "accept", None),
    ],
)
def test_the_unreadable_author_goes_no_further_than_the_rule_and_the_program(
    filters: Filters, settings: str, end: str, trial: list[str] | None
) -> None:
    turf = filters(settings)
    with turf.session() as client:
        assert str(client.message("<good@out.test>", ["<b@rig.test>"], [("From", " nobody")]).end) == end
    (line,) = turf.records()
    assert line.get("trial") == trial


@pytest.mark.parametrize("settings", [PROGRAM_TRIED, BOTH_TRIED, TURF_TRIED])
def test_a_hold_in_trial_needs_no_body_and_removes_no_recipient(filters: Filters, settings: str) -> None:
    with filters(settings).session() as client:
        assert client.actions == Action.SETSYMLIST
        client.message("<spam@turf.test>", ["<b@rig.test>", "<postmaster@rig.test>"])
        assert (client.sent_bytes["body"], client.sent_bytes["eom"]) == (0, 0)


@pytest.mark.parametrize("settings", [PROGRAM_OFF, RULES_OFF])
def test_off_lets_the_whole_connection_pass_at_once(own_filter: Filters, settings: str) -> None:
    turf = own_filter(settings)
    with turf.client() as client:
        assert str(client.greet()) == "accept"
        assert str(client.message("<spam@turf.test>", ["<c@elsewhere.test>"]).end) == "accept"
        client.quit()
        assert set(client.sent_bytes) == {"negotiate", "macros", "connect", "quit"}
    assert turf.daemon.stop() == 0
    assert "verdict" not in turf.daemon.log()
    assert turf.held() == []


def test_off_is_warned_about(own_filter: Filters) -> None:
    assert 'turfmilter: warning: mode: "off"' in own_filter(PROGRAM_OFF).daemon.log()


CONNECT_TRIED = OURS + '[connect]\ndeny = ["198.51.100.7"]\nmode = "trial"\n'


@pytest.mark.parametrize(
    ("settings", "trial"),
    [
        (CONNECT_TRIED + 'reply_at = "connect"\n', "connect reject 198.51.100.7 connect.deny[0]"),
        (CONNECT_TRIED, "connect reject 198.51.100.7 connect.deny[0] b@rig.test"),
    ],
)
def test_a_client_that_would_be_refused_but_for_trial_is_logged_with_every_message(
    filters: Filters, settings: str, trial: str
) -> None:
    tried = filters(settings)
    for address in ("198.51.100.7", "198.51.100.8"):
        with tried.session(f"[{address}]", address) as client:
            for _ in range(2):
                assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"
            client.helo("again.test")
            assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"
    assert [line.get("trial") for line in tried.records()] == [[trial]] * 3 + [None] * 3
