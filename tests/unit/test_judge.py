"""The state of one connection: every stage with every verdict, and what carries over to the next message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import pytest

from rig.rules import RuleAt, StoppedClock, senders
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.finding import ACCEPT, CONTINUE, Action, Change, Finding, Verdict
from turfmilter.core.judge import Judge
from turfmilter.core.policy import Clause, Generation, Listener, Mode, Policy
from turfmilter.core.reply import REPLIES, Reply
from turfmilter.core.report import MOST_SHOWN
from turfmilter.core.rule import Rule, Stage
from turfmilter.core.session import Connection, Recipient, Session

SORRY = Reply(550, "5.7.1", "sorry")
LATER = Reply(451, "4.7.1", "later")
TODAY = date(2027, 1, 31)
CLOCK = StoppedClock(TODAY)
DENIED = Reply(554, "5.7.1", "denied")
CONTENT = 45  # bytes of a message

ALICE, BOB = Recipient("<alice@ours.example>"), Recipient("<bob@ours.example>")
POSTMASTER = Recipient("<postmaster@ours.example>")


@dataclass(frozen=True)
class Suspects(Rule):
    """Finds everything with `word` in it; with `blind`, it cannot decide."""

    word: str
    name: str = "suspects"
    blind: bool = False

    def found(self, *seen: str) -> Finding | None:
        return Finding(self.name, "word", unavailable=self.blind) if any(self.word in text for text in seen) else None


class AtConnect(Suspects):
    """Looks at the client's name."""

    stages = frozenset({Stage.CONNECT})

    def at_connect(self, session: Session) -> Finding | None:
        return self.found(session.connection.name)


class AtMail(Suspects):
    """Looks at the sender."""

    stages = frozenset({Stage.MAIL})

    def at_mail(self, session: Session) -> Finding | None:
        return self.found(session.envelope.sender.text if session.envelope else "")


class AtRcpt(Suspects):
    """Looks at one recipient."""

    stages = frozenset({Stage.RCPT})

    def at_rcpt(self, session: Session, recipient: Recipient) -> Finding | None:  # noqa: ARG002
        return self.found(recipient.text)


class AtHeaders(Suspects):
    """Looks at the authors."""

    stages = frozenset({Stage.HEADERS})
    wants = frozenset({"from"})

    def at_headers(self, session: Session) -> Finding | None:
        return self.found(*map(str, session.authors.mailboxes if session.authors else ()))


class AtEnd(Suspects):
    """Looks at the authors again, at the last stage."""

    stages = frozenset({Stage.END})
    wants = frozenset({"from"})

    def at_end(self, session: Session) -> Finding | None:
        return self.found(*map(str, session.authors.mailboxes if session.authors else ()))


RULES: dict[Stage, Callable[..., Suspects]] = {
    Stage.CONNECT: AtConnect,
    Stage.MAIL: AtMail,
    Stage.RCPT: AtRcpt,
    Stage.HEADERS: AtHeaders,
    Stage.END: AtEnd,
}


def rejecting(stage: Stage, word: str = "bad", reply: Reply = SORRY, mode: Mode = Mode.ENFORCE) -> Clause:
    return Clause(RULES[stage](word), Action.REJECT, reply, mode)


def holding(
    stage: Stage,
    word: str = "bad",
    reply: Reply | None = None,
    mode: Mode = Mode.ENFORCE,
    action: Action = Action.HOLD,
) -> Clause:
    """A clause from which postmaster is exempt."""
    return Clause(RULES[stage](word), action, reply, mode, exempts=lambda r, _: "postmaster" in r.text)


def judging(*clauses: Clause) -> Judge:
    """A judge that has received no event yet."""
    return Judge(Generation(Policy(clauses)), CLOCK)


def judge(*clauses: Clause, local: bool = False, name: str = "") -> Judge:
    """A judge whose connection has begun."""
    made = judging(*clauses)
    made.connect(Connection(local=local, name=name))
    return made


def begin(it: Judge, sender: str = "<good@there.example>", account: str = "", tls: bool = False) -> None:
    it.mail(sender, (), account=account, tls=tls)


def content(it: Judge, author: str = "good@there.example") -> list[Verdict]:
    """The verdicts at DATA, at the end of the header and at the end of the message, up to the first decision."""
    verdicts = [it.data()]
    if verdicts[-1] is CONTINUE:
        fields = [("Subject", b"bad"), ("From", author.encode("utf-8", "surrogateescape"))]
        verdicts.append(it.end_of_headers(fields))
        it.seen(CONTENT)
    if verdicts[-1] is CONTINUE:
        verdicts.append(it.end())
    return verdicts


