"""The Judge: the state of one connection.  Events go in, Verdicts come out; it reads nothing but the day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from turfmilter.core.address.addressed import bare
from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.readings import read_sender
from turfmilter.core.finding import ACCEPT, CONTINUE, Action, Change, Finding, Verdict
from turfmilter.core.policy import Clause, Generation, Mode
from turfmilter.core.ports import Clock
from turfmilter.core.reply import REPLIES
from turfmilter.core.session import Connection, Envelope, Recipient, Sender, Session

_NOTHING_KNOWN = Session(Connection())
_REFUSALS = (Action.REJECT, Action.TEMPFAIL)
# pymilter cannot show a client whose name is no UTF-8: nothing may be decided about an unknown one.
_UNSEEN = Verdict(Action.TEMPFAIL, reply=REPLIES["error"])

_TOGETHER = Finding("recipient", "another address of its mailbox was decided otherwise")
# Header fields that are read.  No program writes so many; a message can have half a million, and each costs time here
# and far more in the MTA, which looks through all of them for one that is to be removed.
MOST_FIELDS = 20_000


@dataclass(slots=True)
class _Message:
    """What has been decided about one message so far.

    `refusal` is what each further event is answered with, CONTINUE for none; `trials` is what rules in trial would
    have done.  `held` is the first clause that keeps the message, with its verdict: a later refusal still refuses.
    `spared` is the first finding that would have kept it if no key exempted it; the log names both.
    """

    refusal: Verdict
    trials: tuple[str, ...]
    recipients: list[Recipient] = field(default_factory=list)  # those of the envelope, which sees each new one
    # By mailbox: whether the first recipient of it was accepted, and what it resolves to when it was refused.
    mailboxes: dict[str, tuple[bool, str]] = field(default_factory=dict)
    size: int = 0  # bytes that were seen
    changes: tuple[Change, ...] = ()
    held: tuple[Clause, Verdict] | None = None
    spared: Finding | None = None


class Judge:
    """Judges one connection by the generation that it began with.  No order of events makes it raise."""

    def __init__(self, generation: Generation, clock: Clock) -> None:
        self.generation = generation
        self._clock = clock
        self.policy = generation.default
        self._between = _NOTHING_KNOWN  # what is known between two messages
        self._connected = False
        self._trials_at_connect: tuple[str, ...] = ()
        self._session = _NOTHING_KNOWN
        self._message = _Message(_UNSEEN, ())

    @property
    def session(self) -> Session:
        """What is known by now."""
        return self._session

    @property
    def trials(self) -> tuple[str, ...]:
        """What rules in trial would have done with this message."""
        return self._message.trials

    def connect(self, connection: Connection) -> Verdict:
        """The peer is known.  ACCEPT when no rule is on: then the MTA need not ask again."""
        self.policy = self.generation.policy(connection)
        self._between = Session(connection, self.policy.listener or connection.daemon, today=self._clock.today())
        self._connected = True
        self._trials_at_connect = ()
        self._forget()
        if not self.policy.clauses:
            return ACCEPT
        if self.policy.asks_names(self._between):
            connection.names.begin()  # now, for DNS may take as long as the client does up to RCPT
        verdict = CONTINUE if connection.local else self._at_connect()
        self._trials_at_connect = self._message.trials  # they are true of every message to come
        return verdict

    def helo(self, helo: str) -> None:
        """HELO or EHLO, again after STARTTLS; it ends a transaction (RFC 5321 §4.1.4)."""
        self._between = self._between._replace(helo=helo)
        self._forget()

    def mail(self, text: str, params: tuple[str, ...], *, account: str, tls: bool) -> None:
        """MAIL FROM: a new message.  A refusal is answered at each RCPT.

        `account` and `tls` are what the MTA says of the session by now.
        """
        self._forget()
        envelope = Envelope(Sender(text, params, read_sender(text)), self._message.recipients)
        today = self._clock.today()  # once a message: an entry that expires meanwhile would part what belongs together
        self._session = self._between._replace(envelope=envelope, account=account, tls=tls, today=today)
        if self._connected:
            self._message.refusal = self._at_mail()

    def rcpt(self, recipient: Recipient) -> Verdict:
        """RCPT TO.  A refusal is for this recipient only, and never given to a local submission."""
        verdict = CONTINUE if self._session.connection.local else self._at_rcpt(recipient)
        if self._is_inseparable(recipient, verdict):
            return Verdict(Action.TEMPFAIL, _TOGETHER, REPLIES["recipient"])
        if verdict is CONTINUE:
            self._message.recipients.append(recipient)
        return verdict

    def data(self) -> Verdict:
        """DATA: all recipients are known.  ACCEPT when nothing in the message can change that."""
        return CONTINUE if self.policy.at_headers or self.policy.at_end else self._settled()

    def end_of_headers(self, fields: Sequence[tuple[str, bytes]] = ()) -> Verdict:
        """All header fields are known, by name and value.  ACCEPT when nothing in the body can change that.

        Of more than MOST_FIELDS fields the first one beyond them is enough to know that.
        """
        if len(fields) > MOST_FIELDS and self._message.refusal is CONTINUE:
            self._message.refusal = self._not_read()
        wants = self.policy.wants
        wanted: dict[str, list[str]] = {}
        for name, value in fields[:MOST_FIELDS]:
            if (folded := name.lower()) in wants:
                wanted.setdefault(folded, []).append(value.decode("utf-8", "surrogateescape"))
        self._session = self._session._replace(authors=read_authors(wanted.get("from", ())), fields=wanted)
        self._message.refusal = self._at_headers()
        return self._message.refusal if self._message.refusal is not CONTINUE or self.policy.at_end else self._settled()

    def seen(self, octets: int) -> bool:
        """So much more of the message has been seen; False when it is refused already: then no more is needed.

        That refusal stands until the end: what is not asked for can be neither held nor let pass.
        """
        self._message.size += octets
        if self._message.refusal is CONTINUE:
            self._message.refusal = self._too_big()
        return self._message.refusal is CONTINUE

    def end(self) -> Verdict:
        """The message is complete; this verdict is final, unless the message cannot be held."""
        unread = self._session.authors is None and bool(self.policy.at_headers)
        if self._session.envelope is None or unread:
            return Verdict(Action.TEMPFAIL, reply=REPLIES["error"])
        self._session = self._session._replace(size=self._message.size)
        verdict = self._at_end()
        return self.outcome() if verdict is CONTINUE else verdict

    def accepted(self) -> None:
        """The MTA has been told that this message is taken: it counts for the session."""
        messages, octets = self._between.messages + 1, self._between.octets + self._message.size
        self._between = self._between._replace(messages=messages, octets=octets)

    def abort(self) -> None:
        """The transaction is over without a message; the connection goes on."""
        self._forget()

    def outcome(self) -> Verdict:
        """ACCEPT, HOLD or DISCARD as things stand, and from whom the message is kept.

        Exempt recipients get it, and then the sender hears the MTA's own 250.
        """
        if self._message.held is None:
            changes, spared = self._message.changes, self._message.spared
            return Verdict(Action.ACCEPT, spared, changes=changes) if changes or spared else ACCEPT
        clause, verdict = self._message.held
        recipients = tuple(self._message.recipients)
        taken = tuple(r for r in recipients if not clause.exempts(r, self._session.today))
        if self._session.connection.local and 0 < len(taken) < len(recipients):
            # Nobody can be taken off: Postfix shows what it made of an address, and delrcpt needs what was typed.
            # So a held message is held from all, and one that would be lost goes to all.
            taken = recipients if verdict.action is Action.HOLD else ()
        if recipients and not taken:
            return Verdict(Action.ACCEPT, verdict.finding, changes=self._message.changes)
        if len(taken) < len(recipients):
            return Verdict(verdict.action, verdict.finding, taken=taken, partly=True, changes=self._message.changes)
        return Verdict(verdict.action, verdict.finding, verdict.reply, taken)

    def _is_inseparable(self, recipient: Recipient, verdict: Verdict) -> bool:
        """True when `verdict` cannot be for `recipient` alone, because of an earlier one of the same mailbox.

        Sendmail removes a refused recipient by its mailbox, so an accepted one goes as well.  A mailbox that was
        refused comes back with the next recipient that leads to it: without its aliases when that one is accepted,
        and for good when that one is refused under another address.
        """
        if not recipient.mailbox:
            return False
        decided = (verdict is CONTINUE, "" if verdict is CONTINUE else recipient.resolved)
        return self._message.mailboxes.setdefault(recipient.mailbox, decided) != decided

    def _not_read(self) -> Verdict:
        """What is done with a header that is too long to be read: none passes that a rule in force depends on."""
        readers = [clause for clause in self.policy.clauses if clause.rule.measures or clause.rule.wants]
        finding = Finding("header", f"more than {MOST_FIELDS} fields")
        verdict = Verdict(Action.REJECT, finding, REPLIES["header"])
        if self._message.held or any(clause.mode is Mode.ENFORCE for clause in readers):
            return verdict
        if readers:
            self._note(finding, verdict)
        return CONTINUE

    def _too_big(self) -> Verdict:
        """What the first rule about the size that is enforced says of what has been seen by now."""
        for clause in self.policy.at_end:
            if clause.rule.measures and clause.mode is Mode.ENFORCE:
                finding = clause.rule.at_end(self._session._replace(size=self._message.size))
                return clause.verdict(finding) if finding else CONTINUE
        return CONTINUE

    def _forget(self) -> None:
        self._session = self._between
        self._message = _Message(CONTINUE if self._connected else _UNSEEN, self._trials_at_connect)

    # From each stage to its rules.  The generators are lazy: a rule after the one that refuses is not called.
    # From MAIL on a refusal may already be in force; then no further rule is called either.

    def _at_connect(self) -> Verdict:
        return self._first_refusal((clause, clause.rule.at_connect(self._session)) for clause in self.policy.at_connect)

    def _at_mail(self) -> Verdict:
        return self._first_refusal((clause, clause.rule.at_mail(self._session)) for clause in self.policy.at_mail)

    def _at_rcpt(self, recipient: Recipient) -> Verdict:
        if self._message.refusal is not CONTINUE:
            return self._message.refusal
        found = ((clause, clause.rule.at_rcpt(self._session, recipient)) for clause in self.policy.at_rcpt)
        return self._first_refusal(found, recipient)

    def _at_headers(self) -> Verdict:
        if self._message.refusal is not CONTINUE:
            return self._message.refusal
        return self._first_refusal((clause, clause.rule.at_headers(self._session)) for clause in self.policy.at_headers)

    def _at_end(self) -> Verdict:
        if self._message.refusal is not CONTINUE:
            return self._message.refusal
        return self._first_refusal((clause, clause.rule.at_end(self._session)) for clause in self.policy.at_end)

    def _first_refusal(self, found: Iterable[tuple[Clause, Finding | None]], *event: Recipient) -> Verdict:
        """The first refusal, else CONTINUE; a hold is kept in mind, because a later refusal still refuses."""
        for clause, finding in found:
            if finding is None:
                continue
            verdict = clause.verdict(finding)
            if clause.mode is Mode.TRIAL or verdict is CONTINUE:
                self._note(finding, verdict, *event)
            elif verdict.action in _REFUSALS:
                return verdict
            elif verdict.action is Action.CHANGE:
                self._message.changes += finding.changes
            elif verdict.action is Action.ACCEPT:
                self._message.spared = self._message.spared or finding
            elif self._message.held is None:
                self._message.held = clause, verdict
        return CONTINUE

    def _note(self, finding: Finding, verdict: Verdict, *event: Recipient) -> None:
        """Keep for the log what a rule in trial would have done, and to whom, or what it could not find out."""
        done = "unavailable" if finding.unavailable else verdict.action.value
        spared = finding.what if finding.spared else ""
        words = (finding.rule, done, str(finding.matched or ""), spared, *(bare(r.text) for r in event))
        said = " ".join(w for w in words if w)
        if said not in self._message.trials:
            self._message.trials += (said,)

    def _settled(self) -> Verdict:
        """The outcome, where no rule looks at a later stage, when it is ACCEPT; else CONTINUE."""
        if self._message.refusal is not CONTINUE or self._session.envelope is None:
            return CONTINUE
        outcome = self.outcome()
        return outcome if outcome.action is Action.ACCEPT and not outcome.changes else CONTINUE
