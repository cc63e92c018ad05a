"""The block of our own headers above a held message: written, and read back."""

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
from turfmilter.core.report import Slip
from turfmilter.stores.format import FORMAT
from turfmilter.stores.name import time_of

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
_FEWEST = len(_ORDER) // 2  # different lines of ours; a file with fewer is not taken for a held message

_OURS = re.compile(r"(X-(?:Quarantine|Envelope)-[A-Za-z0-9-]+)[ \t]*:?[ ]?(.*?)\r?\n?", re.DOTALL)
_SEALED = re.compile(r"(?:([1-9][0-9]{0,8}):)?([0-9a-f]{64})")  # format 1 has no number
_BLANK = r"\x20"  # a blank within an address or parameter: `unescape` reads it, `escape` never writes it

_MAX_LINE_BYTES = 1 << 20  # more than any of ours: the MTA shows 64 kB at most, and escapes make four of one
_CHUNK = 256 * 1024


@dataclass(frozen=True, slots=True)
class Block:
    """What a held file says about its message.

    `sealed` is False when somebody changed the block, and `damage` then names the lines that are not as they were
    written, if there are any; what could not be read is "" in `slip`.  `offset` is where the message begins, in
    bytes, and `digest` the SHA-256 that it had.  `format` may be a newer one than this version writes.
    `has_envelope` says that the sender and at least one recipient could be read.
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
    above = [_line(_ID, id), _line(_FROM, _words(slip.sender))]
    above += [_line(_TO, _words(recipient)) for recipient in slip.recipients]
    # An empty value keeps its line: a line that is missing is then always damage.
    above += [_line(name, escape(text)) for name, text in zip(_CIRCUMSTANCES, circumstances, strict=True)]
    return b"".join(above)


def render(above: bytes, digest: str) -> bytes:
    """The block as it stands in the file, of what `head` gave."""
    last = _line(_DIGEST, digest)
    return b"".join([above, _line(_SEAL, f"{FORMAT}:{_seal(FORMAT, [above, last])}"), last])


def read_block(file: BinaryIO, named: str = "") -> Block:
    """The block at the beginning of `file`; only this first one is believed, whatever the message begins with.

    A block with damaged lines is read as far as that can be done; `named` is the id that the file's name says, for
    one that has lost its own.  Raises ValueError, saying what is wrong, when there is no block.
    """
    file.seek(0)
    lines = list(_lines(file))
    values, recipients, damage = _sorted(lines)
    if len(values) < _FEWEST:
        missing = next(name for name in _ORDER if name not in values and name != _TO)
        raise ValueError(f"no {missing} line where it belongs: this is no held message")
    seal = _SEALED.fullmatch(values.get(_SEAL, ""))
    format = int(seal[1] or 1) if seal else 1  # read as the old format, which knows what a parameter looks like
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
        """True when it looks as we write it."""
        return self.raw == f"{self.name}: {self.value}\r\n".encode(errors="surrogateescape")


def _lines(file: BinaryIO) -> Iterator[_Line]:
    """The lines of the block, up to the digest.  One that is none of ours is damage if the next one is ours again."""
    strange: list[_Line] = []
    sealed = False
    for number in count(1):
        raw = file.readline(_MAX_LINE_BYTES)
        found = _OURS.fullmatch(raw.decode(errors="surrogateescape"))
        line = _Line(number, raw, *(found.groups() if found else ("", "")))
        # What follows the seal and is not the digest is the message, whatever that begins with.
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
    """The values by name, the recipients, and what is wrong with lines; one that comes too late counts for nothing."""
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
    """Address and parameters, a blank between them and none within."""
    return " ".join(escape(word).replace(" ", _BLANK) for word in (party.text, *party.parameters))


def _party(value: str) -> Addressed:
    text, *parameters = map(unescape, value.split(" "))
    return Addressed(text, tuple(parameters))


def _old_party(value: str) -> Addressed:
    return parted(unescape(value))


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
        return time if time.utcoffset() is not None and time.astimezone(UTC) else None
    except (ValueError, OverflowError):  # a year 0, or no time at all
        return None


def _seal(format: int, lines: Sequence[bytes]) -> str:
    """The digest covers the number of the format, which says how the lines are to be read."""
    return hashlib.sha256(b"".join([f"{format}:".encode() if format > 1 else b"", *lines])).hexdigest()
