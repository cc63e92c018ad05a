"""The two protocol engines, played the same bytes: what comes back is compared, and what the callbacks were told."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rig.watched import Watched, said
from rig.wire import ALL_ACTIONS, ALL_PROTOCOL, Protocol, frame, strings
from turfmilter.config.schema import ProtocolEngine

ENGINES = (ProtocolEngine.LIBMILTER, ProtocolEngine.LOOP)
HELD = """
domains = ["rig.test"]
[relay]
allow = ["198.51.100.0/24"]
[turf]
tables = ["@turf.test", "<>"]
directory = "{quarantine}"
"""
SETTINGS = {
    "held": HELD,
    "measured": HELD + "[limits]\nmessage_size = 2000\nsession_size = 5000\nrecipients_per_message = 2\n",
    "changed": HELD + "[reverse_name]\nremove_forged = true\n",
    "at once": HELD + '[connect]\ndeny = ["192.0.2.66"]\nreply_at = "connect"\n',
    "off": 'mode = "off"\n' + HELD,
}

# libmilter keeps it for all sessions of a process that one of them wants a state left out: all offer the same.
_LEFT_OUT = Protocol(0x7F) | Protocol.NOUNKNOWN | Protocol.NODATA
_PROGRESS = frame(b"p")


@dataclass(frozen=True)
class Play:
    """For each connection the bytes with which it begins, whose answer is waited for; then what is written to which."""

    openings: tuple[bytes, ...]
    writes: tuple[tuple[int, bytes], ...]

    def alone(self) -> Iterator[Play]:
        """The same for each connection by itself."""
        for number, opening in enumerate(self.openings):
            yield Play((opening,), tuple((0, data) for to, data in self.writes if to == number))


@dataclass
class Outcome:
    """What came of a play: the bytes of each connection, and the calls of each in their order."""

    answers: list[bytes]
    calls: list[list[Any]] = field(default_factory=list)


class Comparison:
    """A worker of each engine below `place`, with the same settings."""

    def __init__(self, place: Path, settings: str) -> None:
        place.mkdir()
        self._workers = [Watched(place / engine.value, settings, engine) for engine in ENGINES]
        self._ending = ExitStack()

    def __enter__(self) -> Self:
        for worker in self._workers:
            self._ending.enter_context(worker)
            play(worker, Play((negotiation(),), ()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.close()

    def difference(self, played: Play) -> str:
        """What the engines do differently, "" for nothing."""
        libmilter, loop = self._workers
        # libmilter's pool can hold up interleaved sessions by many seconds each: it gets one after the other.
        alone = [play(libmilter, one) for one in played.alone()]
        one = Outcome(
            [each for part in alone for each in part.answers], [each for part in alone for each in part.calls]
        )
        other = play(loop, played)
        for outcome in (one, other):
            outcome.calls.sort()  # they are numbered by their negotiations, whose order may differ
        if one == other:
            return ""
        lines = [f"{played}"]
        for name, left, right in (("answers", one.answers, other.answers), ("calls", one.calls, other.calls)):
            if left != right:
                lines += [f"{name} of {ENGINES[0].value}: {left}", f"{name} of {ENGINES[1].value}: {right}"]
        return "\n".join(lines)


def play(worker: Watched, played: Play) -> Outcome:
    """Play to one worker."""
    links: list[socket.socket] = []
    begun: list[bytes] = []
    for opening in played.openings:
        links.append(worker.connect())
        links[-1].sendall(opening)
        begun.append(_frame(links[-1]) if opening else b"")
    for number, data in played.writes:
        with suppress(OSError):  # it was closed because of what came before
            links[number].sendall(data)
    answers = [first + rest.replace(_PROGRESS, b"") for first, rest in zip(begun, said(links), strict=True)]
    calls: dict[int, list[Any]] = {}
    for number, *call in worker.calls():
        calls.setdefault(number, []).append(call)
    return Outcome(answers, [calls[number] for number in sorted(calls)])


def _frame(link: socket.socket) -> bytes:
    """The answer to the negotiation, "" if there is none."""
    with suppress(ConnectionError):
        head = link.recv(4, socket.MSG_WAITALL)
        return head + link.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
    return b""


def negotiation(version: int = 6, actions: int = ALL_ACTIONS, protocol: int = ALL_PROTOCOL) -> bytes:
    """The MTA's offer."""
    return frame(b"O", struct.pack("!III", version, actions, protocol))


