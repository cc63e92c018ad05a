"""The services in master.cf, as printed by `postconf -M` and `postconf -P`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_LOOPBACK = re.compile(r"(?:127\.[\d.]+|\[(?:::1|127\.[\d.]+)\]|localhost):[\w-]+", re.IGNORECASE)

# For example: submission/inet/syslog_name = postfix/submission
_OPTION = re.compile(r"(?P<service>.+)/(?P<kind>\w+(?:-\w+)?)/(?P<parameter>\w+) *= *(?P<value>.*)")


@dataclass(frozen=True, slots=True)
class MasterService:
    """One service: its name (`submission`, `127.0.0.1:10025`), type, program, and its `-o` parameters."""

    name: str
    kind: str
    program: str
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def takes_mail(self) -> bool:
        """True for an SMTP server, to which clients connect directly or through postscreen."""
        return self.program == "smtpd" and self.kind in ("inet", "pass")

    @property
    def loopback(self) -> bool:
        """True if only this host can connect to it."""
        return _LOOPBACK.fullmatch(self.name) is not None

    def __str__(self) -> str:
        return f"master.cf: {self.name}/{self.kind}"


def read_services(services: Iterable[str], options: Iterable[str]) -> list[MasterService]:
    """Return the services in the lines of `postconf -M`, with their options from the lines of `postconf -P`."""
    found: list[MasterService] = []
    own: dict[tuple[str, str], dict[str, str]] = {}
    for option in filter(None, map(_OPTION.fullmatch, options)):
        own.setdefault((option["service"], option["kind"]), {})[option["parameter"]] = option["value"]
    for line in services:
        fields = line.split()
        if len(fields) >= 8:  # master(5): the eighth field is the program
            name, kind, program = fields[0], fields[1], fields[7]
            found.append(MasterService(name, kind, program, own.get((name, kind), {})))
    return found
