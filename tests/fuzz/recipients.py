"""What was decided about recipients, compared with what was delivered, on a real MTA.

Random messages go through an MTA with the filter.  What each recipient leads to is taken from the same MTA without the
filter: every spelling goes there alone.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from e2e.attached import HeldBytes
from e2e.mailhost import MailHost
from e2e.postfixhost import PostfixHost
from e2e.sendmailhost import SendmailHost
from rig.smtp import SmtpClient

# Clients by what the configuration below decides about them.
ORDINARY, RELAYING, DENIED = "127.0.0.2", "127.0.0.3", "127.0.0.4"
FILTER = f"""\
domains = ["=rig.test", "=catch.test"]
[connect]
deny = ["{DENIED}"]
[relay]
allow = ["{RELAYING}"]
[limits]
recipients_per_message = 3
recipients_per_bounce = 1
[turf]
directory = "$quarantine"
tables = ["@listed.test"]
exempt = ["postmaster@", "abuse@", "bob@", "info@virt.test"]
"""
DOMAINS = ("rig.test", "mx.rig.test", "catch.test")
ALIASES = {
    "postmaster": "root",
    "info": "alice",
    "team": "alice, bob",
    "alice+vip": "carol",
    "dave+*": "bob",
    "away": "away@elsewhere.test",
}
VIRTUAL = {
    "info@virt.test": "alice",
    "sales@virt.test": "carol@mx.rig.test",
    "both@virt.test": "bob+sales@rig.test",
    "out@virt.test": "out@elsewhere.test",
    "@catch.test": "bob",
}

_LOCALS = ("alice", "alice", "bob", "carol", "dave", "info", "team", "away", "postmaster", "abuse", "mail", "nobody")
_DETAILS = ("", "", "", "+", "+", "+tag", "+vip", "++", "+a+b", "+*", '+"x y"')
_AT = (
    "@rig.test",
    "@rig.test",
    "@rig.test",
    "@mx.rig.test",
    "@RIG.Test",
    "",
    "@catch.test",
    "@[127.0.0.1]",
    "@rig.test.",
    "@localhost",
)
_WHOLE = ("info@virt.test", "sales@virt.test", "both@virt.test", "out@virt.test", "x@elsewhere.test")
_SHAPES = (
    *["<{}>"] * 8,
    *["{}"] * 4,
    "<@mx.rig.test:{}>",
    "@mx.rig.test:{}",
    "<@a.test,@b.test:{}>",
    "< {} >",
    "<{}(c)>",
    "{}(c)",
    "(c){}",
    "(c)<{}>",
    "Joe <{}>",
    "<Joe <{}>>",
    "<<{}>>",
    "{};",
    "<{};>",
    ":{}",
    "g:{};",
    "{},",
    "<{}%rig.test@rig.test>",
    "<\\{}>",
)


@dataclass(frozen=True)
class Message:
    """What a client does: from where, for whom, and whether its sender is on the turf table."""

    client: str
    sender: str
    recipients: tuple[str, ...]


def sendmail_host(directory: Path, lines: Iterable[str] = ()) -> MailHost:
    """Sendmail with aliases and virtual users; `lines` of m4 make a variant of it."""
    virtual = [f"VIRTUSER_DOMAIN(`{domain}')dnl" for domain in ("virt.test", "catch.test")]
    maps = {"aliases": ALIASES, "virtusertable": VIRTUAL}
    directory.mkdir()
    return SendmailHost(directory, FILTER, lines=[*virtual, *lines], maps=maps)


def postfix_host(directory: Path) -> MailHost:
    """Postfix with virtual aliases and plus details."""
    virtual = {f"{name}@rig.test": target for name, target in ALIASES.items()} | VIRTUAL
    entries = ", ".join(f"{{ {address} = {target} }}" for address, target in virtual.items())
    parameters = {
        "recipient_delimiter": "+",
        "virtual_alias_domains": "virt.test",
        "virtual_alias_maps": f"inline:{{ {entries} }}",
        "smtpd_error_sleep_time": "0",
        **{f"smtpd_{kind}_limit": "10000" for kind in ("soft_error", "hard_error", "junk_command")},
    }
    directory.mkdir()
    return PostfixHost(directory, {"inbound": FILTER}, parameters=parameters, domains=DOMAINS)


# By name, what builds the mail host below a directory.  LUSER_RELAY sends every user that is not in /etc/passwd there.
HOSTS: dict[str, Callable[[Path], MailHost]] = {
    "sendmail": sendmail_host,
    "sendmail-hub": partial(sendmail_host, lines=("define(`MAIL_HUB', `relay:hub.test')dnl",)),
    "sendmail-luser-relay": partial(sendmail_host, lines=("define(`LUSER_RELAY', `relay:luser.test')dnl",)),
    "postfix": postfix_host,
}


def generate(random: random.Random) -> Message:
    """One message: few mailboxes, each in many spellings, so that several lead to the same one."""
    pool = [_address(random) for _ in range(random.choice((1, 2, 3, 4, 6)))]
    count = random.choice((2, 2, 3, 3, 4, 5, 6))
    recipients = [random.choice(_SHAPES).format(_variant(random, random.choice(pool))) for _ in range(count)]
    if random.random() < 0.5:
        recipients.insert(
            random.randrange(len(recipients) + 1), random.choice(("<postmaster@rig.test>", "<bob@rig.test>"))
        )
    client = random.choice((ORDINARY, ORDINARY, RELAYING, DENIED))
    sender = random.choice(("<a@out.test>", "<a@out.test>", "<x@listed.test>", "<x@listed.test>", "<>"))
    return Message(client, sender, tuple(recipients))


def _address(random: random.Random) -> str:
    return random.choice(_WHOLE) if random.random() < 0.15 else random.choice(_LOCALS)


def _variant(random: random.Random, address: str) -> str:
    if "@" in address:
        return address
    local = address + random.choice(_DETAILS)
    spelled = random.choice((*[local] * 8, local.upper(), f'"{local}"', local[0] + "\\" + local[1:], local.title()))
    return spelled + random.choice(_AT)


class Comparison:
    """Plays messages through `host` and compares.

    `told` are the replies to the messages of the last play(), `counts` what became of them.
    """

    def __init__(self, host: MailHost) -> None:
        self._host = host
        self._leads: dict[str, frozenset[str]] = {}
        self._clients: dict[tuple[str, str], SmtpClient] = {}
        self._number = 0
        self.by_mailbox = not isinstance(host, PostfixHost)
        self.told: list[tuple[list[str], str]] = []
        self.counts = {"accepted": 0, "held": 0, "refused": 0, "put off": 0}

    def play(self, messages: Sequence[Message]) -> list[str]:
        """What went wrong with `messages`, each in a few lines; empty when all is as it was decided."""
        self._learn({recipient for message in messages for recipient in message.recipients})
        self._host.sink.clear()
        self._host.filter.release_all()
        self.counts = dict.fromkeys(self.counts, 0)
        numbers = [self._next() for _ in messages]
        self.told = [self._send(number, message) for number, message in zip(numbers, messages, strict=True)]
        self._host.settle()
        delivered, held = self._delivered(), self._held()
        found = []
        for number, message, (replies, end) in zip(numbers, messages, self.told, strict=True):
            wrong = self._judge(message, replies, end, delivered.get(number, []), held.get(number))
            found += [f"{wrong}\n  {message}\n  {replies} {end}\n  {delivered.get(number)}"] if wrong else []
        return found

    def close(self) -> None:
        """Break the connections."""
        for client in self._clients.values():
            client.close()

    def _next(self) -> int:
        self._number += 1
        return self._number

    def _learn(self, spellings: set[str]) -> None:
        """Where each spelling leads, when it is alone and no filter is there."""
        new = sorted(spellings - self._leads.keys())
        if not new:
            return
        self._host.sink.clear()
        numbers = {}
        for spelling in new:
            numbers[self._next()] = spelling
            self._transaction("unfiltered", self._number, Message(ORDINARY, "<a@out.test>", (spelling,)))
        self._host.settle()
        delivered = self._delivered()
        for number, spelling in numbers.items():
            self._leads[spelling] = frozenset(map(str.lower, delivered.get(number, ())))

    def _send(self, number: int, message: Message) -> tuple[list[str], str]:
        return self._transaction("inbound", number, message)

    def _transaction(self, listener: str, number: int, message: Message) -> tuple[list[str], str]:
        """The replies to each RCPT, without the address that Sendmail repeats, and the one to the message, if any."""
        replies: list[str] = []
        try:
            client = self._client(listener, message.client)
            if client.mail(message.sender).code == 250:
                for recipient in message.recipients:
                    replies.append(re.sub(r"^([45]\d\d [\d.]+ ).*\.\.\. ", r"\1", str(client.rcpt(recipient))))
            if any(reply.startswith("250") for reply in replies):
                data = f"From: {message.sender}\r\nSubject: number {number}\r\n\r\nhello\r\n"
                return replies, str(client.data(data))
            client.command("RSET")
        except ConnectionError:
            self._clients.pop((listener, message.client)).close()
        return replies, ""

    def _client(self, listener: str, source: str) -> SmtpClient:
        if (listener, source) not in self._clients:
            self._clients[listener, source] = self._host.client(listener, source)
        return self._clients[listener, source]

    def _delivered(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for delivery in self._host.sink.deliveries:
            found.setdefault(_number(delivery.data), []).extend(delivery.recipients)
        return found

    def _held(self) -> dict[int, HeldBytes]:
        return {_number(held.message): held for held in self._host.filter.held()}

    def _judge(
        self, message: Message, replies: list[str], end: str, delivered: list[str], held: HeldBytes | None
    ) -> str:
        taken = [r for r, reply in zip(message.recipients, replies, strict=False) if reply.startswith("250")]
        self._count(replies, end, held)
        if not end.startswith("250"):
            return "delivered although it was not accepted" if delivered else "held although put off" if held else ""
        kept = {_plain(recipient) for recipient in held.recipients} if held else set()
        passed = [recipient for recipient in taken if _plain(recipient) not in kept]
        due = frozenset[str]().union(*(self._leads[recipient] for recipient in passed))
        # Postfix sends one copy to recipients that differ in case only.
        reached = set(map(str.lower, delivered))
        if reached - due:
            return f"LEAKED to {reached - due}"
        if due - reached:
            return f"LOST for {due - reached}"
        return ""

    def _count(self, replies: list[str], end: str, held: HeldBytes | None) -> None:
        self.counts["held"] += bool(held)
        self.counts["accepted"] += end.startswith("250") and not held
        self.counts["put off"] += end.startswith("4")
        self.counts["refused"] += sum(reply[0] in "45" for reply in replies)


def _number(data: bytes) -> int:
    found = re.search(rb"number (\d+)", data)
    return int(found[1]) if found else 0


def _plain(recipient: str) -> str:
    """The text by which a recipient is found in the block, which may drop the <> and escapes blanks and backslashes."""
    return re.sub(r"[<>\\]", "", recipient.replace(r"\x20", " "))
