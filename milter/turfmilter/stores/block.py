"""The block of our own headers above a held message: written, and read back."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO

from turfmilter.core.escape import escape, unescape
from turfmilter.core.ports import Slip

_ID = "X-Quarantine-ID"
_FROM = "X-Envelope-From"
_TO = "X-Envelope-To"
_CIRCUMSTANCES = (
    "X-Quarantine-Client",
    "X-Quarantine-Name",
    "X-Quarantine-Helo",
    "X-Quarantine-Account",
    "X-Quarantine-Listener",
    "X-Quarantine-Queue-ID",
    "X-Quarantine-Time",
    "X-Quarantine-Rule",
    "X-Quarantine-Entry",
)
_SEAL = "X-Quarantine-Seal"
_DIGEST = "X-Quarantine-SHA256"

_LONGEST_LINE = 1 << 20  # more than any of ours: the MTA shows 64 kB at most, and escapes make four of one
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """What a held file says about its message.

    `sealed` is False when somebody changed the block.  `offset` is where the message begins, in bytes,
    and `digest` the SHA-256 that it had.
    """

    id: str
    slip: Slip
    sealed: bool
    digest: str
    offset: int

    def intact(self, file: BinaryIO) -> bool:
        """True when the message in `file` is still the one that was held.  Reads all of it, piece by piece."""
        digest = hashlib.sha256()
        file.seek(self.offset)
        while piece := file.read(_CHUNK):
            digest.update(piece)
        return digest.hexdigest() == self.digest


def head(id: str, slip: Slip) -> bytes:
    """The lines of the block but for the last two.  Their length depends on `slip` alone."""
    circumstances = (
        slip.client,
        slip.name,
        slip.helo,
        slip.account,
        slip.listener,
        slip.queue_id,
        slip.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),  # RFC 3339
        slip.rule,
        slip.entry,
    )
    above = [_line(_ID, id), _line(_FROM, slip.sender)]
    above += [_line(_TO, recipient) for recipient in slip.recipients]
    # An empty value keeps its line: a line that is missing is then always damage.
    above += [_line(name, text) for name, text in zip(_CIRCUMSTANCES, circumstances, strict=True)]
    return b"".join(above)


def render(above: bytes, digest: str) -> bytes:
    """The block as it stands in the file, of what `head` gave."""
    last = _line(_DIGEST, digest)
    return b"".join([above, _line(_SEAL, _seal([above, last])), last])


def read_block(file: BinaryIO) -> Block:
    """The block at the beginning of `file`; only this first one is believed, whatever the message begins with.

    Raises ValueError, saying what is wrong, when there is none.
    """
    file.seek(0)
    lines: list[bytes] = []
    recipients: list[str] = []
    texts: list[str] = []
    for expected in (_ID, _FROM, *_CIRCUMSTANCES, _SEAL, _DIGEST):
        lines.append(file.readline(_LONGEST_LINE))
        while expected == _CIRCUMSTANCES[0] and lines[-1].startswith(f"{_TO}: ".encode()):
            recipients.append(_text(lines[-1], _TO))
            lines.append(file.readline(_LONGEST_LINE))
        texts.append(_text(lines[-1], expected))
    id, sender, client, name, helo, account, listener, queue_id, time, rule, entry, seal, digest = texts
    slip = Slip(
        sender=sender,
        recipients=tuple(recipients),
        client=client,
        name=name,
        helo=helo,
        account=account,
        listener=listener,
        queue_id=queue_id,
        time=datetime.fromisoformat(time),
        rule=rule,
        entry=entry,
    )
    sealed = seal == _seal([*lines[:-2], lines[-1]])
    return Block(id, slip, sealed, digest, sum(map(len, lines)))


def _line(name: str, text: str) -> bytes:
    return f"{name}: {escape(text)}\r\n".encode()


def _seal(lines: list[bytes]) -> str:
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _text(line: bytes, name: str) -> str:
    start = f"{name}: ".encode()
    if not (line.startswith(start) and line.endswith(b"\r\n")):
        raise ValueError(f"no {name} line where it belongs: this is no held message, or its block is damaged")
    return unescape(line[len(start) : -2].decode(errors="surrogateescape"))
