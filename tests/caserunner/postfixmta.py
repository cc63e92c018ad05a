"""Postfix as the mail host of the cases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from caserunner import mailhost
from caserunner.mailhost import LISTENERS, Listener
from caserunner.realmta import RealMta
from rig.postfix import Postfix, default
from rig.sink import Sink
from rig.smtp import SmtpReply

# It cannot close the connection, except by the default of version 3.10.
_FAILING = {"tempfail": "tempfail", "accept": "accept", "reject": "reject", "close": "tempfail"}


class PostfixMta(RealMta):
    """A Postfix below `directory` with its filter at the unix socket `milter`."""

    def __init__(self, directory: Path, milter: str, client_certificate: Path) -> None:
        sink = Sink()
        next_hop = f"[127.0.0.1]:{sink.port}"
        self._postfix = Postfix(
            directory,
            sink=sink.port,
            milter=milter,
            domains=mailhost.OURS[:1],
            parameters={
                "mynetworks": ", ".join(mailhost.TRUSTED),
                "relay_domains": f"{mailhost.RELAYED}, {mailhost.OURS[1]}",
                "relayhost": next_hop,
                "default_transport": "smtp",
                "virtual_alias_domains": "",
                "transport_maps": f"inline:{{ {mailhost.OURS[1]}=smtp:{next_hop} }}",
                "smtpd_authorized_xclient_hosts": "127.0.0.1",
                "smtpd_tls_auth_only": "no",
                "smtpd_tls_ask_ccert": "yes",
                "smtpd_tls_CAfile": str(client_certificate),
                "smtpd_sasl_security_options": "",
                "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination",
            },
            maps={"virtual_alias_maps": mailhost.ALIASES},
            listeners={name: _options(one, milter) for name, one in LISTENERS.items()},
            accounts=mailhost.ACCOUNTS,
            places={name: (one.address, one.port) for name, one in LISTENERS.items()},
        )
        super().__init__(self._postfix, sink)

    def local_smtp(self) -> Sequence[str]:
        """The command line of `sendmail -bs`."""
        return ["sendmail", "-C", str(self._postfix.config), "-bs"]

    def submit(self, arguments: Sequence[str], message: bytes) -> None:
        """Hand a message to sendmail(1)."""
        self._postfix.run("sendmail", *arguments, stdin=message)

    def plain(self, reply: SmtpReply) -> str:
        """It puts nothing before the text of a filter."""
        return str(reply)


def _options(one: Listener, milter: str) -> dict[str, str]:
    waits = ", ".join(f"{name}_timeout={one.patience}s" for name in ("connect", "command", "content"))
    action = _FAILING[one.missing] if one.missing in _FAILING else default("milter_default_action")
    return {
        "smtpd_milters": f"{{ {milter}, {waits}, default_action={action} }}",
        "milter_macro_daemon_name": one.daemon,
    }