def message(it: Judge, sender: str, recipients: list[Recipient], author: str = "good@there.example") -> list[Verdict]:
    """The verdicts on a whole message: on each recipient, and on the content if one was accepted."""
    begin(it, sender)
    verdicts = [it.rcpt(recipient) for recipient in recipients]
    return verdicts + (content(it, author) if CONTINUE in verdicts else [])


def noted(it: Judge) -> tuple[str, ...]:
    """What rules in trial mode would have done, as the log has it."""
    return tuple(map(str, it.trials))


def actions(verdicts: list[Verdict]) -> list[Action]:
    return [verdict.action for verdict in verdicts]


def finding(stage: Stage) -> Finding:
    return RULES[stage]("bad").found("bad") or pytest.fail("nothing found")


GOOD, BAD = "<good@there.example>", "<bad@there.example>"
BAD_RCPT = Recipient("<bad@ours.example>")
OF_A_MESSAGE = [stage for stage in Stage if stage is not Stage.CONNECT]
REJECTED = {stage: Verdict(Action.REJECT, finding(stage), SORRY) for stage in Stage}


@pytest.mark.parametrize("count", [1, 3])
def test_a_sender_is_refused_at_each_recipient(count: int) -> None:
    assert message(judge(rejecting(Stage.MAIL)), BAD, [ALICE] * count) == [REJECTED[Stage.MAIL]] * count


def test_a_recipient_is_refused_alone() -> None:
    verdicts = message(judge(rejecting(Stage.RCPT)), GOOD, [ALICE, BAD_RCPT, BOB])
    assert verdicts == [CONTINUE, REJECTED[Stage.RCPT], CONTINUE, ACCEPT]


CLOSED = REPLIES["recipient"]


@pytest.mark.parametrize(
    ("recipients", "closed"),
    [
        (["good a A", "bad b B"], False),
        (["good a A", "bad a A"], True),
        (["good a A", "bad a+ A"], True),
        (["bad a A", "good a A"], True),
        (["bad a A", "good a+ A"], True),
        (["bad a A", "bad a+ A"], True),
        (["bad a A", "bad a A", "good b B"], False),
        (["good a A", "good a+ A", "good a A"], False),
        (["bad a -", "good a -", "bad a+ -"], False),
    ],
)
def test_recipients_of_one_mailbox_are_decided_alike_or_the_connection_ends(
    recipients: list[str], closed: bool
) -> None:
    """Each is its text, the address to which the MTA resolves it, and its mailbox ("-": the MTA compares the text)."""
    it = judge(rejecting(Stage.RCPT))
    begin(it)
    parted = [one.split() for one in recipients]
    verdicts = [it.rcpt(Recipient(t, (), resolved, mailbox.strip("-"))) for t, resolved, mailbox in parted]
    assert [verdict.reply is CLOSED for verdict in verdicts] == [False] * (len(recipients) - 1) + [closed]
    assert verdicts[-1].finding is None or not closed or verdicts[-1].finding.rule == "recipient"


def test_what_was_decided_for_a_mailbox_is_forgotten_with_the_message() -> None:
    it = judge(rejecting(Stage.RCPT))
    for text in ("bad", "good"):
        begin(it)
        assert it.rcpt(Recipient(text, (), "a", "a")).reply is not CLOSED


def test_a_header_is_refused_at_its_end() -> None:
    verdicts = message(judge(rejecting(Stage.HEADERS)), GOOD, [ALICE], "bad@there.example")
    assert verdicts == [CONTINUE, CONTINUE, REJECTED[Stage.HEADERS]]


def test_a_message_is_refused_at_its_end() -> None:
    verdicts = message(judge(rejecting(Stage.END)), GOOD, [ALICE], "bad@there.example")
    assert verdicts == [CONTINUE, CONTINUE, CONTINUE, REJECTED[Stage.END]]


@pytest.mark.parametrize(("stage", "asked"), [(Stage.MAIL, 1), (Stage.RCPT, 1), (Stage.HEADERS, 2), (Stage.END, 3)])
@pytest.mark.parametrize("mode", [Mode.ENFORCE, Mode.TRIAL])
def test_accept_comes_as_soon_as_nothing_can_change(stage: Stage, asked: int, mode: Mode) -> None:
    """ACCEPT at DATA, at the end of the header, or at the end of the message: the MTA does not send the rest."""
    verdicts = message(judge(rejecting(stage, mode=mode)), GOOD, [ALICE])
    assert verdicts == [CONTINUE, *[CONTINUE] * (asked - 1), ACCEPT]


