"""A small DNS server on loopback, UDP and TCP, that answers from a zone in text, and misbehaves on request."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from enum import Enum, auto
from typing import NamedTuple

import dns.flags
import dns.message
import dns.rcode
from dns.rdatatype import RdataType

from rig import wait
from rig.ports import free_port
from rig.server import Server
from rig.zone import Zone


class Conduct(Enum):
    """What the server does with a question instead of answering it."""

    SERVFAIL = auto()
    REFUSED = auto()
    SILENCE = auto()
    HOLD = auto()  # answers after release()
    WRONG_ID = auto()
    GARBAGE = auto()
    TRUNCATE = auto()  # sends a truncated answer over UDP, and the whole answer over TCP


class Question(NamedTuple):
    """One query as it came; the name is folded and has no trailing dot."""

    name: str
    kind: str
    transport: str  # udp | tcp


class DnsServer(Server):
    """Runs in a thread; `address` is the same after each start.

    `zone` is the text of a Zone.
    """

    def __init__(self, zone: str = "") -> None:
        self.address = ("127.0.0.1", free_port())
        self._zone = Zone(zone)
        self._conduct: dict[tuple[str, str], Conduct] = {}
        self._asked: list[Question] = []
        self._changed = threading.Condition()
        self._running: tuple[threading.Thread, asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._released = asyncio.Event()

    def add(self, zone: str) -> None:
        """More records."""
        self._zone.add(zone)

    def tell(self, conduct: Conduct | None, name: str, *kinds: str) -> None:
        """Misbehave if asked for `kinds` of `name`; None to behave again."""
        for kind in kinds:
            if conduct is None:
                del self._conduct[name, kind]
            else:
                self._conduct[name, kind] = conduct

    def release(self) -> None:
        """Answer all questions that are held, and hold none from now on."""
        assert self._running is not None
        self._running[1].call_soon_threadsafe(self._released.set)

    @property
    def asked(self) -> list[Question]:
        """All questions so far, in order."""
        with self._changed:
            return list(self._asked)

    def count(self, name: str, kind: str, transport: str = "") -> int:
        """How often `kind` of `name` was asked for."""
        return sum((q.name, q.kind) == (name, kind) and transport in ("", q.transport) for q in self.asked)

    def wait_for(self, name: str, kind: str, count: int = 1, seconds: float = wait.AMPLE) -> None:
        """Return once `kind` of `name` was asked for `count` times.  Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.count(name, kind) >= count, seconds):
                raise TimeoutError(f"{kind} of {name} was not asked for within {seconds} s, only {self._asked}")

    def start(self) -> None:
        """Listen, and return when questions are answered."""
        ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), name="dns server", daemon=True)
        thread.start()
        self._running = (thread, *ready.result())

    def stop(self) -> None:
        """Disappear: no client receives anything any more, not even on open connections."""
        if self._running is not None:
            thread, loop, stop = self._running
            self._running = None
            loop.call_soon_threadsafe(stop.set)
            thread.join()

    async def _serve(self, ready: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        self._released = asyncio.Event()
        try:
            udp, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=self.address)
            tcp = await asyncio.start_server(self._converse, *self.address)
        except OSError as error:
            ready.set_exception(error)
            return
        ready.set_result((loop, stop))
        await stop.wait()
        udp.abort()
        tcp.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One TCP connection: each message has its length before it (RFC 1035 §4.2.2)."""
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                answer = await self.answer(await reader.readexactly(length), "tcp")
                if answer is not None:
                    writer.write(len(answer).to_bytes(2, "big") + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def answer(self, wire: bytes, transport: str) -> bytes | None:
        """The bytes that go back, or None."""
        query = dns.message.from_wire(wire)
        question = _question(query, transport)
        conduct = self._conduct.get((question.name, question.kind))
        with self._changed:
            self._asked.append(question)
            self._changed.notify_all()
        if conduct is Conduct.SILENCE:
            return None
        if conduct is Conduct.GARBAGE:
            return b"\xc0" * 40
        if conduct is Conduct.HOLD:
            await self._released.wait()
        return _fitting(self._respond(query, conduct), query, transport, conduct)

    def _respond(self, query: dns.message.Message, conduct: Conduct | None) -> dns.message.Message:
        response = dns.message.make_response(query, recursion_available=True)
        if conduct is Conduct.WRONG_ID:
            response.id ^= 1
        if conduct in (Conduct.SERVFAIL, Conduct.REFUSED):
            response.set_rcode(dns.rcode.from_text(conduct.name))
        else:
            self._zone.answer(response)
        return response


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._answering: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, peer: tuple[str, int]) -> None:
        task = asyncio.create_task(self._answer(data, peer))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, data: bytes, peer: tuple[str, int]) -> None:
        answer = await self._server.answer(data, "udp")
        if answer is not None:
            self._transport.sendto(answer, peer)


def _question(query: dns.message.Message, transport: str) -> Question:
    (question,) = query.question
    name = question.name.to_text(omit_final_dot=True).lower()
    return Question(name, RdataType.to_text(question.rdtype), transport)


def _fitting(
    response: dns.message.Message, query: dns.message.Message, transport: str, conduct: Conduct | None
) -> bytes:
    """In wire format; over UDP only if it fits (RFC 1035 §4.2.1, RFC 6891 §6.2.5)."""
    if transport == "tcp":
        return response.to_wire()
    room = max(query.payload, 512) if query.edns >= 0 else 512
    wire = response.to_wire(max_size=65535)
    if len(wire) <= room and conduct is not Conduct.TRUNCATE:
        return wire
    response.answer.clear()
    response.authority.clear()
    response.flags |= dns.flags.TC
    return response.to_wire()
