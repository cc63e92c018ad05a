"""The macros that we ask the MTA for, and how their values are read.

Both MTAs obey the filter's own request, so no milter_*_macros or confMILTER_MACROS_* setting is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import milter

from turfmilter.mta.engine import Context

# As the events of SMTP are called, in their order.  What came at an earlier one stays known, and each that we ask
# about lets another thread have Python's lock: HELO and the end of the message need no request.
STAGES = {
    milter.M_CONNECT: "connect",
    milter.M_ENVFROM: "MAIL",
    milter.M_ENVRCPT: "RCPT",
    milter.M_DATA: "DATA",
}


@dataclass(frozen=True, slots=True)
class Macro:
    """One macro: the stages at which we ask for it, what we use it for, and what each MTA says.

    `without` ends the sentence that says what follows where it does not come.
    """

    stages: tuple[int, ...]
    use: str
    postfix: str
    sendmail: str
    without: str


MACROS = {
    "j": Macro(
        (milter.M_CONNECT,),
        "our name in `Authentication-Results`, unless `authserv_id` is set",
        "`myhostname`",
        "`$j`",
        "results are neither stamped nor removed, unless `authserv_id` is set",
    ),
    "v": Macro(
        (milter.M_CONNECT,),
        "whether the MTA is a Postfix, which removes a recipient by its text",
        "`$mail_name $mail_version`, `Postfix 3.7.11` for example",
        "`$v`, `8.17.1.9` for example",
        "the MTA is treated as a Sendmail, which removes a recipient by the mailbox that it leads to",
    ),
    "{client_resolve}": Macro(
        (milter.M_CONNECT,),
        "whether the MTA itself has confirmed the client's name: `OK`",
        "`OK`, `FAIL`, `FORGED`, `TEMP`; nothing for local submissions",
        "the same; `FORGED` also where the look-up of the name has only failed",
        "the names of all clients are looked up in DNS by this program",
    ),
    "{client_name}": Macro(
        (milter.M_CONNECT,),
        "the client's name, if it is confirmed",
        "the name, else `unknown`",
        "the name, else `[192.0.2.7]`",
        "the names of all clients are looked up in DNS by this program",
    ),
    "{daemon_name}": Macro(
        (milter.M_CONNECT,),
        "the listener: `daemon`",
        "`$myhostname`, unless `milter_macro_daemon_name` is set in `master.cf`",
        "`Name=` of `DaemonPortOptions`",
        "a [listener.NAME] with `daemon` takes no connection",
    ),
    "{daemon_addr}": Macro(
        (milter.M_CONNECT,),
        "the listener: `address`; `interfaces` of the relay rule; connections of this host to itself",
        "the address that the client connected to",
        "the same; `0.0.0.0` where the daemon listens on all addresses",
        "a [listener.NAME] with `address` takes no connection, and `interfaces` fit none",
    ),
    "{daemon_port}": Macro(
        (milter.M_CONNECT,),
        "the listener: `port`",
        "the port that the client connected to",
        "the same",
        "a [listener.NAME] with `port` takes no connection",
    ),
    "{if_addr}": Macro(
        (milter.M_CONNECT,),
        "the listener: `address`, where the MTA listens on all addresses",
        "never; `{daemon_addr}` is enough",
        "the address that the client connected to; nothing for `127.0.0.0/8` and `::1`",
        "`{daemon_addr}` alone counts",
    ),
    "i": Macro(
        (milter.M_ENVFROM, milter.M_ENVRCPT, milter.M_DATA),
        "the queue id, in the log and in the block of a held message",
        "from the second recipient on; at MAIL for local submissions",
        "from MAIL on",
        "the log says `NOQUEUE`",
    ),
    "{auth_type}": Macro(
        (milter.M_ENVFROM,),
        "whether the client has logged in; `ANONYMOUS` is no login",
        "the mechanism, after AUTH only",
        "the same",
        "the client counts as not logged in",
    ),
    "{auth_authen}": Macro(
        (milter.M_ENVFROM,),
        "the account",
        "as the client typed it (`alice` or `alice@example.org`), or with `smtpd_sasl_local_domain` behind it",
        "`alice`",
        "the client counts as not logged in",
    ),
    "{tls_version}": Macro(
        (milter.M_ENVFROM,),
        "whether the session is encrypted: `require_tls`, `authenticated_needs_tls`",
        "once the session is encrypted",
        "the same",
        "the session counts as not encrypted",
    ),
    "{rcpt_addr}": Macro(
        (milter.M_ENVRCPT,),
        "whether a recipient that hides another address is ours, or exempt, as the MTA reads it; which recipients"
        " Sendmail takes for one another",
        "the address that the MTA makes of the recipient, in lower case",
        "the same; case is kept for other hosts, and local users have no domain",
        "a recipient that hides another address is never ours, and never exempt",
    ),
}

# A request replaces the MTA's own list for that stage: everything we want of a stage must stand here.
WANTED = {stage: tuple(name for name, macro in MACROS.items() if stage in macro.stages) for stage in STAGES}
_REQUESTS = tuple((stage, " ".join(names)) for stage, names in WANTED.items())


class Macros:
    """The values that the MTA has sent so far in this session."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def ask(self) -> None:
        """Tell the MTA what we want; only possible during negotiation."""
        for stage, names in _REQUESTS:
            self._context.setsymlist(stage, names)

    def __getitem__(self, name: str) -> str:
        """The value, or "" when the MTA sent none or one that is no UTF-8 (pymilter cannot hand that over)."""
        try:
            return self._context.getsymval(name) or ""
        except UnicodeDecodeError:
            return ""
