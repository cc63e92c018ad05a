"""What no broken MTA can do by frames that it should not send: stop the filter, or get a message past it."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest

from rig import wire
from rig.filter import Filters
from rig.milterclient import MilterClient
from rig.textlog import records
from rig.wire import frame, strings

HELD = """
domains = ["rig.test"]
[relay]
allow = []
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
"""
REFUSED = "550 5.7.1 relaying prohibited"
ERROR = "451 4.3.0 temporary error in the mail filter, try again later"
MAIL, SPAM, RCPT = frame(b"M", strings("<a@out.test>")), frame(b"M", strings("<spam@turf.test>")), b"<b@rig.test>"
OURS, THEIRS = frame(b"R", strings(RCPT)), frame(b"R", strings("<c@elsewhere.test>"))
DATA, EOH, BODY, EOM = frame(b"T"), frame(b"N"), frame(b"B", b"x"), frame(b"E")
AUTHOR = frame(b"L", strings("From", " spam@turf.test"))


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
        ([SPAM, OURS, EOM], ["continue", ERROR]),
        # DATA shows nothing of the message.
        ([SPAM, OURS, EOH, EOM], ["continue", "continue", "discard"]),
        ([SPAM, OURS, AUTHOR, EOH, BODY, EOM], ["continue", "continue", "continue", "discard"]),
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
    assert {"accept", "hold", "reject", "tempfail"} >= {pairs["verdict"] for pairs in records(turf.lines())}
