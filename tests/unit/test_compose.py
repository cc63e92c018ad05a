"""From a configuration to the rules of every listener, in their order."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path

import pytest

from rig.rules import Unasked
from turfmilter.compose import build_generation, build_quarantines, build_service
from turfmilter.config.loader import configure
from turfmilter.config.schema import Config
from turfmilter.core.address.readings import read_sender
from turfmilter.core.finding import CONTINUE, Action
from turfmilter.core.judge import Judge
from turfmilter.core.policy import Clause, Mode, Policy
from turfmilter.core.ports import Level
from turfmilter.core.reply import REPLIES, Reply
from turfmilter.core.report import Record
from turfmilter.core.rule import Stage
from turfmilter.core.session import Connection, Envelope, Recipient, Sender, Session
from turfmilter.daemon.reload import Loaded
from turfmilter.desk import SystemClock
from turfmilter.mta.callbacks import Service
from turfmilter.rules.limits import Limits, RecipientsPerMessage

EVERYTHING = """
[connect]
deny = ["203.0.113.0/24"]
[reverse_name]
check = "require"
remove_forged = true
[limits]
recipients_per_bounce = 1
message_size = "10 MiB"
session_size = "50 MiB"
messages_per_session = 20
[turf]
tables = ["@spam.example"]
directory = "/var/lib/turfmilter/quarantine"
[listener.submission]
port = 587
require_auth = true
require_tls = true
[listener.stamped]
port = 26
[listener.stamped.reverse_name]
check = "stamp"
"""


def config(text: str) -> Config:
    return configure({"domains": ["example.org"], **tomllib.loads(text)}, Path())


def general(text: str) -> Policy:
    return build_generation(config(text)).default


def names(policy: Policy) -> list[str]:
    return [clause.rule.name for clause in policy.clauses]


def clause(text: str, name: str) -> Clause:
    return next(clause for clause in general(text).clauses if clause.rule.name == name)


def came_in(port: int) -> Connection:
    return Connection(client=ip_address("192.0.2.1"), port=port)


def test_the_rules_decide_in_the_order_of_the_manual() -> None:
    policy = build_generation(config(EVERYTHING)).policy(came_in(587))
    assert [type(clause.rule).__name__ for clause in policy.clauses] == [
        "UnrefusableRecipient",
        "ConnectAtRcpt",
        "RequireName",
        "RequireTls",
        "RequireAuth",
        "Relay",
        "RecipientsPerMessage",
        "RecipientsPerBounce",
        "MessageSize",
        "SessionSize",
        "MessagesPerSession",
        "TurfSender",
        "TurfAuthor",
        "UnreadableAuthor",
        "TooManyResults",
        "RemoveForged",
    ]


def test_stamping_comes_before_removing_and_both_only_change() -> None:
    *_, stamp, too_many, remove = build_generation(config(EVERYTHING)).policy(came_in(26)).clauses
    kinds = [type(clause.rule).__name__ for clause in (stamp, too_many, remove)]
    assert kinds == ["StampName", "TooManyResults", "RemoveForged"]
    assert too_many.reply == REPLIES["remove_forged"]
    assert {(clause.action, clause.reply) for clause in (stamp, remove)} == {(Action.CHANGE, None)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["relay", "recipients_per_message"]),
        ("[limits]\nrecipients_per_message = 0", ["relay"]),
        ('[limits]\nmode = "off"\nmessage_size = 9', ["relay"]),
        ('[relay]\nmode = "off"', ["recipients_per_message"]),
        ('[connect]\nallow = ["192.0.2.1"]', ["connect", "relay", "recipients_per_message"]),
        ('[connect]\nmode = "off"\ndeny = ["192.0.2.1"]', ["relay", "recipients_per_message"]),
        ('[connect]\ndefault = "deny"\nallow = ["192.0.2.1"]', ["connect", "relay", "recipients_per_message"]),
        ('[reverse_name]\ncheck = "match-sender"', ["reverse_name", "relay", "recipients_per_message"]),
        ('[reverse_name]\ncheck = "stamp"', ["relay", "recipients_per_message", "reverse_name"]),
        ('[reverse_name]\nmode = "off"\ncheck = "stamp"\nremove_forged = true', ["relay", "recipients_per_message"]),
        ('[turf]\ndirectory = "/q"', ["relay", "recipients_per_message"]),
        (
            '[turf]\ntables = ["@a.example"]\nmatch = ["sender"]\ndiscard = true',
            ["relay", "recipients_per_message", "turf"],
        ),
        ("[[cap]]\nauthenticated = true\nmessage_size = 9", ["relay", "recipients_per_message", "message_size"]),
        ('mode = "off"\n[connect]\ndeny = ["192.0.2.1"]', []),
    ],
)
def test_rules_that_are_off_or_without_effect_are_left_out(text: str, expected: list[str]) -> None:
    refusing = [name for name in expected if name != "turf"]
    assert names(general(text)) == [*(["recipient"] if refusing else []), *expected]


@pytest.mark.parametrize(
    ("text", "name", "mode"),
    [
        ("", "recipient", Mode.ENFORCE),
        ('mode = "trial"', "recipient", Mode.TRIAL),
        ('[relay]\nmode = "trial"', "recipient", Mode.ENFORCE),  # there are limits
        ('[relay]\nmode = "trial"\n[limits]\nmode = "off"', "recipient", Mode.TRIAL),
        ("", "relay", Mode.ENFORCE),
        ('mode = "trial"', "relay", Mode.TRIAL),
        ('[relay]\nmode = "trial"', "relay", Mode.TRIAL),
        ('[limits]\nmode = "trial"', "recipients_per_message", Mode.TRIAL),
        ('[connect]\nmode = "trial"\ndeny = ["192.0.2.1"]', "connect", Mode.TRIAL),
        ('[reverse_name]\nmode = "trial"\ncheck = "require"', "reverse_name", Mode.TRIAL),
        ('[reverse_name]\nmode = "trial"\nremove_forged = true', "remove_forged", Mode.TRIAL),
        ('[turf]\ntables = ["@a.example"]\ndiscard = true', "unreadable_author", Mode.TRIAL),
    ],
)
def test_the_more_cautious_mode_counts(text: str, name: str, mode: Mode) -> None:
    assert clause(text, name).mode is mode


def test_what_a_listener_requires_has_the_mode_of_the_program() -> None:
    policy = build_generation(config(f'mode = "trial"\n{EVERYTHING}')).policy(came_in(587))
    assert {clause.mode for clause in policy.clauses} == {Mode.TRIAL}


@pytest.mark.parametrize(
    ("text", "name", "reply", "on_error"),
    [
        ('[connect]\ndeny = ["a.example"]', "connect", REPLIES["connect"], None),
        (
            '[connect]\ndefault = "deny"\nallow = ["a.example"]\nreply = "554 5.7.1 no"',
            "connect",
            Reply(554, "5.7.1", "no"),
            REPLIES["connect-unavailable"],
        ),
        (
            '[reverse_name]\ncheck = "require"',
            "reverse_name",
            REPLIES["reverse_name"],
            REPLIES["reverse_name-unavailable"],
        ),
        ('[reverse_name]\ncheck = "require"\non_error = "continue"', "reverse_name", REPLIES["reverse_name"], None),
        ('[relay]\nreply = "554 5.7.1 no"', "relay", Reply(554, "5.7.1", "no"), REPLIES["relay-unavailable"]),
        ("[limits]\nmessage_size = 9", "message_size", REPLIES["message_size"], None),
        ("", "recipients_per_message", REPLIES["recipients_per_message"], None),
        ('[turf]\ntables = ["@a.example"]\ndiscard = true', "turf", None, REPLIES["error"]),
        (
            '[turf]\ntables = ["@a.example"]\ndiscard = true\nanswer = "reject"',
            "turf",
            REPLIES["turf"],
            REPLIES["error"],
        ),
    ],
)
def test_every_rule_has_its_replies(text: str, name: str, reply: Reply | None, on_error: Reply | None) -> None:
    found = clause(text, name)
    assert (found.reply, found.on_error) == (reply, on_error)


@pytest.mark.parametrize(("reply_at", "stage"), [("rcpt", Stage.RCPT), ("connect", Stage.CONNECT)])
def test_connect_looks_where_it_is_to_answer(reply_at: str, stage: Stage) -> None:
    rule = clause(f'[connect]\ndeny = ["192.0.2.1"]\nreply_at = "{reply_at}"', "connect").rule
    assert rule.stages == {stage}


@pytest.mark.parametrize("reply_at", ["rcpt", "connect"])
def test_every_message_of_a_client_on_trial_is_noted_wherever_the_rule_looks(reply_at: str) -> None:
    text = f'[connect]\nmode = "trial"\ndeny = ["192.0.2.1"]\nreply_at = "{reply_at}"'
    judge = Judge(build_generation(config(text)), SystemClock())
    assert judge.connect(came_in(25)) is CONTINUE
    for _ in range(2):
        judge.mail("<a@example.net>", (), account="", tls=False)
        assert judge.rcpt(Recipient("<b@example.org>")) is CONTINUE
        assert [str(noted).split(" b@")[0] for noted in judge.trials] == ["connect reject 192.0.2.1 connect.deny[0]"]
        judge.abort()


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        ("", False),
        ('[connect]\ndeny = ["192.0.2.1"]', False),
        ('[connect]\ndeny = ["a.example"]', True),
        ('[relay]\nallow = ["a.example"]', True),
        ('[reverse_name]\ncheck = "stamp"', True),
        ("[reverse_name]\nremove_forged = true", False),
    ],
)
def test_names_are_looked_up_only_where_they_can_matter(text: str, needed: bool) -> None:
    assert general(text).needs_names is needed


def test_every_listener_has_its_own_policy_and_the_rest_the_general_one() -> None:
    generation = build_generation(config(EVERYTHING), 42)
    assert [generation.policy(came_in(port)).listener for port in (587, 26, 25)] == ["submission", "stamped", ""]
    assert (generation.number, generation.policy(came_in(25))) == (42, generation.default)
    assert "require_auth" not in names(generation.default)


QUARANTINES = """
[turf]
tables = ["@spam.example"]
directory = "/q/general"
[listener.office]
port = 26
[listener.office.turf]
directory = "/q/office"
[listener.home]
port = 27
[listener.careless]
port = 28
[listener.careless.turf]
directory = ""
discard = true
"""


def test_every_quarantine_in_use_is_made_once() -> None:
    assert list(build_quarantines(config(QUARANTINES))) == [Path("/q/general"), Path("/q/office")]
    assert build_quarantines(config("")) == {}


def test_a_listener_holds_in_its_own_quarantine() -> None:
    generation = build_generation(config(QUARANTINES))
    office, home, careless = (generation.policy(came_in(port)) for port in (26, 27, 28))
    assert home.quarantine is generation.default.quarantine
    assert office.quarantine not in (None, home.quarantine)
    assert careless.quarantine is None


CAPS = """
[limits]
recipients_per_message = 10
message_size = "1 MB"
[listener.office]
port = 26
[listener.office.limits]
message_size = "2 MB"
[[cap]]
listener = "office"
sender = ["@lists.example.org"]
recipients_per_message = 1000
[[cap]]
authenticated = ["newsletter"]
recipients_per_message = 5000
[[cap]]
client = ["192.0.2.128/25"]
message_size = 0
"""


@pytest.mark.parametrize(
    ("port", "client", "account", "sender", "recipients", "size"),
    [
        (25, "192.0.2.1", "", "<a@example.org>", 10, 1_000_000),
        (26, "192.0.2.1", "", "<a@example.org>", 10, 2_000_000),
        (25, "192.0.2.1", "newsletter", "<a@example.org>", 5000, 1_000_000),
        (26, "192.0.2.1", "newsletter@example.org", "<a@example.org>", 5000, 2_000_000),
        (26, "192.0.2.1", "newsletter", "<a@lists.example.org>", 1000, 2_000_000),
        (25, "192.0.2.1", "newsletter", "<a@lists.example.org>", 5000, 1_000_000),
        (25, "192.0.2.200", "alice", "<a@example.org>", 10, 0),
        (25, "192.0.2.200", "newsletter", "<a@example.org>", 5000, 1_000_000),
    ],
)
def test_a_cap_beats_the_listener_and_the_listener_the_general_limits(
    port: int, client: str, account: str, sender: str, recipients: int, size: int
) -> None:
    connection = Connection(client=ip_address(client), port=port)
    policy = build_generation(config(CAPS)).policy(connection)
    rule = next(clause.rule for clause in policy.clauses if isinstance(clause.rule, RecipientsPerMessage))
    envelope = Envelope(Sender(sender, (), read_sender(sender)))
    limits = rule.table.of(Session(connection, account=account, envelope=envelope))
    assert limits == Limits(recipients_per_message=recipients, message_size=size)


@pytest.mark.parametrize(
    ("recipient", "passes"),
    [
        ("<a@example.org>", True),
        ("<a@[192.0.2.25]>", True),
        ("<a@backup.example>", True),
        ("<a@[192.0.2.26]>", False),
        ("<a@example.net>", False),
    ],
)
def test_relay_knows_our_domains_and_those_in_always(recipient: str, passes: bool) -> None:
    text = 'domains = ["example.org", "192.0.2.25"]\n[relay]\nalways = ["backup.example"]'
    rule = clause(text, "relay").rule
    assert (rule.at_rcpt(Session(came_in(25)), Recipient(recipient, resolved=recipient.strip("<>"))) is None) is passes


class Heard:
    """A log that keeps its messages."""

    def __init__(self) -> None:
        self.said: list[tuple[Level, str]] = []

    def write(self, record: Record) -> None:
        raise AssertionError(record)

    def say(self, level: Level, text: str) -> None:
        self.said.append((level, text))


@contextmanager
def serving(text: str) -> Iterator[tuple[Service, Heard]]:
    log = Heard()
    parsed = config(text)
    service = build_service(Loaded(parsed, build_generation(parsed)), log)
    yield service, log
    service.executor.shutdown()


NAT = """
[relay]
allow = ["172.17.0.0/16", "!172.17.0.9", "gateway.example"]
[listener.inside]
port = 26
[listener.inside.relay]
allow = ["10.0.0.1"]
"""


@pytest.mark.parametrize(
    ("client", "port", "local", "alarmed"),
    [
        ("172.17.0.1", 25, False, True),
        ("172.17.0.1", 26, False, False),
        ("172.17.0.1", 25, True, False),
        ("172.17.0.9", 25, False, False),
        ("10.0.0.1", 26, False, True),
        ("10.0.0.1", 25, False, False),
        ("127.0.0.1", 25, False, False),
    ],
)
def test_a_trusted_client_that_most_connections_come_from_is_warned_about_once(
    client: str, port: int, local: bool, alarmed: bool
) -> None:
    connection = Connection(client=ip_address(client), names=Unasked(), port=port, local=local)
    with serving(NAT) as (service, log):
        for _ in range(500):
            service.watch(connection)
    assert [(level, text.split()[0]) for level, text in log.said] == ([("warning", client)] if alarmed else [])


def test_what_this_host_gives_to_itself_does_not_hide_a_client_that_most_connections_come_from() -> None:
    itself, address = ip_address("127.0.0.1"), ip_address("192.0.2.25")
    connections = [
        Connection(client=ip_address("172.17.0.1"), names=Unasked()),
        Connection(client=itself, names=Unasked()),
        Connection(client=address, local_address=address, names=Unasked()),
    ]
    with serving(NAT) as (service, log):
        for connection in connections * 200:
            service.watch(connection)
    assert [text.split()[0] for _, text in log.said] == ["172.17.0.1"]


def test_a_connection_without_an_address_is_not_counted() -> None:
    with serving(NAT) as (service, log):
        for _ in range(500):
            service.watch(Connection())
    assert log.said == []


def test_all_connections_of_a_process_share_one_generation() -> None:
    with serving('[dns]\nnameservers = ["127.0.0.1:5353"]') as (service, _):
        assert service.generation() is service.generation()


def test_the_clock_is_utc() -> None:
    clock = SystemClock()
    assert str(clock.now().tzinfo) == "UTC"
    assert clock.today() <= clock.now().date()