def generate(chance: random.Random) -> Play:
    """A play of one connection, or of a few whose writes are interleaved."""
    number = chance.choice((1, 1, 1, 2, 5))
    streams = [list(_split(chance, b"".join(_frames(chance)))) for _ in range(number)]
    writes: list[tuple[int, bytes]] = []
    while any(streams):
        one = chance.choice([index for index, stream in enumerate(streams) if stream])
        writes.append((one, streams[one].pop(0)))
    return Play(tuple(_opening(chance) for _ in range(number)), tuple(writes))


def _opening(chance: random.Random) -> bytes:
    if chance.random() < 0.05:
        return b""
    protocol = ALL_PROTOCOL if chance.random() < 0.5 else Protocol(chance.randrange(1 << 21)) | _LEFT_OUT
    actions = ALL_ACTIONS if chance.random() < 0.7 else chance.randrange(1 << 9)
    return negotiation(chance.choice((6, 6, 6, 2, 3, 4, 5, 7)), actions, protocol)


def _split(chance: random.Random, data: bytes) -> Sequence[bytes]:
    """All at once, every byte alone, or in pieces."""
    kind = chance.random()
    if kind < 0.4 or len(data) > 50_000:
        return [data]
    if kind < 0.5:
        return [data[at : at + 1] for at in range(len(data))]
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(1, 20)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True) if a < b]


def _frames(chance: random.Random) -> list[bytes]:
    frames = [*_client(chance), frame(b"H", strings("client.out.test"))]
    for _ in range(chance.randrange(4)):
        frames += _message(chance)
    frames += [frame(b"Q")] * (chance.random() < 0.5)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
        if frames:  # else all of them were dropped or cut off
            chance.choice(_SPOILING)(chance, frames)
            frames = [one for one in frames if one]
    return frames


def _client(chance: random.Random) -> list[bytes]:
    names = ("client.out.test", "[192.0.2.9]", b"\xff", "")
    peers = (
        *[b"4\x9c\x40192.0.2.9\0"] * 6,
        b"4\x9c\x40192.0.2.66\0",
        b"4\0\0127.0.0.1\0",
        b"4\0\x19127.1\0",
        b"6\0\x19IPv6:2001:DB8::9\0",
        b"6\0\x19::ffff:192.0.2.9\0",
        b"L\0\0/run/x\0",
        b"L\0\0" + b"x" * 108 + b"\0",
        b"U",
        b"U\0\x19x",
    )
    macros = (
        strings("j", "mx.rig.test", "v", "Postfix 3.7", "{daemon_name}", "d", "{client_resolve}", "OK"),
        strings("v", "8.17", "j", b"\xff"),
        b"",
    )
    return [_macros(b"C", chance.choice(macros)), frame(b"C", strings(chance.choice(names)) + chance.choice(peers))]


def _macros(command: bytes, values: bytes) -> bytes:
    return frame(b"D", command + values)


