"""XCLIENT: the next hop is told which client a message came from (Postfix's XCLIENT_README)."""

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
_QUOTED = re.compile(r"[+=]")  # RFC 3461 §4: all that xtext needs within [!-~]


@dataclass(frozen=True, slots=True)
class OriginalClient:
    """The client as the block of a held message describes it.  Most of that is the client's own words.

    The account is not passed on: a next hop would take LOGIN= for a login, and let the message relay.
    """

    address: str
    name: str
    helo: str

    def command(self, offered: str) -> str:
        """The command, with those attributes that are `offered` in EHLO; "" if the client cannot be named."""
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
        """What to say in EHLO from then on, which would take the place of HELO=."""
        return self.helo if _EHLO.fullmatch(self.helo) else otherwise


def _spelled(address: IPAddress) -> str:
    """As RFC 5321 §4.1.3 has it, without a zone: that says something on one host only, and could hold anything."""
    return str(address) if address.version == 4 else f"IPV6:{IPv6Address(int(address))}"


def _given(values: dict[str, str], attributes: Collection[str]) -> list[str]:
    return [f"{name}={_xtext(value)}" for name, value in values.items() if name in attributes]


def _xtext(value: str) -> str:
    return _QUOTED.sub(lambda found: f"+{ord(found[0]):02X}", value)
