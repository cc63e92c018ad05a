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

    The daemon removes expired messages once a minute, and `turfctl expire` immediately. A message that a
    mail program has flagged (F) is never removed.
    """

    keep: timedelta = setting(
        Span(),
        "30d",
        "How long an unreviewed message is kept. Until then it is not removed even to make room.",
        example="90d",
    )
    keep_reviewed: timedelta = setting(
        Span(),
        "7d",
        "How long a message is kept after it was reviewed, released or deleted; less if room is needed.",
        example="2w",
    )
    floor: float = setting(
        Share(),
        "5%",
        "The share of the file system's bytes and inodes that is kept free. Below it, reviewed messages are removed,"
        " the oldest first; if that is not enough, no message is held, and the client receives 452.",
        example="10%",
    )
    max_size: int = setting(
        Size(),
        0,
        "The largest total size of the messages in one directory. Beyond it, the same is done as below floor.",
        example="20 GiB",
    )


@dataclass(frozen=True, slots=True)
class ReleaseConfig:
    """Where turfctl sends a held message that is released: an SMTP service of the MTA that does not use this filter.

    The files in contrib/postfix and contrib/sendmail add such a service, for clients on this host only.
    """

    host: str = setting(HostName(), "127.0.0.1", "The MTA that delivers released messages.", example="mx.example.org")
    port: int = setting(Port(), 10026, "The port of its service without the filter.", example=10025)
    helo: str = setting(HostName(), "localhost", "The name that turfctl sends with EHLO.", example="mx.example.org")
    xclient: bool = setting(
        Flag(),
        True,
        "Whether turfctl reports the original client of the message to a service that offers XCLIENT.",
        example=False,
    )
