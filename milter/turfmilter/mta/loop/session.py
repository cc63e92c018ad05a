"""One milter session, protocol versions 2 to 6: frames in, calls of the callbacks, frames out.  Uses no socket.

Which command may follow which, and what is answered, is as in libmilter: see its engine.c, and smfi.c for the changes
that a filter may request.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import milter

from turfmilter.core.reply import REPLIES
from turfmilter.mta.answers import refuse
from turfmilter.mta.engine import Context, Events
from turfmilter.mta.loop import frames
from turfmilter.mta.loop.context import LoopContext
from turfmilter.mta.loop.frames import Address, Broken, frame
from turfmilter.mta.loop.states import IN_MAIL, UNANSWERED, State, ways

OLDEST, NEWEST = 2, 6  # versions of the protocol (SMFI_PROT_VERSION)
_V1_ACTIONS, _V1_PROTOCOL = 0xF, 0x3F  # assumed if the MTA offers nothing (SMFI_V1_ACTS, SMFI_V1_PROT)
_INTERNAL = 0x7000_0000  # bits that are not for filters (SMFI_INTERNAL)
_OFFER = struct.Struct("!iII")
_PRETENDED = sum(UNANSWERED)  # if the MTA waits for an answer nevertheless, it receives CONTINUE
_CAN_DO_WITHOUT = int(milter.P_NODATA | milter.P_NOUNKNOWN)  # an old MTA never reports these events
_CONTINUE, _ACCEPT, _REJECT = int(milter.CONTINUE), int(milter.ACCEPT), int(milter.REJECT)
_TEMPFAIL, _DISCARD, _SKIP, _NO_REPLY = map(
    int, (milter.TEMPFAIL, milter.DISCARD, milter.SKIP, milter.NOREPLY)
)  # SMFIS_*
_ANSWERS = {
    _CONTINUE: frame(b"c"),
    _ACCEPT: frame(b"a"),
    _DISCARD: frame(b"d"),
    _SKIP: frame(b"s"),
    _REJECT: frame(b"r"),
    _TEMPFAIL: frame(b"t"),
}
_GOING_ON = frozenset((_CONTINUE, _NO_REPLY, _SKIP))
_LAST_WORDS = frozenset((_REJECT, _TEMPFAIL, _DISCARD))
_REFUSING = {_REJECT: b"5", _TEMPFAIL: b"4"}  # the first digit that a reply must have

Open = Callable[[Context], Events]  # creates the callbacks of one connection, when the MTA negotiates


class Session:
    """The protocol of one connection.  `open_` creates its callbacks, `send` is called with each frame for the MTA.

    `say` logs an error that the callbacks cannot report.  When the session is `over`, the connection is to be closed.
    """

    def __init__(self, open_: Open, send: Callable[[bytes], None], say: Callable[[str], None]) -> None:
        self._open = open_
        self._send = send
        self._say = say
        self._context = LoopContext(send)
        self._events: Events | None = None
        self._state = State.INIT
        self._aborts = False  # whether the end of the session calls `abort` first
        self._protocol = 0  # the negotiated bits (SMFIP_*)
        self._ways = ways(0)  # the transitions that these leave
        self._offered = 0  # the bits that the MTA offered
        self.over = False

    def may_wait(self, command: int = 0) -> bool:
        """True if acting on `command`, or by default ending the session, may have to wait for DNS or a disk."""
        events = self._events
        return events is not None and (command not in _NEVER_WAIT or self._gives_up(command)) and events.may_wait

    def receive(self, command: int, payload: bytes) -> None:
        """Act on one frame.  Raises Broken if it cannot be understood; `end` must follow."""
        self._receive(command, payload)
        self._aborts = self._state in IN_MAIL

    def end(self) -> None:
        """End the session without any further answer."""
        if not self.over:
            self._end(aborts=self._aborts)

    def _end(self, *, aborts: bool) -> None:
        self.over = True
        if aborts:
            self._call(lambda events: events.abort())
        self._close()

    def _receive(self, letter: int, payload: bytes) -> None:
        command = _COMMANDS.get(letter)
        if command is None:
            raise Broken("a command that is not known")
        state = command.state
        if state is not None and not self._may_follow(state):
            if state == State.QUIT:
                self._end(aborts=False)
            return
        if command.needs_payload and not payload:
            raise Broken("a command without its arguments")
        if state is not None:
            self._state = state
            self._aborts = state in IN_MAIL
        code = command.act(self, payload)
        if code is not None:
            self._answer(code)
            if code not in _GOING_ON:
                self._leave_out(code, state)

    def _gives_up(self, letter: int) -> bool:
        """True if the command is out of order and thereby ends a message, a part of which may be on a disk."""
        state = _COMMANDS[letter].state
        return state is not None and self._state in IN_MAIL and state not in self._ways[self._state]

    def _may_follow(self, state: int) -> bool:
        """True if `state` may follow, if necessary after the end of a message; otherwise the command is ignored."""
        if state in self._ways[self._state]:
            return True
        if self._state in IN_MAIL:
            self._call(lambda events: events.abort())
        self._state = State.HELO
        return state in self._ways[State.HELO]

    def _leave_out(self, code: int, state: int | None) -> None:
        """Ignore the rest of a message after its final answer; a refusal at RCPT concerns one recipient only."""
        if code == _ACCEPT or (code in _LAST_WORDS and state not in (State.RCPT, State.UNKN)):
            self._state = State.HELO

    def _answer(self, code: int) -> None:
        unanswered = UNANSWERED[self._state] & self._protocol
        if unanswered:
            if not unanswered & self._offered:
                self._send(_ANSWERS[_CONTINUE])
            return
        reply = self._context.reply(_REFUSING[code]) if code in _REFUSING else b""
        if reply:
            self._send(frame(b"y", frames.strings(reply)))
        elif code in _ANSWERS:
            self._send(_ANSWERS[code])

    def _call(self, callback: Callable[[Events], int]) -> int:
        """Return the code of `callback`; 451 if it fails, an argument is not UTF-8, or the MTA has not negotiated."""
        try:
            if self._events is not None:
                return callback(self._events)
            self._say("a command before the negotiation")
        except Exception as error:  # noqa: BLE001 - whatever it is, the MTA must get 451
            self._say(f"{type(error).__name__}: {error}")
        return refuse(self._context, REPLIES["error"])

    def _close(self) -> None:
        if self._events is not None:
            self._call(lambda events: events.close())
            self._events = None

    # One method for each command; those that return None are not answered.

    def _negotiate(self, payload: bytes) -> int | None:
        self._context.forget(0)
        if len(payload) < _OFFER.size:
            raise Broken("a negotiation that is too short")
        version, actions, protocol = _OFFER.unpack_from(payload)
        if version < OLDEST:
            raise Broken("a version that is too old")
        actions, self._offered = actions or _V1_ACTIONS, (protocol or _V1_PROTOCOL) & ~_INTERNAL
        agreed = self._agreed(actions)
        to_mta = agreed & ~(_PRETENDED & ~self._offered) & ~(_CAN_DO_WITHOUT & ~self._offered)
        if self._context.actions & ~actions or to_mta & ~self._offered:
            raise Broken("the filter needs more than the MTA offers")
        self._protocol, self._ways = agreed, ways(agreed)
        bits = _OFFER.pack(min(version, NEWEST), self._context.actions, to_mta & ~_INTERNAL)
        self._send(frame(b"O", bits + self._context.requests))
        return None

    def _agreed(self, actions: int) -> int:
        """Create the callbacks, and return the protocol bits that they want; sets the actions of the context."""
        opts = [actions, self._offered | _PRETENDED, 0, 0]
        try:
            self._events = self._open(self._context)
            code = self._events.negotiate(opts)
        except Exception as error:  # noqa: BLE001 - whatever it is, the MTA acts as if the filter were down
            self._say(f"{type(error).__name__}: {error}")
            raise Broken("the negotiation failed") from None
        if code != _CONTINUE:
            raise Broken("the callbacks refused the negotiation")
        self._context.actions = opts[0]
        return opts[1]

    def _connect(self, payload: bytes) -> int:
        self._context.forget(1)
        name, family, address = frames.client(payload)
        return self._call(lambda events: events.connect(name.decode(), family, _shown(address)))

    def _hello(self, payload: bytes) -> int | None:
        self._context.forget(2)
        if not payload.endswith(b"\0"):
            return None
        return self._call(lambda events: events.hello(payload.partition(b"\0")[0].decode()))

    def _mail(self, payload: bytes) -> int:
        self._context.forget(3)
        found = frames.arguments(payload)
        return self._call(lambda events: events.envfrom(*found))

    def _rcpt(self, payload: bytes) -> int:
        self._context.forget(4)
        found = frames.arguments(payload)
        return self._call(lambda events: events.envrcpt(*found))

    def _data(self, _: bytes) -> int:
        return self._call(lambda events: events.data())

    def _header(self, payload: bytes) -> int:
        name, value = frames.header(payload)
        return self._call(lambda events: events.header(name.decode(), value))

    def _eoh(self, _: bytes) -> int:
        return self._call(lambda events: events.eoh())

    def _body(self, payload: bytes) -> int:
        return self._call(lambda events: events.body(payload))

    def _eom(self, payload: bytes) -> int:
        """The payload, if any, is the last part of the body; an answer to it other than CONTINUE is sent twice."""
        if payload and (code := self._body(payload)) != _CONTINUE:
            self._answer(code)
            return code
        self._context.at_end = True
        try:
            return self._call(lambda events: events.eom())
        finally:
            self._context.at_end = False

    def _unknown(self, _: bytes) -> int:
        return _CONTINUE

    def _abort(self, _: bytes) -> None:
        self._call(lambda events: events.abort())

    def _quit(self, _: bytes) -> None:
        self._end(aborts=False)

    def _next_client(self, _: bytes) -> None:
        """QUIT_NC.  The next client comes without a negotiation, so it receives 451."""
        self._close()
        self._context.forget(0)

    def _keep_macros(self, payload: bytes) -> None:
        stage = _MACRO_STAGES.get(payload[0])
        if stage is not None and b"\0" in payload[1:]:
            self._context.keep(stage, payload[1:])


def _shown(address: Address) -> tuple[Any, ...] | str | None:
    return address.decode() if isinstance(address, bytes) else address


@dataclass(frozen=True, slots=True)
class _Command:
    """How to act on a command of the MTA, and the state that it leads to, if any."""

    act: Callable[[Session, bytes], int | None]
    state: int | None
    needs_payload: bool = True


# SMFIC_*
_COMMANDS = {
    ord("A"): _Command(Session._abort, State.ABRT, needs_payload=False),
    ord("B"): _Command(Session._body, State.BODY),
    ord("C"): _Command(Session._connect, State.CONN),
    ord("D"): _Command(Session._keep_macros, None),
    ord("E"): _Command(Session._eom, State.ENDM, needs_payload=False),
    ord("H"): _Command(Session._hello, State.HELO),
    ord("K"): _Command(Session._next_client, State.Q_NC, needs_payload=False),
    ord("L"): _Command(Session._header, State.HDRS),
    ord("M"): _Command(Session._mail, State.MAIL),
    ord("N"): _Command(Session._eoh, State.EOHS, needs_payload=False),
    ord("O"): _Command(Session._negotiate, State.OPTS),
    ord("Q"): _Command(Session._quit, State.QUIT, needs_payload=False),
    ord("R"): _Command(Session._rcpt, State.RCPT),
    ord("T"): _Command(Session._data, State.DATA, needs_payload=False),
    ord("U"): _Command(Session._unknown, State.UNKN),
}
_MACRO_STAGES = {ord(command): stage for stage, command in enumerate("CHMRTNE")}
_NEVER_WAIT = frozenset(map(ord, "DHKLOU"))  # unless they are out of order
