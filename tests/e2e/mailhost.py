"""A mail host as an administrator would run it: a private Postfix, the filter attached to it, a sink behind it."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Self

from rig import wait
from rig.daemon import Daemon
from rig.dnsserver import DnsServer
from rig.engine import ENGINE
from rig.postfix import Postfix
from rig.sink import Delivery, Sink
from rig.smtp import SmtpClient

MESSAGE = b"From: Anna <anna@out.test>\r\nSubject: hello\r\n\r\nhello\r\n"
USER = "nobody"  # whom the filter becomes

_CONFIG = """\
socket = "$socket"
socket_group = "postfix"
user = "$user"
status = ""
state = ""
protocol_engine = "$engine"
$config
[dns]
nameservers = ["$dns"]
timeout = $dns_timeout
[log]
to = "stderr"
"""


@dataclass(frozen=True)
class Held:
    """One file of the quarantine, read without the help of the program: its block, and the message below."""

    name: str
    block: tuple[tuple[str, str], ...]
    message: bytes

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises AssertionError when the digest is not that of the message."""
        above, end, rest = path.read_bytes().partition(b"\r\nX-Quarantine-SHA256: ")
        digest, _, message = rest.partition(b"\r\n")
        assert end, f"{path} has no block"
        assert digest.decode() == hashlib.sha256(message).hexdigest(), f"{path} is not the message that was held"
        lines = (line.partition(": ") for line in above.decode().split("\r\n"))
        return cls(path.name, tuple((name, value) for name, _, value in lines), message)

    def all(self, name: str) -> list[str]:
        """The values of the block's lines of that name."""
        return [value for key, value in self.block if key == name]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value

    @property
    def recipients(self) -> list[str]:
        """From whom the message is held."""
        return self.all("X-Envelope-To")


class Filter:
    """The daemon on a configuration, below `directory`.

    In `config` $quarantine is the Maildir, which is made here; keys without a section come first.  Names are asked of
    `dns` alone, for at most `dns_timeout` seconds.
    """

    def __init__(self, directory: Path, config: str, dns: DnsServer, dns_timeout: float) -> None:
        directory.mkdir()
        shutil.chown(directory, USER)
        self.quarantine = directory / "quarantine"
        make_maildir(self.quarantine)
        self.socket = f"unix:{directory}/turfmilter.sock"
        path = directory / "turfmilter.toml"
        host, port = dns.address
        whole = Template(_CONFIG).substitute(
            socket=self.socket,
            user=USER,
            engine=ENGINE.value,
            config=config,
            dns=f"{host}:{port}",
            dns_timeout=dns_timeout,
        )
        path.write_text(Template(whole).safe_substitute(quarantine=self.quarantine))
        self.daemon = Daemon(path, self.socket)

    def start(self) -> None:
        """Start the daemon, and return when it serves."""
        self.daemon.start()

    def said(self, pattern: str) -> str:
        """The first line of its log in which the regular expression is found, once there is one."""
        return self.daemon.wait_for_log(f"(?m)^.*(?:{pattern}).*$")[0]

    def held(self) -> list[Held]:
        """What is in quarantine, in no order."""
        return [Held.read(path) for path in (self.quarantine / "new").iterdir()]

    def half_written(self) -> list[Path]:
        """What is in tmp."""
        return list((self.quarantine / "tmp").iterdir())

    def release_all(self) -> None:
        """Empty the quarantine."""
        for path in [*(self.quarantine / "new").iterdir(), *self.half_written()]:
            path.unlink()


