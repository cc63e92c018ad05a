"""How much one client may send: recipients, sizes and messages, in one transaction and over a session."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.mailhost import MESSAGE
from e2e.postfixhost import PostfixHost
from rig.smtp import SmtpClient

RELAY = """\
domains = ["rig.test"]
[relay]
allow = []
"""
RECIPIENTS = """\
[limits]
recipients_per_message = 2
recipients_per_bounce = 1
[[cap]]
client = ["192.0.2.0/24", "2001:db8::/32"]
recipients_per_message = 3
[[cap]]
sender = ["@lists.out.test"]
recipients_per_message = 0
[turf]
tables = ["@turf.test"]
directory = "$quarantine"
"""
FILTERS = {
    "inbound": RELAY + RECIPIENTS,
    "sizes": RELAY
    + '[limits]\nmessage_size = 1000\nsession_size = 2500\n[[cap]]\nclient = ["192.0.2.9"]\nmessage_size = 0\n'
    'session_size = 0\n[turf]\ntables = ["@turf.test"]\ndirectory = "$quarantine"\n',
    "messages": RELAY + "[limits]\nmessages_per_session = 2\n",
    "trial": RELAY + '[limits]\nmode = "trial"\nrecipients_per_message = 1\nmessage_size = 100\n',
}
TAKEN = "250 2.1.5 Ok"
NO_RELAY = "550 5.7.1 relaying prohibited"
TOO_MANY = "452 4.5.3 too many recipients in this message, send it again for the others"
BOUNCE = "550 5.5.3 too many recipients for a bounce"
TOO_BIG = "552 5.3.4 message too big"
TOO_MUCH = "421 4.7.0 too much mail in one connection, continue in a new one"
NO_MORE = "421 4.7.0 too many messages in one connection, continue in a new one"
BOB, ANNA = "<bob@rig.test>", "<anna@out.test>"
FIVE = [f"<r{number}@rig.test>" for number in range(5)]


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    with PostfixHost(module_place, FILTERS) as running:
        yield running


def message(octets: int) -> bytes:
    """A message of which header and body are that long together; the line between them is part of neither."""
    return b"Subject: x\r\n\r\n".ljust(octets, b"x") + b"\r\n"


def send(client: SmtpClient, octets: int) -> str:
    """Send one message of that size; the last reply."""
    return str(client.transaction(ANNA, BOB, message=message(octets))[-1])


def is_closed(client: SmtpClient) -> bool:
    """Whether the server has closed the connection."""
    try:
        client.command("NOOP")
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize(
    ("sender", "client", "taken"),
    [
        (ANNA, "203.0.113.9", 2),
        (ANNA, "192.0.2.1", 3),
        (ANNA, "IPV6:2001:db8::1", 3),
        (ANNA, "IPV6:2001:db9::1", 2),
        ("<news@lists.out.test>", "203.0.113.9", 5),
        ("<news@lists.out.test>", "192.0.2.1", 3),
    ],
)
def test_the_first_recipients_get_the_message_and_the_others_are_for_later(
    host: PostfixHost, sender: str, client: str, taken: int
) -> None:
    *replies, last = host.send(*FIVE, sender=sender, ADDR=client)
    assert replies == [TAKEN] * taken + [TOO_MANY] * (5 - taken)
    assert last.startswith("250 2.0.0 Ok: queued as ")
    assert [f"<{recipient}>" for recipient in host.reached()] == FIVE[:taken]


def test_recipients_that_were_refused_do_not_count(host: PostfixHost) -> None:
    asked = ["<x@elsewhere.test>", FIVE[0], "<y@elsewhere.test>", FIVE[1], FIVE[2], "<z@elsewhere.test>"]
    replies = host.send(*asked)
    assert replies[:6] == [NO_RELAY, TAKEN, NO_RELAY, TAKEN, TOO_MANY, NO_RELAY]
    assert [f"<{recipient}>" for recipient in host.reached()] == FIVE[:2]


def test_recipients_are_counted_again_in_every_message(host: PostfixHost) -> None:
    with host.client() as client:
        for ending in ("RSET", "EHLO client.out.test", "RSET"):
            client.mail(ANNA)
            assert [str(client.rcpt(recipient)) for recipient in FIVE[:3]] == [TAKEN, TAKEN, TOO_MANY]
            client.command(ending)
        for _ in range(2):
            replies = client.transaction(ANNA, *FIVE[:3], message=MESSAGE)
            assert [str(reply) for reply in replies[1:4]] == [TAKEN, TAKEN, TOO_MANY]


def test_a_bounce_is_for_one_recipient(host: PostfixHost) -> None:
    assert host.send(*FIVE[:3], sender="<>")[:3] == [TAKEN, BOUNCE, BOUNCE]
    assert host.reached() == ["r0@rig.test"]


def test_what_is_held_is_held_from_the_accepted_recipients(host: PostfixHost) -> None:
    assert host.send(*FIVE[:3], sender="<x@turf.test>")[:3] == [TAKEN, TAKEN, TOO_MANY]
    assert [held.recipients for held in host.filter.held()] == [["r0@rig.test", "r1@rig.test"]]


def test_a_local_submission_reaches_all_its_recipients(host: PostfixHost) -> None:
    recipients = [recipient.strip("<>") for recipient in FIVE]
    host.postfix.run("sendmail", "-f", "root@rig.test", *recipients, stdin=b"Subject: x\n\nhello\n")
    assert sorted(host.reached()) == recipients


@pytest.mark.parametrize(("declared", "heard"), [("1000", TAKEN), ("1001", TOO_BIG), ("9" * 7, TOO_BIG), ("0", TAKEN)])
def test_a_size_that_is_declared_is_answered_at_the_recipient(host: PostfixHost, declared: str, heard: str) -> None:
    with host.client("sizes") as client:
        assert str(client.mail(ANNA, f"SIZE={declared}")) == "250 2.1.0 Ok"
        assert str(client.rcpt(BOB)) == heard


@pytest.mark.parametrize("declared", [[], ["SIZE=10"]])
@pytest.mark.parametrize(
    ("sender", "octets", "taken"),
    [(ANNA, 1000, True), (ANNA, 1001, False), (ANNA, 200_000, False), ("<x@turf.test>", 200_000, False)],
)
def test_a_size_that_is_counted_is_answered_at_the_end(
    host: PostfixHost, declared: list[str], sender: str, octets: int, taken: bool
) -> None:
    with host.client("sizes") as client:
        client.mail(sender, *declared)
        client.rcpt(BOB)
        last = str(client.data(message(octets)))
    assert last.startswith("250 ") if taken else last == TOO_BIG
    assert host.reached() == (["bob@rig.test"] if taken else [])
    assert host.filters["sizes"].held() == host.filters["sizes"].half_written() == []


def test_the_header_counts_as_the_body_does(host: PostfixHost) -> None:
    field = b"Subject: x\r\n"
    assert host.send(BOB, listener="sizes", message=field * 83 + b"\r\nx\r\n")[-1].startswith("250 ")
    assert host.send(BOB, listener="sizes", message=field * 84 + b"\r\n")[-1] == TOO_BIG


def test_a_message_too_big_ends_nothing_and_does_not_count(host: PostfixHost) -> None:
    with host.client("sizes") as client:
        assert [send(client, octets)[:3] for octets in (1001, 999, 5000, 1000, 501)] == [
            "552",
            "250",
            "552",
            "250",
            "250",
        ]


@pytest.mark.parametrize("sizes", [[1000, 1000, 501], [1000, 1000, 1000], [500, 1000, 1000, 100]])
def test_the_message_that_exceeds_the_session_ends_it(host: PostfixHost, sizes: list[int]) -> None:
    with host.client("sizes") as client:
        assert [send(client, octets)[:3] for octets in sizes[:-1]] == ["250"] * (len(sizes) - 1)
        assert send(client, sizes[-1]) == TOO_MUCH
        assert is_closed(client)
    assert host.reached() == ["bob@rig.test"] * (len(sizes) - 1)
    with host.client("sizes") as client:
        assert send(client, sizes[-1]).startswith("250 ")


def test_what_was_reset_does_not_count_for_the_session(host: PostfixHost) -> None:
    with host.client("sizes") as client:
        for _ in range(3):
            client.mail(ANNA, "SIZE=1000")
            client.rcpt(BOB)
            client.command("RSET")
        assert [send(client, octets)[:3] for octets in (1000, 1000, 500)] == ["250"] * 3
        assert send(client, 20) == TOO_MUCH


def test_a_cap_may_lift_every_limit(host: PostfixHost) -> None:
    with host.client("sizes", ADDR="192.0.2.9") as client:
        assert [send(client, 3000)[:3] for _ in range(3)] == ["250"] * 3


def test_the_message_beyond_the_number_of_a_session_ends_it(host: PostfixHost) -> None:
    with host.client("messages") as client:
        client.transaction(ANNA, "<x@elsewhere.test>", message=MESSAGE)
        client.mail(ANNA)
        client.rcpt(BOB)
        client.command("RSET")
        for _ in range(2):
            assert client.transaction(ANNA, BOB, message=MESSAGE)[-1].code == 250
        assert str(client.mail(ANNA)) == "250 2.1.0 Ok"
        assert str(client.rcpt(BOB)) == NO_MORE
        assert is_closed(client)
    assert host.reached() == ["bob@rig.test"] * 2
    assert host.send(BOB, listener="messages")[0] == TAKEN


def test_in_trial_the_log_shows_what_would_have_been_rejected(host: PostfixHost) -> None:
    assert host.send(*FIVE[:2], listener="trial", message=message(101))[:2] == [TAKEN, TAKEN]
    expected = ' trial="recipients_per_message tempfail r1@rig.test","message_size reject" '
    assert expected in host.filters["trial"].said(" trial=")
