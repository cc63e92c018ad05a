"""XCLIENT, which tells the next hop the client that a message came from (Postfix's XCLIENT_README)."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import IPv6Address

from turfmilter.core.address.mailbox import IPAddress, parse_address

_UNAVAILABLE = "[UNAVAILABLE]"
_NAME = re.compile(r"(?=.{1,255}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_HELO = re.compile(r"[!-~]{1,255}")
_EHLO = re.compile(r"(?=.{1,255}\Z)(?:[A-Za-z0-9_.-]+|\[[A-Za-z0-9:.-]+\])")  # RFC 5321 §4.1.1.1
_QUOTED = re.compile(r"[+=]")  # RFC 3461 §4: within [!-~], xtext encodes only these two


@dataclass(frozen=True, slots=True)
class OriginalClient:
    """The original client of a held message, from its block; most of it is what the client claimed.

    The account is not passed on: the next hop would treat LOGIN= as a login and let the message relay.
    """

    address: str
    name: str
    helo: str

    def command(self, offered: str) -> str:
        """The XCLIENT command with the attributes `offered` in EHLO; "" if ADDR is not offered or not known."""
        address, attributes = parse_address(self.address), offered.upper().split()
        if address is None or "ADDR" not in attributes:
            return ""
        values = {
            "ADDR": _spelled(address),
            "NAME": self.name if _NAME.fullmatch(self.name) else _UNAVAILABLE,
            "HELO": self.helo if _HELO.fullmatch(self.helo) else _UNAVAILABLE,
        }
        return " ".join(["XCLIENT", *_given(values, attributes)])

    def ehlo(self, otherwise: str) -> str:
        """The argument of the EHLO that follows XCLIENT, which overrides HELO=; `otherwise` if HELO is not valid."""
        return self.helo if _EHLO.fullmatch(self.helo) else otherwise


def _spelled(address: IPAddress) -> str:
    """The address in the form of RFC 5321 §4.1.3, without a zone, which has a meaning on one host only."""
    return str(address) if address.version == 4 else f"IPV6:{IPv6Address(int(address))}"


def _given(values: dict[str, str], attributes: Collection[str]) -> list[str]:
    return [f"{name}={_xtext(value)}" for name, value in values.items() if name in attributes]


def _xtext(value: str) -> str:
    return _QUOTED.sub(lambda found: f"+{ord(found[0]):02X}", value)
