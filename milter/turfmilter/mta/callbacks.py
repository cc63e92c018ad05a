"""The libmilter callback class: it translates events to the Judge and Verdicts to the MTA."""

from __future__ import annotations

import functools
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import milter

from turfmilter.core.address.readings import read
from turfmilter.core.finding import CONTINUE, Action, Verdict
from turfmilter.core.judge import MOST_FIELDS, Judge
from turfmilter.core.ports import Level, QuarantineError
from turfmilter.core.reply import REPLIES
from turfmilter.core.report import broken_off, record, slip
from turfmilter.core.rule import Fact, Stage
from turfmilter.core.session import Recipient
from turfmilter.mta.answers import answer, mailbox, refuse, removable
from turfmilter.mta.engine import Context
from turfmilter.mta.hold import END_OF_HEADER, Hold, transcript
from turfmilter.mta.macros import Macros
from turfmilter.mta.negotiation import Terms, lacking, negotiate, undelivered
from turfmilter.mta.peer import connection
from turfmilter.mta.service import Service

_NOTHING_AGREED = Terms()
_CONTINUE, _NO_REPLY = int(milter.CONTINUE), int(milter.NOREPLY)

_Callback = Callable[..., int]


def _guarded(no_reply: int = 0) -> Callable[[_Callback], _Callback]:
    """The one guard: no exception leaves a callback, and none lets a message through.

    Where the MTA waits for no answer (`no_reply` is the P_NR_* bit), the next stage that has one gives it.
    """

    def wrap(callback: _Callback) -> _Callback:
        @functools.wraps(callback)
        def guarded(self: Callbacks, *event: Any) -> int:
            self._begun = time.perf_counter()
            try:
                code = refuse(self._ctx, REPLIES["error"]) if self._broken else callback(self, *event)
            except Exception as error:  # noqa: BLE001 - whatever it is, the MTA must hear 451
                code = self._fail(callback.__name__, error)
            self._seconds += time.perf_counter() - self._begun
            return _NO_REPLY if self._terms.protocol & no_reply else code

        return guarded

    return wrap


