"""Plays one case on one MTA, and reports with file and line what differs from the case."""

from __future__ import annotations

import base64
import re
import signal
from email import message_from_bytes
from email.policy import compat32

from caserunner.case import Case, CaseFile, Do, Expected, Receive, Send, Step, Submit
from caserunner.mailhost import MESSAGE, Talk
from caserunner.stage import Stage
from rig import wait
from rig.sink import Delivery
from rig.smtp import SmtpReply
from rig.textlog import records

_OFF = 'mode = "off"\n'


class NotSo(AssertionError):
    """Something was not as the case requires; the text begins with file:line."""


def play(stage: Stage, file: CaseFile, case: Case, mta: str) -> None:
    """Play it with the file's configuration.  Raises NotSo."""
    playing = _prepare(stage, file, case, mta)
    playing.run()
    playing.check_log()


def play_off(stage: Stage, file: CaseFile, case: Case, mta: str) -> None:
    """The same with all rules off, when there is nothing in the log.  Raises NotSo."""
    _prepare(stage, file, case, mta, above=_OFF).run()


def play_unruled(stage: Stage, file: CaseFile, case: Case, mta: str) -> list[str]:
    """The recipients that the message reaches if the rules are off and the client sends the same commands."""
    playing = _prepare(stage, file, case, mta, above=_OFF)
    playing.send_whatever_is_said()
    return [recipient for delivery in stage.mta(mta).delivered() for recipient in delivery.recipients]


def _prepare(stage: Stage, file: CaseFile, case: Case, mta: str, above: str = "") -> _Play:
    running = stage.mta(mta)
    stage.set_filter(above + file.filter)
    running.clear()
    return _Play(stage, case, mta)


