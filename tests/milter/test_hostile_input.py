"""What no client, no message and no broken MTA can do: stop the filter, get past it, or write into its log."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from rig import wire
from rig.dnsserver import DnsServer
from rig.filter import Filter
from rig.milterclient import Macro, MilterClient
from rig.wire import Text, frame, strings

Filters = Callable[..., Filter]

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
UNSHOWN = "451 4.3.0 pymilter: untrapped exception in turfmilter"  # pymilter's own answer, where one is waited for
FORGERY = "x\r\nNOQUEUE: client=192.0.2.1 verdict=accept rule=forged"
WORD = r"[A-Za-z0-9@._:/+*!%\[\]-]+"
VALUE = rf'(?:<>|{WORD}|"(?:[^"\\]|\\.)*")'
PAIR = re.compile(rf"([a-z]+)=({VALUE}(?:,{VALUE})*)(?: |$)")
RECORD = re.compile(rf"{VALUE}: (?:{PAIR.pattern})+")
NOTICE = re.compile(r"(?:info|warning|error): .*")


def said(turf: Filter) -> list[dict[str, str]]:
    """The log's new lines about messages and refusals; each line is whole and visible, and none is forged."""
    lines = turf.lines()
    assert [line for line in lines if not line.isprintable()] == []
    assert [line for line in lines if not RECORD.fullmatch(line) and not NOTICE.fullmatch(line)] == []
    found = [dict(PAIR.findall(line.partition(": ")[2])) for line in lines if RECORD.fullmatch(line)]
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
def test_a_host_name_of_any_kind_lets_nobody_through(filters: Filters, text: Text) -> None:
    turf = filters(HELD, log="text")
    with turf.client() as client:
        client.greet(text, helo="client.test")
        assert client.message("<spam@turf.test>", ["<b@rig.test>"]).end != "accept"
        assert client.message("<a@out.test>", ["<c@elsewhere.test>"]).rcpts[0].refuses
        client.quit()
    assert "accept" not in verdicts(turf)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_host_name_of_any_kind_lets_nobody_through_where_names_count(
    filters: Filters, named: str, text: Text
) -> None:
    turf = filters(named, log="text")
    with turf.client() as client:
        if client.greet(text, helo="client.test").goes_on:
            assert client.message("<spam@turf.test>", ["<b@rig.test>"]).end != "accept"
            assert client.message("<a@out.test>", ["<c@elsewhere.test>"]).rcpts[0].refuses
            client.quit()
    assert "accept" not in verdicts(turf)


def test_a_client_whose_name_cannot_be_shown_is_turned_away_at_once_where_names_count(
    filters: Filters, named: str
) -> None:
    with filters(named, log="text").client() as client:
        assert str(client.greet(b"\xff\xfe", helo="client.test")) == UNSHOWN


def test_a_client_whose_name_cannot_be_shown_is_asked_to_come_back(filters: Filters) -> None:
    turf = filters(HELD, log="text")
    with turf.client() as client:
        client.greet(b"\xff\xfe", helo="client.test")
        for _ in range(2):
            assert [str(a) for a in client.message("<a@out.test>", ["<b@rig.test>"]).rcpts] == [ERROR]
        client.quit()
    assert verdicts(turf) == ["tempfail"] * 2


def test_what_pymilter_cannot_show_us_is_said_in_one_line_of_the_log(filters: Filters) -> None:
    turf = filters(HELD, log="text")
    with turf.session() as client:
        client.helo(b"\xff")
    assert turf.lines() == [
        "error: pymilter: UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"
    ]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_sender_of_any_kind_is_held_by_its_domain(filters: Filters, text: Text) -> None:
    turf = filters(HELD, log="text")
    sender = b"<" + wire.as_bytes(text).replace(b"\0", b"") + b"@turf.test>"
    with turf.session() as client:
        assert str(client.message((sender, b"SIZE=" + wire.as_bytes(text)), ["<b@rig.test>"]).end) == "discard"
    (held,) = turf.held()
    assert wire.as_bytes(held.slip.sender) == sender[1:-1] + b" SIZE=" + wire.as_bytes(text)
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
    authors = [("From", f" a{number}@out.test") for number in range(10_000)]
    with turf.session() as client:
        told = client.message("<a@out.test>", ["<b@rig.test>"], [*headers, *authors, ("From", " spam@turf.test")])
    assert str(told.end) == "discard"
    (held,) = turf.held()
    lines = held.message.split(b"\r\n")
    assert lines[:10_000] == [b"X-%d: %d" % (number, number) for number in range(10_000)]
    assert lines[20_000] == b"From: spam@turf.test"
    assert verdicts(turf) == ["hold"]


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
        ("<a@out.test>", "<b@rig.test>", (b"From", b"x@" * 32_000)),
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


