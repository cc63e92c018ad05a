"""The states of a milter session and the transitions between them, as in libmilter's engine.c."""

from __future__ import annotations

from functools import lru_cache

import milter


class State:
    """The last command of the MTA.  The order matters: a state that the MTA leaves out leads to the next one.

    Plain numbers, because each use of a member of an Enum costs a call.
    """

    INIT = 0
    OPTS = 1  # negotiated
    CONN = 2
    HELO = 3
    MAIL = 4
    RCPT = 5
    DATA = 6
    HDRS = 7
    EOHS = 8
    BODY = 9
    ENDM = 10  # the end of the message
    QUIT = 11
    ABRT = 12
    UNKN = 13  # a command of SMTP that the MTA does not know
    Q_NC = 14  # QUIT, and another client on the same connection


IN_MAIL = frozenset(range(State.MAIL, State.ENDM))  # a message is in progress, and `abort` would end it

_BETWEEN = (State.HELO, State.MAIL, State.UNKN)
_NEXT: dict[int, tuple[int, ...]] = {
    State.INIT: (State.OPTS,),
    State.OPTS: (State.CONN, State.UNKN),
    State.CONN: _BETWEEN,
    State.HELO: _BETWEEN,
    State.MAIL: (State.RCPT, State.ABRT, State.UNKN),
    State.RCPT: (
        *(State.RCPT, State.DATA, State.HDRS, State.EOHS, State.BODY, State.ENDM),
        *(State.ABRT, State.UNKN),
    ),
    State.DATA: (State.HDRS, State.EOHS, State.ABRT),
    State.HDRS: (State.HDRS, State.EOHS, State.ABRT),
    State.EOHS: (State.BODY, State.ENDM, State.ABRT),
    State.BODY: (State.BODY, State.ENDM, State.ABRT),
    State.ENDM: (State.QUIT, State.MAIL, State.UNKN, State.Q_NC),
    State.QUIT: (),
    State.ABRT: (),
    State.UNKN: (
        *(State.HELO, State.MAIL, State.RCPT, State.DATA, State.BODY),
        *(State.ABRT, State.UNKN, State.QUIT, State.Q_NC),
    ),
    State.Q_NC: (State.CONN, State.UNKN),
}

# The bits by which the MTA is told not to report an event (SMFIP_NO*): transitions then lead through that state.
_LEFT_OUT: dict[int, int] = {
    State.CONN: milter.P_NOCONNECT,
    State.HELO: milter.P_NOHELO,
    State.MAIL: milter.P_NOMAIL,
    State.RCPT: milter.P_NORCPT,
    State.DATA: milter.P_NODATA,
    State.HDRS: milter.P_NOHDRS,
    State.EOHS: milter.P_NOEOH,
    State.BODY: milter.P_NOBODY,
    State.UNKN: milter.P_NOUNKNOWN,
}

# The bits that mean that an event is not answered (SMFIP_NR_*).
_UNANSWERED: dict[int, int] = {
    State.CONN: milter.P_NR_CONN,
    State.HELO: milter.P_NR_HELO,
    State.MAIL: milter.P_NR_MAIL,
    State.RCPT: milter.P_NR_RCPT,
    State.DATA: milter.P_NR_DATA,
    State.UNKN: milter.P_NR_UNKN,
    State.HDRS: milter.P_NR_HDR,
    State.EOHS: milter.P_NR_EOH,
    State.BODY: milter.P_NR_BODY,
}
UNANSWERED = tuple(_UNANSWERED.get(state, 0) for state in range(len(_NEXT)))  # by state


@lru_cache(maxsize=64)  # a few sets of bits are in use
def ways(protocol: int) -> tuple[frozenset[int], ...]:
    """By state, the states that may follow: directly, or through states that the `protocol` bits leave out."""
    return tuple(frozenset(_following(state, protocol)) for state in range(len(_NEXT)))


def _following(state: int, protocol: int) -> set[int]:
    found = set(_NEXT[state])
    if state + 1 < len(_NEXT) and protocol & _LEFT_OUT.get(state + 1, 0):
        found |= _following(state + 1, protocol)
    return found