def test_without_rules_the_whole_connection_is_accepted() -> None:
    assert judging().connect(Connection()) is ACCEPT
    assert judging(rejecting(Stage.END, mode=Mode.TRIAL)).connect(Connection()) is CONTINUE


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.HEADERS, Stage.END])
@pytest.mark.parametrize("action", [Action.HOLD, Action.DISCARD])
@pytest.mark.parametrize("reply", [None, DENIED])
def test_a_message_is_kept_at_its_end(stage: Stage, action: Action, reply: Reply | None) -> None:
    """Not earlier, because a later rule may still refuse it."""
    it = judge(holding(stage, reply=reply, action=action))
    verdicts = message(it, BAD, [ALICE, BOB], "bad@there.example")
    assert verdicts[:-1] == [CONTINUE] * 4
    assert verdicts[-1] == Verdict(action, finding(stage), reply, taken=(ALICE, BOB))


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.HEADERS, Stage.END])
@pytest.mark.parametrize("reply", [None, DENIED])
def test_exempt_recipients_receive_the_message_and_the_client_receives_250(stage: Stage, reply: Reply | None) -> None:
    it = judge(holding(stage, reply=reply))
    verdicts = message(it, BAD, [ALICE, POSTMASTER, BOB], "bad@there.example")
    assert verdicts[-1] == Verdict(Action.HOLD, finding(stage), None, taken=(ALICE, BOB), partly=True)


@pytest.mark.parametrize(("stage", "asked"), [(Stage.MAIL, 0), (Stage.HEADERS, 1), (Stage.END, 2)])
def test_a_message_for_exempt_recipients_only_is_accepted(stage: Stage, asked: int) -> None:
    verdicts = message(judge(holding(stage, reply=DENIED)), BAD, [POSTMASTER], "bad@there.example")
    assert verdicts == [CONTINUE, *[CONTINUE] * asked, Verdict(Action.ACCEPT, finding(stage))]


def test_a_hold_without_recipients_is_still_a_hold() -> None:
    it = judge(holding(Stage.MAIL))
    begin(it, BAD)
    assert content(it)[-1] == Verdict(Action.HOLD, finding(Stage.MAIL))


@pytest.mark.parametrize("held_at", [Stage.MAIL, Stage.HEADERS])
@pytest.mark.parametrize("refused_at", [Stage.HEADERS, Stage.END])
@pytest.mark.parametrize("reply", [SORRY, LATER])
@pytest.mark.parametrize("first", [True, False])
def test_a_later_rule_still_refuses_a_message_to_be_held(
    held_at: Stage, refused_at: Stage, reply: Reply, first: bool
) -> None:
    clauses = [holding(held_at), rejecting(refused_at, reply=reply)]
    verdict = message(judge(*clauses[:: 1 if first else -1]), BAD, [ALICE], "bad@there.example")[-1]
    assert (verdict.action, verdict.reply) == (Action.REJECT if reply is SORRY else Action.TEMPFAIL, reply)


def test_a_recipient_is_refused_although_the_message_is_held() -> None:
    verdicts = message(judge(holding(Stage.MAIL), rejecting(Stage.RCPT)), BAD, [BAD_RCPT, ALICE])
    assert actions(verdicts[:2]) == [Action.REJECT, Action.CONTINUE]
    assert verdicts[-1].taken == (ALICE,)


@pytest.mark.parametrize("stage", OF_A_MESSAGE)
def test_the_first_refusal_decides(stage: Stage) -> None:
    it = judge(rejecting(stage, reply=LATER), rejecting(stage, reply=DENIED))
    assert message(it, BAD, [BAD_RCPT], "bad@there.example")[-1].reply == LATER


def test_an_earlier_stage_decides_before_an_earlier_clause() -> None:
    it = judge(rejecting(Stage.END, reply=LATER), rejecting(Stage.MAIL, reply=DENIED))
    assert message(it, BAD, [ALICE]) == [Verdict(Action.REJECT, finding(Stage.MAIL), DENIED)]


def test_no_recipient_is_exempt_by_default() -> None:
    verdict = message(judge(Clause(AtMail("bad"), Action.HOLD)), BAD, [ALICE, POSTMASTER])[-1]
    assert verdict == Verdict(Action.HOLD, finding(Stage.MAIL), taken=(ALICE, POSTMASTER))


def test_the_first_hold_determines_who_is_exempt() -> None:
    mail = replace(holding(Stage.MAIL), exempts=lambda r, _: r == ALICE)
    headers = replace(holding(Stage.HEADERS), exempts=lambda r, _: r == BOB)
    it = judge(headers, mail)
    assert message(it, BAD, [ALICE, BOB], "bad@there.example")[-1].taken == (BOB,)


@pytest.mark.parametrize("stage", OF_A_MESSAGE)
@pytest.mark.parametrize("on_error", [LATER, None])
def test_what_a_rule_cannot_find_out_leads_to_its_on_error(stage: Stage, on_error: Reply | None) -> None:
    clause = Clause(RULES[stage]("bad", blind=True), Action.REJECT, SORRY, on_error=on_error)
    verdict = message(judge(clause), BAD, [BAD_RCPT], "bad@there.example")[-1]
    assert (verdict.action, verdict.reply) == ((Action.TEMPFAIL, LATER) if on_error else (Action.ACCEPT, None))


