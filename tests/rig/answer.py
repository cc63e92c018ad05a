"""What a filter answered: the Answer to one event, with the changes that came before it at the end of a message."""

from __future__ import annotations

from dataclasses import dataclass, field

from rig.wire import Action, as_text

_KINDS = {
    b"a": "accept",
    b"c": "continue",
    b"d": "discard",
    b"f": "connection-failed",
    b"r": "reject",
    b"s": "skip",
    b"t": "tempfail",
    b"4": "shutdown",
    b"y": "reply",
}
_NEEDED = {
    b"-": Action.DELRCPT,
    b"+": Action.ADDRCPT,
    b"2": Action.ADDRCPT_PAR,
    b"e": Action.CHGFROM,
    b"h": Action.ADDHDRS,
    b"i": Action.ADDHDRS,
    b"m": Action.CHGHDRS,
    b"q": Action.QUARANTINE,
    b"b": Action.CHGBODY,
}


class ProtocolError(Exception):
    """The filter sent what the protocol, or what was negotiated, does not allow."""


@dataclass
class Changes:
    """What the filter asked for before its answer.  Texts are str with surrogateescape."""

    delrcpt: list[str] = field(default_factory=list)
    addrcpt: list[str] = field(default_factory=list)
    chgfrom: list[str] = field(default_factory=list)
    addheader: list[tuple[str, str]] = field(default_factory=list)
    insheader: list[tuple[int, str, str]] = field(default_factory=list)
    chgheader: list[tuple[int, str, str]] = field(default_factory=list)
    quarantine: list[str] = field(default_factory=list)
    replbody: bytes = b""

    def take(self, command: bytes, payload: bytes) -> None:
        """Note one change."""
        if command in (b"i", b"m"):
            kept = self.insheader if command == b"i" else self.chgheader
            name, value = _texts(payload[4:])
            kept.append((int.from_bytes(payload[:4], "big"), name, value))
        elif command == b"h":
            name, value = _texts(payload)
            self.addheader.append((name, value))
        elif command == b"b":
            self.replbody += payload
        else:
            addresses = {b"-": self.delrcpt, b"+": self.addrcpt, b"2": self.addrcpt, b"e": self.chgfrom}
            addresses.get(command, self.quarantine).append(_texts(payload)[0])


@dataclass
class Answer:
    """The answer to one event.

    `kind` is continue, accept, reject, tempfail, discard, skip, shutdown, connection-failed, or reply with `text`
    ("550 5.7.1 relaying prohibited").  `changes` come at eom only.  `progress` counts the signs of life before it.
    `sent` is False when the event was switched off, `answered` when no reply was promised: both count as continue.
    str(answer) is the reply's text, or the kind: "550 5.7.1 no", "accept".
    """

    kind: str
    text: str = ""
    changes: Changes = field(default_factory=Changes)
    progress: int = field(default=0, compare=False)
    sent: bool = field(default=True, compare=False)
    answered: bool = field(default=True, compare=False)

    def __str__(self) -> str:
        return self.text if self.kind == "reply" else self.kind

    @property
    def goes_on(self) -> bool:
        """True if the filter wants to receive more."""
        return self.kind in ("continue", "skip")

    @property
    def refuses(self) -> bool:
        """True if the client receives 4xx or 5xx."""
        return self.kind in ("reject", "tempfail", "reply", "shutdown", "connection-failed")

    @property
    def refuses_one(self) -> bool:
        """True when another recipient may follow: a refusal that does not close the connection (RFC 5321 §3.8)."""
        return self.kind in ("reject", "tempfail", "reply") and not self.text.startswith("421")


class Reading:
    """Collects the frames of one answer until its last.  `allowed` are the changes that may come."""

    def __init__(self, allowed: Action) -> None:
        self._allowed = allowed
        self._progress = 0
        self._changes = Changes()

    def take(self, command: bytes, payload: bytes) -> Answer | None:
        """Note one frame; the Answer when it was the last.  Raises ProtocolError."""
        if command in _KINDS:
            return Answer(_KINDS[command], as_text(payload.removesuffix(b"\0")), self._changes, self._progress)
        if command == b"p":
            self._progress += 1
        elif _NEEDED.get(command, Action.NONE) & self._allowed:
            self._changes.take(command, payload)
        else:
            raise ProtocolError(f"the filter sent {command!r} {payload!r}, which was not negotiated for this event")
        return None


def _texts(payload: bytes) -> list[str]:
    return [as_text(part) for part in payload.removesuffix(b"\0").split(b"\0")]
