"""From the configuration to the parts that run: which rules, in which order, and what each leads to."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from turfmilter.compose import SystemClock, build_log, build_policy, build_quarantine, build_service
from turfmilter.config.loader import configure
from turfmilter.config.schema import Config
from turfmilter.core.finding import Action
from turfmilter.core.policy import Clause, Mode
from turfmilter.core.readings import read_sender
from turfmilter.core.reply import REPLIES, Reply
from turfmilter.core.session import Connection, Envelope, Recipient, Sender, Session

OURS: dict[str, object] = {"domains": ["ours.test"]}
HELD: dict[str, object] = {"tables": ["@turf.test"], "directory": "/quarantine"}
LOST: dict[str, object] = {"tables": ["@turf.test"], "discard": True}


def config(relay: dict[str, object] | None = None, turf: dict[str, object] | None = None, **above: object) -> Config:
    sections = {name: section for name, section in (("relay", relay), ("turf", turf)) if section is not None}
    return configure({**OURS, **above, **sections}, Path("/etc/turfmilter"))


def session(sender: str = "a@out.test", client: str = "192.0.2.9", account: str = "") -> Session:
    envelope = Envelope(Sender(f"<{sender}>", (), read_sender(sender)))
    return Session(Connection(client=ip_address(client)), account=account, envelope=envelope)


def described(clauses: tuple[Clause, ...]) -> list[tuple[str, str, str]]:
    return [(type(c.rule).__name__, c.action.value, c.mode.value) for c in clauses]


RELAY = ("Relay", "reject", "enforce")
SENDER, AUTHOR = ("TurfSender", "hold", "enforce"), ("TurfAuthor", "hold", "enforce")
UNREADABLE = ("UnreadableAuthor", "hold", "trial")


def tried(*clauses: tuple[str, str, str]) -> list[tuple[str, str, str]]:
    return [(rule, action, "trial") for rule, action, _ in clauses]


@pytest.mark.parametrize(
    ("given", "clauses"),
    [
        (config(), [RELAY]),
        (config(turf=HELD), [RELAY, SENDER, AUTHOR, UNREADABLE]),
        (config(turf={**HELD, "tables": []}), [RELAY]),
        (config(turf={**HELD, "match": ["sender"]}), [RELAY, SENDER]),
        (config(turf={**HELD, "match": ["author"]}), [RELAY, AUTHOR, UNREADABLE]),
        (config(turf={**HELD, "match": ["author", "sender"]}), [RELAY, SENDER, AUTHOR, UNREADABLE]),
        (config(turf={**HELD, "unreadable_author": "off"}), [RELAY, SENDER, AUTHOR]),
        (config(turf={**HELD, "unreadable_author": "enforce"}), [RELAY, SENDER, AUTHOR, (*UNREADABLE[:2], "enforce")]),
        (
            config(turf=LOST),
            [RELAY, *((rule, "discard", mode) for rule, _, mode in (SENDER, AUTHOR, UNREADABLE))],
        ),
        (config(relay={"mode": "off"}), []),
        (config(relay={"mode": "trial"}), tried(RELAY)),
        (config(relay={"mode": "off"}, turf=HELD), [SENDER, AUTHOR, UNREADABLE]),
        (config(turf={**HELD, "mode": "off"}), [RELAY]),
        (config(turf={**HELD, "mode": "trial"}), [RELAY, *tried(SENDER, AUTHOR, UNREADABLE)]),
        (
            config(turf={**HELD, "mode": "trial", "unreadable_author": "enforce"}),
            [RELAY, *tried(SENDER, AUTHOR, UNREADABLE)],
        ),
        (config(turf=HELD, mode="trial"), tried(RELAY, SENDER, AUTHOR, UNREADABLE)),
        (config(relay={"mode": "off"}, turf=HELD, mode="trial"), tried(SENDER, AUTHOR, UNREADABLE)),
        (config(turf=HELD, mode="off"), []),
    ],
)
def test_the_rules_that_are_on_stand_in_their_order(given: Config, clauses: list[tuple[str, str, str]]) -> None:
    assert described(build_policy(given).clauses) == clauses


@pytest.mark.parametrize(
    ("given", "relay", "turf"),
    [
        (config(turf=HELD), REPLIES["relay"], None),
        (config(turf={**HELD, "answer": "reject"}), REPLIES["relay"], REPLIES["turf"]),
        (config(turf={**LOST, "answer": "reject"}), REPLIES["relay"], REPLIES["turf"]),
        (
            config(
                relay={"reply": "450 4.7.1 not yet"},
                turf={**HELD, "answer": "reject", "reply": "554 5.7.0 no"},
            ),
            Reply(450, "4.7.1", "not yet"),
            Reply(554, "5.7.0", "no"),
        ),
    ],
)
def test_the_replies_are_those_of_the_configuration(given: Config, relay: Reply, turf: Reply | None) -> None:
    first, *others = build_policy(given).clauses
    assert first.reply == relay
    assert first.on_error == REPLIES["relay-unavailable"]
    assert [clause.reply for clause in others] == [turf] * 3
    assert [clause.on_error for clause in others] == [None] * 3


@pytest.mark.parametrize(
    ("relay", "who", "refused"),
    [
        ({}, session(), True),
        ({}, session(client="127.0.0.1"), False),
        ({"default": "allow"}, session(), False),
        ({"default": "allow", "deny": ["192.0.2.0/24"]}, session(), True),
        ({"allow": ["192.0.2.0/24"]}, session(), False),
        ({"always": ["elsewhere.test"]}, session(), False),
        ({"always": ["elsewhere.test"], "routing": False}, session(), True),
        ({}, session(account="anna"), False),
        ({"authenticated": False}, session(account="anna"), True),
        ({"authenticated": ["anna"]}, session(account="anna"), False),
        ({"authenticated": ["anna"]}, session(account="bert"), True),
        ({"authenticated_needs_tls": True}, session(account="anna"), True),
    ],
)
def test_the_relay_rule_has_the_keys_of_its_section(relay: dict[str, object], who: Session, refused: bool) -> None:
    (clause,) = build_policy(config(relay=relay)).clauses
    assert (clause.rule.at_rcpt(who, Recipient("<x@elsewhere.test>")) is not None) == refused
    assert clause.rule.at_rcpt(who, Recipient("<x@ours.test>")) is None


@pytest.mark.parametrize(("spared", "held"), [(True, False), (False, True)])
def test_the_turf_rules_have_the_keys_of_their_section(spared: bool, held: bool) -> None:
    _, sender, *_ = build_policy(config(turf={**HELD, "spare_authenticated": spared})).clauses
    assert sender.rule.at_mail(session("spam@turf.test")) is not None
    assert sender.rule.at_mail(session("spam@fine.test")) is None
    assert (sender.rule.at_mail(session("spam@turf.test", account="anna")) is not None) == held


@pytest.mark.parametrize(
    ("exempt", "recipient", "spared"),
    [
        (None, "<postmaster@ours.test>", True),
        (None, "<Abuse@ours.test>", True),
        (None, "<b@ours.test>", False),
        ([], "<postmaster@ours.test>", False),
        (["@ours.test", "!b@ours.test"], "<a@ours.test>", True),
        (["@ours.test", "!b@ours.test"], "<b@ours.test>", False),
    ],
)
def test_every_turf_rule_knows_the_exempt_recipients(exempt: list[str] | None, recipient: str, spared: bool) -> None:
    turf = HELD if exempt is None else {**HELD, "exempt": exempt}
    relay, *others = build_policy(config(turf=turf)).clauses
    assert [clause.exempts(Recipient(recipient)) for clause in others] == [spared] * 3
    assert not relay.exempts(Recipient(recipient))


def test_a_policy_has_its_generation() -> None:
    assert build_policy(config()).generation == 1
    assert build_policy(config(), generation=7).generation == 7


@pytest.mark.parametrize(("turf", "present"), [(HELD, True), (LOST, False), (None, False)])
def test_there_is_a_quarantine_when_the_configuration_names_one(turf: dict[str, object] | None, present: bool) -> None:
    assert (build_quarantine(config(turf=turf)) is not None) == present


@pytest.mark.parametrize(("format", "read"), [("text", str), ("json", json.loads)])
def test_the_log_has_the_form_of_the_configuration(
    capsys: pytest.CaptureFixture[str], format: str, read: type[str]
) -> None:
    log = build_log(config(log={"to": "stderr", "format": format}))
    log.start()
    log.say("info", "hello")
    log.stop()
    said = read(capsys.readouterr().err)
    assert said == ("info: hello\n" if format == "text" else {"level": "info", "text": "hello"})


def test_all_connections_of_a_process_share_one_policy() -> None:
    given = config(turf=HELD)
    service = build_service(given, build_log(given))
    assert service.policy() is service.policy()
    assert described(service.policy().clauses) == [RELAY, SENDER, AUTHOR, UNREADABLE]
    assert service.quarantine is not None
    assert service.sessions.wait_for_none(0)
    assert service.executor.submit(lambda: "ran").result() == "ran"


def test_the_clock_tells_utc() -> None:
    clock = SystemClock()
    before, now, after = datetime.now(UTC), clock.now(), datetime.now(UTC)
    assert before <= now <= after
    assert now.tzinfo is UTC
    assert clock.today() in (now.date(), after.date(), datetime.now(UTC).date())


def test_a_rule_in_trial_leaves_the_others_as_they_are() -> None:
    modes = {type(c.rule).__name__: c.mode for c in build_policy(config(relay={"mode": "trial"}, turf=HELD)).clauses}
    assert modes == {
        "Relay": Mode.TRIAL,
        "TurfSender": Mode.ENFORCE,
        "TurfAuthor": Mode.ENFORCE,
        "UnreadableAuthor": Mode.TRIAL,
    }
    assert {c.action for c in build_policy(config(turf=HELD)).clauses[1:]} == {Action.HOLD}
