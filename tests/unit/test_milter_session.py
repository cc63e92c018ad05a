"""One milter session without a socket: which commands may follow which, what is called, and what is answered."""

from __future__ import annotations

import struct
import tracemalloc
from collections.abc import Iterable
from typing import Any

import milter
import pytest

from rig.wire import Action, Protocol, frame, strings
from turfmilter.mta.engine import Context, Events
from turfmilter.mta.loop.frames import MOST, Broken
from turfmilter.mta.loop.session import Session

MAIL, RCPT, DATA, EOH = frame(b"M", strings("<a>")), frame(b"R", strings("<b>")), frame(b"T"), frame(b"N")
HEADER, BODY, EOM, ABORT, QUIT = (
    frame(b"L", strings("X", "y")),
    frame(b"B", b"z"),
    frame(b"E"),
    frame(b"A"),
    frame(b"Q"),
)
CONNECT, HELO = frame(b"C", strings("x") + b"U"), frame(b"H", strings("h"))
UNKNOWN, NEXT = frame(b"U", strings("FOO")), frame(b"K")
OFFERED = Protocol.NOUNKNOWN | Protocol.SKIP
ERROR = "451 4.3.0 temporary error in the mail filter, try again later"


class Recorder(Events):
    """Writes down what is called; each method returns what `codes` has for it, and CONTINUE otherwise."""

    may_wait = True

    def __init__(self, context: Context, codes: dict[str, Any], wanted: tuple[Action, Protocol]) -> None:
        self.context = context
        self.called: list[str] = []
        self._codes = codes
        self._wanted = wanted

    def negotiate(self, opts: list[int]) -> int:
        opts[:2] = self._wanted
        return self._seen("negotiate")

    def connect(self, hostname: str, family: int, hostaddr: Any) -> int:
        return self._seen("connect", hostname, family, hostaddr)

    def hello(self, hostname: str) -> int:
        return self._seen("hello", hostname)

    def envfrom(self, sender: bytes, *params: bytes) -> int:
        return self._seen("envfrom", sender, *params)

    def envrcpt(self, to: bytes, *params: bytes) -> int:
        return self._seen("envrcpt", to, *params)

    def data(self) -> int:
        return self._seen("data")

    def header(self, name: str, value: bytes) -> int:
        return self._seen("header", name, value)

    def eoh(self) -> int:
        return self._seen("eoh")

    def body(self, chunk: bytes) -> int:
        return self._seen("body", chunk)

    def eom(self) -> int:
        return self._seen("eom")

    def abort(self) -> int:
        return self._seen("abort")

    def close(self) -> int:
        return self._seen("close")

    def _seen(self, name: str, *event: Any) -> int:
        self.called.append(" ".join([name, *map(str, event)]))
        code = self._codes.get(name, milter.CONTINUE)
        return int(code(self.context) if callable(code) else code)


class Link:
    """A session between a Recorder and us."""

    def __init__(
        self,
        *,
        offered: Protocol = OFFERED,
        wanted: Protocol = Protocol.NOUNKNOWN,
        actions: Action = Action.NONE,
        version: int = 6,
        **codes: Any,
    ) -> None:
        self.sent: list[bytes] = []
        self.said: list[str] = []
        self.events: Recorder | None = None
        self._codes = codes
        self._wanted = (actions, wanted)
        self.session = Session(self._open, self.sent.append, self.said.append)
        self.tell(frame(b"O", struct.pack("!III", version, 0x1FF, offered)))

    def tell(self, *frames: bytes) -> bytes:
        """The frames in turn; the commands of the answers, one letter each."""
        before = len(self.sent)
        for one in frames:
            try:
                self.session.receive(one[4], one[5:])
            except Broken:
                self.session.end()
        return b"".join(answer[4:5] for answer in self.sent[before:])

    @property
    def called(self) -> list[str]:
        """The calls since the negotiation, by name."""
        return [call.partition(" ")[0] for call in self.events.called[1:]] if self.events else []

    def _open(self, context: Context) -> Events:
        self.events = Recorder(context, self._codes, self._wanted)
        return self.events


def refused(context: Context) -> int:
    """As the program refuses."""
    context.setreply("550", "5.7.1", "no")
    return int(milter.REJECT)


