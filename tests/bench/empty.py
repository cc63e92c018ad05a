"""A filter in Python that asks for the same events as turfmilter, and does nothing: what pymilter alone costs.

python empty.py SOCKET envelope|author|trial     SOCKET as libmilter writes it; straight on the C extension
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import Any

import milter

_NO_CONTENT = milter.P_NOHDRS | milter.P_NOEOH | milter.P_NOBODY
_ALWAYS = milter.P_NOUNKNOWN | milter.P_SKIP | milter.P_NR_CONN | milter.P_NR_HELO | milter.P_NR_MAIL | milter.P_NR_HDR
# As in noop.c: the protocol bits, the actions, and the answer at DATA.
_KINDS = {
    "envelope": (_ALWAYS | milter.P_HDR_LEADSPC, milter.SETSYMLIST | milter.DELRCPT, milter.ACCEPT),
    "author": (_ALWAYS | milter.P_HDR_LEADSPC, milter.SETSYMLIST | milter.DELRCPT, milter.CONTINUE),
    "trial": (_ALWAYS | _NO_CONTENT, milter.SETSYMLIST, milter.ACCEPT),
}
_MACROS = {
    milter.M_CONNECT: "j v {client_resolve} {client_name} {daemon_name} {daemon_addr} {daemon_port} {if_addr}",
    milter.M_ENVFROM: "i {auth_type} {auth_authen} {tls_version}",
    milter.M_ENVRCPT: "i {rcpt_addr}",
    milter.M_DATA: "i",
}


def _negotiate(actions: int, protocol: int, context: Any, opts: list[int]) -> int:
    for stage, names in _MACROS.items():
        context.setsymlist(stage, names)
    opts[:] = [opts[0] & actions, opts[1] & protocol, 0, 0]
    return int(milter.CONTINUE)


def _returns(code: int) -> Any:
    return lambda *_event: code


def main(socket: str, kind: str) -> None:
    """Serve until killed, on one processor as turfmilter's workers do."""
    protocol, actions, at_data = _KINDS[kind]
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    milter.set_flags(actions)
    milter.set_connect_callback(_returns(milter.NOREPLY))
    milter.set_helo_callback(_returns(milter.NOREPLY))
    milter.set_envfrom_callback(_returns(milter.NOREPLY))
    milter.set_envrcpt_callback(_returns(milter.CONTINUE))
    milter.set_header_callback(_returns(milter.NOREPLY))
    milter.set_eoh_callback(_returns(milter.ACCEPT))
    milter.set_body_callback(_returns(milter.CONTINUE))
    milter.set_close_callback(_returns(milter.CONTINUE))
    milter.setconn(socket)
    milter.register("empty", data=_returns(at_data), negotiate=partial(_negotiate, actions, protocol))
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    milter.main()


if __name__ == "__main__":
    main(*sys.argv[1:])