class Mailhost:
    """Postfix at rig.test with a filter of its own at each listener that `filters` gives a configuration.

    "inbound" is the listener that send() uses, and sendmail(1) goes through its filter; "unfiltered" has none.
    `parameters`, further `listeners` and `accounts` are those of rig.postfix; in them $rig_sink is the sink as a next
    hop.  `zone` is all that DNS knows of clients; it can grow.
    """

    def __init__(
        self,
        directory: Path,
        filters: Mapping[str, str],
        *,
        parameters: Mapping[str, str] | None = None,
        listeners: Mapping[str, Mapping[str, str]] | None = None,
        domains: tuple[str, ...] = ("rig.test",),
        accounts: Mapping[str, str] | None = None,
        zone: str = "",
        dns_timeout: float = 4.0,
    ) -> None:
        self.sink = Sink()
        self.dns = DnsServer(zone)
        self.filters = {
            name: Filter(directory / name, config, self.dns, dns_timeout) for name, config in filters.items()
        }
        self.postfix = Postfix(
            directory / "postfix",
            sink=self.sink.port,
            milter=self.filters["inbound"].socket,
            domains=domains,
            parameters={"rig_sink": f"[127.0.0.1]:{self.sink.port}", **(parameters or {})},
            listeners={
                **(listeners or {}),
                **{
                    name: {"smtpd_milters": one.socket, **(listeners or {}).get(name, {})}
                    for name, one in self.filters.items()
                },
            },
            accounts=accounts,
        )
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as running:
            running.enter_context(self.sink)
            running.enter_context(self.dns)
            for one in self.filters.values():
                one.start()
                running.callback(one.daemon.kill)
            running.enter_context(self.postfix)
            self._running = running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    @property
    def filter(self) -> Filter:
        """The one at "inbound"."""
        return self.filters["inbound"]

    def clear(self) -> None:
        """Forget what came and what was held: every test begins with nothing."""
        self.settle()
        self.sink.clear()
        for one in self.filters.values():
            one.release_all()

    def client(self, listener: str = "inbound", source: str = "127.0.0.2", **played: str) -> SmtpClient:
        """A client that has said EHLO; `played` are attributes for XCLIENT."""
        client = SmtpClient(self.postfix.ports[listener], source=source)
        client.ehlo()
        if played:
            taken = client.xclient(**played)
            assert " ESMTP" in taken.text, f"XCLIENT: {taken}"  # the greeting, which may be a refusal
            client.ehlo()
        return client

    def send(
        self,
        *recipients: str | bytes,
        sender: str = "<anna@out.test>",
        message: bytes = MESSAGE,
        listener: str = "inbound",
        source: str = "127.0.0.2",
        **played: str,
    ) -> list[str]:
        """Send one message; the replies to each RCPT and, if there was one, to the message.

        When MAIL is refused already, its reply alone.
        """
        with self.client(listener, source, **played) as client:
            mail, *replies = client.transaction(sender, *recipients, message=message)
            return [str(reply) for reply in (replies if mail.code == 250 else [mail])]

    def settle(self) -> None:
        """Wait until Postfix has nothing more to deliver."""
        wait.until(self._is_idle, lambda: f"an empty queue: {self.postfix.queue()}")

    def delivered(self) -> list[Delivery]:
        """What came to the sink, and all of it."""
        self.settle()
        return self.sink.deliveries

    def reached(self) -> list[str]:
        """The recipients whom anything came for."""
        return [recipient for delivery in self.delivered() for recipient in delivery.recipients]

    def _is_idle(self) -> bool:
        # Twice: a message can move behind the back of one listing, into a queue that was listed before.
        return not self.postfix.queue() and not self.postfix.queue()


def make_maildir(path: Path) -> None:
    """A Maildir that belongs to the filter's user."""
    for directory in (path, path / "tmp", path / "new", path / "cur"):
        directory.mkdir(mode=0o750, exist_ok=True)
        shutil.chown(directory, USER)


def queue_id(reply: str) -> str:
    """The queue id in Postfix's reply to a message that it took."""
    taken = "250 2.0.0 Ok: queued as "
    assert reply.startswith(taken), reply
    return reply.removeprefix(taken)


def without_received(data: bytes) -> bytes:
    """A message without the Received: field that Postfix put on top, which names the time and the queue id."""
    message, found = re.subn(rb"\AReceived: from .*\r\n(?:[ \t].*\r\n)*", b"", data)
    assert found, data
    return message
