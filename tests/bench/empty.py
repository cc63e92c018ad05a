"""A filter in Python that asks for the same events as turfmilter, and does nothing: what pymilter alone costs.

python empty.py SOCKET envelope|author     SOCKET as libmilter writes it; straight on the C extension
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import milter

_ENVELOPE = (
    milter.P_NOUNKNOWN
    | milter.P_SKIP
    | milter.P_HDR_LEADSPC
    | milter.P_NR_CONN
    | milter.P_NR_HELO
    | milter.P_NR_MAIL
    | milter.P_NR_HDR
)
_MACROS = {milter.M_ENVRCPT: "i {rcpt_addr}", milter.M_DATA: "i", milter.M_EOM: "i"}


def _negotiate(context: Any, opts: list[int]) -> int:
    for stage, names in _MACROS.items():
        context.setsymlist(stage, names)
    opts[:] = [milter.SETSYMLIST, opts[1] & _ENVELOPE, 0, 0]
    return int(milter.CONTINUE)


def _unanswered(*_event: Any) -> int:
    return int(milter.NOREPLY)


def _continue(*_event: Any) -> int:
    return int(milter.CONTINUE)


def _accept(*_event: Any) -> int:
    return int(milter.ACCEPT)


def main(socket: str, kind: str) -> None:
    """Serve until killed, on one processor as turfmilter's workers do."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    milter.set_connect_callback(_unanswered)
    milter.set_helo_callback(_unanswered)
    milter.set_envfrom_callback(_unanswered)
    milter.set_envrcpt_callback(_continue)
    milter.set_header_callback(_unanswered)
    milter.set_eoh_callback(_accept)
    milter.set_close_callback(_continue)
    milter.setconn(socket)
    milter.register("empty", data=_accept if kind == "envelope" else _continue, negotiate=_negotiate)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    milter.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
