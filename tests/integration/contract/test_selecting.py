"""What every implementation of HeldMessages finds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from rig.quarantine import TIME, party
from rig.store import Store
from turfmilter.core.held.message import Flag, State, shown_id
from turfmilter.core.held.selection import By, Selection
from turfmilter.core.held.summary import BY_HAND
from turfmilter.core.ports import HeldMessages
from turfmilter.core.table.pattern import parse_host, parse_sender

ALL = Selection(states=frozenset(State))


def ids(held: HeldMessages, selection: Selection | None = None, limit: int = 0) -> list[str]:
    return [one.message.id for one in held.newest(selection or Selection(), limit)]


def test_an_empty_store_has_no_messages(held_messages: HeldMessages) -> None:
    assert held_messages.newest(ALL) == []
    assert list(held_messages.every()) == []
    assert held_messages.count(ALL) == 0
    assert held_messages.groups(ALL, "sender") == []
    assert not held_messages.quarters(ALL)
    assert held_messages.named(["1", ""]) == [[], []]


def test_the_newest_come_first_and_a_limit_cuts_the_oldest_off(store: Store, held_messages: HeldMessages) -> None:
    first, third, second = (store.hold(time=TIME + timedelta(minutes=minutes)) for minutes in (0, 2, 1))
    assert ids(held_messages) == [third, second, first]
    assert ids(held_messages, limit=2) == [third, second]


def test_a_message_comes_with_what_it_is_about(store: Store, held_messages: HeldMessages) -> None:
    text = b"From: Anna <anna@author.example>\r\nSubject: =?utf-8?q?=C3=84pfel?=\r\n\r\nworld\r\n"
    id = store.hold(
        text, sender="spam@turf.example SIZE=9", recipients=("bob@example.org NOTIFY=NEVER", "carol@x.example")
    )
    (one,) = held_messages.newest(ALL)
    assert (one.message.id, one.message.state, one.message.flags) == (id, State.UNREVIEWED, frozenset())
    said = one.summary
    assert (said.time, said.size, said.subject, said.doubt) == (TIME, len(text), "Äpfel", "")
    assert (said.sender, said.recipients) == ("spam@turf.example", ("bob@example.org", "carol@x.example"))
    assert (said.authors, said.client, said.name) == (("anna@author.example",), "192.0.2.7", "mail.turf.example")
    assert (said.rule, said.entry) == ("turf", "@turf.example turf.table:12")


SELECTIONS = [
    Selection(sender=parse_sender("=@other.example")),
    Selection(sender=parse_sender("new*@other.example")),
    Selection(author=parse_sender("carl@author.example")),
    Selection(recipient=parse_sender("@sub.example.org")),
    Selection(client=parse_host("198.51.100.0/24")),
    Selection(client=parse_host("mx.other.example")),
    Selection(rule="relay"),
    Selection(entry="news*@other.example"),
    Selection(entry="other.table:3"),
    Selection(subject="100% ÄPFEL"),
    Selection(since=TIME + timedelta(hours=1)),
    Selection(larger=1000),
    Selection(states=frozenset({State.REVIEWED})),
]


@pytest.mark.parametrize("selection", SELECTIONS, ids=repr)
def test_every_condition_selects(store: Store, held_messages: HeldMessages, selection: Selection) -> None:
    store.hold()
    mine = store.hold(
        b"From: carl@author.example\r\nSubject: now 100% =?utf-8?q?=C3=A4pfel?=\r\n\r\n" + b"x" * 2000,
        sender="news-1@other.example",
        recipients=("anna@sub.example.org",),
        client="198.51.100.9",
        name="mx.other.example",
        rule="relay",
        entry="news*@other.example other.table:3",
        time=TIME + timedelta(hours=2),
    )
    [[message]] = held_messages.named([mine])
    held_messages.mark(message, add={Flag.REVIEWED})
    assert ids(store.desk(), selection) == [mine]
    assert store.desk().count(selection) == 1


def test_all_conditions_must_hold(store: Store, held_messages: HeldMessages) -> None:
    store.hold()
    assert ids(held_messages, Selection(rule="turf", sender=parse_sender("@other.example"))) == []


def test_deleted_messages_are_only_selected_when_asked_for(store: Store, held_messages: HeldMessages) -> None:
    id = store.hold()
    [[message]] = held_messages.named([id])
    held_messages.mark(message, add={Flag.DELETED})
    assert ids(store.desk()) == []
    assert ids(store.desk(), ALL) == [id]


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("sender", {"a@x.example": 2, "<>": 1}),
        ("entry", {"@x.example": 2, "*-bounces@y.example": 1}),
        ("client", {"192.0.2.7": 3}),
        ("domain", {"x.example": 2, "<>": 1}),
        ("author", {"ann@a.example": 2, "bob@a.example": 2, "": 1}),
        ("recipient", {"anna@example.org": 2, "root": 1}),
    ],
)
def test_groups_count_what_messages_have_in_common(
    store: Store, held_messages: HeldMessages, by: By, groups: dict[str, int]
) -> None:
    for minutes in (1, 3):
        time = TIME + timedelta(minutes=minutes)
        text = b"From: ann@a.example, Bob <bob@A.EXAMPLE>, bob@a.example\r\n\r\n"
        store.hold(text, sender="a@x.example", entry=f"@x.example turf.table:{minutes}", time=time)
    store.hold(b"", sender=party(""), recipients=("root",), entry="*-bounces@y.example turf.table:9", time=TIME)
    found = held_messages.groups(ALL, by)
    assert {group.value: group.count for group in found} == groups
    assert max(group.last for group in found) == TIME + timedelta(minutes=3)


def test_quarters_of_an_hour_are_counted_in_utc(store: Store, held_messages: HeldMessages) -> None:
    for hour, minute, second in [(23, 44, 59), (23, 45, 0), (23, 59, 59)]:
        store.hold(time=TIME.replace(hour=hour, minute=minute, second=second))
    assert dict(held_messages.quarters(ALL)) == {
        TIME.replace(hour=23, minute=30, second=0): 1,
        TIME.replace(hour=23, minute=45, second=0): 2,
    }


def test_what_others_change_is_seen_without_opening_the_store_again(store: Store, held_messages: HeldMessages) -> None:
    """A list is made, the other desk marks one message and removes another, and the list is made again."""
    stays, goes = store.hold(), store.hold()
    assert held_messages.count(ALL) == 2
    other = store.desk()
    [[one], [another]] = other.named([stays, goes])
    marked = other.mark(one, add={Flag.RELEASED})
    other.remove(another)
    assert [one.message for one in held_messages.newest(ALL)] == [marked]
    assert list(held_messages.every()) == [marked]


# What somebody can call a file: ids are people's input, part of queries and part of what is printed.
HOSTILE = [
    "%",
    "_",
    "*",
    "'; DROP TABLE held; --",
    '"',
    "\\x1b",
    "\x1b]0;title\x07",
    "a\nb",
    "caf\udce9",
    "\u202egnp.exe",
    "1m4x8q-7kz0ha.bak",
    "x" * 200,
    "-rf",
    "a;..",
]


@pytest.mark.parametrize("id", HOSTILE, ids=ascii)
def test_an_id_that_anybody_chose_is_only_a_name(store: Store, held_messages: HeldMessages, id: str) -> None:
    others = [store.hold() for _ in range(2)]
    store.put_by_hand(id)
    [[message]] = held_messages.named([shown_id(id)])
    assert message.id == id
    assert {one.message.id: one.summary.doubt for one in held_messages.newest(ALL)} == {
        **dict.fromkeys(others, ""),
        id: BY_HAND,
    }
    marked = held_messages.mark(message, add={Flag.REVIEWED})
    assert (marked.id, marked.state) == (id, State.REVIEWED)
    held_messages.remove(marked)
    assert sorted(one.id for one in held_messages.every()) == sorted(others)


def test_ids_select_messages_whatever_their_state(store: Store, held_messages: HeldMessages) -> None:
    mine, odd = store.hold(), "caf\udce9 %"
    store.put_by_hand(odd)
    store.hold()
    assert set(ids(held_messages, Selection(states=frozenset(), also=frozenset({mine, odd, "nothing"})))) == {mine, odd}
    assert held_messages.count(Selection(also=frozenset({mine}))) == 3
    assert held_messages.count(Selection(states=frozenset(), also=frozenset({mine}), rule="relay")) == 0


@pytest.mark.parametrize("spelled", ["{}", "{:.6}", "{:.9}", "{:.7}"])
def test_an_id_is_found_however_it_is_typed(store: Store, held_messages: HeldMessages, spelled: str) -> None:
    id = store.hold()
    for typed in (spelled.format(id), spelled.format(id).upper(), spelled.format(id).replace("-", "")):
        assert [message.id for message in held_messages.named([typed])[0]] == [id]


def test_an_id_of_nothing_but_dashes_has_a_name(store: Store, held_messages: HeldMessages) -> None:
    store.put_by_hand("--")
    named = held_messages.named([r"\x2d", r"\x2d-", "-", "", "a"])
    assert [[message.id for message in some] for some in named] == [["--"], ["--"], [], [], []]


@pytest.mark.parametrize(
    ("beginnings", "found"),
    [
        (["abc1"], [["abc1", "abc12"]]),
        (["abc", "b", "abc12"], [["abc1", "abc12", "abc2"], ["b"], ["abc12"]]),
        (["", "c", "bb"], [[], [], []]),
        (["abc1", "abc1"], [["abc1", "abc12"]] * 2),
        ([], []),
    ],
)
def test_messages_are_named_by_the_beginning_of_their_ids(
    store: Store, held_messages: HeldMessages, beginnings: Sequence[str], found: list[list[str]]
) -> None:
    for id in ("abc2", "abc12", "abc1", "b"):
        store.put_by_hand(id)
    assert [[message.id for message in some] for some in held_messages.named(beginnings)] == found
