"""Random SMTP sessions, played through the real callback class in this process: what is decided, logged and kept."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import milter
from hypothesis import strategies as st

from rig.ownworker import service
from rig.rules import StoppedClock
from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.journal.line import decode, encode
from turfmilter.core.journal.ports import Journal
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.policy import Generation
from turfmilter.core.ports import Level
from turfmilter.core.report import Record
from turfmilter.core.session import ClientNames, Known, UnderWay
from turfmilter.mta.callbacks import Callbacks

OFFERED = (0x1FF, 0x1FFFFF)  # every action and every protocol bit of the milter protocol
_ERRORS = {milter.REJECT, milter.TEMPFAIL}


@dataclass(frozen=True)
class Message:
    """One transaction as a client sends it; `author` is the value of From:, `size` that of the body in bytes."""

    sender: str
    recipients: tuple[str, ...]
    params: tuple[str, ...] = ()
    author: str = "a@good.example"
    size: int = 10


@dataclass(frozen=True)
class Plan:
    """One connection.  `confirmed` are the client's names in DNS, which `failed` to be looked up completely or not."""

    client: str = "192.0.2.1"
    port: int = 25
    local_address: str = "192.0.2.25"
    helo: str = "client.example"
    account: str = ""
    tls: bool = False
    names: ClientNames = field(default_factory=ClientNames)
    messages: tuple[Message, ...] = ()


@dataclass
class Told:
    """What one session led to: the reply to each recipient and each message, "" if none, the records, the journal."""

    replies: list[list[str]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def write(self, record: Record) -> None:
        """Implements ports.Log."""
        self.records.append(record)

    def say(self, level: Level, text: str) -> None:
        """Implements ports.Log: an error is a failure of the test."""
        if level == "error" and "quarantine: " not in text:
            self.failures.append(text)


class _Names:
    """Implements ports.Names with the names of one client."""

    def __init__(self, names: ClientNames) -> None:
        self._names = names

    def begin(self, _address: IPAddress) -> UnderWay:
        return Known(self._names)


class _Kept:
    """Implements ports.Journal in memory; each transaction is written and read again."""

    def __init__(self, told: Told, name: str) -> None:
        self._told = told
        self._name = name

    def session(self) -> str:
        return self._name

    def write(self, transaction: Transaction) -> None:
        number = len(self._told.transactions)
        later = replace_time(transaction, NOON + timedelta(seconds=number))
        self._told.transactions.append(decode(encode(later)))


NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def replace_time(transaction: Transaction, time: datetime) -> Transaction:
    """The same at another time of the same day."""
    return transaction._replace(time=time)


class _Context:
    """Implements engine.Context with the macros of one session."""

    def __init__(self, macros: Mapping[str, str]) -> None:
        self.macros = dict(macros)
        self.reply = ""

    def setsymlist(self, stage: int, macros: str, /) -> None:
        pass

    def getsymval(self, name: str, /) -> str | None:
        return self.macros.get(name)

    def setreply(self, code: str, enhanced: str, text: str, /) -> None:
        self.reply = f"{code} {enhanced} {text}"

    def addheader(self, name: str, value: str, index: int, /) -> None:
        pass

    def chgheader(self, name: str, index: int, value: str, /) -> None:
        pass

    def delrcpt(self, recipient: str, /) -> None:
        pass

    def progress(self) -> None:
        pass


def play(generation: Generation, plan: Plan, name: str = "session", *, journal: Journal | None = None) -> Told:
    """Play one session, as an MTA does: a refused connection, recipient or message is not continued."""
    told = Told()
    macros = {
        "j": "mx.ours.example",
        "v": "Postfix 3.7.11",
        "{daemon_name}": "smtpd",
        "{daemon_addr}": plan.local_address,
        "{daemon_port}": str(plan.port),
        "{client_resolve}": "FAIL",
        "{client_name}": "unknown",
        "{auth_type}": "PLAIN" if plan.account else "",
        "{auth_authen}": plan.account,
        "{tls_version}": "TLSv1.3" if plan.tls else "",
    }
    context = _Context(macros)
    parts = service(told, lambda: generation, clock=StoppedClock(NOON.date()), names=_Names(plan.names))
    it = Callbacks(context, replace(parts, journal=journal or _Kept(told, name)))
    it.negotiate(list(OFFERED))
    family = socket.AF_INET6 if ":" in plan.client else socket.AF_INET
    code = it.connect("unknown", family, (plan.client, 4711))
    if code in _ERRORS:
        told.replies.append([context.reply])
    elif code == milter.ACCEPT:
        told.replies += [[""] * (len(message.recipients) + 1) for message in plan.messages]
    else:
        it.hello(plan.helo)
        for number, message in enumerate(plan.messages):
            context.macros["i"] = f"{name}{number}"
            told.replies.append(_message(it, context, message))
    it.close()
    return told


def _message(it: Callbacks, context: _Context, message: Message) -> list[str]:
    it.envfrom(message.sender.encode(), *(one.encode() for one in message.params))
    replies, accepted = [], False
    for recipient in message.recipients:
        context.macros["{rcpt_addr}"] = recipient.strip("<>")
        code = it.envrcpt(recipient.encode())
        replies.append(context.reply if code in _ERRORS else "")
        accepted = accepted or code not in _ERRORS
    if accepted:
        replies.append(_content(it, context, message))
    else:
        it.abort()
    return replies


def _content(it: Callbacks, context: _Context, message: Message) -> str:
    steps: list[Callable[[], int]] = [
        it.data,
        lambda: it.header("From", message.author.encode()),
        it.eoh,
        lambda: it.body(b"x" * message.size),
        it.eom,
    ]
    for step in steps:
        code = step()
        if code in _ERRORS:
            return context.reply
        if code in (milter.ACCEPT, milter.DISCARD):
            return ""
    raise AssertionError("the end of a message was not answered")


def _some(*values: str) -> st.SearchStrategy[str]:
    return st.sampled_from(values)


_DOMAINS = _some("ours.example", "turf.example", "sub.turf.example", "good.example", "else.example")
_ADDRESSES = st.one_of(
    st.builds(lambda local, domain: f"<{local}@{domain}>", _some("a", "b", "postmaster", "news"), _DOMAINS),
    _some("<>", "<a%else.example@ours.example>", '<"a@else.example"@ours.example>', "<postmaster>"),
)
_AUTHORS = _some(
    "a@good.example", "b@turf.example", "A <news@sub.turf.example>, b@good.example", "", "a@b@c <", "@turf.example"
)

messages = st.builds(
    Message,
    sender=_ADDRESSES,
    recipients=st.lists(_ADDRESSES, min_size=1, max_size=4).map(tuple),
    params=st.lists(_some("SIZE=10", "SIZE=5000", "BODY=8BITMIME"), max_size=1).map(tuple),
    author=_AUTHORS,
    size=st.sampled_from([0, 100, 600, 3000]),
)
names = st.builds(
    ClientNames,
    st.lists(_some("mx.isp.example", "pc.office.example"), max_size=1).map(tuple),
    st.lists(_some("mx.isp.example", "pc.office.example", "x.dial.example"), max_size=2).map(tuple),
    st.booleans(),
)
plans = st.builds(
    Plan,
    client=_some("192.0.2.1", "192.0.2.66", "198.51.100.7", "203.0.113.9", "2001:db8::1", "127.0.0.1"),
    port=st.sampled_from([25, 587]),
    local_address=_some("192.0.2.25", "192.0.2.26"),
    account=_some("", "alice", "bob@realm"),
    tls=st.booleans(),
    names=names,
    messages=st.lists(messages, min_size=1, max_size=4).map(tuple),
)