@pytest.mark.parametrize("on_error", [LATER, None])
def test_nothing_is_held_by_a_rule_that_cannot_decide(on_error: Reply | None) -> None:
    clause = replace(holding(Stage.MAIL), rule=AtMail("bad", blind=True), on_error=on_error)
    expected = Action.TEMPFAIL if on_error else Action.ACCEPT
    assert message(judge(clause), BAD, [ALICE])[-1].action is expected


@pytest.mark.parametrize(
    ("clause", "words"),
    [
        (rejecting(Stage.MAIL, mode=Mode.TRIAL), "suspects reject"),
        (rejecting(Stage.MAIL, reply=LATER, mode=Mode.TRIAL), "suspects tempfail"),
        (rejecting(Stage.HEADERS, mode=Mode.TRIAL), "suspects reject"),
        (rejecting(Stage.END, mode=Mode.TRIAL), "suspects reject"),
        (holding(Stage.MAIL, mode=Mode.TRIAL), "suspects hold"),
        (holding(Stage.HEADERS, mode=Mode.TRIAL), "suspects hold"),
        (holding(Stage.END, mode=Mode.TRIAL, action=Action.DISCARD), "suspects discard"),
    ],
)
def test_trial_does_nothing_and_records_what_it_would_have_done(clause: Clause, words: str) -> None:
    it = judge(clause)
    verdicts = message(it, BAD, [ALICE], "bad@there.example")
    assert (verdicts[-1], noted(it)) == (ACCEPT, (words,))
    assert set(verdicts[:-1]) == {CONTINUE}


def test_trial_names_each_recipient_that_it_would_have_refused() -> None:
    it = judge(rejecting(Stage.RCPT, mode=Mode.TRIAL))
    worse = Recipient("<bad2@ours.example>")
    assert message(it, GOOD, [BAD_RCPT, ALICE, worse])[-1] is ACCEPT
    assert noted(it) == ("suspects reject bad@ours.example", "suspects reject bad2@ours.example")
    assert it.session.envelope is not None
    assert it.session.envelope.recipients == [BAD_RCPT, ALICE, worse]


def test_trial_records_no_more_than_the_log_shows_and_the_recipients_do_not_hide_the_rest() -> None:
    it = judge(*(rejecting(stage, mode=Mode.TRIAL) for stage in (Stage.RCPT, Stage.HEADERS)))
    begin(it)
    for number in range(1000):
        it.rcpt(Recipient(f"<bad{number}@ours.example>"))
    recipients = [f"suspects reject bad{number}@ours.example" for number in range(MOST_SHOWN)]
    assert noted(it) == tuple(recipients)
    content(it, "bad@there.example")
    assert noted(it) == (*recipients[:-1], "suspects reject")


def test_trial_names_the_entry_with_its_place() -> None:
    class Listed(AtMail):
        """Has found an entry."""

        def found(self, *seen: str) -> Finding | None:  # noqa: ARG002
            return Finding(
                "turf", "sender", senders("# ours", "@there.example").match(Mailbox("a", "there.example"), TODAY)
            )

    it = judge(replace(holding(Stage.MAIL, mode=Mode.TRIAL), rule=Listed("")))
    message(it, GOOD, [ALICE])
    assert noted(it) == ("turf hold @there.example table:2",)


def test_trial_does_not_stand_in_the_way_of_the_rules_behind_it() -> None:
    it = judge(rejecting(Stage.MAIL, mode=Mode.TRIAL), rejecting(Stage.MAIL, reply=DENIED))
    assert message(it, BAD, [ALICE])[0].reply == DENIED
    assert noted(it) == ("suspects reject",)


@pytest.mark.parametrize(
    ("mode", "on_error"), [(Mode.TRIAL, None), (Mode.TRIAL, LATER), (Mode.TRIAL, SORRY), (Mode.ENFORCE, None)]
)
def test_the_log_tells_what_a_rule_could_not_find_out_when_nothing_is_done_about_it(
    mode: Mode, on_error: Reply | None
) -> None:
    it = judge(Clause(AtMail("bad", blind=True), Action.REJECT, SORRY, mode, on_error))
    assert message(it, BAD, [ALICE])[-1] is ACCEPT
    assert noted(it) == ("suspects unavailable",)


@pytest.mark.parametrize("clause", [rejecting(Stage.MAIL), rejecting(Stage.RCPT), rejecting(Stage.MAIL, reply=LATER)])
def test_a_local_submission_is_never_refused_a_recipient(clause: Clause) -> None:
    begin(it := judge(clause, local=True), BAD)
    assert [it.rcpt(recipient) for recipient in (ALICE, BAD_RCPT, BOB)] == [CONTINUE] * 3


