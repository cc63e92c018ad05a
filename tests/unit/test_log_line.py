"""One line of the log: the contract's keys in their order, and nothing that a sender could forge."""

from __future__ import annotations

import json as stdlib
from typing import Any, get_type_hints

import pytest

from turfmilter.core.report import Record
from turfmilter.telemetry.line import json, json_notice, text, text_notice

FULL = Record(
    queue_id="4Xb1cD",
    client="192.0.2.7",
    name="mail.turf.example",
    helo="turf",
    account="alice",
    listener="submission",
    sender="spam@turf.example",
    nrcpt=2,
    rcpt=("anna@example.org", "bert@example.org"),
    size=2000,
    verdict="hold",
    rule="turf",
    entry="@turf.example turf.table:12",
    trial=("relay=reject", "size=reject"),
    id="1m4x8q-7kz0ha",
    reply="550 5.7.1 message refused by local policy",
    gen=42,
    ms=17,
)


def test_all_keys_stand_in_the_order_of_the_contract() -> None:
    assert text(FULL) == (
        "4Xb1cD: client=192.0.2.7 name=mail.turf.example helo=turf account=alice listener=submission "
        "sender=spam@turf.example nrcpt=2 rcpt=anna@example.org,bert@example.org size=2000 verdict=hold rule=turf "
        'entry="@turf.example turf.table:12" trial="relay=reject","size=reject" id=1m4x8q-7kz0ha '
        'reply="550 5.7.1 message refused by local policy" gen=42 ms=17'
    )


def test_json_says_the_same() -> None:
    said = stdlib.loads(json(FULL))
    assert list(said) == [
        "queue_id", "client", "name", "helo", "account", "listener", "sender", "nrcpt", "rcpt", "size", "verdict",
        "rule", "entry", "trial", "id", "reply", "gen", "ms",
    ]  # fmt: skip
    assert said["rcpt"] == ["anna@example.org", "bert@example.org"]
    assert said["size"] == 2000
    assert said["entry"] == "@turf.example turf.table:12"


@pytest.mark.parametrize(
    ("record", "line", "object"),
    [
        (Record(), "NOQUEUE: ", {"queue_id": "NOQUEUE"}),
        (Record(verdict="reject"), "NOQUEUE: verdict=reject", {"queue_id": "NOQUEUE", "verdict": "reject"}),
        (Record("A1", sender=""), "A1: sender=<>", {"queue_id": "A1", "sender": ""}),
        (Record("A1", sender=None, size=0), "A1: size=0", {"queue_id": "A1", "size": 0}),
        (Record("A1", nrcpt=0, rcpt=()), "A1: ", {"queue_id": "A1"}),
    ],
)
def test_what_is_absent_is_left_out(record: Record, line: str, object: dict[str, object]) -> None:
    assert text(record) == line
    assert stdlib.loads(json(record)) == object


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("2001:db8::7", "2001:db8::7"),
        ("[192.0.2.7]", "[192.0.2.7]"),
        ("news*@a_b-c.example", "news*@a_b-c.example"),
        ("a b", '"a b"'),
        ("verdict=accept", '"verdict=accept"'),
        ("a,b@x", '"a,b@x"'),
        ("<>", '"<>"'),
        ('say "hi"', r'"say \"hi\""'),
        ("back\\slash", r'"back\\slash"'),
        ('\\"', r'"\\\""'),
        ("x\nA1: verdict=accept", r'"x\x0aA1: verdict=accept"'),
        ("\r\0\x1b[2J", r'"\x0d\x00\x1b[2J"'),
        ("\x85\u2028\u2029", r'"\u0085\u2028\u2029"'),
        ("\u202egnihsihp", r'"\u202egnihsihp"'),
        ("pay\u200bpal", r'"pay\u200bpal"'),
        ("\udcfc\ud800", r'"\xfc\ud800"'),
        ("jürgen", '"jürgen"'),
    ],
)
def test_a_value_cannot_leave_its_place(value: str, shown: str) -> None:
    assert text(Record("A1", helo=value)) == f"A1: helo={shown}"
    assert text(Record("A1", rcpt=(value, "z"))) == f"A1: rcpt={shown},z"
    assert text(Record(value, helo="z")) == f"{shown}: helo=z"


def test_json_holds_only_what_every_reader_can_read() -> None:
    line = json(Record("A1\n", helo='"\udcfc\u202e\\', rcpt=("ü",)))
    assert line == r'{"queue_id": "A1\\x0a", "helo": "\"\\xfc\\u202e\\\\", "rcpt": ["ü"]}'


def test_only_the_first_ten_recipients_are_named() -> None:
    record = Record("A1", nrcpt=12, rcpt=tuple("abcdefghijkl"))
    assert text(record) == "A1: nrcpt=12 rcpt=a,b,c,d,e,f,g,h,i,j"
    assert stdlib.loads(json(record))["rcpt"] == list("abcdefghij")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 224, "x" * 224),
        ("x" * 225, '"' + "x" * 224 + r'\..."'),
        ("x" * 60_000, '"' + "x" * 224 + r'\..."'),
        ("\n" * 225, '"' + r"\x0a" * 44 + r'\..."'),
        ("ü" * 113, '"' + "ü" * 112 + r'\..."'),
        ("x" * 224 + "\\...", '"' + "x" * 224 + r'\..."'),
        ("x" * 200 + "\\...", '"' + "x" * 200 + r'\\..."'),
    ],
)
def test_a_long_value_is_cut_with_a_mark_that_cannot_be_forged(value: str, shown: str) -> None:
    assert text(Record("A1", helo=value)) == f"A1: helo={shown}"


@pytest.mark.parametrize("char", ["x", " ", '"', "\\", "\n", "ü", "\U0001f4e7", "\U000e0001", "\udcff"])
def test_the_longest_line_stays_below_8_kib(char: str) -> None:
    long = char * 70_000
    texts: dict[str, Any] = {f: long for f, kind in get_type_hints(Record).items() if kind in (str, str | None)}
    record = FULL._replace(**texts, rcpt=(long,) * 20, trial=(long,) * 20, nrcpt=10**6, size=10**12, ms=10**7)
    assert len(text(record).encode()) < 8100
    assert len(json(record).encode()) < 8100
    assert len(text_notice("error", long).encode()) < 8100
    assert len(json_notice("error", long).encode()) < 8100


def test_a_notice_of_the_program_says_its_level_first() -> None:
    assert text_notice("info", "generation 42: turf +3 -1") == "info: generation 42: turf +3 -1"
    assert text_notice("error", "helo \n\u202e") == r"error: helo \x0a\u202e"
    assert stdlib.loads(json_notice("warning", "x\ny")) == {"level": "warning", "text": r"x\x0ay"}
