"""What a rule does that is only tried or off, and what the log says it would have done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.mailhost import MESSAGE
from e2e.postfixhost import PostfixHost, queue_id

RELAY = """\
domains = ["rig.test"]
[relay]
allow = []
"""
TURF = """\
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""
FILTERS = {
    "inbound": RELAY + TURF,
    "trial": 'mode = "trial"\n' + RELAY + TURF,
    "off": 'mode = "off"\n' + RELAY + TURF,
    "relay-trial": RELAY + 'mode = "trial"\n' + TURF,
    "relay-off": RELAY + 'mode = "off"\n' + TURF,
    "turf-trial": RELAY + TURF + 'mode = "trial"\n',
    "turf-off": RELAY + TURF + 'mode = "off"\n',
    "discard-trial": RELAY + '[turf]\nmode = "trial"\ndiscard = true\ntables = ["@turf.test"]\n',
    "reject-trial": RELAY + TURF + 'mode = "trial"\nanswer = "reject"\n',
}
WOULD_HOLD = '"turf hold @turf.test turf.tables[0]"'
WOULD_REFUSE = '"relay reject x@elsewhere.test"'
BOTH = ["bob@rig.test", "x@elsewhere.test"]
REFUSED = "550 5.7.1 relaying prohibited"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    with PostfixHost(module_place, FILTERS) as running:
        yield running


@pytest.mark.parametrize(
    ("listener", "relayed", "held", "trial"),
    [
        ("inbound", False, True, ""),
        ("trial", True, False, f"{WOULD_HOLD},{WOULD_REFUSE}"),
        ("relay-trial", True, True, WOULD_REFUSE),
        ("relay-off", True, True, ""),
        ("turf-trial", False, False, WOULD_HOLD),
        ("turf-off", False, False, ""),
        ("discard-trial", False, False, WOULD_HOLD.replace("hold", "discard")),
        ("reject-trial", False, False, WOULD_HOLD),
    ],
)
def test_a_rule_in_trial_lets_pass_and_logs_what_it_would_have_done(
    host: PostfixHost, listener: str, relayed: bool, held: bool, trial: str
) -> None:
    replies = host.send("<bob@rig.test>", "<x@elsewhere.test>", sender="<a@turf.test>", listener=listener)
    passing = [recipient for recipient in BOTH if relayed or recipient != "x@elsewhere.test"]
    assert replies[:2] == ["250 2.1.5 Ok", "250 2.1.5 Ok" if relayed else REFUSED]
    assert sorted(host.reached()) == ([] if held else passing)
    assert [one.recipients for one in host.filters[listener].held()] == ([passing] if held else [])
    said = host.filters[listener].said(f"^{queue_id(replies[2])}: .*verdict={'hold' if held else 'accept'}")
    assert (f" trial={trial} " in said) if trial else (" trial=" not in said)


def test_an_unreadable_author_is_only_on_trial_unless_configured_otherwise(host: PostfixHost) -> None:
    taken = queue_id(host.send("<bob@rig.test>", message=b"Subject: no author\r\n\r\n")[-1])
    assert host.reached() == ["bob@rig.test"]
    assert ' trial="unreadable_author hold" ' in host.filter.said(f"^{taken}: ")


def test_what_is_off_altogether_logs_and_does_nothing(host: PostfixHost) -> None:
    before = host.filters["off"].daemon.log()
    host.send("<bob@rig.test>", "<x@elsewhere.test>", sender="<a@turf.test>", listener="off")
    assert sorted(host.reached()) == BOTH
    assert host.filters["off"].held() == []
    assert host.filters["off"].daemon.log() == before


def test_a_trial_is_logged_for_its_own_message_only(host: PostfixHost) -> None:
    with host.client("trial") as client:
        client.transaction("<a@turf.test>", "<x@elsewhere.test>", message=MESSAGE)
        client.mail("<a@turf.test>")
        client.rcpt("<x@elsewhere.test>")
        client.command("RSET")
        *_, data = client.transaction("<anna@out.test>", "<bob@rig.test>", message=MESSAGE)
    assert " trial=" not in host.filters["trial"].said(f"^{queue_id(str(data))}: ")