def test_a_rule_about_recipients_leaves_a_local_submission_alone() -> None:
    assert message(judge(rejecting(Stage.RCPT), local=True), BAD, [BAD_RCPT])[-1] is ACCEPT


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.HEADERS, Stage.END])
def test_a_local_submission_is_refused_as_a_whole(stage: Stage) -> None:
    verdicts = message(judge(rejecting(stage), local=True), BAD, [ALICE, BOB], "bad@there.example")
    assert verdicts[-1] == REJECTED[stage]
    assert verdicts[:3] == [CONTINUE] * 3


def test_of_a_local_submission_too_the_first_refusal_decides() -> None:
    it = judge(rejecting(Stage.HEADERS, reply=LATER), rejecting(Stage.MAIL, reply=DENIED), local=True)
    assert message(it, BAD, [ALICE], "bad@there.example")[-1].reply == DENIED


def test_a_local_submission_is_held_from_all_when_it_is_held_from_one() -> None:
    """No recipient can be removed from it: Postfix reports the rewritten address, not the original one."""
    it = judge(holding(Stage.MAIL), local=True)
    assert message(it, BAD, [ALICE, POSTMASTER])[-1] == Verdict(
        Action.HOLD, finding(Stage.MAIL), taken=(ALICE, POSTMASTER)
    )
    assert message(it, BAD, [POSTMASTER])[-1].action is Action.ACCEPT


def test_a_local_submission_to_be_discarded_is_delivered_to_all_if_one_is_exempt() -> None:
    it = judge(holding(Stage.MAIL, action=Action.DISCARD), local=True)
    assert message(it, BAD, [ALICE, POSTMASTER])[-1] == Verdict(Action.ACCEPT, finding(Stage.MAIL))
    assert message(it, BAD, [ALICE, BOB])[-1] == Verdict(Action.DISCARD, finding(Stage.MAIL), taken=(ALICE, BOB))


@pytest.mark.parametrize("mail", [rejecting(Stage.MAIL), holding(Stage.MAIL), rejecting(Stage.MAIL, mode=Mode.TRIAL)])
@pytest.mark.parametrize("between", ["end", "abort", "helo", "nothing"])
def test_a_message_leaves_nothing_to_the_next(mail: Clause, between: str) -> None:
    it = judge(mail, holding(Stage.HEADERS), rejecting(Stage.END, "worse"))
    message(it, BAD, [ALICE, BAD_RCPT], "bad@there.example, worse@there.example")
    if between == "abort":
        it.abort()
    elif between == "helo":
        it.helo("client.example")
    elif between == "end":
        it.end()
    assert message(it, GOOD, [BOB]) == [CONTINUE, CONTINUE, CONTINUE, ACCEPT]
    assert noted(it) == ()
    assert it.session.envelope is not None
    assert it.session.envelope.recipients == [BOB]
    assert it.session.authors is not None
    assert it.session.authors.mailboxes == (Mailbox("good", "there.example"),)


def test_helo_in_mid_transaction_ends_it() -> None:
    """RFC 5321 §4.1.4."""
    it = judge(rejecting(Stage.MAIL))
    begin(it, BAD)
    it.helo("again.example")
    assert it.session.envelope is None
    assert it.session.helo == "again.example"
    assert it.rcpt(ALICE) is CONTINUE
    assert it.end() == Verdict(Action.TEMPFAIL, reply=REPLIES["error"])


def test_each_message_has_the_account_and_tls_of_its_own_mail() -> None:
    it = judge(rejecting(Stage.END))
    begin(it, GOOD, account="alice", tls=True)
    assert (it.session.account, it.session.tls) == ("alice", True)
    begin(it)
    assert (it.session.account, it.session.tls) == ("", False)


def test_refused_recipients_are_not_counted_among_those_that_passed() -> None:
    it = judge(rejecting(Stage.RCPT), holding(Stage.HEADERS))
    verdicts = message(it, GOOD, [BAD_RCPT, ALICE, BAD_RCPT], "bad@there.example")
    assert verdicts[-1].taken == (ALICE,)


def test_the_parameters_of_sender_and_recipients_are_kept() -> None:
    it = judge(rejecting(Stage.END))
    it.mail("<a@there.example>", ("SIZE=1", "BODY=8BITMIME"), account="", tls=False)
    it.rcpt(Recipient("<alice@ours.example>", ("NOTIFY=NEVER",), "alice"))
    envelope = it.session.envelope
    assert envelope is not None
    assert envelope.sender.params == ("SIZE=1", "BODY=8BITMIME")
    assert envelope.recipients[0].params == ("NOTIFY=NEVER",)