def test_a_thousand_recipients_are_all_named(filters: Filters) -> None:
    turf = filters(UNLIMITED, log="text")
    with turf.session() as client:
        told = client.message("<spam@turf.test>", [f"<r{number}@rig.test>" for number in range(1000)])
    assert str(told.end) == "discard"
    (held,) = turf.held()
    assert held.slip.recipients == tuple(f"r{number}@rig.test" for number in range(1000))
    (line,) = said(turf)
    assert (line["nrcpt"], line["rcpt"]) == ("1000", ",".join(f"r{number}@rig.test" for number in range(10)))


# ---- frames that no MTA sends; the filter's answers, or "closed" when it ends the connection ----

MAIL, SPAM, RCPT = frame(b"M", strings("<a@out.test>")), frame(b"M", strings("<spam@turf.test>")), b"<b@rig.test>"
OURS, THEIRS = frame(b"R", strings(RCPT)), frame(b"R", strings("<c@elsewhere.test>"))
DATA, EOH, BODY, EOM = frame(b"T"), frame(b"N"), frame(b"B", b"x"), frame(b"E")
AUTHOR = frame(b"L", strings("From", " spam@turf.test"))
UNSAVED = "451 4.3.0 cannot take the message at the moment, try again later"


UNCLEAR = "451 4.3.0 cannot handle these recipients together, send them one by one"
END = [frame(b"A"), SPAM, *(frame(b"R", strings(r)) for r in ("<end@rig.test.>", "<abuse@rig.test>")), DATA, EOH, EOM]


def answers(client: MilterClient, *frames: bytes) -> list[str]:
    """What is answered to `frames`; a message that gets an answer of its own follows them, so that they have an end."""
    found: list[str] = []
    try:
        client.send(b"".join([*frames, *END]))
        while not found or found[-1] != UNCLEAR:
            found.append(str(client.read_answer(wire.ALL_ACTIONS)))
    except OSError:
        return [*found, "closed"]
    assert found[-5:] == ["continue"] * 4 + [UNCLEAR]
    return found[:-5]


