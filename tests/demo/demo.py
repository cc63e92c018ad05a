"""The filter at work: four messages through a private Postfix, and where each of them ended.

Run by `make demo`; `make demo KEEP=1` holds everything open to try by hand.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig import wait
from rig.daemon import Daemon
from rig.postfix import Postfix
from rig.sink import Sink
from rig.smtp import SmtpClient, SmtpReply
from rig.workplace import workplace

USER = "nobody"  # whom the filter becomes
CONFIG = """\
socket = "unix:{place}/turfmilter.sock"
socket_group = "postfix"
user = "{user}"
domains = ["rig.test"]

[log]
to = "stderr"

[relay]
allow = []

[turf]
tables = ["@spam.test"]
directory = "{place}/quarantine"
"""


@dataclass(frozen=True)
class Case:
    """One message of the demonstration."""

    what: str
    sender: str
    recipient: str

    @property
    def message(self) -> str:
        """Headers and body."""
        return f"From: {self.sender}\r\nTo: {self.recipient}\r\nSubject: {self.what}\r\n\r\nHello.\r\n"


CASES = (
    Case("a good message", "anna@out.test", "bob@rig.test"),
    Case("a sender on the turf table", "news@spam.test", "bob@rig.test"),
    Case("a relay attempt", "anna@out.test", "victim@elsewhere.test"),
    Case("a relay attempt, hidden", "anna@out.test", "victim%elsewhere.test@rig.test"),
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

    def settle(self) -> None:
        """Wait until Postfix has nothing more to deliver."""
        wait.until(lambda: not self.postfix.queue(), "an empty queue")


@contextmanager
def mail_host(place: Path) -> Iterator[MailHost]:
    """All of it, running, below `place`."""
    quarantine = place / "quarantine"
    for directory in (quarantine, *(quarantine / name for name in ("tmp", "new", "cur"))):
        directory.mkdir(mode=0o750)
        shutil.chown(directory, USER)
    config = place / "turfmilter.toml"
    config.write_text(CONFIG.format(place=place, user=USER))
    socket = f"unix:{place}/turfmilter.sock"
    with (
        Sink() as sink,
        Daemon(config, socket) as daemon,
        Postfix(place / "postfix", sink=sink.port, milter=socket) as postfix,
    ):
        yield MailHost(place, sink, daemon, postfix)


def send(host: MailHost, case: Case) -> SmtpReply:
    """Send one message as a client from outside; the last reply that it heard."""
    with SmtpClient(host.postfix.port) as client:
        client.ehlo()
        client.xclient(ADDR="203.0.113.9", NAME="mail.out.test")
        client.ehlo("mail.out.test")
        return client.transaction(f"<{case.sender}>", f"<{case.recipient}>", message=case.message)[-1]


def outcome(host: MailHost, case: Case) -> tuple[str, str]:
    """What the client heard, and where the message ended."""
    delivered, held = len(host.sink.deliveries), set(host.held())
    reply = send(host, case)
    host.settle()
    if reply.code >= 400:
        return str(reply), "refused"
    new = set(host.held()) - held
    if new:
        return str(reply), f"quarantine, {new.pop().name}"
    arrived = host.sink.deliveries[delivered:]
    return str(reply), f"delivered to {', '.join(arrived[0].recipients)}" if arrived else "nowhere"


def show(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table."""
    widths = [max(len(row[column]) for row in [heads, *rows]) for column in range(len(heads))]
    for row in [heads, tuple("-" * width for width in widths), *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print()


def invite(host: MailHost) -> None:
    """Say what to try by hand, and wait for Enter or a signal."""
    port, place = host.postfix.port, host.place
    print(f"""Everything stays up.  In another terminal:

  smtp-source -c -f news@spam.test -t bob@rig.test 127.0.0.1:{port}       # held
  smtp-source -c -f anna@out.test -t victim@elsewhere.test 127.0.0.1:{port}  # refused
  bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 & cat >&3'             # speak SMTP yourself
  ls {place}/quarantine/new
  tail -f {host.filter.log_file} {host.postfix.log_file}

Press Enter here to end.""")
    sys.stdout.flush()
    if not sys.stdin.readline():
        signal.pause()  # no terminal: until a signal comes


def main() -> None:
    """Run the demonstration."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    with workplace() as place, mail_host(place) as host:
        rows = [(case.what, f"{case.sender} -> {case.recipient}", *outcome(host, case)) for case in CASES]
        show(("what was sent", "from -> to", "what the client heard", "where it ended"), rows)
        print("in quarantine:")
        for path in host.held():
            print(f"\n{path.name}\n{path.read_text(errors='replace')}")
        print("the filter's log:")
        print(host.filter.log())
        if os.environ.get("KEEP"):
            invite(host)


if __name__ == "__main__":
    main()
