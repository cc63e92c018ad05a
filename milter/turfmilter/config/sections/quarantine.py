"""The sections [quarantine] and [release]."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from turfmilter.config.kinds.addresses import HostName, Port
from turfmilter.config.kinds.numbers import Share, Size, Span
from turfmilter.config.kinds.words import Flag
from turfmilter.config.setting import setting


@dataclass(frozen=True, slots=True)
class QuarantineConfig:
    """How long held messages are kept, in every quarantine directory.

    The daemon removes what is due once a minute, and `turfctl quarantine expire` at once. A message that a mail
    program has flagged (F) is never removed.
    """

    keep: timedelta = setting(
        Span(),
        "30d",
        "How long a message that nobody has reviewed is kept. Until then it is not removed to make room either.",
        example="90d",
    )
    keep_reviewed: timedelta = setting(
        Span(),
        "7d",
        "How long a message is kept after it was reviewed, released or deleted; less when room is needed.",
        example="2w",
    )
    floor: float = setting(
        Share(),
        "5%",
        "The share of the file system's bytes and inodes that stays free. Below it reviewed messages go, the oldest"
        " first; where that is not enough, the MTA hears 452 instead of a message being held.",
        example="10%",
    )
    max_size: int = setting(
        Size(), 0, "The most that all messages of one directory may take together, likewise.", example="20 GiB"
    )


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
