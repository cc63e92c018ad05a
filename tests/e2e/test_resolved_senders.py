"""Whatever Postfix and Sendmail make a sender at a listed domain of, the turf table matches it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from rig.otherfilter import ECHO, OtherFilter
from rig.postfix import Postfix
from rig.rules import senders
from rig.sendmail import Sendmail
from rig.sink import Sink
from rig.smtp import SmtpClient
from turfmilter.core.address.readings import read_senders
from turfmilter.core.table.entry import listed
from turfmilter.core.wrapped import match_sender

TODAY = date(2027, 1, 31)
UNUSUAL = ["FEATURE(`accept_unqualified_senders')dnl", "FEATURE(`accept_unresolvable_domains')dnl"]

# Forms that were found to be resolved to the listed domain, and their relatives.
FOUND = [
    "<;x%whole.test>",
    "<:x%whole.test>",
    "<,x%whole.test>",
    "<x%%whole.test>",
    "<%x%whole.test>",
    "<x%whole.test%>",
    "<x%whole.test@>",
    "<x%whole.test;>",
    "<x%whole.test@rig.test>",
    "<whole.test!x%>",
    "<whole.test!!x>",
    "<!whole.test!x>",
    "<whole.test !x>",
    "<whole.test!x@rig.test>",
    "<x@whole.test%>",
    "<x@whole.test!>",
    "<x@whole.test@>",
    "<x@@whole.test>",
    "<x@ whole .test>",
    "<x@who\\le.test>",
    "<x@who\\\\le.test>",
    '<x@"whole.test">',
    '<"x@whole.test">',
    '<"x@whole.test"@rig.test>',
    "<x%far whole.test>",
    "<x%whole.test(>",
    "<;x@mail.whole.test>",
    "<x@[whole.test]>",
    "<x@[mail.Whole.test]>",
    "<x%[whole.test]>",
    "<x%[whole.test]@rig.test>",
    "<@far.test:x@[whole.test]>",
    "<[whole.test]!x>",
]
WHOLE = ["x@whole.test", "x%whole.test", "whole.test!x", "x%whole.test@rig.test", "whole.test!x@rig.test", "x@far.test"]
PIECES = [
    *("x", "whole.test", "far.test", "rig.test", "[192.0.2.1]", "IMCEA-", "(c)", "@far.test:", "\uff20", "ü"),
    *"%%!!@@..;:,<>()\"\\ []'*|\t=+",
]


def texts(number: int) -> Iterator[str]:
    """Senders put together at random, the same in each run: most of them from an address with something put in."""
    chance = random.Random(67)
    for count in range(number):
        parts = [] if count % 4 == 0 else re.split(r"([@%!.]|(?<=who))", chance.choice(WHOLE))
        for _ in range(chance.randint(1, 3) if parts else chance.randint(2, 6)):
            parts.insert(chance.randint(0, len(parts)), chance.choice(PIECES))
        yield f"<{''.join(parts)}>"


@pytest.fixture(scope="module")
def echo(module_place: Path) -> Iterator[str]:
    """A filter that says what the MTA makes of an address; its socket."""
    with OtherFilter(ECHO, f"unix:{module_place}/filter", module_place / "filter.out") as running:
        yield running.socket


def resolved(port: int, text: str) -> str:
    """What the MTA makes of the sender `text`, "" where it refuses it."""
    with SmtpClient(port, source="127.0.0.2") as client:
        client.ehlo()
        if client.mail(text).code != 250:
            return ""
        told = re.search(r"([0-9a-f]*)-[0-9a-f]*$", str(client.rcpt("<alice@rig.test>")))
        assert told
        return bytes.fromhex(told[1]).decode(errors="surrogateescape")


def missed(port: int, number: int) -> list[tuple[str, str]]:
    """The senders that the MTA resolves to the listed domain and that its entry does not match."""
    table = senders("@whole.test")
    seen = {text: resolved(port, text) for text in [*FOUND, *texts(number)]}
    found = re.compile(r"[@.[]whole\.test[].]*\Z", re.IGNORECASE)
    there = {text: address for text, address in seen.items() if found.search(address)}
    assert len(there) > 50, "the MTA resolves too few of them for the test to mean anything"
    return [
        (text, address)
        for text, address in there.items()
        if "@" in address and not listed(match_sender(table, read_senders(text), TODAY))
    ]


def test_postfix_resolves_no_sender_to_a_listed_domain_that_passes(module_place: Path, echo: str) -> None:
    with Sink() as sink, Postfix(module_place / "postfix", sink=sink.port, milter=echo) as postfix:
        assert missed(postfix.port, 1500) == []


def test_sendmail_resolves_no_sender_to_a_listed_domain_that_passes(module_place: Path, echo: str) -> None:
    with Sink() as sink, Sendmail(module_place / "sendmail", sink=sink.port, milter=echo, lines=UNUSUAL) as sendmail:
        assert missed(sendmail.port, 1500) == []
