"""The filter at work: messages through a private Postfix, and where each of them ended.

Run by `make demo`; `make demo KEEP=1` holds everything open to try by hand.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.daemon import Daemon
from rig.filter import USER, make_quarantine
from rig.postfix import Postfix
from rig.sink import Sink
from rig.smtp import SmtpClient, SmtpReply
from rig.workplace import workplace

PASSWORD = "wonderland"
_WIDEST = 28  # a row of four columns fits 80
CONFIG = """\
socket = "unix:{place}/turfmilter.sock"
socket_group = "postfix"
user = "{user}"
status = "{place}/own/status.json"
state = "{place}/own"
domains = ["rig.test"]

[log]
to = "stderr"

[connect]
deny = ["192.0.2.0/24"]

[relay]
allow = []

[limits]
recipients_per_message = 2
message_size = "10 KiB"

[turf]
tables = ["@spam.test"]
directory = "{place}/quarantine"

[release]
port = {release}

[listener.submission]
daemon = "submission"
require_auth = true
require_tls = true
"""


@dataclass(frozen=True)
class Case:
    """One message of the demonstration.  With `tls` the client starts TLS; then it logs in to `account`, if any."""

    what: str
    sender: str
    recipients: tuple[str, ...]
    client: str = "203.0.113.9"
    listener: str = "inbound"
    tls: bool = False
    account: str = ""
    lines: int = 1

    @property
    def message(self) -> str:
        """Headers and body."""
        header = f"From: {self.sender}\r\nTo: {', '.join(self.recipients)}\r\nSubject: {self.what}\r\n"
        return f"{header}\r\n" + "Hello.\r\n" * self.lines

    @property
    def to(self) -> str:
        """The first recipient, and how many more there are."""
        first, *others = self.recipients
        return f"{first} +{len(others)}" if others else first


BOB, THERE = "bob@rig.test", "x@there.test"
CASES = (
    Case("good message", "anna@out.test", (BOB,)),
    Case("turf sender", "news@spam.test", (BOB,)),
    Case("relay attempt", "anna@out.test", (THERE,)),
    Case("hidden relay", "anna@out.test", ("x%there.test@rig.test",)),
    Case("3 recipients", "anna@out.test", (BOB, "carol@rig.test", "dave@rig.test")),
    Case("denied client", "anna@out.test", (BOB,), client="192.0.2.7"),
    Case("too big", "anna@out.test", (BOB,), lines=2000),
    Case("without TLS", BOB, (THERE,), listener="submission"),
    Case("without AUTH", BOB, (THERE,), listener="submission", tls=True),
    Case("AUTH over TLS", BOB, (THERE,), listener="submission", tls=True, account="bob"),
)


@dataclass(frozen=True)
class MailHost:
    """Postfix with the filter attached, and the server behind it."""

    place: Path
    sink: Sink
    filter: Daemon
    postfix: Postfix

    def held(self) -> list[Path]:
        """What is in quarantine."""
        return sorted((self.place / "quarantine" / "new").iterdir())


@contextmanager
def mail_host(place: Path) -> Iterator[MailHost]:
    """All of it, running, below `place`."""
    (place / "own").mkdir(mode=0o750)
    shutil.chown(place / "own", USER)
    make_quarantine(place / "quarantine")
    config = place / "turfmilter.toml"
    socket = f"unix:{place}/turfmilter.sock"
    sink = Sink()
    postfix = Postfix(
        place / "postfix",
        sink=sink.port,
        milter=socket,
        listeners={"submission": {"milter_macro_daemon_name": "submission"}},
        accounts={"bob": PASSWORD},
    )
    config.write_text(CONFIG.format(place=place, user=USER, release=postfix.ports["unfiltered"]))
    with sink, Daemon(config, socket) as daemon, postfix:
        yield MailHost(place, sink, daemon, postfix)


def send(host: MailHost, case: Case) -> SmtpReply:
    """Send one message as a client from outside; the first refusal that it heard, else the last reply."""
    with SmtpClient(host.postfix.ports[case.listener]) as client:
        client.ehlo()
        client.xclient(ADDR=case.client, NAME="mail.out.test")
        client.ehlo("mail.out.test")
        if case.tls:
            client.starttls(host.postfix.certificate)
            client.ehlo("mail.out.test")
        if case.account:
            client.auth(case.account, PASSWORD)
        recipients = (f"<{recipient}>" for recipient in case.recipients)
        replies = client.transaction(f"<{case.sender}>", *recipients, message=case.message)
        return next((reply for reply in replies if reply.code >= 400), replies[-1])


def outcome(host: MailHost, case: Case) -> tuple[str, str]:
    """What the client received, and where the message ended."""
    delivered, held = len(host.sink.deliveries), set(host.held())
    reply = str(send(host, case))
    host.postfix.settle()
    arrived = sum(len(delivery.recipients) for delivery in host.sink.deliveries[delivered:])
    if set(host.held()) - held:
        return reply, "held"
    return reply, f"{arrived} delivered" if arrived else "refused" if reply[0] in "45" else "nowhere"


def block(path: Path) -> list[str]:
    """The lines that the filter wrote above a held message."""
    lines = path.read_text(errors="replace").splitlines()
    return lines[: 1 + next(n for n, line in enumerate(lines) if line.startswith("X-Quarantine-SHA256:"))]


def shortly(path: Path) -> tuple[str, ...]:
    """A held message as one row: id, sender, recipient, entry."""
    told = dict(line.split(": ", 1) for line in block(path))
    return tuple(told[name] for name in ("X-Quarantine-ID", "X-Envelope-From", "X-Envelope-To", "X-Quarantine-Entry"))


def show(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table; what is long is cut."""
    rows = [tuple(textwrap.shorten(cell, _WIDEST, placeholder=" ...") for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    for row in [heads, tuple("-" * width for width in widths), *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


def invite(host: MailHost) -> None:
    """Say what to try by hand, and wait for Enter or a signal."""
    port, submission, place = host.postfix.port, host.postfix.ports["submission"], host.place
    login = base64.b64encode(f"\0bob\0{PASSWORD}".encode()).decode()
    turfctl = f"{Path(sys.executable).with_name('turfctl')} -c {place}/turfmilter.toml"
    held = host.held()[0].name
    print(f"""Everything stays up.  In another terminal:

# held, refused ("fatal: ... 550"), and too big:
  smtp-source -c -f news@spam.test -t bob@rig.test 127.0.0.1:{port}
  smtp-source -c -f anna@out.test -t x@there.test 127.0.0.1:{port}
  smtp-source -c -f anna@out.test -t bob@rig.test -l 20000 127.0.0.1:{port}

# speak SMTP yourself; the second one is for submission: AUTH PLAIN {login}
  bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 & cat >&3'
  openssl s_client -quiet -crlf -starttls smtp -connect 127.0.0.1:{submission}

# what the filter and Postfix log
  tail -f {host.filter.log_file} {host.postfix.log_file}

# what the filter is doing, and what is held
  alias demo='{turfctl}'
  demo status
  demo list
  demo show {held}
  demo release {held}
  demo turf check news@spam.test

# go through what is held, with single keys
  demo review

Press Enter or Ctrl-C here to end.""")
    sys.stdout.flush()
    if not sys.stdin.readline() and not sys.stdin.isatty():
        signal.pause()  # started without a terminal: until a signal comes


def main() -> None:
    """Run the demonstration."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    with workplace() as place, mail_host(place) as host:
        rows = [(case.what, case.to, *outcome(host, case)) for case in CASES]
        show(("sent", "to", "the client received", "result"), rows)
        show(("in quarantine", "from", "to", "entry"), [shortly(path) for path in host.held()])
        print(*block(host.held()[0]), "", sep="\n")
        print("the filter's log:")
        print(host.filter.log())
        if os.environ.get("KEEP"):
            invite(host)


if __name__ == "__main__":
    main()
