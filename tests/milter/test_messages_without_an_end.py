"""Messages that end before the filter's final answer: each is logged once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rig.filter import Filters
from rig.milterclient import MilterClient
from rig.wire import strings

RULES = 'domains = ["rig.test"]\n[relay]\nallow = []\n[turf]\ntables = ["@turf.test"]\ndirectory = "{quarantine}"\n'
ON_TRIAL = 'mode = "trial"\n' + RULES
RELAY_ON_TRIAL = RULES.replace("allow", 'mode = "trial"\nallow')
TURF, RELAY = "turf hold @turf.test turf.tables[0]", "relay reject x@far.test"
B, FAR = "<b@rig.test>", "<x@far.test>"
BROKE_OFF = "the MTA aborted the message in its header, fields received: "

Step = Callable[[MilterClient], object]


def quit_(client: MilterClient) -> None:
    client.quit()


def vanish(client: MilterClient) -> None:
    """The MTA has ended, or was made to close the connection."""
    client.hang_up()


def reset(client: MilterClient) -> None:
    """RSET, or the client hung up."""
    client.abort()
    client.quit()


def greet_again(client: MilterClient) -> None:
    client.helo("again.test")
    client.quit()


def begin_again(client: MilterClient) -> None:
    """An MTA that does not say that the first message is over."""
    client.mail("<a@out.test>")
    client.quit()


ENDS: list[Step] = [quit_, vanish, reset, greet_again, begin_again]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(
    ("settings", "sender", "recipients", "trial"),
    [
        (ON_TRIAL, "<a@turf.test>", [B], [TURF]),
        (ON_TRIAL, "<a@out.test>", [B, FAR], [RELAY]),
        (ON_TRIAL, "<a@turf.test>", [FAR, B], [TURF, RELAY]),
        (RELAY_ON_TRIAL, "<a@turf.test>", [FAR], [RELAY]),
        (ON_TRIAL, "<a@out.test>", [B], None),
        (RULES, "<a@turf.test>", [B], None),
    ],
)
def test_what_a_rule_on_trial_found_is_logged_although_the_message_never_comes(
    filters: Filters, settings: str, sender: str, recipients: list[str], trial: list[str] | None, end: Step
) -> None:
    turf = filters(settings)
    with turf.client() as client:
        client.greet()
        client.mail(sender)
        for recipient in recipients:
            client.rcpt(recipient)
        end(client)
    lines = turf.records()
    assert [line["trial"] for line in lines] == ([trial] if trial else [])
    for line in lines:
        assert "verdict" not in line
        assert line["rcpt"] == [recipient.strip("<>") for recipient in recipients]


def test_a_message_that_was_answered_is_not_logged_again(filters: Filters) -> None:
    turf = filters(ON_TRIAL)
    with turf.session() as client:
        for _ in range(2):
            client.message("<a@turf.test>", [B])
            client.abort()
    assert [line["verdict"] for line in turf.records()] == ["accept", "accept"]


def test_each_message_of_a_connection_is_logged_for_itself(filters: Filters) -> None:
    turf = filters(ON_TRIAL)
    with turf.session() as client:
        for recipient in (B, FAR):
            client.mail("<a@turf.test>")
            client.rcpt(recipient)
            client.abort()
            client.abort()
        client.message("<a@turf.test>", [B])
    assert [line.get("verdict") for line in turf.records()] == [None, None, "accept"]


def header(number: int) -> Step:
    """So many fields."""

    def send(client: MilterClient) -> None:
        for _ in range(number):
            client.header("From", " a@out.test")

    return send


def nothing(_client: MilterClient) -> None:
    """The client hung up after DATA."""


def no_field(client: MilterClient) -> None:
    """The first field is already too long."""
    client.send_frame(b"L", strings("X-Long", "x" * 66_000), "header")


def too_long(client: MilterClient) -> None:
    """A field that libmilter does not take: it closes the connection."""
    client.header("From", " a@out.test")
    client.send_frame(b"L", strings("X-Long", "x" * 66_000), "header")


@pytest.mark.parametrize(
    ("content", "end", "seen"),
    [
        (header(3), vanish, 3),
        (header(1), reset, 1),
        (header(2), quit_, 2),
        (too_long, vanish, 1),
        (nothing, reset, 0),
        (nothing, vanish, 0),
        (no_field, vanish, 0),
        (lambda client: (header(2)(client), client.eoh()), reset, 0),
        (lambda client: (header(2)(client), client.eoh(), client.body(b"x")), vanish, 0),
    ],
)
@pytest.mark.parametrize("settings", [RULES, ON_TRIAL])
def test_a_header_that_the_mta_could_not_show_to_its_end_is_an_error(
    filters: Filters, settings: str, content: Step, end: Step, seen: int
) -> None:
    turf = filters(settings, "text")
    with turf.client() as client:
        client.greet()
        client.mail("<a@turf.test>")
        client.rcpt(B)
        client.data()
        content(client)
        end(client)
    lines = [line for line in turf.lines() if "4XyZ000001: " in line]
    errors = [line for line in lines if line.startswith("error: ")]
    infos = [line for line in lines if line.startswith("info: 4XyZ000001: " + BROKE_OFF + "0 (")]
    where = "error: 4XyZ000001: " + BROKE_OFF + f"{seen} (client=192.0.2.9 sender=a@turf.test): "
    assert [line.startswith(where) for line in errors] == ([True] if seen else [])
    assert len(infos) == (hung_up := content in (nothing, no_field))
    assert len(lines) - len(errors) - hung_up == (settings == ON_TRIAL)