@pytest.mark.parametrize("name", ["From", "FROM", "from", "fRoM"])
def test_from_is_known_in_any_case(name: str) -> None:
    it = judge(rejecting(Stage.HEADERS))
    begin(it)
    assert it.end_of_headers([(name, b"bad@there.example")]) == REJECTED[Stage.HEADERS]


@pytest.mark.parametrize("name", ["Sender", "Reply-To", "X-From", "From-", "Resent-From", "Fr\u00f6m", ""])
def test_no_other_field_names_an_author(name: str) -> None:
    it = judge(rejecting(Stage.HEADERS))
    begin(it)
    assert it.end_of_headers([(name, b"bad@there.example")]) is ACCEPT


def test_a_refusal_at_the_end_of_the_header_is_final() -> None:
    it = judge(rejecting(Stage.HEADERS))
    message(it, GOOD, [ALICE], "bad@there.example")
    assert it.end() == REJECTED[Stage.HEADERS]


def test_data_never_refuses() -> None:
    """After a refusal of DATA the transaction would stay open on both MTAs."""
    it = judge(rejecting(Stage.MAIL), local=True)
    begin(it, BAD)
    assert it.data() is CONTINUE


@pytest.mark.parametrize("local", [False, True])
def test_of_a_client_that_was_never_shown_nothing_is_taken(local: bool) -> None:
    it = judging(rejecting(Stage.END))
    it.helo("client.example")
    begin(it)
    unseen = Verdict(Action.TEMPFAIL, reply=REPLIES["error"])
    assert it.rcpt(ALICE) == unseen
    assert it.data() is CONTINUE
    assert it.end() == unseen
    it.connect(Connection(local=local))
    begin(it)
    assert it.rcpt(ALICE) is CONTINUE


@pytest.mark.parametrize("clause", [holding(Stage.HEADERS), rejecting(Stage.MAIL)])
def test_without_a_sender_there_is_no_message(clause: Clause) -> None:
    it = judge(clause)
    assert it.rcpt(ALICE) is CONTINUE
    assert it.data() is CONTINUE
    assert it.end() == Verdict(Action.TEMPFAIL, reply=REPLIES["error"])


def test_the_generation_of_a_connection_is_the_one_that_it_began_with() -> None:
    generations = [Generation(Policy((rejecting(Stage.MAIL),)), number=1)]
    old = Judge(generations[-1], CLOCK)
    old.connect(Connection())
    generations.append(Generation(Policy(()), number=2))
    assert message(old, BAD, [ALICE]) == [REJECTED[Stage.MAIL]]
    assert old.generation.number == 1
    assert Judge(generations[-1], CLOCK).connect(Connection()) is ACCEPT


def test_a_connection_is_judged_by_the_policy_of_its_listener() -> None:
    submission = Listener(ports=frozenset({587})), Policy((rejecting(Stage.MAIL),), "submission")
    generation = Generation(Policy(()), (submission,))
    it = Judge(generation, CLOCK)
    assert it.connect(Connection(port=25)) is ACCEPT
    assert it.connect(Connection(port=587)) is CONTINUE
    assert it.policy.listener == "submission"
    assert message(it, BAD, [ALICE]) == [REJECTED[Stage.MAIL]]
    assert (
        Judge(Generation(submission[1], ((submission[0], Policy(())),)), CLOCK).connect(Connection(port=587)) is ACCEPT
    )


def test_a_client_is_refused_at_once() -> None:
    assert judging(rejecting(Stage.CONNECT)).connect(Connection(name="bad.example")) == REJECTED[Stage.CONNECT]
    assert judging(rejecting(Stage.CONNECT)).connect(Connection(name="good.example")) is CONTINUE
    assert judging(rejecting(Stage.CONNECT)).connect(Connection(name="bad.example", local=True)) is CONTINUE


@pytest.mark.parametrize(("on_error", "verdict"), [(LATER, Action.TEMPFAIL), (SORRY, Action.REJECT), (None, None)])
def test_a_client_about_whom_a_rule_cannot_decide_is_answered_as_configured(
    on_error: Reply | None, verdict: Action | None
) -> None:
    clause = Clause(AtConnect("bad", blind=True), Action.REJECT, DENIED, on_error=on_error)
    told = judging(clause).connect(Connection(name="bad.example"))
    assert (told.action, told.reply) == (verdict or Action.CONTINUE, on_error)


@pytest.mark.parametrize("mode", [Mode.TRIAL, Mode.ENFORCE])
def test_a_finding_at_connect_without_effect_is_recorded_for_every_message(mode: Mode) -> None:
    """In trial mode, or if DNS did not answer and `on_error` continues."""
    blind = mode is Mode.ENFORCE
    it = judge(Clause(AtConnect("bad", blind=blind), Action.REJECT, SORRY, mode), name="bad.example")
    words = "suspects unavailable" if blind else "suspects reject"
    assert noted(it) == (words,)
    for begins in (lambda: None, lambda: it.helo("again.example"), it.abort):
        begins()
        assert message(it, GOOD, [ALICE])[-1] is ACCEPT
        assert noted(it) == (words,)