@pytest.mark.parametrize(
    ("frames", "told"),
    [
        ([], []),
        # Out of order: libmilter leaves out what does not fit, and never answers it.
        ([OURS], []),
        ([DATA], []),
        ([EOH], []),
        ([BODY], []),
        ([EOM], []),
        ([MAIL, DATA], []),
        ([MAIL, OURS, MAIL, OURS, DATA], ["continue", "continue", "continue"]),
        ([MAIL, OURS, DATA, OURS], ["continue", "continue"]),
        ([SPAM, OURS, DATA, EOM], ["continue", "continue"]),
        ([MAIL, OURS, DATA, AUTHOR, EOM], ["continue", "continue"]),
        ([MAIL, OURS, DATA, AUTHOR, BODY, EOM], ["continue", "continue"]),
        ([MAIL, OURS, DATA, EOH, AUTHOR, EOM], ["continue", "continue", "accept"]),
        ([SPAM, OURS, DATA, EOH, BODY, AUTHOR, EOM], ["continue", "continue", "continue", "continue"]),
        ([SPAM, OURS, DATA, EOH, EOM, EOM], ["continue", "continue", "continue", "discard"]),
        # Parts that are missing: what was not shown cannot be held, and stays with the MTA.
        ([SPAM, OURS, EOM], ["continue", UNSAVED]),
        ([SPAM, OURS, EOH, EOM], ["continue", "continue", UNSAVED]),
        ([SPAM, OURS, AUTHOR, EOH, BODY, EOM], ["continue", "continue", "skip", UNSAVED]),
        # Frames without, or with half of, their arguments.
        ([frame(b"M"), OURS], ["closed"]),
        ([frame(b"M", b"<a@out.test>"), OURS], ["closed"]),
        ([MAIL, frame(b"R")], ["closed"]),
        ([MAIL, frame(b"R", b"\0")], [REFUSED]),
        ([frame(b"M", b"\0"), OURS], ["continue"]),
        ([frame(b"H")], ["closed"]),
        ([SPAM, OURS, DATA, frame(b"L")], ["continue", "continue", "closed"]),
        ([SPAM, OURS, DATA, frame(b"L", b"From\0")], ["continue", "continue", "closed"]),
        ([SPAM, OURS, DATA, frame(b"L", b"\0 x\0")], ["continue", "continue", "closed"]),
        ([SPAM, OURS, DATA, frame(b"L", b"From\0 spam@turf.test")], ["continue", "continue", "closed"]),
        # NUL parts arguments: what stands behind it is an ESMTP parameter, or nothing.
        ([MAIL, frame(b"R", b"<c@elsewhere.test>\0<b@rig.test>\0")], [REFUSED]),
        ([frame(b"M", b"<spam@turf.test>\0<a@out.test>\0"), OURS, DATA, EOH, EOM], ["continue"] * 3 + ["discard"]),
        # A header's name that is no UTF-8 cannot be shown to us; libmilter never answers that message again.
        ([SPAM, OURS, DATA, frame(b"L", b"\xff\0 x\0"), EOH, BODY, EOM], ["continue", "continue"]),
        ([MAIL, OURS, DATA, frame(b"L", b"From\xff\0 x\0"), AUTHOR, EOH, BODY, EOM], ["continue", "continue"]),
        # Macros of no stage.  (An unterminated one can end the process: libmilter reads on behind it.)
        ([frame(b"D")], ["closed"]),
        ([frame(b"D", b"Zi\0x\0")], []),
        # No milter frames at all.
        ([frame(b"Z", b"x")], ["closed"]),
        ([frame(b"O", b"x")], []),
        ([frame(b"C", b"x")], []),
        ([b"\0\0\0\0"], ["closed"]),
        ([b"\xff\xff\xff\xffx"], ["closed"]),
        ([b"GET / HTTP/1.0\r\n\r\n"], ["closed"]),
        ([b"\0\1\0\1B" + b"x" * 65_536], ["closed"]),
    ],
)
def test_frames_that_no_mta_sends_get_nothing_through(filters: Filters, frames: list[bytes], told: list[str]) -> None:
    turf = filters(HELD, log="text")
    with turf.client() as client:
        client.greet()
        assert answers(client, *frames) == told
    with turf.session() as client:
        assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"


@pytest.mark.parametrize(
    "payload",
    [b"", b"x", b"x\0", b"x\0Z\0\0y\0", b"x\0004\0\x19999.1.1.1\0", b"x\0006\0\x19zz::\0", b"x\0004\0\x19192.0.2.9"],
)
def test_a_client_that_cannot_be_read_is_not_served(filters: Filters, payload: bytes) -> None:
    with filters(HELD, log="text").client() as client:
        client.negotiate()
        assert answers(client, frame(b"C", payload), MAIL, OURS) in (["closed"], [ERROR, ERROR, "closed"])


@pytest.mark.parametrize("frames", [[MAIL, OURS], [frame(b"H", strings("x")), MAIL, OURS]])
def test_a_client_that_was_never_shown_is_not_served(filters: Filters, frames: list[bytes]) -> None:
    with filters(HELD, log="text").client() as client:
        client.negotiate()
        client.send(b"".join(frames))
        assert str(client.read_answer()) == ERROR


@pytest.mark.parametrize("data", [b"", b"\0", b"garbage", b"\xff" * 100_000, frame(b"C"), frame(b"O"), frame(b"Q")])
def test_a_connection_that_begins_with_garbage_is_closed(filters: Filters, data: bytes) -> None:
    turf = filters(HELD, log="text")
    with turf.client() as client, suppress(OSError):
        client.send(data)
    with turf.session() as client:
        assert str(client.message("<spam@turf.test>", ["<b@rig.test>"]).end) == "discard"


def test_random_frames_neither_stop_the_filter_nor_leave_anything_behind(filters: Filters) -> None:
    turf = filters(HELD, log="text")
    chance = random.Random(1)
    known = [MAIL, SPAM, OURS, THEIRS, DATA, EOH, BODY, EOM, AUTHOR, frame(b"A"), frame(b"H", strings("x"))]
    for _ in range(300):
        with turf.client() as client:
            client.greet()
            frames = [chance.choice(known) for _ in range(chance.randrange(12))]
            if chance.random() < 0.5:
                command = chance.choice(b"ABCEGHKLMNOQRTUZ")  # no macros, see above
                frames.append(frame(bytes([command]), chance.randbytes(chance.randrange(40))))
            client.send(b"".join(frames))
    assert {"accept", "hold", "reject", "tempfail"} >= set(verdicts(turf))
