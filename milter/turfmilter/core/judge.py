"""The Judge: the state of one connection.  It receives events and returns Verdicts, and reads nothing but the day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from turfmilter.core.address.addressed import bare
from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.readings import read_sender
from turfmilter.core.finding import ACCEPT, CONTINUE, REFUSALS, Action, Change, Finding, Verdict
from turfmilter.core.policy import Clause, Generation, Mode
from turfmilter.core.ports import Clock
from turfmilter.core.reply import REPLIES
from turfmilter.core.report import MOST_SHOWN, Trial
from turfmilter.core.session import Connection, Envelope, Recipient, Sender, Session

_NOTHING_KNOWN = Session(Connection())
# If a host name is not UTF-8, pymilter fails before it calls `connect`: an unknown client must not be accepted.
_UNSEEN = Verdict(Action.TEMPFAIL, reply=REPLIES["error"])

_TOGETHER = Finding("recipient", "another address of its mailbox was decided otherwise")
# How many header fields are read.  No program writes as many, but a message can have half a million.  Each takes time
# here, and far more in the MTA, which searches all of them for one that is to be removed.
MOST_FIELDS = 20_000


@dataclass(slots=True)
class _Message:
    """What has been decided about one message so far.

    `refusal` is the answer to each further event, CONTINUE for none.  `trials` describes what rules in trial mode
    would have done.  `held` is the first clause that holds or discards the message, with its verdict; it takes effect
    only if no later rule refuses the message.  `spared` is the first finding from which a key exempts the message;
    the log names both.
    """

    refusal: Verdict
    trials: tuple[Trial, ...]
    recipients: list[Recipient] = field(default_factory=list)  # shared with the envelope, which thus has each new one
    # By mailbox: whether its first recipient was accepted, and if not, the address to which that one resolves.
    mailboxes: dict[str, tuple[bool, str]] = field(default_factory=dict)
    size: int = 0  # bytes received
    changes: tuple[Change, ...] = ()
    held: tuple[Clause, Verdict] | None = None
    spared: Finding | None = None


class Judge:
    """Judges one connection by the generation with which it began.  It raises in no order of events."""

    def __init__(self, generation: Generation, clock: Clock) -> None:
        self.generation = generation
        self._clock = clock
        self.policy = generation.default
        self._between = _NOTHING_KNOWN  # what remains known between two messages
        self._connected = False
        self._trials_at_connect: tuple[Trial, ...] = ()
        self._session = _NOTHING_KNOWN
        self._message = _Message(_UNSEEN, ())

    @property
    def session(self) -> Session:
        """What is known now."""
        return self._session

    @property
    def trials(self) -> tuple[Trial, ...]:
        """What rules in trial mode would have done with this message, as far as the log shows it."""
        return self._message.trials

    def connect(self, connection: Connection) -> Verdict:
        """Begin a connection.  Return ACCEPT if no rule is on; the MTA then reports no further event."""
        self.policy = self.generation.policy(connection)
        self._between = Session(connection, self.policy.listener or connection.daemon, today=self._clock.today())
        self._connected = True
        self._trials_at_connect = ()
        self._forget()
        if not self.policy.clauses:
            return ACCEPT
        if self.policy.asks_names(self._between):
            connection.names.begin()  # now, so that DNS can answer while the client proceeds to RCPT
        verdict = CONTINUE if connection.local else self._at_connect()
        self._trials_at_connect = self._message.trials  # they apply to every message of the connection
        return verdict

    def helo(self, helo: str) -> None:
        """Record HELO or EHLO, which is repeated after STARTTLS and ends a transaction (RFC 5321 §4.1.4)."""
        self._between = self._between._replace(helo=helo)
        self._forget()

    def mail(self, text: str, params: tuple[str, ...], *, account: str, tls: bool) -> None:
        """Begin a message at MAIL FROM.  If a rule refuses it, that is the answer to each RCPT.

        `account` and `tls` are the current values for the session, as reported by the MTA.
        """
        self._forget()
        envelope = Envelope(Sender(text, params, read_sender(text)), self._message.recipients)
        today = self._clock.today()  # once for each message, so that all decisions about it agree: see Session
        self._session = self._between._replace(envelope=envelope, account=account, tls=tls, today=today)
        if self._connected:
            self._message.refusal = self._at_mail()

    def rcpt(self, recipient: Recipient) -> Verdict:
        """Judge one RCPT TO.  A refusal applies to this recipient only; a local submission is never refused."""
        verdict = CONTINUE if self._session.connection.local else self._at_rcpt(recipient)
        if self._is_inseparable(recipient, verdict):
            return Verdict(Action.TEMPFAIL, _TOGETHER, REPLIES["recipient"])
        if verdict is CONTINUE:
            self._message.recipients.append(recipient)
        return verdict

    def data(self) -> Verdict:
        """Judge the envelope at DATA.  Return ACCEPT if nothing in the message can change that."""
        return CONTINUE if self.policy.at_headers or self.policy.at_end else self._settled()

    def end_of_headers(self, fields: Sequence[tuple[str, bytes]] = ()) -> Verdict:
        """Judge the header, given the name and value of each field.

        Return ACCEPT if nothing in the body can change that.  Of more than MOST_FIELDS fields, only one beyond that
        number need be passed.
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
        """Count `octets` more bytes of the message; return False if it is refused now, so that no more are needed.

        That refusal is final: a message that has not been received completely can be neither held nor accepted.
        """
        self._message.size += octets
        if self._message.refusal is CONTINUE:
            self._message.refusal = self._too_big()
        return self._message.refusal is CONTINUE

    def end(self) -> Verdict:
        """Judge the complete message.  The verdict is final, unless the message cannot be stored in the quarantine."""
        # An MTA that skipped MAIL or the header did not follow the protocol: nothing can be decided about its message.
        unread = self._session.authors is None and bool(self.policy.at_headers)
        if self._session.envelope is None or unread:
            return Verdict(Action.TEMPFAIL, reply=REPLIES["error"])
        self._session = self._session._replace(size=self._message.size)
        verdict = self._at_end()
        return self.outcome() if verdict is CONTINUE else verdict

    def accepted(self) -> None:
        """Count this message for the limits of the session: the MTA has been told that it is accepted."""
        messages, octets = self._between.messages + 1, self._between.octets + self._message.size
        self._between = self._between._replace(messages=messages, octets=octets)

    def resume(self, messages: int, octets: int) -> None:
        """Count messages and bytes that the connection sent before; for a Judge that has seen only a part of it."""
        self._between = self._between._replace(messages=messages, octets=octets)

    def abort(self) -> None:
        """End the transaction without a message; the connection continues."""
        self._forget()

    def outcome(self) -> Verdict:
        """Return ACCEPT, HOLD or DISCARD, as decided so far, and the recipients from whom the message is withheld.

        If there are exempt recipients, it is delivered to them, and the client receives the MTA's own 250.
        """
        if self._message.held is None:
            changes, spared = self._message.changes, self._message.spared
            return Verdict(Action.ACCEPT, spared, changes=changes) if changes or spared else ACCEPT
        clause, verdict = self._message.held
        recipients = tuple(self._message.recipients)
        taken = tuple(r for r in recipients if not clause.exempts(r, self._session.today))
        if self._session.connection.local and 0 < len(taken) < len(recipients):
            # No recipient of a local submission can be removed: Postfix reports the rewritten address, but delrcpt
            # needs the original one.  So a message to be held is held from all, and one to be discarded goes to all.
            taken = recipients if verdict.action is Action.HOLD else ()
        if recipients and not taken:
            return Verdict(Action.ACCEPT, verdict.finding, changes=self._message.changes)
        if len(taken) < len(recipients):
            return Verdict(verdict.action, verdict.finding, taken=taken, partly=True, changes=self._message.changes)
        return Verdict(verdict.action, verdict.finding, verdict.reply, taken)

    def _is_inseparable(self, recipient: Recipient, verdict: Verdict) -> bool:
        """Return True if `verdict` cannot apply to `recipient` alone, because of an earlier one with the same mailbox.

        Sendmail removes a refused recipient by its mailbox, and with it an accepted one.  A mailbox that was refused
        is added again by the next recipient that leads to it: without its aliases if that recipient is accepted, and
        permanently if that recipient, having another address, is refused.
        """
        if not recipient.mailbox:
            return False
        decided = (verdict is CONTINUE, "" if verdict is CONTINUE else recipient.resolved)
        return self._message.mailboxes.setdefault(recipient.mailbox, decided) != decided

    def _not_read(self) -> Verdict:
        """Return the verdict on a header with too many fields: refusal if a rule in force would have to read it."""
        readers = [clause for clause in self.policy.clauses if clause.rule.measures or clause.rule.wants]
        finding = Finding("header", f"more than {MOST_FIELDS} fields")
        verdict = Verdict(Action.REJECT, finding, REPLIES["header"])
        if self._message.held or any(clause.mode is Mode.ENFORCE for clause in readers):
            return verdict
        if readers:
            self._note(finding, verdict)
        return CONTINUE

    def _too_big(self) -> Verdict:
        """Return the verdict of the first enforced rule about the size on the bytes received so far."""
        for clause in self.policy.at_end:
            if clause.rule.measures and clause.mode is Mode.ENFORCE:
                finding = clause.rule.at_end(self._session._replace(size=self._message.size))
                return clause.verdict(finding) if finding else CONTINUE
        return CONTINUE

    def _forget(self) -> None:
        self._session = self._between
        self._message = _Message(CONTINUE if self._connected else _UNSEEN, self._trials_at_connect)

    # From each stage to its rules.  The generators are lazy: no rule is called after one that refuses.
    # From RCPT on, an earlier refusal may be in force; then no rule is called either.

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
        """Return the first refusal, else CONTINUE; a hold is only recorded, because a later rule may still refuse."""
        for clause, finding in found:
            if finding is None:
                continue
            verdict = clause.verdict(finding)
            if clause.mode is Mode.TRIAL or verdict is CONTINUE:
                self._note(finding, verdict, *event)
            elif verdict.action in REFUSALS:
                return verdict
            elif verdict.action is Action.CHANGE:
                self._message.changes += finding.changes
            elif verdict.action is Action.ACCEPT:
                self._message.spared = self._message.spared or finding
            elif self._message.held is None:
                self._message.held = clause, verdict
        return CONTINUE

    def _note(self, finding: Finding, verdict: Verdict, *event: Recipient) -> None:
        """Record for the log what a rule in trial mode would have done, or that a rule could not decide.

        Not more than the log shows: a message can have any number of recipients.  One about the whole message takes
        the place of the last recipient's, so that no sender can hide it with recipients.
        """
        kept = self._message.trials
        if len(kept) == MOST_SHOWN and event:
            return
        done = "unavailable" if finding.unavailable else verdict.action.value
        spared = finding.what if finding.spared else ""
        said = Trial(finding.rule, done, str(finding.matched or ""), spared, *(bare(r.text) for r in event))
        if said not in kept:
            self._message.trials = (*kept[: MOST_SHOWN - 1], said)

    def _settled(self) -> Verdict:
        """Return the outcome if it is ACCEPT, else CONTINUE; called if no rule is left for a later stage."""
        if self._message.refusal is not CONTINUE or self._session.envelope is None:
            return CONTINUE
        outcome = self.outcome()
        return outcome if outcome.action is Action.ACCEPT and not outcome.changes else CONTINUE
