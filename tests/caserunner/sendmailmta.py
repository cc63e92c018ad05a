"""Sendmail as the mail host of the cases."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from caserunner import mailhost
from caserunner.mailhost import LISTENERS, Listener
from caserunner.realmta import RealMta
from rig.sendmail import Sendmail
from rig.sink import Delivery, Sink
from rig.smtp import SmtpReply

_FAILING = {"tempfail": "F=T, ", "accept": "", "reject": "F=R, ", "close": "F=4, ", "unset": ""}


class SendmailMta(RealMta):
    """A Sendmail below `directory` with its filter at the unix socket `milter`."""

    def __init__(self, directory: Path, milter: str, client_certificate: Path) -> None:
        sink = Sink()
        self._sendmail = Sendmail(
            directory,
            sink=sink.port,
            milter=milter,
            domains=mailhost.OURS[:1],
            relays=[
                mailhost.RELAYED,
                mailhost.OURS[1],
                *(network.removesuffix(".0/24") for network in mailhost.TRUSTED),
            ],
            lines=[*_filters(milter), *_logins(client_certificate)],
            maps={"virtusertable": mailhost.ALIASES, "mailertable": {mailhost.OURS[1]: "esmtp:[127.0.0.1]"}},
            listeners={f"case-{name}": _options(name, one) for name, one in LISTENERS.items()},
            accounts=mailhost.ACCOUNTS,
        )
        super().__init__(self._sendmail, sink)

    def local_smtp(self) -> Sequence[str]:
        """The command line of `sendmail -bs`."""
        return self._sendmail.command("sendmail.cf", "-bs")

    def submit(self, arguments: Sequence[str], message: bytes) -> None:
        """Hand a message to sendmail(1), which sends it to the MTA as submit.cf configures."""
        # If the MTA rejects a recipient, the program exits with 67 and sends a bounce, which the case checks.
        with suppress(RuntimeError):
            self._sendmail.sendmail(*arguments, stdin=message, cf="submit.cf")

    def delivered(self) -> list[Delivery]:
        """Everything that was delivered; Sendmail has removed the domain from users of this host."""
        return [replace(one, recipients=tuple(map(_completed, one.recipients))) for one in super().delivered()]

    def plain(self, reply: SmtpReply) -> str:
        """Without the address that it puts before the text of a refusal."""
        return re.sub(r"^(\d+ [\d.]+ )<?.*?>?\.\.\. ", r"\1", str(reply))


def _completed(recipient: str) -> str:
    return recipient if "@" in recipient.rpartition('"')[2] else f"{recipient}@{mailhost.OURS[0]}"


def _filters(milter: str) -> Iterator[str]:
    """The same filter under other conditions than those of the feature that contrib ships."""
    socket = milter.replace("unix:", "local:")
    for name, one in LISTENERS.items():
        if one.patience < mailhost.Listener.patience:
            waits = ";".join(f"{wait}:{one.patience}s" for wait in "CSRE")
            yield f"MAIL_FILTER(`{name}', `S={socket}, {_FAILING[one.missing]}T={waits}')dnl"


def _logins(client_certificate: Path) -> list[str]:
    return [
        "define(`confAUTH_MECHANISMS', `PLAIN LOGIN ANONYMOUS')dnl",
        "define(`confAUTH_OPTIONS', `A')dnl",
        f"define(`confCACERT', `{client_certificate}')dnl",
    ]


def _options(name: str, one: Listener) -> str:
    own = f", InputMailFilters={name}" if one.patience < mailhost.Listener.patience else ""
    family = "inet6" if ":" in one.address else "inet"
    return f"Name={one.daemon}, Family={family}, Addr={one.address}, Port={one.port}{own}"