def test_a_message_is_shown_and_answered_command_by_command() -> None:
    link = Link()
    assert link.tell(CONNECT, HELO, MAIL, RCPT, DATA, HEADER, EOH, BODY, EOM) == b"c" * 9
    assert link.tell(QUIT) == b""
    assert link.called == ["connect", "hello", "envfrom", "envrcpt", "data", "header", "eoh", "body", "eom", "close"]
    assert link.session.over


@pytest.mark.parametrize("version", [2, 3, 4, 5, 6, 7])
def test_the_version_is_the_lower_one_of_both(version: int) -> None:
    link = Link(version=version)
    assert link.sent == [frame(b"O", struct.pack("!III", min(version, 6), 0, Protocol.NOUNKNOWN))]


@pytest.mark.parametrize(
    "payload", [b"", b"\0" * 11, struct.pack("!III", 1, 0, 0), struct.pack("!III", 0xFFFFFFFF, 0, 0)]
)
def test_an_offer_that_is_too_short_or_too_old_ends_the_session(payload: bytes) -> None:
    link = Link()
    link.session = Session(link._open, link.sent.append, link.said.append)
    link.tell(frame(b"O", payload))
    assert link.session.over


@pytest.mark.parametrize(
    ("actions", "wanted"),
    [(Action(0x200), Protocol.NONE), (Action.NONE, Protocol.RCPT_REJ), (Action.NONE, Protocol.NOHELO)],
)
def test_more_than_is_offered_cannot_be_agreed(actions: Action, wanted: Protocol) -> None:
    link = Link(actions=actions, wanted=wanted)
    assert (link.sent, link.session.over, link.called) == ([], True, ["close"])


def test_an_mta_that_waits_for_every_answer_gets_continue_where_none_was_wanted() -> None:
    link = Link(offered=OFFERED, wanted=Protocol.NR_MAIL | Protocol.NOUNKNOWN, envfrom=milter.NOREPLY)
    assert link.sent[0][13:17] == struct.pack("!I", Protocol.NOUNKNOWN)
    assert link.tell(CONNECT, HELO, MAIL) == b"ccc"


@pytest.mark.parametrize("code", [milter.CONTINUE, milter.ACCEPT, milter.TEMPFAIL, milter.NOREPLY])
def test_where_no_answer_was_agreed_none_is_given(code: int) -> None:
    link = Link(offered=OFFERED | Protocol.NR_MAIL, wanted=Protocol.NR_MAIL | Protocol.NOUNKNOWN, envfrom=code)
    assert link.tell(CONNECT, HELO, MAIL) == b"cc"


def test_lists_of_macros_follow_the_agreed_bits_in_the_order_of_the_stages() -> None:
    def asks(context: Context) -> int:
        context.setsymlist(milter.M_ENVRCPT, "{rcpt_addr}")
        context.setsymlist(milter.M_CONNECT, "j v")
        return int(milter.CONTINUE)

    assert Link(negotiate=asks).sent[0][17:] == b"\0\0\0\0j v\0\0\0\0\3{rcpt_addr}\0"


@pytest.mark.parametrize(
    ("frames", "answers", "called"),
    [
        ([RCPT, MAIL], b"c", ["envfrom"]),  # what does not fit is left out
        ([MAIL, DATA, MAIL], b"cc", ["envfrom", "abort", "envfrom"]),
        ([MAIL, MAIL, RCPT], b"ccc", ["envfrom", "abort", "envfrom", "envrcpt"]),
        ([MAIL, RCPT, EOM, MAIL], b"cccc", ["envfrom", "envrcpt", "eom", "envfrom"]),
        ([MAIL, RCPT, DATA, BODY], b"ccc", ["envfrom", "envrcpt", "data", "abort"]),
        ([MAIL, RCPT, ABORT, ABORT, MAIL], b"ccc", ["envfrom", "envrcpt", "abort", "abort", "envfrom"]),
        ([MAIL, ABORT, RCPT], b"cc", ["envfrom", "abort", "envrcpt"]),  # NOUNKNOWN leads from ABORT to RCPT
        ([HELO, HELO, UNKNOWN, MAIL], b"cccc", ["hello", "hello", "envfrom"]),
        ([ABORT], b"", []),
        ([frame(b"O", bytes(12))], b"", []),
        ([CONNECT], b"", []),
    ],
)
def test_what_may_follow_what(frames: Iterable[bytes], answers: bytes, called: list[str]) -> None:
    link = Link()
    link.tell(CONNECT, HELO)
    assert link.tell(*frames) == answers
    assert link.called[2:] == called
    assert not link.session.over


