"""The states of a milter session and the ways between them, as in libmilter's engine.c."""

from __future__ import annotations

from enum import IntEnum
from functools import lru_cache

import milter


class State(IntEnum):
    """What the last command was.  The order matters: states that are not asked for are skipped in it."""

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

    @property
    def in_mail(self) -> bool:
        """True while a message is under way, so that `abort` ends it."""
        return State.MAIL <= self < State.ENDM


_BETWEEN = (State.HELO, State.MAIL, State.UNKN)
_NEXT: dict[State, tuple[State, ...]] = {
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

# The bits that say that the MTA does not show a state (SMFIP_NO*): the way leads on through it.
_LEFT_OUT = {
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

# The bits that say that no answer is given in a state (SMFIP_NR_*).
UNANSWERED = {
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


@lru_cache(maxsize=1024)  # 15 states twice, and the few sets of bits that MTAs agree to
def leads_to(old: State, new: State, protocol: int) -> bool:
    """True if `new` may follow `old`, directly or through states that the `protocol` bits leave out."""
    if new in _NEXT[old]:
        return True
    following = State(old + 1) if old < State.Q_NC else None
    if following is None or not protocol & _LEFT_OUT.get(following, 0):
        return False
    return leads_to(following, new, protocol)
