"""How every implementation of HeldMessages opens, marks, locks and removes a message that others work with as well."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from rig.quarantine import MESSAGE, TIME
from rig.store import Store
from turfmilter.core.held.message import Flag, Message, NewerFormat, NotAMessage, State
from turfmilter.core.held.selection import Selection
from turfmilter.core.held.summary import checked, summarise
from turfmilter.core.ports import HeldMessages, QuarantineError


@pytest.fixture
def message(store: Store, held_messages: HeldMessages) -> Message:
    """The only message in the store."""
    store.hold()
    (one,) = held_messages.every()
    return one


def test_an_open_message_is_byte_for_byte_what_was_held(held_messages: HeldMessages, message: Message) -> None:
    with held_messages.open(message) as opened:
        block, doubt = checked(opened.file, message.id)
        assert block is not None
        assert (doubt, block.slip.time, block.digest) == ("", TIME, hashlib.sha256(MESSAGE).hexdigest())
        opened.file.seek(block.offset)
        assert opened.file.read() == MESSAGE
        assert opened.size == block.offset + len(MESSAGE)
        assert timedelta(0) <= datetime.now(UTC) - opened.written < timedelta(hours=1)


def test_a_message_without_a_block_has_the_time_at_which_it_was_written(
    store: Store, held_messages: HeldMessages
) -> None:
    store.put_by_hand("mail")
    (message,) = held_messages.every()
    with held_messages.open(message) as opened:
        said = summarise(opened.file, "mail", opened.size, opened.written)
        assert (said.time, said.size, said.sender, said.recipients) == (opened.written, len(MESSAGE), None, ())


def test_what_is_not_a_message_is_listed_but_not_opened(store: Store, held_messages: HeldMessages) -> None:
    store.put_something_else("odd")
    (message,) = held_messages.every()
    with pytest.raises(NotAMessage, match=r"not a message$"):
        held_messages.open(message)
    (listed,) = held_messages.newest(Selection())
    assert (listed.message, listed.summary.size > 0) == (message, True)
    assert listed.summary.doubt.endswith("not a message")


def test_flags_are_added_and_removed_and_all_others_kept(held_messages: HeldMessages, message: Message) -> None:
    message = held_messages.mark(message, add={Flag.FLAGGED, Flag.REVIEWED})
    message = held_messages.mark(message, add={Flag.DELETED})
    assert (message.flags, message.state) == ({Flag.FLAGGED, Flag.REVIEWED, Flag.DELETED}, State.DELETED)
    message = held_messages.mark(message, add={Flag.RELEASED}, remove={Flag.DELETED, Flag.REVIEWED})
    assert (message.flags, message.state) == ({Flag.FLAGGED, Flag.RELEASED}, State.RELEASED)
    assert held_messages.mark(message, add={Flag.RELEASED}, remove={Flag.DELETED}) == message


def test_a_mark_is_seen_by_every_desk(store: Store, held_messages: HeldMessages, message: Message) -> None:
    marked = held_messages.mark(message, add={Flag.REVIEWED})
    assert list(store.desk().every()) == [marked]
    assert held_messages.again(message) == held_messages.again(marked) == marked


def lost_race(store: Store, message: Message) -> Message:
    """Between the list that one desk made and what it does, another desk marks the message."""
    return store.desk().mark(message, add={Flag.FLAGGED})


def test_who_marks_second_keeps_what_the_first_has_marked(
    store: Store, held_messages: HeldMessages, message: Message
) -> None:
    lost_race(store, message)
    assert held_messages.mark(message, add={Flag.DELETED}).flags == {Flag.FLAGGED, Flag.DELETED}


def test_who_looked_before_a_change_removes_and_opens_nothing(
    store: Store, held_messages: HeldMessages, message: Message
) -> None:
    """Otherwise a message would expire that somebody has flagged at this moment."""
    now = lost_race(store, message)
    for act in (held_messages.remove, held_messages.open, held_messages.status):
        with pytest.raises(FileNotFoundError):
            act(message)
    assert held_messages.again(message) == now
    held_messages.open(now).__exit__()
    held_messages.remove(now)


@pytest.mark.parametrize(
    "act",
    [
        lambda held, message: held.open(message),
        lambda held, message: held.status(message),
        lambda held, message: held.again(message),
        lambda held, message: held.mark(message, add={Flag.REVIEWED}),
        lambda held, message: held.mark(message, remove={Flag.REVIEWED}),
        lambda held, message: held.remove(message),
    ],
    ids=["open", "status", "again", "mark", "unmark", "remove"],
)
def test_nothing_can_be_done_to_a_message_that_is_gone(
    store: Store, held_messages: HeldMessages, message: Message, act: Callable[[HeldMessages, Message], object]
) -> None:
    store.desk().remove(message)
    with pytest.raises(FileNotFoundError):
        act(held_messages, message)
    assert list(held_messages.every()) == []


def test_of_two_who_remove_a_message_one_does(store: Store, message: Message) -> None:
    desks, done = [store.desk() for _ in range(8)], list[str]()
    at_once = threading.Barrier(len(desks))

    def remove(held: HeldMessages) -> None:
        at_once.wait()
        try:
            held.remove(message)
        except FileNotFoundError:
            return
        done.append(message.id)

    in_threads([lambda held=held: remove(held) for held in desks])
    assert done == [message.id]


def test_two_desks_that_mark_at_once_lose_no_flag(store: Store) -> None:
    for _ in range(100):
        store.hold()
    listed = list(store.desk().every())

    def mark(held: HeldMessages, flag: Flag) -> None:
        for message in listed:
            held.mark(message, add={flag})

    flags = (Flag.REVIEWED, Flag.DELETED, Flag.FLAGGED)
    desks = {flag: store.desk() for flag in flags}
    in_threads([lambda held=held, flag=flag: mark(held, flag) for flag, held in desks.items()])
    found = list(store.desk().every())
    assert sorted(one.id for one in found) == sorted(one.id for one in listed)
    assert {one.flags for one in found} == {frozenset(flags)}


def in_threads(acts: list[Callable[[], None]]) -> None:
    """Do all of them at the same time; a failure of one is a failure of the test."""
    failures = list[BaseException]()

    def run(act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException as failure:  # noqa: BLE001 - handed to the test
            failures.append(failure)

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_message_is_locked_by_one_desk_whatever_its_flags(
    store: Store, held_messages: HeldMessages, message: Message
) -> None:
    other = store.desk()
    with held_messages.open(message) as opened, opened.lock():
        marked = other.mark(message, add={Flag.REVIEWED})
        with other.open(marked) as theirs, pytest.raises(BlockingIOError), theirs.lock():
            pass
    with other.open(marked) as theirs, theirs.lock():
        pass


def test_a_lock_ends_when_its_message_is_closed(store: Store, held_messages: HeldMessages, message: Message) -> None:
    opened = held_messages.open(message)
    opened.lock().__enter__()
    opened.__exit__()
    with store.desk().open(message) as theirs, theirs.lock():
        pass


def test_a_lock_on_one_message_is_not_one_on_another(store: Store, held_messages: HeldMessages) -> None:
    one, another = store.hold(), store.hold()
    [[first], [second]] = held_messages.named([one, another])
    with held_messages.open(first) as opened, opened.lock(), store.desk().open(second) as theirs, theirs.lock():
        pass


def test_a_status_has_the_size_and_the_time_of_the_last_mark(held_messages: HeldMessages, message: Message) -> None:
    before = held_messages.status(message)
    with held_messages.open(message) as opened:
        assert before.size == opened.size
    after = held_messages.status(held_messages.mark(message, add={Flag.REVIEWED}))
    assert after.size == before.size
    assert before.touched <= after.touched <= datetime.now(UTC)


def test_what_a_newer_version_wrote_is_read_and_not_changed(
    store: Store, held_messages: HeldMessages, message: Message
) -> None:
    held_messages.require_changeable()
    store.upgrade()
    newer = store.desk()
    for act in (
        newer.require_changeable,
        lambda: newer.mark(message, add={Flag.REVIEWED}),
        lambda: newer.remove(message),
    ):
        with pytest.raises(NewerFormat, match="newer version"):
            act()
    assert list(newer.every()) == [message]
    newer.open(message).__exit__()


def test_messages_say_where_they_are_held(held_messages: HeldMessages, message: Message) -> None:
    assert held_messages.name
    assert message.quarantine == held_messages.name
    assert {message: 1}[held_messages.again(message)] == 1, "the same message is equal, and has the same hash"


def test_a_store_that_is_full_holds_nothing_until_it_is_settled(store: Store, held_messages: HeldMessages) -> None:
    for space in held_messages.room.free():
        assert 0 <= space.share <= 1
    store.require_room()
    held_messages.room.settle("max_size is reached")
    with pytest.raises(QuarantineError) as refused:
        store.require_room()
    assert refused.value.full
    held_messages.room.settle("max_size is reached, still")
    held_messages.room.settle("")
    held_messages.room.settle("")
    store.require_room()