def test_findings_at_connect_and_in_a_message_are_recorded_together() -> None:
    it = judge(rejecting(Stage.CONNECT, mode=Mode.TRIAL), holding(Stage.MAIL, mode=Mode.TRIAL), name="bad.example")
    message(it, BAD, [ALICE])
    assert noted(it) == ("suspects reject", "suspects hold")
    message(it, GOOD, [ALICE])
    assert noted(it) == ("suspects reject",)


def test_a_new_connection_has_its_own_findings() -> None:
    it = judge(rejecting(Stage.CONNECT, mode=Mode.TRIAL), name="bad.example")
    it.connect(Connection(name="good.example"))
    assert noted(it) == ()


@dataclass(frozen=True)
class Stamp(Rule):
    """Changes the header of every message."""

    stages = frozenset({Stage.END})

    change: Change
    name: str = "stamp"

    def at_end(self, session: Session) -> Finding | None:  # noqa: ARG002
        return Finding(self.name, "seen", changes=(self.change,))


STAMPED = Change("X-Seen", "yes")
STAMPING = Clause(Stamp(STAMPED), Action.CHANGE)


@pytest.mark.parametrize(
    ("clauses", "recipients", "action", "changes"),
    [
        ((), [ALICE], Action.ACCEPT, (STAMPED,)),
        ((holding(Stage.MAIL),), [POSTMASTER], Action.ACCEPT, (STAMPED,)),
        ((holding(Stage.MAIL),), [ALICE, POSTMASTER], Action.HOLD, (STAMPED,)),
        ((holding(Stage.MAIL),), [ALICE], Action.HOLD, ()),
        ((rejecting(Stage.HEADERS),), [ALICE], Action.REJECT, ()),
        ((rejecting(Stage.MAIL, mode=Mode.TRIAL),), [ALICE], Action.ACCEPT, (STAMPED,)),
    ],
)
def test_the_header_is_changed_only_in_what_is_delivered(
    clauses: tuple[Clause, ...], recipients: list[Recipient], action: Action, changes: tuple[Change, ...]
) -> None:
    verdict = message(judge(*clauses, STAMPING), BAD, recipients, "bad@there.example")[-1]
    assert (verdict.action, verdict.changes) == (action, changes)


def test_a_change_in_trial_mode_is_only_recorded() -> None:
    it = judge(replace(STAMPING, mode=Mode.TRIAL))
    assert message(it, GOOD, [ALICE])[-1] is ACCEPT
    assert noted(it) == ("stamp change",)


def test_changes_of_one_message_are_not_made_to_the_next() -> None:
    it = judge(STAMPING)
    assert [message(it, GOOD, [ALICE])[-1].changes for _ in range(2)] == [(STAMPED,)] * 2


def test_the_size_of_a_message_is_that_of_all_that_was_seen() -> None:
    it = judge(rejecting(Stage.END))
    begin(it)
    it.rcpt(ALICE)
    it.end_of_headers([("From", b"good@there.example")])
    it.seen(26)
    it.seen(1200)
    it.end()
    assert (it.session.size, it.session.messages, it.session.octets) == (1226, 0, 0)


def test_messages_count_for_the_session_once_the_mta_knows_that_they_are_accepted() -> None:
    it = judge(rejecting(Stage.END))
    for taken in (True, False, True):
        message(it, GOOD, [ALICE])
        if taken:
            it.accepted()
        it.abort()
    begin(it)
    assert (it.session.messages, it.session.octets) == (2, 2 * CONTENT)
    it.helo("again.example")
    assert (it.session.messages, it.session.octets) == (2, 2 * CONTENT)
    it.connect(Connection())
    assert (it.session.messages, it.session.octets) == (0, 0)


@dataclass(frozen=True)
class Wavering(Rule):
    """Finds that a message is too big once, and never again."""

    name = "wavering"
    stages = frozenset({Stage.END})
    measures = True
    found: list[int]

    def at_end(self, session: Session) -> Finding | None:
        if self.found:
            return None
        self.found.append(session.size)
        return Finding(self.name, "too big")


@pytest.mark.parametrize("seen", [1, 2])
def test_a_message_that_was_too_big_once_is_refused_at_its_end(seen: int) -> None:
    it = judge(holding(Stage.MAIL), Clause(Wavering([]), Action.REJECT, SORRY))
    begin(it, BAD)
    it.rcpt(ALICE)
    it.end_of_headers()
    assert not any(it.seen(CONTENT) for _ in range(seen))
    assert it.end() == Verdict(Action.REJECT, Finding("wavering", "too big"), SORRY)


