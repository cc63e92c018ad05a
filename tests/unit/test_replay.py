"""A journal judged by other rules: what the counts of a connection are, and which configurations agree with it."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from caserunner.case import Case, Send
from caserunner.casefile import read_cases
from caserunner.mailhost import LISTENERS, LOCAL
from rig.sessions import NOON, Message, Plan, play
from turfmilter.compose import build_generation
from turfmilter.config.loader import configure
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.policy import Generation
from turfmilter.core.session import ClientNames
from turfmilter.review.connections import Connections
from turfmilter.review.replay import Outcome, replay, withheld

OURS, OUTSIDE = "<b@ours.example>", "<b@else.example>"
FIRST, SECOND = Message("<a@good.example>", (OUTSIDE,)), Message("<c@good.example>", (OURS,))
CASES = sorted((Path(__file__).parents[1] / "cases").glob("*.txt"))
_MAIL = re.compile(r"MAIL FROM: ?(<.*?>)(.*)", re.IGNORECASE | re.DOTALL)
_RCPT = re.compile(r"RCPT TO: ?(<.*>)", re.IGNORECASE | re.DOTALL)
ONE_MESSAGE = "[limits]\nmessages_per_session = 1\n"


def generation(text: str) -> Generation:
    return build_generation(configure(tomllib.loads(f'domains = ["ours.example"]\n{text}'), Path("/")))


def journal(text: str, *messages: Message, name: str = "session") -> list[Transaction]:
    return play(generation(text), Plan(messages=messages), name).transactions


def changed(outcome: Outcome) -> tuple[int, int]:
    """How many transactions would change, and how many are undecided."""
    return outcome.changed, outcome.unknown.total()


def test_a_message_that_is_refused_now_leaves_room_for_the_next_one() -> None:
    kept = journal(ONE_MESSAGE, Message("<a@good.example>", (OURS,)), SECOND)
    assert [one.answer.verdict for one in kept] == ["accept", ""]
    refusing = (
        f'{ONE_MESSAGE}[turf]\ntables = ["a@good.example"]\nmatch = ["sender"]\nanswer = "reject"\ndiscard = true\n'
    )
    outcome = replay(generation(refusing), kept)
    assert {cause.kind for cause in outcome.causes} == {"discarded", "passed"}
    assert changed(outcome) == (2, 0)


def test_after_a_recipient_that_would_be_accepted_the_counts_are_unknown() -> None:
    kept = journal("", FIRST, SECOND)  # the first is refused: whether a message would have followed is not known
    allowed = '[relay]\nallow = ["192.0.2.1"]\n'
    assert changed(replay(generation(allowed), kept)) == (1, 0)
    outcome = replay(generation(allowed + ONE_MESSAGE), kept)
    assert changed(outcome) == (1, 1)
    assert dict(outcome.unknown) == {"what the client had sent before": 1}


def test_a_limit_that_either_way_is_not_reached_is_decided() -> None:
    kept = journal("", FIRST, SECOND)
    allowed = '[relay]\nallow = ["192.0.2.1"]\n[limits]\nmessages_per_session = 2\n'
    assert changed(replay(generation(allowed), kept)) == (1, 0)


def test_a_connection_that_has_ended_long_ago_needs_no_memory() -> None:
    kept = journal("", SECOND)[0]
    connections = Connections(generation('[connect]\ndeny = ["192.0.2.1"]\n'))
    for day in range(50):
        again = connections.judge(kept._replace(session=f"s-{day}", time=NOON + timedelta(days=day)))
        assert again.tried[0] is not None
        assert len(connections) == 1


def test_mail_is_withheld_by_the_entry_that_is_asked_about_and_no_other() -> None:
    kept = journal("", Message("<a@good.example>", (OURS,)), SECOND)
    under = generation('[turf]\ntables = ["a@good.example", "@good.example"]\nmatch = ["sender"]\ndiscard = true\n')
    found = [one.sender for one in withheld(under, kept, "@good.example turf.tables[1]")]
    assert found == ["<c@good.example>"]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_under_the_configuration_of_each_table_of_cases_nothing_changes(path: Path, tmp_path: Path) -> None:
    under, kept = of_cases(path, tmp_path)
    outcome = replay(under, kept)
    assert (outcome.judged, *changed(outcome)) == (len(kept), 0, 0)


def test_the_cases_lead_to_decisions_of_every_kind(tmp_path: Path) -> None:
    # Nothing is held here, because these sessions have no store: such a message is deferred.
    kept = [transaction for path in CASES for transaction in of_cases(path, tmp_path)[1]]
    answers = [answer for one in kept for answer in (one.answer, *(tried.answer for tried in one.tried)) if answer]
    assert {answer.verdict for answer in answers} >= {"accept", "discard", "reject", "tempfail"}


def of_cases(path: Path, place: Path) -> tuple[Generation, list[Transaction]]:
    """Return the rules of a table of cases, and the journal of all its sessions."""
    found = read_cases(path)
    under = build_generation(configure(tomllib.loads(found.filter.replace("$quarantine", str(place))), place))
    every = [plan for case in found.cases for plan in planned(case)]
    kept = [play(under, plan, f"s{number}").transactions for number, plan in enumerate(every)]
    return under, [transaction for transactions in kept for transaction in transactions]


def planned(case: Case) -> Iterator[Plan]:
    """Yield what the client of a case sends, with and without an account, and with the names that it may have."""
    lines = [line.decode("utf-8", "replace") for step in case.steps if isinstance(step, Send) for line in step.lines]
    messages: list[Message] = []
    for line in lines:
        if (sender := _MAIL.match(line)) is not None:
            messages.append(Message(sender[1], (), tuple(sender[2].split()), author=sender[1]))
        elif messages and (recipient := _RCPT.match(line)) is not None:
            messages[-1] = replace(messages[-1], recipients=(*messages[-1].recipients, recipient[1]))
    sent = tuple(message for message in messages if message.recipients)
    listener = LISTENERS.get(case.listener, LISTENERS["inbound"])
    client = "127.0.0.1" if case.client in LOCAL else case.client
    for account, claimed in itertools.product(("", "anna"), ((), ("host.other.test",))):
        yield Plan(
            client=client,
            port=listener.port,
            local_address=listener.address,
            account=account,
            tls=bool(account),
            names=ClientNames(claimed, claimed),
            messages=sent,
        )
