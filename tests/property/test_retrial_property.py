"""A journal judged again: under its own configuration nothing changes, under another exactly what sessions show."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from rig.sessions import Plan, Told, plans, play
from turfmilter.compose import build_generation
from turfmilter.config.loader import configure
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.policy import Generation
from turfmilter.core.retrial import Retrial
from turfmilter.review.connections import Connections
from turfmilter.review.explanation import as_json_document, explain, history, lines

BASE = """
domains = ["ours.example"]
"""
PARTS = {
    "connect.deny": '[connect]\ndeny = ["192.0.2.66", "dial.example"]\n',
    "connect.once": '[connect]\ndeny = ["192.0.2.66", "isp.example"]\nreply_at = "connect"\n',
    "connect.trial": '[connect]\nmode = "trial"\ndefault = "deny"\nallow = ["198.51.100.0/24", "office.example"]\n',
    "relay.allow": '[relay]\nallow = ["198.51.100.0/24", "office.example"]\nauthenticated = true\n',
    "relay.tls": '[relay]\nauthenticated = ["alice"]\nauthenticated_needs_tls = true\n',
    "relay.interfaces": '[relay]\ninterfaces = ["192.0.2.26"]\n',
    "relay.off": "[relay]\nrouting = false\n",
    "limits": "[limits]\nrecipients_per_message = 2\nmessage_size = 2000\nsession_size = 2500\n",
    "limits.session": "[limits]\nmessages_per_session = 1\n",
    "turf": '[turf]\ntables = ["@turf.example", "!news@turf.example"]\ndiscard = true\nspare_authenticated = false\n',
    "turf.reject": '[turf]\ntables = ["@good.example", "<>"]\ndiscard = true\nanswer = "reject"\n',
    "listener": "[listener.submission]\nport = 587\nrequire_auth = true\n",
    "reverse": '[reverse_name]\ncheck = "require"\n',
}


def generation(*parts: str) -> Generation:
    sections = {part.partition(".")[0]: PARTS[part] for part in parts}  # one of each section
    return build_generation(configure(tomllib.loads(BASE + "".join(sections.values())), Path("/")))


def again(transactions: list[Transaction], under: Generation) -> list[Retrial]:
    """Judge the transactions of one session again, as replay does."""
    connections = Connections(under)
    return [connections.judge(transaction) for transaction in transactions]


def decided(transaction: Transaction) -> tuple[object, ...]:
    return tuple(one.answer for one in transaction.tried), transaction.answer


some_parts = st.lists(st.sampled_from(sorted(PARTS)), max_size=5)


@given(some_parts, plans)
def test_under_the_configuration_that_wrote_it_nothing_changes(parts: list[str], plan: Plan) -> None:
    under = generation(*parts)
    told = play(under, plan)
    assert told.failures == []
    for transaction, retrial in zip(told.transactions, again(told.transactions, under), strict=True):
        assert retrial.unknown == ""
        assert (retrial.tried, retrial.answer) == decided(transaction)


@given(some_parts, some_parts, plans)
def test_under_another_it_says_what_the_same_session_shows(before: list[str], after: list[str], plan: Plan) -> None:
    old, new = generation(*before), generation(*after)
    kept, shown = play(old, plan), play(new, plan)
    retrials = again(kept.transactions, new)
    if not comparable(kept, shown):
        return
    for then, now, retrial in zip(kept.transactions, shown.transactions, retrials, strict=True):
        if retrial.unknown:
            continue
        assert retrial.tried == tuple(one.answer for one in now.tried)
        if then.answer.verdict:  # otherwise it is not known whether a message would have followed
            assert retrial.answer == now.answer


def comparable(kept: Told, shown: Told) -> bool:
    """Whether both sessions had the same events, so far as the journal can know: what a client would do is unknown."""
    return [one.sender for one in kept.transactions] == [one.sender for one in shown.transactions]


@given(some_parts, plans)
def test_an_explanation_says_what_was_decided_and_by_which_entry(parts: list[str], plan: Plan) -> None:
    under = generation(*parts)
    for transaction in play(under, plan).transactions:
        explained = explain(under, transaction)
        assert (explained.retrial.tried, explained.retrial.answer) == decided(transaction)
        refusals = {answer.entry for answer in (*explained.retrial.tried, explained.retrial.answer) if answer}
        found = {str(asked.finding.matched or "") for asked in explained.asked if asked.finding}
        assert refusals - {""} <= found
        assert all(isinstance(line, str) for line in (*lines(explained), *history(transaction)))
        json.dumps(as_json_document(explained))
