"""The words that a key may have when it knows only a few."""

from __future__ import annotations

from enum import Enum


class LogTo(Enum):
    """Where the log goes."""

    SYSLOG = "syslog"
    STDERR = "stderr"


class LogFormat(Enum):
    """How a line of the log is written."""

    TEXT = "text"
    JSON = "json"


class ProtocolEngine(Enum):
    """What speaks the milter protocol with the MTA."""

    AUTO = "auto"
    LIBMILTER = "libmilter"
    LOOP = "loop"


class OnError(Enum):
    """What is done when a rule cannot find something out."""

    TEMPFAIL = "tempfail"
    CONTINUE = "continue"


class OnNameError(Enum):
    """The same for who may connect, where it depends on the default what would open."""

    AUTO = "auto"
    TEMPFAIL = "tempfail"
    CONTINUE = "continue"


class ReplyAt(Enum):
    """When a client that may not connect hears so."""

    RCPT = "rcpt"
    CONNECT = "connect"


class NameCheck(Enum):
    """What is done about a client's name."""

    OFF = "off"
    STAMP = "stamp"
    REQUIRE = "require"
    MATCH_SENDER = "match-sender"


class Default(Enum):
    """What holds for a client that no list and no step decides about."""

    DENY = "deny"
    ALLOW = "allow"


class Origin(Enum):
    """Who a message is from: MAIL FROM is the sender, From: the author."""

    SENDER = "sender"
    AUTHOR = "author"


class Answer(Enum):
    """What the sender of a turf message hears."""

    ACCEPT = "accept"
    REJECT = "reject"