def flood(number: int, name: str = "X") -> list[tuple[str, bytes]]:
    """A header with this number of fields, the last of which has a listed author."""
    return [(name, b"x")] * (number - 1) + [("From", b"a@bad.example")]


TOO_LONG = Verdict(Action.REJECT, Finding("header", "more than 20000 fields"), REPLIES["header"])


@pytest.mark.parametrize(
    ("clause", "sender", "verdict"),
    [
        (holding(Stage.HEADERS), GOOD, TOO_LONG),
        (rejecting(Stage.HEADERS), GOOD, TOO_LONG),
        (holding(Stage.MAIL), BAD, TOO_LONG),  # it could not be kept whole
        (holding(Stage.MAIL), GOOD, CONTINUE),
        (rejecting(Stage.HEADERS, mode=Mode.TRIAL), GOOD, CONTINUE),
        (Clause(Wavering([]), Action.REJECT, SORRY), GOOD, TOO_LONG),
    ],
)
def test_a_header_that_is_too_long_to_be_read_passes_no_rule_that_needs_it(
    clause: Clause, sender: str, verdict: Verdict
) -> None:
    it = judge(clause)
    begin(it, sender)
    it.rcpt(ALICE)
    assert it.end_of_headers(flood(20_001)) in (verdict, ACCEPT)
    assert it.end() == (verdict if verdict is not CONTINUE else ACCEPT)


def test_a_long_header_is_read_to_its_last_field() -> None:
    it = judge(rejecting(Stage.HEADERS))
    begin(it)
    it.rcpt(ALICE)
    assert it.end_of_headers(flood(20_000)) == REJECTED[Stage.HEADERS]


def test_on_trial_a_header_that_is_too_long_is_noted() -> None:
    it = judge(rejecting(Stage.HEADERS, mode=Mode.TRIAL))
    begin(it)
    it.rcpt(ALICE)
    it.end_of_headers(flood(20_001))
    assert noted(it) == ("header reject",)


def test_the_day_of_a_message_is_the_one_on_which_it_began() -> None:
    clock = StoppedClock(TODAY)
    it = Judge(Generation(Policy((holding(Stage.HEADERS), rejecting(Stage.RCPT), rejecting(Stage.END)))), clock)
    it.connect(Connection())
    for day in (1, 2, 3):
        clock.day = date(2027, 2, day)
        begin(it)
        clock.day = date(2028, 1, 1)
        it.rcpt(ALICE)
        it.data()
        it.end_of_headers()
        it.seen(CONTENT)
        it.end()
        assert it.session.today == date(2027, 2, day)


def test_only_the_fields_that_a_rule_wants_are_kept() -> None:
    class Wants(AtHeaders):
        wants = frozenset({"x-seen"})

    it = judge(Clause(Wants("bad"), Action.REJECT, SORRY))
    begin(it)
    it.end_of_headers([("X-Seen", b"1"), ("x-seen", b"2"), ("Subject", b"3"), ("X-SEEN", b"")])
    assert it.session.fields == {"x-seen": ["1", "2", ""]}


def test_a_policy_lists_the_rules_of_each_stage_in_their_order() -> None:
    connect, mail, rcpt, headers, end = (rejecting(stage) for stage in Stage)
    tried = rejecting(Stage.MAIL, mode=Mode.TRIAL)
    both = Clause(RuleAt(Stage.RCPT, Stage.END), Action.REJECT, SORRY)
    policy = Policy((rcpt, tried, end, both, mail, connect, headers))
    assert policy.at_connect == (connect,)
    assert policy.at_mail == (tried, mail)
    assert policy.at_rcpt == (rcpt, both)
    assert policy.at_headers == (headers,)
    assert policy.at_end == (end, both)


@pytest.mark.parametrize("stage", Stage)
def test_a_rule_is_called_at_the_stages_that_it_declares_and_at_no_other(stage: Stage) -> None:
    called: list[Stage] = []
    rules = (RuleAt(one, sees=lambda one=one: called.append(one)) for one in Stage if one is not stage)
    it = judge(*(Clause(rule, Action.REJECT, SORRY) for rule in rules))
    message(it, GOOD, [ALICE])
    assert called == [one for one in Stage if one is not stage]


def test_after_a_refusal_no_other_rule_is_called() -> None:
    called: list[str] = []
    rules = [RuleAt(stage, sees=lambda stage=stage: called.append(stage.name)) for stage in Stage]
    it = judge(rejecting(Stage.RCPT), *(Clause(rule, Action.REJECT, SORRY) for rule in rules))
    message(it, GOOD, [BAD_RCPT])
    assert called == ["CONNECT", "MAIL"]
