"""The section [release]."""

from __future__ import annotations

from dataclasses import dataclass

from turfmilter.config.endpoints import HostName, Port
from turfmilter.config.kinds import Flag
from turfmilter.config.setting import setting


@dataclass(frozen=True, slots=True)
class ReleaseConfig:
    """Where turfctl gives a held message that is released: an SMTP service of the MTA without this filter.

    The files in contrib/postfix and contrib/sendmail set one up, for clients on this host only.
    """

    host: str = setting(HostName(), "127.0.0.1", "The MTA that delivers what is released.", example="mx.example.org")
    port: int = setting(Port(), 10026, "The port of its service without the filter.", example=10025)
    helo: str = setting(HostName(), "localhost", "The name that turfctl says at EHLO.", example="mx.example.org")
    xclient: bool = setting(
        Flag(),
        True,
        "Whether a service that offers XCLIENT is told the client that the message came from.",
        example=False,
    )