def test_states_that_are_not_asked_for_are_skipped() -> None:
    bits = OFFERED | Protocol.NOHDRS | Protocol.NOEOH | Protocol.NOBODY
    link = Link(offered=bits, wanted=bits)
    assert link.tell(CONNECT, HELO, MAIL, RCPT, DATA, EOM) == b"c" * 6
    assert Link().tell(CONNECT, HELO, MAIL, RCPT, DATA, EOM) == b"c" * 5


@pytest.mark.parametrize("code", [milter.ACCEPT, milter.DISCARD, milter.REJECT, milter.TEMPFAIL])
def test_after_the_last_word_on_a_message_the_rest_of_it_is_left_out(code: int) -> None:
    link = Link(data=code)
    assert link.tell(CONNECT, HELO, MAIL, RCPT, DATA) == b"cccc" + {1: b"r", 2: b"d", 3: b"a", 4: b"t"}[code]
    assert link.tell(HEADER, EOH, BODY, EOM) == b""
    assert link.tell(MAIL, RCPT) == b"cc"
    assert link.called[5:] == ["envfrom", "envrcpt"]


def test_a_recipient_that_is_refused_ends_nothing() -> None:
    link = Link(envrcpt=refused)
    assert link.tell(CONNECT, HELO, MAIL, RCPT, RCPT, DATA) == b"cccyyc"
    assert link.sent[-2] == frame(b"y", strings("550 5.7.1 no"))


def test_a_reply_goes_with_its_own_class_only_and_once() -> None:
    def told(context: Context) -> int:
        context.setreply("550", "5.7.1", "no")
        return int(milter.TEMPFAIL)

    link = Link(envrcpt=told, data=milter.REJECT)
    assert link.tell(CONNECT, HELO, MAIL, RCPT, DATA) == b"ccc" + b"t" + b"y"
    assert Link(envrcpt=milter.REJECT).tell(CONNECT, HELO, MAIL, RCPT) == b"cccr"


@pytest.mark.parametrize(
    ("frames", "called"),
    [
        ([frame(b"Z")], ["close"]),
        ([MAIL, frame(b"R")], ["envfrom", "abort", "close"]),
        ([MAIL, frame(b"R", b"<b>")], ["envfrom", "abort", "close"]),
        ([MAIL, RCPT, DATA, frame(b"L", b"X")], ["envfrom", "envrcpt", "data", "abort", "close"]),
        ([frame(b"D")], ["close"]),
        ([MAIL, QUIT], ["envfrom", "abort", "close"]),
        ([MAIL, RCPT, EOM, QUIT], ["envfrom", "envrcpt", "eom", "close"]),
    ],
)
def test_a_broken_command_ends_the_session_and_the_message(frames: Iterable[bytes], called: list[str]) -> None:
    link = Link()
    link.tell(CONNECT, HELO)
    link.tell(*frames)
    assert link.session.over
    assert link.called[2:] == called


@pytest.mark.parametrize(("frames", "called"), [([], []), ([MAIL], ["envfrom", "abort"]), ([MAIL, RCPT, EOM], None)])
def test_an_mta_that_goes_away_ends_the_session(frames: Iterable[bytes], called: list[str] | None) -> None:
    link = Link()
    link.tell(CONNECT, HELO)
    link.tell(*frames)
    link.session.end()
    link.session.end()
    assert link.called[2:] == [*(["envfrom", "envrcpt", "eom"] if called is None else called), "close"]


def test_a_callback_that_fails_or_cannot_be_called_is_a_temporary_error() -> None:
    def fails(_: Context) -> int:
        raise RuntimeError("boom")

    link = Link(envrcpt=fails)
    assert link.tell(CONNECT, HELO, MAIL, RCPT) == b"cccy"
    assert link.sent[-1] == frame(b"y", strings(ERROR))
    assert link.tell(frame(b"H", b"\xff\0")) == b"y"
    assert link.said == [
        "RuntimeError: boom",
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    ]


def test_before_the_negotiation_and_after_quit_nc_commands_are_a_temporary_error() -> None:
    link = Link()
    link.session = Session(link._open, link.sent.append, link.said.append)
    assert link.tell(CONNECT, HELO, MAIL) == b"yy"  # connect may not come first
    link = Link()
    link.tell(CONNECT, HELO, MAIL, RCPT, EOM)
    assert link.tell(NEXT, CONNECT) == b"y"
    assert link.called[-1] == "close"


