"""Nothing that was held or refused is delivered, and what was answered 250 is delivered to those it was accepted for.

Sendmail removes recipients by what they lead to, Postfix by their text.  The messages of the lists below once went
wrong on Sendmail; the others are random, and `make fuzz` plays more of them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from fuzz.recipients import DENIED, HOSTS, ORDINARY, RELAYING, Comparison, Message, generate

LISTED, OTHER, BOUNCE = "<x@listed.test>", "<a@out.test>", "<>"
POSTMASTER = "<postmaster@rig.test>"
CLOSED = "421 4.7.0 cannot refuse this recipient alone, closing the connection"
UNCLEAR = "451 4.3.0 cannot handle these recipients together, send them one by one"

# What is held from some recipients must not reach them.
HELD = [
    (POSTMASTER, "alice+tag@rig.test"),
    (POSTMASTER, "<alice+tag@rig.test>"),
    (POSTMASTER, "alice+@rig.test"),
    (POSTMASTER, "@mx.rig.test:alice@rig.test"),
    (POSTMASTER, "<@mx.rig.test:alice+tag@rig.test>"),
    (POSTMASTER, "<@a.test,@b.test:carol@rig.test>"),
    (POSTMASTER, "alice+vip@rig.test"),
    (POSTMASTER, "dave+any@rig.test"),
    (POSTMASTER, "away@rig.test"),
    (POSTMASTER, "team"),
    (POSTMASTER, '"alice"@rig.test'),
    (POSTMASTER, "nobody@rig.test"),
    (POSTMASTER, "<ALICE@RIG.test>"),
    (POSTMASTER, "<alice%rig.test@rig.test>"),
    ("<info@virt.test>", "<carol@rig.test>"),
]
# Two addresses of one mailbox, of which one is exempt.
ENTANGLED = [
    ("<info@virt.test>", "<alice@mx.rig.test>"),
    ("<alice@rig.test>", "<info@virt.test>"),
    ("<info@virt.test>", "alice+@rig.test"),
    ("<bob@rig.test>", "<x@catch.test>", "<carol@rig.test>"),
]
# A refusal must neither be undone nor take an accepted recipient along.
REFUSED = [
    Message(DENIED, OTHER, ("<alice@rig.test>", "<alice+@rig.test>", POSTMASTER)),
    Message(DENIED, OTHER, (POSTMASTER, "<alice@rig.test>", "alice+@mx.rig.test")),
    Message(DENIED, OTHER, ("<alice@rig.test>", "<alice+@rig.test>", "<alice+@rig.test>", POSTMASTER)),
    Message(ORDINARY, OTHER, ("<carol@rig.test>", "<carol@mx.rig.test>")),
    Message(ORDINARY, OTHER, ("<carol@mx.rig.test>", "<carol@rig.test>")),
    Message(ORDINARY, OTHER, ("<alice@rig.test>", "<info@virt.test>")),
    Message(ORDINARY, OTHER, ("<alice+@rig.test>", "<alice@mx.rig.test>")),
    Message(ORDINARY, OTHER, ("<away@mx.rig.test>", "<away@rig.test>")),
    Message(RELAYING, OTHER, ("<a1@rig.test>", "<a2@rig.test>", "<a3@rig.test>", "<a1@rig.test>")),
    Message(ORDINARY, BOUNCE, ("<alice@rig.test>", "<alice@rig.test>")),
    Message(ORDINARY, BOUNCE, ("<bob@rig.test>", "<x@catch.test>")),
]
# An ordinary refusal ends no connection.
APART = [
    Message(DENIED, OTHER, ("<alice@rig.test>", "<bob@rig.test>", POSTMASTER)),
    Message(DENIED, OTHER, ("<alice@rig.test>", "<alice@rig.test>", POSTMASTER)),
    Message(ORDINARY, OTHER, ("<carol@rig.test>", "<dave@mx.rig.test>", "<alice@rig.test>")),
    Message(RELAYING, OTHER, tuple(f"<u{number}@rig.test>" for number in range(6))),
    Message(ORDINARY, OTHER, ("<x@elsewhere.test>", "<x@other.test>", "<carol@rig.test>")),
]


@pytest.fixture(scope="module", params=HOSTS)
def comparison(request: pytest.FixtureRequest, module_place: Path) -> Iterator[Comparison]:
    with ExitStack() as running:
        compared = Comparison(running.enter_context(HOSTS[request.param](module_place / request.param)))
        running.callback(compared.close)
        yield compared


@pytest.mark.parametrize("turned", [False, True], ids=["exempt first", "exempt last"])
def test_what_is_held_from_some_reaches_the_others_alone(comparison: Comparison, turned: bool) -> None:
    messages = [Message(RELAYING, LISTED, recipients[:: -1 if turned else 1]) for recipients in HELD]
    assert comparison.play(messages) == []
    assert comparison.counts["held"] == len(messages)


def test_two_addresses_of_one_mailbox_are_not_parted_where_the_mta_cannot(comparison: Comparison) -> None:
    messages = [Message(RELAYING, LISTED, recipients) for recipients in ENTANGLED]
    assert comparison.play(messages) == []
    ends = {end for _, end in comparison.told}
    assert ends == {UNCLEAR} if comparison.by_mailbox else UNCLEAR not in ends


def test_a_rejection_is_final_and_for_one_recipient(comparison: Comparison) -> None:
    assert comparison.play(REFUSED) == []
    closed = [any(reply == CLOSED for reply in replies) for replies, _ in comparison.told]
    assert all(closed) if comparison.by_mailbox else not any(closed)


def test_refusals_of_different_mailboxes_end_no_connection(comparison: Comparison) -> None:
    assert comparison.play(APART) == []
    assert all(end.startswith("250") for _, end in comparison.told)


def test_random_messages_are_delivered_as_it_was_decided(comparison: Comparison) -> None:
    rng = random.Random(20261130)
    for _ in range(4):
        assert comparison.play([generate(rng) for _ in range(75)]) == []
    assert min(comparison.counts.values()) > 0
