"""The block of our own header fields above a held message: writing and reading it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import BinaryIO, NamedTuple

from turfmilter.core.address.addressed import Addressed, parted
from turfmilter.core.escape import escape, unescape
from turfmilter.core.held.message import in_every_zone, time_of
from turfmilter.core.report import Slip

FORMAT = 2  # the newest that this version reads and writes; in 1, blanks within addresses are not escaped

_ID = "X-Quarantine-ID"
_FROM = "X-Envelope-From"
_TO = "X-Envelope-To"
_TIME = "X-Quarantine-Time"
_CIRCUMSTANCES = (
    "X-Quarantine-Client",
    "X-Quarantine-Name",
    "X-Quarantine-Helo",
    "X-Quarantine-Account",
    "X-Quarantine-Listener",
    "X-Quarantine-Queue-ID",
    _TIME,
    "X-Quarantine-Rule",
    "X-Quarantine-Entry",
)
_SEAL = "X-Quarantine-Seal"
_DIGEST = "X-Quarantine-SHA256"

_ORDER = (_ID, _FROM, _TO, *_CIRCUMSTANCES, _SEAL, _DIGEST)
_PLACE = {name: place for place, name in enumerate(_ORDER)}
_FEWEST = len(_ORDER) // 2  # different lines of ours; a file with fewer is not a held message

_OURS = re.compile(r"(X-(?:Quarantine|Envelope)-[A-Za-z0-9-]+)[ \t]*:?[ ]?(.*?)\r?\n?", re.DOTALL)
_SEALED = re.compile(r"(?:([1-9][0-9]{0,8}):)?([0-9a-f]{64})")  # in format 1 without a number
_BLANK = r"\x20"  # a blank within an address or parameter: `unescape` reads it, `escape` never writes it

_MAX_LINE_BYTES = 1 << 20  # more than any of ours: the MTA passes 64 kB at most, and an escape makes four bytes of one
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """What a held file records about its message.

    `sealed` is False if the block was changed; `damage` then names the lines that are not as they were written, if
    they can be told; what could not be read is "" in `slip`.  `offset` is where the message begins, in bytes, and
    `digest` its SHA-256 when it was held.  `format` may be newer than the one that this version writes.
    `has_envelope` means that the sender and at least one recipient could be read.
    """

    id: str
    slip: Slip
    sealed: bool
    digest: str
    offset: int
    format: int
    damage: tuple[str, ...]
    has_envelope: bool

    def intact(self, file: BinaryIO) -> bool:
        """Return whether the message in `file` is still the one that was held.  Reads all of it, in pieces."""
        digest = hashlib.sha256()
        file.seek(self.offset)
        while piece := file.read(_CHUNK):
            digest.update(piece)
        return digest.hexdigest() == self.digest


def render(id: str, slip: Slip, digest: str) -> bytes:
    """Return the block of a message with the SHA-256 `digest`.  Its length depends only on `slip`."""
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
    above = [_line(_ID, id), _line(_FROM, _words(slip.sender))]
    above += [_line(_TO, _words(recipient)) for recipient in slip.recipients]
    # An empty value keeps its line, so that a missing line is always damage.
    above += [_line(name, escape(text)) for name, text in zip(_CIRCUMSTANCES, circumstances, strict=True)]
    last = _line(_DIGEST, digest)
    return b"".join([*above, _line(_SEAL, f"{FORMAT}:{_seal(FORMAT, [*above, last])}"), last])


def read_block(file: BinaryIO, named: str = "") -> Block:
    """Read the block at the beginning of `file`; only this one counts, whatever the message begins with.

    A block with damaged lines is read as far as possible; `named` is the id in the file's name, for a block that has
    lost its own.  Raises ValueError, which tells what is wrong, if there is no block.
    """
    file.seek(0)
    lines = list(_lines(file))
    values, recipients, damage = _sorted(lines)
    if len(values) < _FEWEST:
        missing = next(name for name in _ORDER if name not in values and name != _TO)
        raise ValueError(f"no {missing} line where it belongs: this is not a held message")
    seal = _SEALED.fullmatch(values.get(_SEAL, ""))
    format = int(seal[1] or 1) if seal else 1  # read as the old format, which recognises parameters by their form
    sealed = seal is not None and seal[2] == _seal(format, [line.raw for line in lines if line.name != _SEAL])
    id, time = unescape(values.get(_ID, "")) or named, _time(values.get(_TIME, ""))
    if time is None:
        damage.append(f"{_TIME} has no time")
    return Block(
        id=id,
        slip=_slip(values, recipients, format, time or time_of(id)),
        sealed=sealed,
        digest=values.get(_DIGEST, ""),
        offset=sum(len(line.raw) for line in lines),
        format=format,
        damage=() if sealed or format > FORMAT else tuple(damage),
        has_envelope=_FROM in values and bool(recipients),
    )


def _slip(values: Mapping[str, str], recipients: Iterable[str], format: int, time: datetime) -> Slip:
    read = _party if format > 1 else _old_party
    texts = (unescape(values.get(name, "")) for name in _CIRCUMSTANCES)
    client, name, helo, account, listener, queue_id, _, rule, entry = texts
    return Slip(
        sender=read(values.get(_FROM, "")),
        recipients=tuple(map(read, recipients)),
        client=client,
        name=name,
        helo=helo,
        account=account,
        listener=listener,
        queue_id=queue_id,
        time=time,
        rule=rule,
        entry=entry,
    )


class _Line(NamedTuple):
    """A line of the file: its number from 1, its bytes, our name for it ("" if none), its value, still escaped."""

    number: int
    raw: bytes
    name: str
    value: str

    def __str__(self) -> str:
        return f"line {self.number}, {self.name}," if self.name else f"line {self.number}"

    @property
    def intact(self) -> bool:
        """True if it has the form in which we write it."""
        return self.raw == f"{self.name}: {self.value}\r\n".encode(errors="surrogateescape")


def _lines(file: BinaryIO) -> Iterator[_Line]:
    """Yield the lines of the block, up to the digest.  A foreign line is damage if the next one is ours again."""
    strange: list[_Line] = []
    sealed = False
    for number in count(1):
        raw = file.readline(_MAX_LINE_BYTES)
        found = _OURS.fullmatch(raw.decode(errors="surrogateescape"))
        line = _Line(number, raw, *(found.groups() if found else ("", "")))
        # After the seal, anything but the digest is the message, whatever it begins with.
        if not raw or (sealed and line.name != _DIGEST) or (not line.name and strange):
            return
        if not line.name:
            strange = [line]
            continue
        yield from strange
        yield line
        strange, sealed = [], line.name == _SEAL
        if line.name == _DIGEST:
            return


def _sorted(lines: Sequence[_Line]) -> tuple[dict[str, str], list[str], list[str]]:
    """Return the values by name, the recipients, and what is wrong with lines; a line out of order is ignored."""
    values: dict[str, str] = {}
    recipients, damage, at = [], [], 0
    for line in lines:
        place = _PLACE.get(line.name, -1)
        if place < at:
            damage.append(f"{line} does not belong there")
            continue
        if not line.intact:
            damage.append(f"{line} is damaged")
        if line.name == _TO:
            recipients.append(line.value)
        else:
            values[line.name] = line.value
        at = place if line.name == _TO else place + 1
    damage += [f"{name} is missing" for name in _ORDER if name not in values and (name != _TO or not recipients)]
    return values, recipients, damage


def _line(name: str, text: str) -> bytes:
    return f"{name}: {text}\r\n".encode()


def _words(party: Addressed) -> str:
    """Return address and parameters, separated by blanks, with none within."""
    return " ".join(escape(word).replace(" ", _BLANK) for word in (party.text, *party.parameters))


def _party(value: str) -> Addressed:
    text, *parameters = map(unescape, value.split(" "))
    return Addressed(text, tuple(parameters))


def _old_party(value: str) -> Addressed:
    return parted(unescape(value))


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time if time.utcoffset() is not None and in_every_zone(time) else None
    except ValueError:  # a year 0, or not a time
        return None


def _seal(format: int, lines: Sequence[bytes]) -> str:
    """Return the seal.  It covers the number of the format, which determines how the lines are read."""
    return hashlib.sha256(b"".join([f"{format}:".encode() if format > 1 else b"", *lines])).hexdigest()
