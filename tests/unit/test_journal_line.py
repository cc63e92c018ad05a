"""The lines of the journal."""

from __future__ import annotations

from datetime import UTC, date, datetime
from ipaddress import ip_address

import pytest

from turfmilter.core.journal.line import MOST_LINE_OCTETS, Unreadable, decode, encode, time_of
from turfmilter.core.journal.transaction import Answer, NotLookedUp, Transaction, Tried
from turfmilter.core.report import Trial
from turfmilter.core.rule import Fact
from turfmilter.core.session import ClientNames, Connection, Known, Recipient

NOON = datetime(2026, 12, 1, 12, 0, 0, 123456, tzinfo=UTC)
NAMES = ClientNames(("mx.there.example",), ("mx.there.example", "claimed.example"), failed=True)
CONNECTION = Connection(
    client=ip_address("2001:db8::1"),
    names=Known(NAMES),
    local_address=ip_address("192.0.2.25"),
    port=587,
    daemon="MTA",
    host="mx.ours.example",
)
FULL = Transaction(
    time=NOON,
    session="1a2b3c4d-7",
    connection=CONNECTION,
    facts=frozenset({Fact.TLS, Fact.PORT}),
    listener="submission",
    helo="café\n\udce9",
    tls=True,
    account="anna",
    today=date(2026, 11, 30),
    messages=2,
    octets=4711,
    sender='<"a b"@there.example>',
    params=("SIZE=10", "BODY=8BITMIME"),
    tried=(
        Tried(Recipient("<b@ours.example>", ("NOTIFY=NEVER",), "b@ours.example", "b")),
        Tried(Recipient("<c@else.example>"), Answer("reject", "relay", "@x relay.deny:1", "1 of 0", "550 5.7.1 no")),
    ),
    fields={"from": ("Anna <anna@there.example>", "\udcff")},
    size=0,
    complete=False,
    answer=Answer("hold", "turf", "@there.example turf.table:3", "sender"),
    trials=(Trial("connect", "reject", "192.0.2.1 connect.deny[0]", "", "b@ours.example"),),
    queue_id="4cT1zq",
    id="1m4x8q-7kz0ha",
    generation=42,
    ms=3,
)
BARE = Transaction(time=NOON, session="s-1", connection=Connection(), today=NOON.date())


@pytest.mark.parametrize("transaction", [FULL, BARE, FULL._replace(sender="", tried=(), fields={}, params=())])
def test_a_transaction_comes_back_as_it_was_written(transaction: Transaction) -> None:
    line = encode(transaction)
    assert decode(line) == transaction
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii()


@pytest.mark.parametrize(
    ("names", "known"),
    [
        (Known(NAMES), NAMES),
        (Known(), ClientNames()),  # looked up, and there are none
        (NotLookedUp(), None),
    ],
)
def test_a_client_without_names_and_one_whose_names_are_unknown_differ(
    names: Known | NotLookedUp, known: ClientNames | None
) -> None:
    again = decode(encode(FULL._replace(connection=CONNECTION._replace(names=names)))).connection
    assert again.names.known == known


def test_a_name_that_the_mta_has_confirmed_is_written_once() -> None:
    name = "mx.there.example"
    connection = CONNECTION._replace(name=name, names=Known(ClientNames((name,), (name,))))
    line = encode(FULL._replace(connection=connection))
    assert line.count(name.encode()) == 1
    assert decode(line).connection == connection


def test_a_rule_that_asks_for_names_that_nobody_looked_up_is_noticed() -> None:
    names = NotLookedUp()
    names.begin()
    assert not names.missed
    assert names.result() == ClientNames(failed=True)
    assert names.missed


def test_a_line_has_its_time_where_it_can_be_found_without_parsing() -> None:
    assert time_of(encode(FULL)) == "2026-12-01T12:00:00.123456"
    assert time_of(b"{}\n") == ""


@pytest.mark.parametrize(
    "huge",
    [
        {"fields": {"from": ("x" * 70_000,)}},
        {"tried": (Tried(Recipient("<" + "x" * 1000 + ">")),) * 100},
        {"tried": (Tried(Recipient("<" + "\udcff" * 20_000 + ">")),)},
        {"params": ("x" * 70_000,)},
    ],
)
def test_a_line_that_would_be_too_long_is_incomplete(huge: dict[str, object]) -> None:
    line = encode(FULL._replace(complete=True, **huge))
    again = decode(line)
    assert len(line) <= MOST_LINE_OCTETS
    assert not again.complete
    assert (again.session, again.answer) == (FULL.session, FULL.answer)


LINE = encode(FULL)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (LINE[:-20], "damaged"),
        (b"\n", "damaged"),
        (b"\xff\xfe\n", "damaged"),
        (b"[1]\n", "damaged"),
        (b'{"time":"2026-12-01"}\n', "damaged"),
        (LINE.replace(b'"v":1', b'"v":2'), "version 2"),
        (LINE.replace(b"2026-12-01T12", b"2026-13-01T12"), "damaged"),
        (LINE.replace(b'"port":587', b'"port":"x"'), "damaged"),
        (LINE.replace(b'"PORT"', b'"SPORT"'), "damaged"),
        (LINE.replace(b'"helo":"', b'"helo":["'), "damaged"),
        (b"[" * 100_000, "damaged"),
    ],
)
def test_a_line_that_is_not_one_of_ours_is_unreadable(line: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        decode(line)
