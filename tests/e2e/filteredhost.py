"""A mail host with a content filter after Postfix's queue, another milter, and turfmilter attached last."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from e2e.stockhost import CONTRIB, SOCKET, StockHost, run, stock_host
from rig import wait
from rig.contentfilter import ContentFilter
from rig.otherfilter import SCRIPTED, OtherFilter
from rig.smtp import SmtpClient, greets

PAGE = (CONTRIB.parent / "docs/howto/with-a-content-filter.md").read_text()
OTHER = "inet:127.0.0.1:8891"  # the site's other filter
MESSAGE = b"From: a@out.test\r\nSubject: x\r\nX-Order: 1\r\n\r\nhello\r\n"
CONFIG = f"""\
socket = "unix:{SOCKET}"
user = "turfmilter"
domains = ["rig.test"]
authserv_id = "mx.rig.test"
[log]
to = "stderr"
[turf]
tables = ["@turf.test"]
directory = "/var/lib/turfmilter/quarantine"
[reverse_name]
check = "stamp"
remove_forged = true
"""


def shown(name: str) -> str:
    """What the page shows of a file in /etc/postfix."""
    (block,) = re.findall(rf"(?ms)^```ini\n# /etc/postfix/{re.escape(name)}\n(.*?)^```", PAGE)
    return str(block)


@contextmanager
def mail_host(place: Path, main: str, master: str, *options: str, services: Sequence[str] = ()) -> Iterator[StockHost]:
    """A host with these lines in main.cf and master.cf, to which turfmilter was then attached.

    `services` are settings of services, as `postconf -P` has them.
    """
    with ExitStack() as running:
        host = running.enter_context(stock_host(place, CONFIG))
        run("ip", "route", "add", "local", "192.0.2.0/24", "dev", "lo")
        running.enter_context(ContentFilter(10024, back=10025))
        running.enter_context(OtherFilter(SCRIPTED, "inet:8891@127.0.0.1", place / "other.log"))
        for name, text in (("main.cf", main), ("master.cf", master)):
            host.postfix.write(name, (host.postfix.config / name).read_text() + text)
        for setting in services:
            host.postfix.set_service(setting)
        run(CONTRIB / "postfix/attach", "--yes", *options)
        run("postfix", "reload")
        wait.until(lambda: greets(10026), "the service for released mail")
        yield host


def send(host: StockHost, sender: str, *recipients: str, message: bytes = MESSAGE, source: str = "127.0.0.2") -> None:
    """Send one message, which must be accepted; `source` may be an address that is not of this host."""
    with SmtpClient(host.postfix.ports["inbound"], source=source) as client:
        client.ehlo()
        replies = client.transaction(sender, *recipients, message=message)
    assert [reply.code for reply in replies] == [250] * (2 + len(recipients))


def lines(host: StockHost, sender: str, number: int = 1) -> list[str]:
    """The filter's log lines about messages from `sender`, once there are `number` and all mail is delivered."""

    def logged() -> list[str]:
        return [line for line in host.filter.log().splitlines() if f" sender={sender} " in line]

    host.postfix.settle()
    wait.until(lambda: len(logged()) >= number, host.filter.log)
    return logged()


def release(sender: str) -> list[str]:
    """Release what is held from there; the replies."""
    (held,) = json.loads(run("turfctl", "quarantine", "list", "--json", "--sender", sender))
    done = json.loads(run("turfctl", "quarantine", "release", "--yes", "--json", held["id"]))
    return [one["reply"] for one in done]
