"""What no client and no message can do: stop the filter, get past it, or write into its log."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from rig import wire
from rig.dnsserver import DnsServer
from rig.engine import SPEAKER, UNSHOWN
from rig.filter import Filter, Filters
from rig.milterclient import Macro
from rig.textlog import records
from rig.wire import Text

HELD = """
domains = ["rig.test"]
[relay]
allow = ["198.51.100.0/24"]
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
"""
UNLIMITED = HELD + "[limits]\nrecipients_per_message = 0\n"
REFUSED = "550 5.7.1 relaying prohibited"
ERROR = "451 4.3.0 temporary error in the mail filter, try again later"
FORGERY = "x\r\nNOQUEUE: client=192.0.2.1 verdict=accept rule=forged"


def said(turf: Filter) -> list[dict[str, str]]:
    """The log's new lines about messages and refusals; each is whole, and none is forged."""
    found = records(turf.lines())
    assert [pairs for pairs in found if pairs.get("client") == "192.0.2.1"] == []
    return found


def verdicts(turf: Filter) -> list[str]:
    """The verdicts logged since the last call."""
    return [pairs["verdict"] for pairs in said(turf)]


HOSTILE: list[Text] = [
    b"\xff\xfe\x80",
    "é\u202e\u0085\u200b",
    "%s%n%d%%",
    "\x01\x1b[2J\x7f",
    FORGERY,
    '" verdict=accept x="',
    "a\\b",
    "x" * 20_000,
    "../../../../etc/passwd",
    "",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_helo_of_any_kind_changes_no_verdict(filters: Filters, text: Text) -> None:
    turf = filters(HELD, log="text")
    with turf.client() as client:
        client.greet(helo=text)
        assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"
        assert str(client.message("<spam@turf.test>", ["<b@rig.test>"]).end) == "discard"
        assert str(client.message("<a@out.test>", ["<c@elsewhere.test>"]).end) == REFUSED
        client.quit()
    assert verdicts(turf) == ["accept", "hold", "reject"]


@pytest.fixture(scope="module")
def named() -> Iterator[str]:
    """The settings with a client's name in them: then connect is answered, and DNS asked."""
    with DnsServer() as dns:
        host, port = dns.address
        yield HELD.replace("198.51.100.0/24", "partner.test") + f'[dns]\nnameservers = ["{host}:{port}"]\n'


@pytest.mark.parametrize("text", HOSTILE)
def test_no_host_name_of_any_kind_lets_a_client_through(filters: Filters, text: Text) -> None:
    turf = filters(HELD, log="text")
    with turf.client() as client:
        client.greet(text, helo="client.test")
        assert client.message("<spam@turf.test>", ["<b@rig.test>"]).end != "accept"
        assert client.message("<a@out.test>", ["<c@elsewhere.test>"]).rcpts[0].refuses
        client.quit()
    assert "accept" not in verdicts(turf)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_host_name_of_any_kind_lets_a_client_through_where_names_matter(
    filters: Filters, named: str, text: Text
) -> None:
    turf = filters(named, log="text")
    with turf.client() as client:
        if client.greet(text, helo="client.test").goes_on:
            assert client.message("<spam@turf.test>", ["<b@rig.test>"]).end != "accept"
            assert client.message("<a@out.test>", ["<c@elsewhere.test>"]).rcpts[0].refuses
            client.quit()
    assert "accept" not in verdicts(turf)


def test_a_client_whose_name_cannot_be_read_is_refused_at_once_where_names_matter(filters: Filters, named: str) -> None:
    with filters(named, log="text").client() as client:
        assert str(client.greet(b"\xff\xfe", helo="client.test")) == f"451 4.3.0 {UNSHOWN}"


def test_a_client_whose_name_cannot_be_read_is_asked_to_try_again(filters: Filters) -> None:
    turf = filters(HELD, log="text")
    with turf.client() as client:
        client.greet(b"\xff\xfe", helo="client.test")
        for _ in range(2):
            assert [str(a) for a in client.message("<a@out.test>", ["<b@rig.test>"]).rcpts] == [ERROR]
        client.quit()
    assert verdicts(turf) == ["tempfail"] * 2


def test_text_that_pymilter_cannot_decode_is_reported_in_one_line_of_the_log(filters: Filters) -> None:
    turf = filters(HELD, log="text")
    with turf.session() as client:
        client.helo(b"\xff")
    assert turf.lines() == [
        f"error: {SPEAKER}: UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_sender_of_any_kind_is_held_by_its_domain(filters: Filters, text: Text) -> None:
    turf = filters(HELD, log="text")
    sender = b"<" + wire.as_bytes(text).replace(b"\0", b"") + b"@turf.test>"
    with turf.session() as client:
        assert str(client.message((sender, b"SIZE=" + wire.as_bytes(text)), ["<b@rig.test>"]).end) == "discard"
    (held,) = turf.held()
    assert wire.as_bytes(held.sender) == sender[1:-1] + b" SIZE=" + wire.as_bytes(text)
    assert verdicts(turf) == ["hold"]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_recipient_of_any_kind_is_refused_by_its_domain(filters: Filters, text: Text) -> None:
    turf = filters(HELD, log="text")
    recipient = b"<" + wire.as_bytes(text) + b"@elsewhere.test>"
    with turf.session() as client:
        told = client.message("<a@out.test>", [(recipient, b"ORCPT=" + wire.as_bytes(text)), "<b@rig.test>"])
    assert [str(answer) for answer in told.rcpts] == [REFUSED, "continue"]
    assert verdicts(turf) == ["reject", "accept"]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(
    "name",
    [
        "i",
        "client_resolve",
        "client_name",
        "j",
        "daemon_name",
        "daemon_addr",
        "daemon_port",
        "if_addr",
        "tls_version",
        "auth_type",
        "auth_authen",
        "rcpt_addr",
    ],
)
def test_a_macro_of_any_kind_changes_no_verdict(filters: Filters, name: str, text: Text) -> None:
    turf = filters(HELD, log="text")
    macros: Macro = {name: text}
    with turf.client() as client:
        client.negotiate()
        client.connect("[192.0.2.9]", macros=macros)
        client.helo(macros=macros)
        client.mail("<spam@turf.test>", macros=macros)
        assert str(client.rcpt("<x%elsewhere.test@rig.test>", macros=macros)) == REFUSED
        assert str(client.rcpt("<b@rig.test>", macros=macros)) == "continue"
        client.data()
        client.eoh()
        assert str(client.eom(macros=macros)) == "discard"
        client.quit()
    assert verdicts(turf) == ["reject", "hold"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Subject", b" \xff\x80"),
        ("Subject", " " + FORGERY),
        ("Subject", " x\r\nBcc: y"),
        ("Subject", " x\rz"),
        ("Subject", " %s%n"),
        ("Subject", " \x01\x02"),
        ("Subject", " " + "x" * 65_000),
        ("Subject\nX-Forged", " x"),
        ("X\r\nX-Quarantine-ID", " x"),
        ("X" * 65_000, " x"),
        ("é", " x"),
        ("X-Quarantine-ID", " 000000-000000"),
        ("X-Quarantine-SHA256", " 0"),
        (" ", " x"),
        ("\n", "\n"),
    ],
)
def test_a_header_of_any_kind_is_kept_as_it_came(filters: Filters, name: str, value: Text) -> None:
    turf = filters(HELD, log="text")
    with turf.session() as client:
        told = client.message("<spam@turf.test>", ["<b@rig.test>"], [(name, value), ("Last", " x")], b"body")
    assert str(told.end) == "discard"
    (held,) = turf.held()
    shown = re.sub(rb"\r?\n", b"\r\n", wire.as_bytes(value))
    assert held.message == wire.as_bytes(name) + b":" + shown + b"\r\nLast: x\r\n\r\nbody"
    assert verdicts(turf) == ["hold"]


@pytest.mark.parametrize(
    "value",
    [
        b" \xff <spam@turf.test>",
        " \r\n spam@turf.test",
        " %s <spam@turf.test>",
        " \x01<spam@turf.test>\x01",
        " " + "(" * 30_000 + ")" * 30_000 + "spam@turf.test",
        " " + "a@b.test, " * 6_000 + "spam@turf.test",
        " " + "<" * 60_000 + "spam@turf.test>",
        " " + '"' + "x" * 60_000 + '" <spam@turf.test>',
        " <good@out.test> <spam@turf.test>",
    ],
)
def test_an_author_cannot_be_hidden(filters: Filters, value: Text) -> None:
    with filters(HELD, log="text").session() as client:
        told = client.message("<a@out.test>", ["<b@rig.test>"], [("From", value)])
    assert str(told.end) == "discard"


def test_ten_thousand_headers_are_all_kept_and_any_author_among_them_counts(filters: Filters) -> None:
    turf = filters(HELD, log="text")
    headers = [(f"X-{number}", f" {number}") for number in range(10_000)]
    authors = [("From", f" a{number}@out.test") for number in range(5_000)]
    with turf.session() as client:
        told = client.message("<a@out.test>", ["<b@rig.test>"], [*headers, *authors, ("From", " spam@turf.test")])
    assert str(told.end) == "discard"
    (held,) = turf.held()
    lines = held.message.split(b"\r\n")
    assert lines[:10_000] == [b"X-%d: %d" % (number, number) for number in range(10_000)]
    assert lines[15_000] == b"From: spam@turf.test"
    assert verdicts(turf) == ["hold"]


def test_a_message_with_very_many_authors_is_answered_451(filters: Filters) -> None:
    turf = filters(HELD, log="text")
    authors = [("From", f" a{number}@out.test") for number in range(10_000)]
    with turf.session() as client:
        told = client.message("<a@out.test>", ["<b@rig.test>"], [*authors, ("From", " spam@turf.test")])
    assert str(told.end) == ERROR
    assert turf.held() == []
    assert verdicts(turf) == ["tempfail"]


def test_ten_megabytes_of_anything_are_kept_as_they_came(filters: Filters) -> None:
    turf = filters(HELD, log="text")
    body = random.Random(4711).randbytes(10_000_000)
    with turf.session() as client:
        assert str(client.message("<spam@turf.test>", ["<b@rig.test>"], [], body).end) == "discard"
    (held,) = turf.held()
    assert held.message == b"\r\n" + body


@pytest.mark.parametrize(
    ("sender", "recipient", "header"),
    [
        ("x" * 65_000, "<b@rig.test>", (b"X", b"x")),
        ("<a@out.test>", "y" * 65_000, (b"X", b"x")),
        ("<a@out.test>", "<" + "%" * 65_000 + "@rig.test>", (b"X", b"x")),
        ("<a@out.test>", "<" + "(" * 65_000 + "@rig.test>", (b"X", b"x")),
        ("<a@out.test>", "<b@rig.test>", (b"X" * 65_000, b"x")),
        ("<a@out.test>", "<b@rig.test>", (b"From", b"x" * 65_000 + b"@out.test")),
        ("<a@out.test>", "<b@rig.test>", (b"From", b'"' + b"x@" * 2_000)),
    ],
)
def test_lines_as_long_as_a_frame_are_read(
    filters: Filters, sender: str, recipient: str, header: tuple[bytes, bytes]
) -> None:
    turf = filters(HELD, log="text")
    with turf.session() as client:
        told = client.message(sender, [recipient], [header])
        assert str(told.end) in ("accept", REFUSED)
        assert str(client.message("<spam@turf.test>", ["<b@rig.test>"]).end) == "discard"
    assert len(verdicts(turf)) == 2


@pytest.mark.parametrize(
    "author",
    [b"x@" * 32_000, b"x@a.test " * 6_000, ", ".join(f"x@{chr(0x4E00 + i)}.test" for i in range(1001)).encode()],
)
def test_authors_that_are_too_many_to_be_read_stay_with_the_sender(filters: Filters, author: bytes) -> None:
    turf = filters(HELD, log="text")
    with turf.session() as client:
        told = client.message("<a@out.test>", ["<b@rig.test>"], [(b"From", author)])
        assert str(told.end) == "451 4.3.0 temporary error in the mail filter, try again later"
        listed = client.message("<a@out.test>", ["<b@rig.test>"], [(b"From", b"x@turf.test"), (b"From", author)])
        assert str(listed.end) == "discard"


def test_a_thousand_recipients_are_all_named(filters: Filters) -> None:
    turf = filters(UNLIMITED, log="text")
    with turf.session() as client:
        told = client.message("<spam@turf.test>", [f"<r{number}@rig.test>" for number in range(1000)])
    assert str(told.end) == "discard"
    (held,) = turf.held()
    assert held.recipients == tuple(f"r{number}@rig.test" for number in range(1000))
    (line,) = said(turf)
    assert (line["nrcpt"], line["rcpt"]) == ("1000", ",".join(f"r{number}@rig.test" for number in range(10)))