def test_a_body_that_comes_with_the_end_of_the_message_is_shown_first() -> None:
    link = Link()
    assert link.tell(CONNECT, HELO, MAIL, RCPT, frame(b"E", b"z")) == b"ccccc"
    assert link.called[4:] == ["body", "eom"]
    link = Link(body=milter.SKIP)
    assert link.tell(CONNECT, HELO, MAIL, RCPT, frame(b"E", b"z")) == b"ccccss"


def test_changes_are_made_at_the_end_of_the_message_if_they_were_agreed() -> None:
    def changes(context: Context) -> int:
        context.addheader("X", " y", 0)
        context.chgheader("Z", 2, "")
        context.delrcpt("<b>")
        context.progress()
        return int(milter.ACCEPT)

    agreed = Action.ADDHDRS | Action.CHGHDRS | Action.DELRCPT
    link = Link(actions=agreed, eom=changes)
    assert link.tell(CONNECT, HELO, MAIL, RCPT, EOM) == b"cccc" + b"im-pa"
    assert link.sent[-5:-2] == [
        frame(b"i", b"\0\0\0\0" + strings("X", " y")),
        frame(b"m", b"\0\0\0\2" + strings("Z", "")),
        frame(b"-", strings("<b>")),
    ]
    for early in (Link(actions=agreed, envrcpt=changes), Link(actions=Action.CHGHDRS, eom=changes)):
        assert early.tell(CONNECT, HELO, MAIL, RCPT, EOM).strip(b"c") == b"y"


def test_macros_are_known_until_their_message_is_over() -> None:
    link = Link()
    stages = {b"C": ("j", "mx"), b"H": ("h", "1"), b"M": ("i", "2"), b"R": ("{r}", "3"), b"T": ("i", "4")}
    link.tell(*(frame(b"D", command + strings(*pair)) for command, pair in stages.items()))
    context = link.events.context if link.events else None
    assert context is not None
    assert [context.getsymval(name) for name in ("j", "{j}", "{h}", "i", "r", "{r}", "{rr}")] == [
        *("mx", "mx", "1", "4", "3", "3"),
        None,
    ]
    link.tell(CONNECT)  # ends what came for later stages
    assert [context.getsymval(name) for name in ("j", "h", "i", "r")] == ["mx", None, None, None]


def test_macros_of_one_byte_in_every_stage_take_no_more_room_than_their_bytes() -> None:
    link = Link()
    macros = strings(*(name for number in range(9_000) for name in (f"{number:x}", "")))
    assert 0.7 * MOST < len(macros) < MOST
    tracemalloc.start()
    try:
        link.tell(*(frame(b"D", stage + macros) for stage in (b"C", b"H", b"M", b"R", b"T", b"N", b"E")))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 8 * MOST
    assert link.events and link.events.context.getsymval("1fff") == ""


MESSAGE = (CONNECT, HELO, MAIL, RCPT, DATA, HEADER, EOH, BODY)


@pytest.mark.parametrize("command", [b"H", b"L", b"O", b"U", b"K", b"C", b"B", b"E", b"A", b"M", b"Q", b"Z"])
def test_a_command_that_ends_a_message_or_continues_its_body_may_wait_for_the_disk(command: bytes) -> None:
    link = Link()
    link.tell(*MESSAGE)
    assert link.session.may_wait(command[0])
    assert link.session.may_wait()


@pytest.mark.parametrize(
    ("before", "command"), [(0, b"H"), (0, b"C"), (5, b"L"), (5, b"D"), (8, b"D"), (2, b"U"), (3, b"U"), (0, b"K")]
)
def test_a_command_that_looks_nothing_up_and_ends_no_message_does_not_wait(before: int, command: bytes) -> None:
    link = Link()
    link.tell(*MESSAGE[:before])
    assert link.session.may_wait(command[0]) == (command == b"C")


def test_macros_that_cannot_be_read_leave_those_that_are_known() -> None:
    link = Link()
    link.tell(frame(b"D", b"C" + strings("j", "mx")), frame(b"D", b"C"), frame(b"D", b"Z" + strings("j", "other")))
    link.tell(frame(b"D", b"H" + b"v\0\xff\0"))
    context = link.events.context if link.events else None
    assert context is not None
    assert context.getsymval("j") == "mx"
    with pytest.raises(UnicodeDecodeError):
        context.getsymval("v")
