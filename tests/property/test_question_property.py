"""turfctl hunt: the quick look at a line hides nothing that is wanted, however an address is spelled."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turfmilter.core.held.selection import Selection, Sender
from turfmilter.core.journal.line import encode
from turfmilter.core.journal.question import Question
from turfmilter.core.journal.transaction import Transaction, Tried
from turfmilter.core.session import Connection, Recipient
from turfmilter.core.table.pattern import parse_sender

LISTED = [parse_sender(entry) for entry in ("@spam.example", "a@", "a@spam.example", "*a@spam.example")]
EMPTY = Transaction(datetime(2026, 12, 1, tzinfo=UTC), "session", Connection(), sender="")
# Pieces of which addresses are made that mean the listed one without its text, and what is around them.
PIECES = st.sampled_from(
    (
        *("a", "@", "spam", ".", "example", "<", ">", "(", ")", "c", ",", ";", ":", '"', "\\", "%", "!", " ", "\t"),
        *("SPAM", "sp", "am", "\uff53pam", "\u3002", "\u212a", "\r\n ", "a@spam", ".example", "@spam.example"),
        *("=?utf-8?q?=40spam=2E?= ", "=?utf-8?q?a=40spam=2Eexample?=", "@ours.example", "b@c.example"),
        *("IMCEASMTP-a+40spam+2Eexample", "imceasmtp-", "+40", "+2E"),
    )
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)
KNOWN = (
    "<a@SPAM.example>",
    "<IMCEASMTP-a+40spam+2Eexample@ours.example>",
    "<a@\uff53pam.example>",
    "<a@spam (c) .example>",
    "<a@spam example>",
    "<a@sp\\am.example>",
    "a@spam . example",
    "a@spam(c).example",
    "=?utf-8?q?=3Ca=40spam=2Eexample=3E?=",
    "a@spam\r\n .example",
    "a@spam\u3002example",
    '<"\\a"@spam.example>',
)


def with_text(of: str, text: str) -> Transaction:
    match of:
        case "sender":
            return EMPTY._replace(sender=text)
        case "recipient":
            return EMPTY._replace(tried=(Tried(Recipient(text)),))
        case _:
            return EMPTY._replace(fields={"from": ("b@c.example", text)})


def asking(of: str, pattern: Sender) -> Question:
    match of:
        case "sender":
            return Question(Selection(sender=pattern))
        case "recipient":
            return Question(Selection(recipient=pattern))
        case _:
            return Question(Selection(author=pattern))


def assert_not_hidden(of: str, text: str) -> None:
    transaction = with_text(of, text)
    for pattern in LISTED:
        question = asking(of, pattern)
        assert question.quick()(encode(transaction)) or not question.wants(transaction)


@pytest.mark.parametrize("of", ["sender", "recipient", "author"])
@pytest.mark.parametrize("text", KNOWN)
def test_known_disguises_are_found(of: str, text: str) -> None:
    assert_not_hidden(of, text)


@given(st.sampled_from(["sender", "recipient", "author"]), TEXTS)
def test_no_spelling_is_hidden(of: str, text: str) -> None:
    assert_not_hidden(of, text)


@pytest.mark.parametrize(("of", "text"), [("sender", "<a@b.example>"), ("author", '"A B" <a@b.example>')])
def test_plain_addresses_of_others_are_passed_over(of: str, text: str) -> None:
    assert not asking(of, LISTED[0]).quick()(encode(with_text(of, text)))


def test_the_case_of_an_account_does_not_matter() -> None:
    transaction = EMPTY._replace(account="\u00dcnal@realm")
    question = Question(account="\u00fcnal")
    assert question.wants(transaction)
    assert question.quick()(encode(transaction))
