"""What is asked of an MTA: what the policy needs and the MTA offers, and no more."""

from __future__ import annotations

import milter
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rig.rules import RuleAt
from turfmilter.core.finding import Action
from turfmilter.core.policy import Clause, Generation, Listener, Mode, Policy
from turfmilter.core.rule import Stage
from turfmilter.mta.macros import WANTED
from turfmilter.mta.negotiation import Terms, lacking, negotiate

EVERYTHING = 0x1FFFFF
ACTIONS = 0x1FF
QUIET = milter.P_NR_CONN | milter.P_NR_HELO | milter.P_NR_MAIL | milter.P_NR_HDR
ALWAYS = milter.P_NOUNKNOWN | milter.P_SKIP
ENVELOPE = milter.P_NOHDRS | milter.P_NOEOH | milter.P_NOBODY


class Measuring(RuleAt):
    """Reads the size of the message."""

    measures = True


class NeedsNames(RuleAt):
    """Looks at the names of clients."""

    needs_names = True


def clause(action: Action, *stages: Stage, mode: Mode = Mode.ENFORCE) -> Clause:
    return Clause(RuleAt(*stages), action, mode=mode)


def general(clauses: list[Clause]) -> Generation:
    """A generation of one policy."""
    return Generation(Policy(tuple(clauses)))


RELAY = clause(Action.REJECT, Stage.RCPT)
RELAY_TRIED = clause(Action.REJECT, Stage.RCPT, mode=Mode.TRIAL)
HOLD_SENDER = clause(Action.HOLD, Stage.MAIL)
HOLD_AUTHOR = clause(Action.HOLD, Stage.HEADERS)
HOLD_TRIED = clause(Action.HOLD, Stage.MAIL, Stage.HEADERS, mode=Mode.TRIAL)
HOLD_SENDER_TRIED = clause(Action.HOLD, Stage.MAIL, mode=Mode.TRIAL)
DISCARD_SENDER = clause(Action.DISCARD, Stage.MAIL)
DISCARD_AUTHOR = clause(Action.DISCARD, Stage.HEADERS)
AT_END = clause(Action.REJECT, Stage.END)
AT_CONNECT = clause(Action.REJECT, Stage.CONNECT)
STAMP = clause(Action.CHANGE, Stage.END)
STAMP_TRIED = clause(Action.CHANGE, Stage.END, mode=Mode.TRIAL)
REMOVE = clause(Action.CHANGE, Stage.HEADERS)
SIZE = Clause(Measuring(Stage.END), Action.REJECT)
NAMES = Clause(NeedsNames(Stage.RCPT), Action.REJECT)
CHANGES = milter.ADDHDRS | milter.CHGHDRS
ANSWERED_AT_CONNECT = QUIET & ~milter.P_NR_CONN


@pytest.mark.parametrize(
    ("clauses", "protocol", "actions"),
    [
        ([], ALWAYS | ANSWERED_AT_CONNECT | ENVELOPE, 0),
        ([AT_CONNECT], ALWAYS | ANSWERED_AT_CONNECT | ENVELOPE, 0),
        ([AT_CONNECT, RELAY], ALWAYS | ANSWERED_AT_CONNECT | ENVELOPE, 0),
        ([RELAY], ALWAYS | QUIET | ENVELOPE, 0),
        ([RELAY_TRIED], ALWAYS | QUIET | ENVELOPE, 0),
        ([RELAY, HOLD_SENDER], ALWAYS | QUIET | milter.P_HDR_LEADSPC, milter.DELRCPT),
        ([RELAY, HOLD_AUTHOR], ALWAYS | QUIET | milter.P_HDR_LEADSPC, milter.DELRCPT),
        ([HOLD_TRIED], ALWAYS | QUIET | milter.P_NOBODY, 0),
        ([HOLD_SENDER_TRIED], ALWAYS | QUIET | ENVELOPE, 0),
        ([DISCARD_SENDER], ALWAYS | QUIET | ENVELOPE, milter.DELRCPT),
        ([DISCARD_AUTHOR], ALWAYS | QUIET | milter.P_NOBODY, milter.DELRCPT),
        ([AT_END], ALWAYS | QUIET | ENVELOPE, 0),
        ([STAMP], ALWAYS | QUIET | ENVELOPE, CHANGES),
        ([STAMP_TRIED], ALWAYS | QUIET | ENVELOPE, 0),
        ([REMOVE], ALWAYS | QUIET | milter.P_NOBODY, CHANGES),
        ([NAMES], ALWAYS | ANSWERED_AT_CONNECT | ENVELOPE, 0),
        ([SIZE], ALWAYS | QUIET | milter.P_HDR_LEADSPC, 0),
        ([SIZE, HOLD_SENDER], ALWAYS | QUIET | milter.P_HDR_LEADSPC, milter.DELRCPT),
        ([HOLD_TRIED, HOLD_SENDER], ALWAYS | QUIET | milter.P_HDR_LEADSPC, milter.DELRCPT),
    ],
)
def test_a_policy_decides_what_is_asked_for(clauses: list[Clause], protocol: int, actions: int) -> None:
    terms = negotiate(general(clauses), ACTIONS, EVERYTHING)
    assert terms == Terms(protocol, actions | milter.SETSYMLIST)


