"""The macros that we ask the MTA for, and how their values are read.

Both MTAs obey the filter's own request, so no milter_*_macros or confMILTER_MACROS_* setting is needed.
"""

from __future__ import annotations

from typing import Any

import milter

# A request replaces the MTA's own list for that stage: everything we want of a stage must stand here.
WANTED = {
    milter.M_CONNECT: (
        "j",
        "{client_resolve}",
        "{client_name}",
        "{daemon_name}",
        "{daemon_addr}",
        "{daemon_port}",
        "{if_addr}",
    ),
    milter.M_HELO: ("{tls_version}",),
    milter.M_ENVFROM: ("i", "{auth_type}", "{auth_authen}", "{tls_version}"),
    milter.M_ENVRCPT: ("i", "{rcpt_addr}"),
    milter.M_DATA: ("i",),
    milter.M_EOM: ("i",),
}


class Macros:
    """The values that the MTA has sent so far in this session."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def ask(self) -> None:
        """Tell the MTA what we want; only possible during negotiation."""
        for stage, names in WANTED.items():
            self._context.setsymlist(stage, " ".join(names))

    def __getitem__(self, name: str) -> str:
        """The value, or "" when the MTA sent none or one that is no UTF-8 (pymilter cannot hand that over)."""
        try:
            return self._context.getsymval(name) or ""
        except UnicodeDecodeError:
            return ""
