"""The libmilter callback class: passes the MTA's events to the Judge, and its Verdicts to the MTA."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import milter

from turfmilter.core.address.readings import read
from turfmilter.core.finding import CONTINUE, Action, Verdict
from turfmilter.core.judge import MOST_FIELDS, Judge
from turfmilter.core.ports import QuarantineError, TimedStage
from turfmilter.core.removal import mailbox, removable
from turfmilter.core.reply import REPLIES
from turfmilter.core.report import slip
from turfmilter.core.rule import Fact
from turfmilter.core.session import Recipient
from turfmilter.mta.answers import answer, refuse
from turfmilter.mta.engine import Context, text
from turfmilter.mta.hold import END_OF_HEADER, Hold, transcript
from turfmilter.mta.macros import Macros
from turfmilter.mta.negotiation import Terms, lacking, negotiate, undelivered
from turfmilter.mta.peer import connection
from turfmilter.mta.reporter import Reporter
from turfmilter.mta.service import Service

_NOTHING_AGREED = Terms()
_CONTINUE, _NO_REPLY = int(milter.CONTINUE), int(milter.NOREPLY)

_Callback = Callable[..., int]


def _guarded(no_reply: int = 0, stage: TimedStage | None = None) -> Callable[[_Callback], _Callback]:
    """Decorate a callback so that any exception is logged and answered 451: none lets a message through.

    `no_reply` is the P_NR_* bit of the stage.  If it was agreed, the MTA does not wait for an answer here, and the
    refusal is given at the next stage that has one.  The time of the callback is counted as that of `stage`.
    """

    def wrap(callback: _Callback) -> _Callback:
        @functools.wraps(callback)
        def guarded(self: Callbacks, *event: Any) -> int:
            reporter = self._reporter
            reporter.begun = time.perf_counter()
            try:
                code = refuse(self._ctx, REPLIES["error"]) if self._broken else callback(self, *event)
            except Exception as error:  # noqa: BLE001 - whatever it is, the MTA must receive 451
                code = self._fail(callback.__name__, error)
            taken = time.perf_counter() - reporter.begun
            reporter.seconds += taken
            if stage:
                self._service.counts.took(stage, taken)
            return _NO_REPLY if self._terms.protocol & no_reply else code  # required where P_NR_* was agreed

        return guarded

    return wrap


class Callbacks:
    """One connection of the MTA, from negotiate to close.

    The order of the calls is libmilter's: negotiate, connect, hello, then for each message envfrom, envrcpt…, data,
    header…, eoh, body…, eom; abort ends a message early.  `context` is pymilter's object and stays in this package.
    """

    def __init__(self, context: Context, service: Service) -> None:
        self._ctx = context
        self._macros = Macros(context)
        self._service = service
        self._judge = Judge(service.generation(), service.clock)
        self._reporter = Reporter(service, self._judge, self._macros)
        self._by_text = False
        self._terms = _NOTHING_AGREED
        self._broken = False
        self._shown = False  # the client, with whatever became of it
        self._under_way = False  # from MAIL to our final answer for the message
        self._in_header = False  # from DATA to the end of the header
        self._fields: list[tuple[str, bytes]] = []
        self._hold: Hold | None = None
        service.sessions.opened()

    @property
    def may_wait(self) -> bool:
        """True if the next event may have to wait for DNS, or for the disk on which the message is held."""
        if not self._shown:
            return self._judge.generation.needs_names_at_once
        return self._hold is not None or self._judge.session.connection.names.pending

    def negotiate(self, opts: list[int]) -> int:
        """Request what the policy needs.  On an exception the connection ends and the MTA takes its default action."""
        self._terms = negotiate(self._judge.generation, opts[0], opts[1])
        if self._terms.can_ask_for_macros:
            self._macros.ask()
        self._service.remarks.make(lacking(self._judge.generation, self._terms))
        opts[:] = [self._terms.actions, self._terms.protocol, 0, 0]  # the last two are reserved in libmilter's API
        return _CONTINUE

    @_guarded(milter.P_NR_CONN)
    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:  # noqa: ARG002
        """Decide about the client; `hostname` is ignored, because the macros say more."""
        self._shown = True
        generation = self._judge.generation
        names = self._service.names if generation.needs_names else None
        client = connection(family, hostaddr, self._macros, names, generation.facts)
        self._by_text = self._macros["v"].startswith("Postfix")
        self._service.watch(client)
        self._service.remarks.make(undelivered(generation, client, self._macros))
        verdict = self._judge.connect(client)
        self._reporter.connected(verdict)
        return answer(self._ctx, verdict)

    @_guarded(milter.P_NR_HELO)
    def hello(self, hostname: str) -> int:
        """Record HELO or EHLO, which also ends a message in progress (RFC 5321 §4.1.4)."""
        self._end_unanswered()
        self._judge.helo(hostname)
        return _CONTINUE

    @_guarded(milter.P_NR_MAIL)
    def envfrom(self, sender: bytes, *params: bytes) -> int:
        """Begin a message.  ANONYMOUS (RFC 4505) is not a login."""
        self._end_unanswered()
        self._under_way = True
        anonymous = self._macros["{auth_type}"].upper() in ("", "ANONYMOUS")
        account = "" if anonymous else self._macros["{auth_authen}"]
        tls = Fact.TLS in self._judge.generation.facts and bool(self._macros["{tls_version}"])
        self._judge.mail(text(sender), tuple(map(text, params)), account=account, tls=tls)
        return _CONTINUE

    @_guarded(stage="rcpt")
    def envrcpt(self, to: bytes, *params: bytes) -> int:
        """Decide about one recipient."""
        recipient = self._recipient(text(to), tuple(map(text, params)))
        verdict = self._judge.rcpt(recipient)
        self._reporter.recipient(verdict, recipient)
        return answer(self._ctx, verdict)

    @_guarded()
    def data(self) -> int:
        """Decide about the message as far as the envelope allows; all recipients are known."""
        verdict = self._judge.data()
        self._in_header = verdict is CONTINUE
        return self._answer(verdict)

    def header(self, name: str, value: bytes) -> int:
        """Collect one header field, bytes unchanged.

        One field more than MOST_FIELDS is enough for the Judge to refuse the message, so the rest is dropped.
        """
        if len(self._fields) <= MOST_FIELDS:
            self._fields.append((name, value))
        return _NO_REPLY if self._terms.protocol & milter.P_NR_HDR else _CONTINUE

    @_guarded()
    def eoh(self) -> int:
        """Decide about the header; from here on it is known whether the message is to be held."""
        self._in_header = False
        verdict = self._judge.end_of_headers(self._fields)
        if verdict is CONTINUE:
            self._keep_header()
        self._fields = []
        return self._answer(verdict)

    @_guarded()
    def body(self, chunk: bytes) -> int:
        """Count and, if the message is to be held, write a chunk of the body; SKIP when no more is needed."""
        wanted = self._judge.seen(len(chunk))
        if self._hold is None:
            wanted = wanted and self._judge.generation.measures
        elif wanted:
            self._hold.write(chunk)
            wanted = not self._hold.failed
        return _CONTINUE if wanted or not self._terms.can_skip else int(milter.SKIP)  # eom still follows a SKIP

    @_guarded(stage="end")
    def eom(self) -> int:
        """Give the final answer.  A held message is safe on disk before the MTA receives any answer."""
        verdict = self._judge.end()
        if verdict.partly and not self._can_take(verdict.taken):
            verdict = Verdict(Action.TEMPFAIL, verdict.finding, REPLIES["recipient-unclear"])
        if verdict.changes and not self._terms.can_change_header:
            verdict = replace(verdict, changes=())
        if verdict.action is Action.HOLD:
            verdict, id_ = self._held(verdict)
            return self._answer(verdict, id=id_, size=self._judge.session.size if id_ else None)
        return self._answer(verdict, size=self._judge.session.size if self._judge.generation.measures else None)

    def abort(self) -> int:
        """End a message that was not completed, for example after RSET."""
        self._end_unanswered()
        self._judge.abort()
        return _CONTINUE

    def close(self) -> int:
        """End the connection; libmilter calls this even if nothing followed the negotiation."""
        try:
            self._end_unanswered()
        finally:
            self._service.sessions.closed()
        return _CONTINUE

    def _keep_header(self) -> None:
        """Count the bytes of the header if any rule measures sizes, and start to hold the message if required."""
        outcome, quarantine = self._judge.outcome(), self._judge.policy.quarantine
        held = outcome.action is Action.HOLD and quarantine
        if not held and not self._judge.generation.measures:
            return
        header = transcript(self._fields, leading_space=self._terms.leading_space)
        wanted = self._judge.seen(len(header))
        if held and wanted:
            now = self._service.clock.now()
            about = slip(self._judge.session, outcome, self._macros["i"], now)
            self._hold = Hold(held, about, header + END_OF_HEADER)

    def _recipient(self, text: str, params: tuple[str, ...]) -> Recipient:
        """The recipient, with the MTA's own reading ({rcpt_addr}) where that is needed; each request costs a call.

        Postfix removes recipients by their text, so its reading matters only if the text hides another address.
        Sendmail removes by mailbox, so it is always needed.
        """
        if self._by_text:
            return Recipient(text, params, "" if read(text).plain else self._macros["{rcpt_addr}"])
        resolved = self._macros["{rcpt_addr}"]
        return Recipient(text, params, resolved, mailbox(resolved))

    def _can_take(self, recipients: tuple[Recipient, ...]) -> bool:
        envelope = self._judge.session.envelope
        kept = set(envelope.recipients).difference(recipients) if envelope else ()
        return self._terms.can_delete_recipients and removable(recipients, kept)

    def _held(self, verdict: Verdict) -> tuple[Verdict, str]:
        """The verdict and the id of the held message; or a 4xx verdict and "", so that the client keeps the message."""
        try:
            if self._hold is None:
                raise QuarantineError("the MTA did not send the message", full=False)
            begun = time.perf_counter()
            id_ = self._hold.commit(self._judge.session.size, self._service.executor, self._ctx.progress)
            self._reporter.held(verdict, time.perf_counter() - begun)
            return verdict, id_
        except QuarantineError as error:
            self._reporter.not_held(str(error), full=error.full)
            reply = REPLIES["quarantine-full" if error.full else "quarantine-error"]
            return Verdict(Action.TEMPFAIL, verdict.finding, reply), ""

    def _answer(self, verdict: Verdict, **more: Any) -> int:
        """Return the code for the MTA; if the verdict is final for the message, log it and forget the message."""
        if verdict is CONTINUE:
            return _CONTINUE
        code = answer(self._ctx, verdict, leading_space=self._terms.leading_space)
        self._reporter.message(verdict, **more)
        self._under_way = False
        self._clear()
        if verdict.reply is None:
            self._judge.accepted()
        return code

    def _end_unanswered(self) -> None:
        """Log and forget a message that ends without our final answer; it is forgotten even if logging fails."""
        try:
            if self._under_way and not self._broken:
                self._reporter.unanswered(len(self._fields) if self._in_header else None)
        finally:
            self._under_way = False
            self._clear()

    def _clear(self) -> None:
        """Forget the message, and remove the part of it that was already written to the quarantine."""
        if self._hold:
            self._hold.abandon()
            self._hold = None
        self._fields = []
        self._in_header = False
        self._reporter.forget()

    def _fail(self, stage: str, error: Exception) -> int:
        """Log `error` with the session in which it occurred, and answer 451 for the rest of the connection."""
        self._broken = True
        self._clear()
        self._reporter.failed(stage, error)
        return refuse(self._ctx, REPLIES["error"])