@pytest.mark.parametrize("clauses", [[], [RELAY], [RELAY, HOLD_SENDER, HOLD_AUTHOR], [DISCARD_AUTHOR], [HOLD_TRIED]])
@settings(deadline=None)
@given(actions=st.integers(0, 0xFFFFFFFF), protocol=st.integers(0, 0xFFFFFFFF))
def test_nothing_is_asked_for_that_the_mta_does_not_offer(clauses: list[Clause], actions: int, protocol: int) -> None:
    generation = general(clauses)
    terms = negotiate(generation, actions, protocol)
    most = negotiate(generation, ACTIONS, EVERYTHING)
    assert terms.protocol == most.protocol & protocol
    assert terms.actions == most.actions & actions


@pytest.mark.parametrize(
    ("protocol", "actions", "expected"),
    [
        (0, 0, (False, False, False, False)),
        (milter.P_SKIP, 0, (True, False, False, False)),
        (milter.P_HDR_LEADSPC, 0, (False, True, False, False)),
        (0, milter.DELRCPT, (False, False, True, False)),
        (0, milter.SETSYMLIST, (False, False, False, True)),
    ],
)
def test_terms_say_what_was_agreed(protocol: int, actions: int, expected: tuple[bool, ...]) -> None:
    terms = Terms(protocol, actions)
    agreed = (terms.can_skip, terms.leading_space, terms.can_delete_recipients, terms.can_ask_for_macros)
    assert agreed == expected


@pytest.mark.parametrize(
    ("clauses", "protocol", "actions", "words"),
    [
        ([], 0, 0, []),
        ([RELAY], EVERYTHING, ACTIONS, []),
        ([RELAY], 0, 0, ["SMFIF_SETSYMLIST"]),
        ([HOLD_SENDER], EVERYTHING, ACTIONS, []),
        ([HOLD_SENDER], 0, 0, ["SMFIF_SETSYMLIST", "SMFIF_DELRCPT", "SMFIP_HDR_LEADSPC"]),
        ([HOLD_SENDER], EVERYTHING, milter.SETSYMLIST, ["SMFIF_DELRCPT"]),
        ([HOLD_SENDER], 0, ACTIONS, ["SMFIP_HDR_LEADSPC"]),
        ([DISCARD_SENDER], 0, milter.SETSYMLIST, ["SMFIF_DELRCPT"]),
        ([HOLD_TRIED], 0, milter.SETSYMLIST, []),
        ([STAMP], EVERYTHING, milter.SETSYMLIST, ["SMFIF_ADDHDRS, SMFIF_CHGHDRS"]),
        ([REMOVE], EVERYTHING, milter.SETSYMLIST | milter.ADDHDRS, ["SMFIF_ADDHDRS, SMFIF_CHGHDRS"]),
        ([STAMP], EVERYTHING, ACTIONS, []),
        ([STAMP_TRIED], EVERYTHING, milter.SETSYMLIST, []),
    ],
)
def test_what_the_mta_lacks_is_named_only_where_the_policy_needs_it(
    clauses: list[Clause], protocol: int, actions: int, words: list[str]
) -> None:
    generation = general(clauses)
    sentences = list(lacking(generation, negotiate(generation, actions, protocol)))
    assert len(sentences) == len(words)
    assert all(f"({word})" in sentence for word, sentence in zip(words, sentences, strict=True))


@pytest.mark.parametrize(
    ("default", "listener", "protocol", "actions"),
    [
        ([RELAY], [HOLD_AUTHOR], ALWAYS | QUIET | milter.P_HDR_LEADSPC, milter.DELRCPT),
        ([HOLD_AUTHOR], [RELAY], ALWAYS | QUIET | milter.P_HDR_LEADSPC, milter.DELRCPT),
        ([RELAY], [], ALWAYS | ANSWERED_AT_CONNECT | ENVELOPE, 0),
        ([], [RELAY], ALWAYS | ANSWERED_AT_CONNECT | ENVELOPE, 0),
        ([RELAY], [AT_CONNECT], ALWAYS | ANSWERED_AT_CONNECT | ENVELOPE, 0),
        ([RELAY], [NAMES], ALWAYS | ANSWERED_AT_CONNECT | ENVELOPE, 0),
        ([SIZE], [STAMP], ALWAYS | QUIET | milter.P_HDR_LEADSPC, CHANGES),
        ([RELAY], [REMOVE], ALWAYS | QUIET | milter.P_NOBODY, CHANGES),
    ],
)
def test_what_any_listener_needs_is_asked_for(
    default: list[Clause], listener: list[Clause], protocol: int, actions: int
) -> None:
    """The MTA negotiates before it says which of its services it is."""
    policy = Policy(tuple(listener), "submission")
    generation = Generation(Policy(tuple(default)), ((Listener(ports=frozenset({587})), policy),))
    assert negotiate(generation, ACTIONS, EVERYTHING) == Terms(protocol, actions | milter.SETSYMLIST)


def test_every_macro_that_is_asked_for_has_the_spelling_of_the_mtas() -> None:
    names = [name for names in WANTED.values() for name in names]
    assert all(len(name) == 1 or (name.startswith("{") and name.endswith("}")) for name in names)
    # sendmail(8) has room for 256 characters of macros at one stage.
    assert all(len(" ".join(names)) < 256 for names in WANTED.values())