class _Play:
    def __init__(self, stage: Stage, case: Case, mta: str) -> None:
        self._stage = stage
        self._case = case
        self._name = mta
        self._mta = stage.mta(mta)
        self._talk: Talk | None = None
        self._banner: list[SmtpReply] = []  # until a step has compared it
        self._log_before = len(stage.filter.daemon.log())

    def run(self) -> None:
        """The steps, and then what must be true."""
        steps = self._case.steps
        try:
            if not isinstance(steps[0], Submit | Do):
                self._connect(self._case.client, self._case.listener, greet=isinstance(steps[0], Send))
            for step, following in zip(steps, (*steps[1:], None), strict=True):
                self._step(step, following)
        finally:
            self._leave()
            self._stage.signal_filter(signal.SIGCONT)
        self._at_end()

    def send_whatever_is_said(self) -> None:
        """Send what the client sends, whatever the replies are, and then a message."""
        self._connect(self._case.client, self._case.listener, greet=True)
        for step in [*self._case.steps, Send((b"DATA",)), Receive(0, {}), Send((b"(message)",)), Receive(0, {})]:
            if isinstance(step, Receive):
                self._session.reply()
            else:
                self._step(step)
        self._leave()

    def _step(self, step: Step, following: Step | None = None) -> None:
        if isinstance(step, Send):
            self._session.send(b"".join(map(_bytes, step.lines)))
        elif isinstance(step, Receive):
            self._receive(step)
        elif isinstance(step, Submit):
            self._mta.submit(step.arguments, MESSAGE.replace(b"\r\n", b"\n"))
        else:
            self._do(step, greet=not isinstance(following, Receive))

    @property
    def _session(self) -> Talk:
        if self._talk is None:
            raise self._not_so(self._case.line, "nobody is connected")
        return self._talk

    def _connect(self, client: str, listener: str, *, greet: bool) -> None:
        self._leave()
        try:
            self._talk = self._mta.connect(listener, client)
        except ConnectionError:
            return  # closed before its greeting
        self._banner = [] if greet else [self._talk.banner]
        if greet:
            self._talk.send(b"EHLO client.out.test\r\n")
            self._talk.reply()

    def _leave(self) -> None:
        if self._talk is not None:
            self._talk.close()
        self._talk = None

    def _receive(self, step: Receive) -> None:
        expected = step.reply(self._name, self._mta.version)
        received = self._received()
        if received != expected and not (re.fullmatch(r"\d\d\d", expected) and received.startswith(f"{expected} ")):
            raise self._not_so(step.line, f"expected `{expected}`, received `{received}`")

    def _received(self) -> str:
        if self._talk is None:
            return "closed"
        try:
            return self._mta.plain(self._banner.pop() if self._banner else self._talk.reply())
        except ConnectionError:
            return "closed"
        except TimeoutError:
            return "silence"

    def _do(self, step: Do, *, greet: bool) -> None:
        words = step.what.split()
        if words[0] == "tls":
            own = self._stage.client_certificate if len(words) > 1 else None
            self._session.secure(self._mta.certificate, own)
        elif words[0] == "connect":
            self._connect(words[2], words[4], greet=greet)
        elif step.what == "filter is killed":
            self._stage.filter.daemon.kill()
        elif step.what == "filter starts":
            self._stage.filter.start()
        else:
            asleep = step.what == "filter falls asleep"
            self._stage.signal_filter(signal.SIGSTOP if asleep else signal.SIGCONT)

    def _at_end(self) -> None:
        deliveries = self._mta.delivered()
        reached = [recipient for delivery in deliveries for recipient in delivery.recipients]
        held = [_written(recipient) for one in self._stage.filter.held() for recipient in one.recipients]
        self._check_people("delivered", reached)
        self._check_people("held", held)
        self._check_headers(deliveries)

    def check_log(self) -> None:
        """The filter has logged what is expected, or does so soon."""
        for one in self._case.at_end("log", self._name):
            self._check_log(one)

    def _check_people(self, what: str, found: list[str]) -> None:
        expected: list[str] = []
        line = self._case.line
        for one in self._case.at_end(what, self._name):
            line = one.line
            expected += [] if one.value == "nobody" else one.value.split(", ")
        if sorted(found) != sorted(expected):
            raise self._not_so(line, f"{what}: expected {expected or 'nobody'}, found {found or 'nobody'}")

    def _check_headers(self, deliveries: list[Delivery]) -> None:
        expected: dict[str, list[str]] = {}
        line = self._case.line
        for one in self._case.at_end("header", self._name):
            name, _, value = one.value.partition(": ")
            expected.setdefault(name, []).append(value)
            line = one.line
        for one in self._case.at_end("no header", self._name):
            expected[one.value] = []
            line = one.line
        for delivery in deliveries:
            message = message_from_bytes(delivery.data, policy=compat32)
            for name, values in expected.items():
                found = [" ".join(str(value).split()) for value in message.get_all(name, [])]
                if found != values:
                    raise self._not_so(line, f"{name}: expected {values}, found {found}")

    def _check_log(self, one: Expected) -> None:
        pairs = dict(re.findall(r'([a-z]+)=("(?:[^"\\]|\\.)*"|\S+)', one.value))

        def said() -> list[str]:
            log: str = self._stage.filter.daemon.log()
            return log[self._log_before :].splitlines()

        def found() -> bool:
            return any(pairs.items() <= record.items() for record in records(_records(said())))

        try:
            wait.until(found, "the log")
        except TimeoutError:
            raise self._not_so(one.line, f"no line with {one.value} in:\n" + "\n".join(said())) from None

    def _not_so(self, line: int, what: str) -> NotSo:
        return NotSo(f'{self._case.file}:{line}: on {self._name}, "{self._case.title}": {what}')


def _bytes(line: bytes) -> bytes:
    """A line of the client as it is sent; abbreviations are expanded."""
    if line == b"(message)":
        return MESSAGE + b".\r\n"
    if login := re.fullmatch(rb"AUTH PLAIN \((\w+) (\w+)\)", line):
        return b"AUTH PLAIN " + base64.b64encode(b"\0%b\0%b" % login.groups()) + b"\r\n"
    if size := re.fullmatch(rb"\((\d+) bytes\)", line):
        return b"x" * (int(size[1]) - 2) + b"\r\n"
    return line + b"\r\n"


def _written(recipient: str) -> str:
    """A recipient in the block of a held message, as a case writes it: without <>, and with its blanks."""
    bare = recipient[1:-1] if recipient.startswith("<") and recipient.endswith(">") else recipient
    return bare.replace(r"\x20", " ")


def _records(lines: list[str]) -> list[str]:
    return [line for line in lines if re.match(r"\S+: [a-z]+=", line)]