class Callbacks:
    """One connection of the MTA.  pymilter's object, `context`, goes no further than this floor."""

    def __init__(self, context: Context, service: Service) -> None:
        self._ctx = context
        self._macros = Macros(context)
        self._service = service
        self._judge = Judge(service.generation(), service.clock)
        self._by_text = False
        self._terms = _NOTHING_AGREED
        self._broken = False
        self._shown = False  # the client, with whatever became of it
        self._under_way = False  # from MAIL to our last word on the message
        self._in_header = False  # from DATA to the end of the header
        self._seconds = 0.0
        self._begun = 0.0
        self._fields: list[tuple[str, bytes]] = []
        self._hold: Hold | None = None
        service.sessions.opened()

    @property
    def may_wait(self) -> bool:
        """True if the next event may have to wait for DNS, or for the disk on which the message is held."""
        generation = self._judge.generation
        if not self._shown:
            return generation.needs_names and generation.asks(Stage.CONNECT)
        return self._hold is not None or self._judge.session.connection.names.pending

    def negotiate(self, opts: list[int]) -> int:
        """Ask for what the policy needs.  An exception here closes the connection: the MTA's default action."""
        self._terms = negotiate(self._judge.generation, opts[0], opts[1])
        if self._terms.can_ask_for_macros:
            self._macros.ask()
        self._service.remarks.make(lacking(self._judge.generation, self._terms))
        opts[:] = [self._terms.actions, self._terms.protocol, 0, 0]
        return _CONTINUE

    @_guarded(milter.P_NR_CONN)
    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:  # noqa: ARG002
        """`hostname` says less than the macros do."""
        self._shown = True
        generation = self._judge.generation
        names = self._service.names if generation.needs_names else None
        client = connection(family, hostaddr, self._macros, names, generation.facts)
        self._by_text = self._macros["v"].startswith("Postfix")
        self._service.watch(client)
        self._service.remarks.make(undelivered(generation, client, self._macros))
        verdict = self._judge.connect(client)
        if verdict.reply:
            self._log(verdict, ())
        return answer(self._ctx, verdict)

    @_guarded(milter.P_NR_HELO)
    def hello(self, hostname: str) -> int:
        """HELO or EHLO."""
        self._end_unanswered()
        self._judge.helo(hostname)
        return _CONTINUE

    @_guarded(milter.P_NR_MAIL)
    def envfrom(self, sender: bytes, *params: bytes) -> int:
        """MAIL FROM."""
        self._end_unanswered()
        self._under_way = True
        anonymous = self._macros["{auth_type}"].upper() in ("", "ANONYMOUS")
        account = "" if anonymous else self._macros["{auth_authen}"]
        tls = Fact.TLS in self._judge.generation.facts and bool(self._macros["{tls_version}"])
        self._judge.mail(_text(sender), tuple(map(_text, params)), account=account, tls=tls)
        return _CONTINUE

    @_guarded()
    def envrcpt(self, to: bytes, *params: bytes) -> int:
        """RCPT TO."""
        recipient = self._recipient(_text(to), tuple(map(_text, params)))
        verdict = self._judge.rcpt(recipient)
        if verdict is not CONTINUE:
            self._log(verdict, (recipient,))
        return answer(self._ctx, verdict)

    @_guarded()
    def data(self) -> int:
        """All recipients are known."""
        verdict = self._judge.data()
        self._in_header = verdict is CONTINUE
        return self._answer(verdict)

    def header(self, name: str, value: bytes) -> int:
        """One header field, its bytes as they are: only kept here, and no more of them than the Judge has to see."""
        if len(self._fields) <= MOST_FIELDS:
            self._fields.append((name, value))
        return _NO_REPLY if self._terms.protocol & milter.P_NR_HDR else _CONTINUE

    @_guarded()
    def eoh(self) -> int:
        """The authors are known, and so is whether the message is held."""
        self._in_header = False
        verdict = self._judge.end_of_headers(self._fields)
        if verdict is CONTINUE:
            self._keep_header()
        self._fields = []
        return self._answer(verdict)

    @_guarded()
    def body(self, chunk: bytes) -> int:
        """A part of the body."""
        wanted = self._judge.seen(len(chunk))
        if self._hold is None:
            wanted = wanted and self._judge.generation.measures
        elif wanted and not self._hold.failed:
            self._hold.write(chunk)
        else:
            wanted = False
        return _CONTINUE if wanted or not self._terms.can_skip else int(milter.SKIP)

    @_guarded()
    def eom(self) -> int:
        """The message is complete.  What is held is safe before the MTA hears anything."""
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
        """The transaction is over without a message."""
        self._end_unanswered()
        self._judge.abort()
        return _CONTINUE

    def close(self) -> int:
        """The connection is over, possibly before anything else was seen of it."""
        try:
            self._end_unanswered()
        finally:
            self._service.sessions.closed()
        return _CONTINUE

    def _keep_header(self) -> None:
        """Count the header where its size is asked for, and begin to hold the message if it has to be."""
        outcome, quarantine = self._judge.outcome(), self._judge.policy.quarantine
        held = outcome.action is Action.HOLD and quarantine
        if not held and not self._judge.generation.measures:
            return
        header = transcript(self._fields, leading_space=self._terms.leading_space)
        wanted = self._judge.seen(len(header))
        if held and wanted:
            now = self._service.clock.now()
            self._hold = Hold(held, slip(self._judge.session, outcome, self._macros["i"], now))
            self._hold.write(header + END_OF_HEADER)

    def _recipient(self, text: str, params: tuple[str, ...]) -> Recipient:
        """What the MTA makes of it is asked for only where the text hides something, or where it removes by that."""
        if self._by_text:
            return Recipient(text, params, "" if read(text).plain else self._macros["{rcpt_addr}"])
        resolved = self._macros["{rcpt_addr}"]
        return Recipient(text, params, resolved, mailbox(resolved))

    def _can_take(self, recipients: tuple[Recipient, ...]) -> bool:
        envelope = self._judge.session.envelope
        kept = set(envelope.recipients).difference(recipients) if envelope else ()
        return self._terms.can_delete_recipients and removable(recipients, kept)

    def _held(self, verdict: Verdict) -> tuple[Verdict, str]:
        """The verdict and the id of the message, or the refusal that leaves it with the MTA."""
        try:
            if self._hold is None:
                raise QuarantineError("the MTA did not show the message", full=False)
            return verdict, self._hold.commit(self._judge.session.size, self._service.executor, self._ctx.progress)
        except QuarantineError as error:
            self._service.log.say("error", f"quarantine: {error}")
            reply = REPLIES["quarantine-full" if error.full else "quarantine-error"]
            return Verdict(Action.TEMPFAIL, verdict.finding, reply), ""

    def _answer(self, verdict: Verdict, **more: Any) -> int:
        """Tell the MTA, and the log when this was the last word on the message."""
        if verdict is CONTINUE:
            return _CONTINUE
        code = answer(self._ctx, verdict, leading_space=self._terms.leading_space)
        envelope = self._judge.session.envelope
        self._log(verdict, envelope.recipients if envelope else (), trial=self._judge.trials, **more)
        self._under_way = False
        self._clear()
        if verdict.reply is None:
            self._judge.accepted()
        return code

    def _log(self, verdict: Verdict, recipients: Iterable[Recipient], **more: Any) -> None:
        milliseconds = round((self._seconds + time.perf_counter() - self._begun) * 1000)
        known = {"queue_id": self._macros["i"], "gen": self._judge.generation.number, "ms": milliseconds}
        self._service.log.write(record(self._judge.session, verdict, recipients, **known, **more))

    def _end_unanswered(self) -> None:
        """Forget a message that ends before our last word on it; whatever is raised, nothing of it is left."""
        try:
            if self._under_way and not self._broken:
                self._log_unanswered()
        finally:
            self._under_way = False
            self._clear()

    def _log_unanswered(self) -> None:
        """What is known of a message by now, and nobody would hear of otherwise."""
        self._begun = time.perf_counter()
        session, trials = self._judge.session, self._judge.trials
        if self._in_header:
            # Nothing tells a client that hung up after DATA from an MTA that failed at the first field; and of an MTA
            # that has closed the connection libmilter does not show what it has not read yet.
            level: Level = "error" if self._fields else "info"
            self._service.log.say(level, broken_off(session, self._macros["i"], len(self._fields)))
        if trials and session.envelope:
            self._log(CONTINUE, session.envelope.recipients, trial=trials)

    def _clear(self) -> None:
        """Forget the message; what was begun of it in the quarantine is removed."""
        if self._hold:
            self._hold.abandon()
            self._hold = None
        self._fields = []
        self._in_header = False
        self._seconds = 0.0

    def _fail(self, stage: str, error: Exception) -> int:
        """Log what went wrong with the session that it happened in; the rest of the connection hears 451."""
        self._broken = True
        self._clear()
        *_, (frame, line) = traceback.walk_tb(error.__traceback__)  # extract_tb would read the source
        self._service.log.say(
            "error",
            f"{stage}: {type(error).__name__}: {error} at {frame.f_code.co_name}:{line} in {self._judge.session}",
        )
        return refuse(self._ctx, REPLIES["error"])


def _text(argument: bytes) -> str:
    return argument.decode("utf-8", "surrogateescape")
