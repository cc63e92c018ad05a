"""The macros that the filter requests from the MTA, and access to their values.

Both MTAs honour the filter's own request, so no milter_*_macros or confMILTER_MACROS_* setting is needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import milter

from turfmilter.mta.engine import Context

# The stages at which macros are requested, in the order of SMTP.  libmilter keeps the values of earlier stages, so
# HELO and the end of the message need no request of their own.
STAGES = {
    milter.M_CONNECT: "connect",
    milter.M_ENVFROM: "MAIL",
    milter.M_ENVRCPT: "RCPT",
    milter.M_DATA: "DATA",
}


@dataclass(frozen=True, slots=True)
class Macro:
    """One macro: the stages at which it is requested, its use, and what each MTA sends.

    `without` completes a sentence: the consequence if the MTA does not send it.
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
        "results are neither added nor removed, unless `authserv_id` is set",
    ),
    "v": Macro(
        (milter.M_CONNECT,),
        "whether the MTA is Postfix, which removes a recipient by its text",
        "`$mail_name $mail_version`, `Postfix 3.7.11` for example",
        "`$v`, `8.17.1.9` for example",
        "the MTA is treated as Sendmail, which removes a recipient by the mailbox that it leads to",
    ),
    "{client_resolve}": Macro(
        (milter.M_CONNECT,),
        "whether the MTA itself has confirmed the client's name: `OK`",
        "`OK`, `FAIL`, `FORGED`, `TEMP`; nothing for local submissions",
        "the same; `FORGED` also if the lookup of the name has only failed",
        "the filter looks up the names of all clients in DNS itself",
    ),
    "{client_name}": Macro(
        (milter.M_CONNECT,),
        "the client's name, if it is confirmed",
        "the name, else `unknown`",
        "the name, else `[192.0.2.7]`",
        "the filter looks up the names of all clients in DNS itself",
    ),
    "{daemon_name}": Macro(
        (milter.M_CONNECT,),
        "the listener: `daemon`",
        "`$myhostname`, unless `milter_macro_daemon_name` is set in `master.cf`",
        "`Name=` of `DaemonPortOptions`",
        "no connection belongs to a [listener.NAME] with `daemon`",
    ),
    "{daemon_addr}": Macro(
        (milter.M_CONNECT,),
        "the listener: `address`; `interfaces` of the relay rule; connections from this host to itself",
        "the address that the client connected to",
        "the same; `0.0.0.0` if the daemon listens on all addresses",
        "no connection belongs to a [listener.NAME] with `address`, and `interfaces` match none",
    ),
    "{daemon_port}": Macro(
        (milter.M_CONNECT,),
        "the listener: `port`",
        "the port that the client connected to",
        "the same",
        "no connection belongs to a [listener.NAME] with `port`",
    ),
    "{if_addr}": Macro(
        (milter.M_CONNECT,),
        "the listener: `address`, if the MTA listens on all addresses",
        "never; `{daemon_addr}` is sufficient",
        "the address that the client connected to; nothing for `127.0.0.0/8` and `::1`",
        "only `{daemon_addr}` is used",
    ),
    "i": Macro(
        (milter.M_ENVFROM, milter.M_ENVRCPT, milter.M_DATA),
        "the queue id, in the log and in the block of a held message",
        "from the second recipient on; at MAIL for local submissions",
        "from MAIL on",
        "the log has `NOQUEUE` instead",
    ),
    "{auth_type}": Macro(
        (milter.M_ENVFROM,),
        "whether the client has logged in; `ANONYMOUS` is not a login",
        "the mechanism, after AUTH only",
        "the same",
        "the client is treated as not logged in",
    ),
    "{auth_authen}": Macro(
        (milter.M_ENVFROM,),
        "the account",
        "as the client sent it (`alice` or `alice@example.org`), or with `smtpd_sasl_local_domain` appended",
        "`alice`",
        "the client is treated as not logged in",
    ),
    "{tls_version}": Macro(
        (milter.M_ENVFROM,),
        "whether the session is encrypted: `require_tls`, `authenticated_needs_tls`",
        "once the session is encrypted",
        "the same",
        "the session is treated as not encrypted",
    ),
    "{rcpt_addr}": Macro(
        (milter.M_ENVRCPT,),
        "whether a recipient that hides another address is ours, or exempt, as the MTA reads it; which recipients"
        " Sendmail treats as the same",
        "the address that the MTA derives from the recipient, in lower case",
        "the same; case is preserved for other hosts, and local users have no domain",
        "a recipient that hides another address is never ours, and never exempt",
    ),
}

# A request replaces the MTA's own list for that stage, so it must name everything that is wanted at that stage.
WANTED = {stage: tuple(name for name, macro in MACROS.items() if stage in macro.stages) for stage in STAGES}
_REQUESTS = tuple((stage, " ".join(names)) for stage, names in WANTED.items())


class Macros:
    """The values of macros that the MTA has sent so far in this session, by name."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def ask(self) -> None:
        """Request the macros of MACROS; only allowed during negotiation (smfi_setsymlist)."""
        for stage, names in _REQUESTS:
            self._context.setsymlist(stage, names)

    def __getitem__(self, name: str) -> str:
        """The value; "" if the MTA sent none, or one that is not UTF-8, which pymilter cannot decode."""
        try:
            return self._context.getsymval(name) or ""
        except UnicodeDecodeError:
            return ""