def _message(chance: random.Random) -> list[bytes]:
    senders = ("<a@out.test>", "<spam@turf.test>", "<>", b"<\xff@turf.test>")
    recipients = ("<b@rig.test>", "<b@rig.test>", "<postmaster@rig.test>", "<c@elsewhere.test>", "<x%y@rig.test>", "b")
    headers = (
        ("Subject", " x"),
        ("From", " anna@out.test"),
        ("From", " spam@turf.test"),
        ("Authentication-Results", " mx.rig.test; spf=pass"),
        ("X", b" \xff\0cut"),
        ("É", " x"),
    )
    account = strings("{auth_type}", "PLAIN", "{auth_authen}", "anna") if chance.random() < 0.2 else b""
    frames = [_macros(b"M", strings("i", "4711") + account), frame(b"M", strings(chance.choice(senders), "SIZE=9"))]
    for _ in range(chance.randrange(4)):
        recipient = chance.choice(recipients)
        frames.append(_macros(b"R", strings("{rcpt_addr}", recipient.strip("<>"), "i", "4711")))
        frames.append(frame(b"R", strings(recipient, *["NOTIFY=NEVER"] * chance.randrange(2))))
    frames += [_macros(b"T", strings("{i}", "4712")), frame(b"T")]
    frames += [frame(b"L", strings(*chance.choice(headers))) for _ in range(chance.randrange(5))]
    frames += [_macros(b"N", strings("i", "4713")), frame(b"N")]
    frames += [frame(b"B", chance.randbytes(chance.choice((1, 10, 1000, 65_535)))) for _ in range(chance.randrange(3))]
    frames += [_macros(b"E", strings("i", "4714"))] * chance.randrange(2)
    frames.append(frame(b"E", b"end" * (chance.random() < 0.2)) if chance.random() < 0.8 else frame(b"A"))
    return frames


def _drop(chance: random.Random, frames: list[bytes]) -> None:
    del frames[chance.randrange(len(frames))]


def _double(chance: random.Random, frames: list[bytes]) -> None:
    at = chance.randrange(len(frames))
    frames.insert(at, frames[at])


def _move(chance: random.Random, frames: list[bytes]) -> None:
    frames.insert(chance.randrange(len(frames)), frames.pop(chance.randrange(len(frames))))


def _shorten(chance: random.Random, frames: list[bytes]) -> None:
    """Less payload than there was, in a frame that says so.  Not of macros: libmilter would read what is not its."""
    at = chance.randrange(len(frames))
    command, payload = frames[at][4:5], frames[at][5:]
    if command != b"D":
        frames[at] = frame(command, payload[: chance.randrange(len(payload) + 1)])


def _rename(chance: random.Random, frames: list[bytes]) -> None:
    at = chance.randrange(len(frames))
    if frames[at][4:5] != b"D":
        frames[at] = frame(bytes([chance.choice(b"ABCEGHKLMNOQRTUZ\0\xff")]), frames[at][5:])


def _insert(chance: random.Random, frames: list[bytes]) -> None:
    command = bytes([chance.choice(b"ABCEGHKLMNOQRTUZ\0\xff")])
    frames.insert(chance.randrange(len(frames) + 1), frame(command, chance.randbytes(chance.randrange(30))))


def _cut_off(chance: random.Random, frames: list[bytes]) -> None:
    """The MTA goes away within a frame."""
    at = chance.randrange(len(frames))
    frames[at:] = [frames[at][: chance.randrange(len(frames[at]))]]


def _lie(chance: random.Random, frames: list[bytes]) -> None:
    """A length that is none."""
    at = chance.randrange(len(frames))
    length = chance.choice((0, 65_537, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF))
    frames[at:] = [struct.pack("!I", length) + chance.choice(b"ABCHMNTQE\xff").to_bytes(1, "big"), *frames[at + 1 :]]


def _oversize(chance: random.Random, frames: list[bytes]) -> None:
    command = bytes([chance.choice(b"BLMR")])
    frames.insert(
        chance.randrange(len(frames) + 1), frame(command, b"x" * chance.choice((65_534, 65_535, 65_536)) + b"\0")
    )


_Spoil = Callable[[random.Random, list[bytes]], None]
_SPOILING: tuple[_Spoil, ...] = (_drop, _double, _move, _shorten, _rename, _insert, _cut_off, _lie, _oversize)
