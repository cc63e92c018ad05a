"""A valid configuration: defaults, every key, files, and warnings."""

from __future__ import annotations

import grp
import pwd
import tomllib
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from datetime import date, timedelta
from ipaddress import ip_address
from operator import attrgetter
from pathlib import Path

import pytest

from rig.golden import Golden, report
from turfmilter.config.given import Notes, written
from turfmilter.config.hints import PARAMETERS, SYNONYMS
from turfmilter.config.kinds.words import Default, OnError
from turfmilter.config.loader import ConfigError, every_turf_file, load, turf_files
from turfmilter.config.schema import Config, LogFormat, LogTo, ProtocolEngine
from turfmilter.config.sections.connect import OnNameError, ReplyAt
from turfmilter.config.sections.relay import RelayConfig
from turfmilter.config.sections.reverse_name import NameCheck
from turfmilter.config.sections.turf import Answer, Origin
from turfmilter.config.setting import UnreadError, header, keys, sections
from turfmilter.config.socketspec import SocketSpec
from turfmilter.config.walker import Walker
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.clients import ClientTable
from turfmilter.core.policy import Mode
from turfmilter.core.reply import REPLIES, Reply
from turfmilter.core.session import ClientNames, Connection, Known
from turfmilter.core.table.hosts import HostTable
from turfmilter.core.table.senders import SenderTable
from turfmilter.rules.limits import Limits

DAY = date(2027, 1, 31)
USER = next(user.pw_name for user in pwd.getpwall() if user.pw_uid)
GROUP = grp.getgrall()[-1].gr_name


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], Config]:
    """Loads the text as /…/turfmilter.toml; `domains` is added unless the text sets it."""

    def load_text(text: str) -> Config:
        path = tmp_path / "turfmilter.toml"
        given = "" if "domains" in text else 'domains = ["example.org"]\n'
        path.write_text(given + text, encoding="utf-8")
        return load(path)

    return load_text


def decides(table: HostTable | ClientTable | SenderTable, text: str) -> str | None:
    """The text of the entry that decides about an address, a name or a mail address."""
    if isinstance(table, SenderTable):
        local, _, domain = text.rpartition("@")
        entry = table.match(Mailbox(local, domain), DAY)
    elif isinstance(table, ClientTable):
        entry = table.find(client(text), DAY).entry
    elif text[-1].isdigit():
        entry = table.match_address(ip_address(text), DAY)
    else:
        entry = table.match_name(text, DAY)
    return entry.text if entry else None


def client(text: str) -> Connection:
    """A client with this address, or with this confirmed name."""
    if text[-1].isdigit():
        return Connection(client=ip_address(text))
    return Connection(client=ip_address("203.0.113.77"), names=Known(ClientNames((text,), (text,))))


def in_section(path: str, value: object) -> str:
    section, _, key = path.rpartition(".")
    return f"{header(section).replace('NAME', 'office') if section else ''}\n{key} = {written(value)}\n"


def arrived(path: str, config: Config) -> object:
    """The value of the key in the first cap, the listener "office", or the general configuration."""
    section, _, key = path.rpartition(".")
    if section == "cap[N]":
        return getattr(config.cap[0], key)
    return getattr(config.listener["office"], key) if section == "listener.NAME" else attrgetter(path)(config)


def test_the_defaults_are_those_of_an_empty_file(configured: Callable[[str], Config]) -> None:
    config = configured("")
    assert config.socket == SocketSpec("unix", path="/run/turfmilter/turfmilter.sock")
    assert (config.socket_mode, config.socket_group, config.user, config.mode) == (0o660, "", "", Mode.ENFORCE)
    assert (config.authserv_id, config.dns.timeout, config.dns.nameservers) == ("", 4.0, ())
    assert (config.log.to, config.log.format) == (LogTo.SYSLOG, LogFormat.TEXT)
    assert (config.cap, config.listener, config.warnings) == ((), {}, ())


def test_by_default_every_client_may_connect(configured: Callable[[str], Config]) -> None:
    connect = configured("").connect
    assert (connect.mode, connect.on_error, connect.reply) == (Mode.ENFORCE, OnNameError.AUTO, REPLIES["connect"])
    assert (connect.default, connect.allow, connect.deny, len(connect.clients)) == (Default.ALLOW, (), (), 0)
    assert (connect.reply_at, connect.spare_authenticated) == (ReplyAt.RCPT, True)


def test_the_default_of_reverse_name_is_off(configured: Callable[[str], Config]) -> None:
    reverse = configured("").reverse_name
    assert (reverse.mode, reverse.on_error, reverse.reply) == (Mode.ENFORCE, OnError.TEMPFAIL, REPLIES["reverse_name"])
    assert (reverse.check, reverse.remove_forged) == (NameCheck.OFF, False)


def test_the_default_limits_are_those_of_the_rules(configured: Callable[[str], Config]) -> None:
    limits = configured("").limits
    assert (limits.mode, limits.numbers) == (Mode.ENFORCE, Limits())
    assert limits.numbers == Limits(100, 0, 0, 0, 0)


def test_the_default_of_relay_lets_this_host_and_authenticated_clients(configured: Callable[[str], Config]) -> None:
    relay = configured("").relay
    assert (relay.mode, relay.on_error, relay.reply) == (Mode.ENFORCE, OnError.TEMPFAIL, REPLIES["relay"])
    assert (relay.default, relay.routing, relay.authenticated, relay.authenticated_needs_tls) == (
        Default.DENY,
        True,
        True,
        False,
    )
    assert (len(relay.deny), len(relay.interfaces), len(relay.always)) == (0, 0, 0)
    assert decides(relay.allow, "127.0.0.1") == "127.0.0.0/8"
    assert decides(relay.allow, "::1") == "::1"
    assert decides(relay.allow, "192.0.2.1") is None


def test_the_default_of_turf_has_no_table(configured: Callable[[str], Config]) -> None:
    turf = configured("").turf
    assert (turf.mode, turf.reply, turf.answer) == (Mode.ENFORCE, REPLIES["turf"], Answer.ACCEPT)
    assert (len(turf.tables), turf.directory, turf.discard, turf.spare_authenticated) == (0, None, False, True)
    assert turf.match == (Origin.SENDER, Origin.AUTHOR)
    assert turf.unreadable_author is Mode.TRIAL
    assert decides(turf.exempt, "postmaster@example.org") == "postmaster@"
    assert decides(turf.exempt, "abuse@example.org") == "abuse@"


VALUES: dict[str, tuple[object, object]] = {
    "socket": ("inet:8895@127.0.0.1", SocketSpec("inet", host="127.0.0.1", port=8895)),
    "socket_mode": ("0600", 0o600),
    "socket_group": (GROUP, GROUP),
    "user": (USER, USER),
    "protocol_engine": ("loop", ProtocolEngine.LOOP),
    "workers": (3, 3),
    "worker_sessions": (5000, 5000),
    "worker_memory": ("64 MiB", 64 << 20),
    "status": ("/srv/status.json", Path("/srv/status.json")),
    "metrics": ("/srv/turfmilter.prom", Path("/srv/turfmilter.prom")),
    "state": ("/srv/turfmilter", Path("/srv/turfmilter")),
    "mode": ("trial", Mode.TRIAL),
    "authserv_id": ("mx.example.org", "mx.example.org"),
    "events.command": (["/bin/event", "-x"], ("/bin/event", "-x")),
    "events.timeout": (2.5, 2.5),
    "dns.timeout": (5, 5.0),
    "dns.nameservers": (
        ["192.0.2.53", "127.0.0.1:5353", "[::1]:5353", "2001:db8::53"],
        (("192.0.2.53", 53), ("127.0.0.1", 5353), ("::1", 5353), ("2001:db8::53", 53)),
    ),
    "log.to": ("stderr", LogTo.STDERR),
    "log.format": ("json", LogFormat.JSON),
    "connect.mode": ("off", Mode.OFF),
    "connect.on_error": ("tempfail", OnNameError.TEMPFAIL),
    "connect.reply": ("450 4.7.1 not yet", Reply(450, "4.7.1", "not yet")),
    "connect.default": ("deny", Default.DENY),
    "connect.reply_at": ("connect", ReplyAt.CONNECT),
    "connect.spare_authenticated": (False, False),
    "reverse_name.mode": ("trial", Mode.TRIAL),
    "reverse_name.on_error": ("continue", OnError.CONTINUE),
    "reverse_name.reply": ("554 5.7.25 no name", Reply(554, "5.7.25", "no name")),
    "reverse_name.check": ("match-sender", NameCheck.MATCH_SENDER),
    "reverse_name.remove_forged": (True, True),
    "relay.mode": ("trial", Mode.TRIAL),
    "relay.on_error": ("tempfail", OnError.TEMPFAIL),
    "relay.reply": ("450 4.7.1 not yet", Reply(450, "4.7.1", "not yet")),
    "relay.default": ("allow", Default.ALLOW),
    "relay.routing": (False, False),
    "relay.authenticated": (["Alice", "bob@Example.ORG"], {"alice", "bob@example.org"}),
    "relay.authenticated_needs_tls": (True, True),
    "limits.mode": ("trial", Mode.TRIAL),
    "limits.recipients_per_message": (0, 0),
    "limits.recipients_per_bounce": (1, 1),
    "limits.message_size": ("10 MiB", 10 << 20),
    "limits.session_size": (4000, 4000),
    "limits.messages_per_session": (20, 20),
    "cap[N].authenticated": (["News"], {"news"}),
    "cap[N].listener": ("office", ("office",)),
    "cap[N].recipients_per_message": (5000, 5000),
    "cap[N].recipients_per_bounce": (2, 2),
    "cap[N].message_size": ("5 MB", 5_000_000),
    "cap[N].session_size": (3000, 3000),
    "cap[N].messages_per_session": (0, 0),
    "turf.mode": ("off", Mode.OFF),
    "turf.reply": ("554 5.7.1 refused", Reply(554, "5.7.1", "refused")),
    "turf.match": (["author"], (Origin.AUTHOR,)),
    "turf.directory": ("/var/lib/turfmilter/quarantine", Path("/var/lib/turfmilter/quarantine")),
    "turf.discard": (True, True),
    "turf.answer": ("reject", Answer.REJECT),
    "turf.spare_authenticated": (False, False),
    "turf.spare_local": (True, True),
    "turf.may_shrink": (True, True),
    "turf.unreadable_author": ("enforce", Mode.ENFORCE),
    "quarantine.keep": ("12w", timedelta(weeks=12)),
    "quarantine.keep_reviewed": ("36h", timedelta(hours=36)),
    "quarantine.floor": ("2.5%", 0.025),
    "quarantine.max_size": ("20 GiB", 20 << 30),
    "journal.directory": ("/srv/journal", Path("/srv/journal")),
    "journal.keep": ("90d", timedelta(days=90)),
    "journal.max_size": ("10 GiB", 10 << 30),
    "release.host": ("mx.example.org", "mx.example.org"),
    "release.port": (10025, 10025),
    "release.helo": ("mx.example.org", "mx.example.org"),
    "release.xclient": (False, False),
    "listener.NAME.port": ([465, 587, 465], (465, 587)),
    "listener.NAME.address": (
        ["192.0.2.25", "::ffff:192.0.2.26"],
        (ip_address("192.0.2.25"), ip_address("192.0.2.26")),
    ),
    "listener.NAME.daemon": ("MSA", ("MSA",)),
    "listener.NAME.require_auth": (True, True),
    "listener.NAME.require_tls": (True, True),
}

# A table: what is written, what is looked up, and the entry that decides.
TABLES: dict[str, tuple[list[str], str, str]] = {
    "domains": (["example.org", "!office.example.org"], "mx.example.org", "example.org"),
    "connect.allow": (["192.0.2.0/24", "192.0.2.1"], "192.0.2.1", "192.0.2.1"),
    "connect.deny": (["dialup.example", "!mx.dialup.example"], "mx.dialup.example", "!mx.dialup.example"),
    "relay.deny": (["192.0.2.0/24", "192.0.2.1", "!192.0.2.1"], "192.0.2.1", "192.0.2.1"),
    "relay.allow": (["192.0.2.0/24", "192.0.2.1", "!192.0.2.1"], "192.0.2.1", "!192.0.2.1"),
    "relay.interfaces": (["192.0.2.25"], "192.0.2.25", "192.0.2.25"),
    "relay.always": (["=customer.example"], "customer.example", "=customer.example"),
    "turf.tables": (["@spam.example", "!friend@spam.example"], "friend@spam.example", "!friend@spam.example"),
    "cap[N].client": (["192.0.2.0/24"], "192.0.2.1", "192.0.2.0/24"),
    "cap[N].sender": (["<>", "@lists.example.org"], "x@lists.example.org", "@lists.example.org"),
    "turf.spare_clients": (["192.0.2.0/24", "!192.0.2.1"], "192.0.2.1", "!192.0.2.1"),
    "turf.exempt": (["security@example.org"], "security@example.org", "security@example.org"),
}


# Other keys that a key requires.
BESIDE = {
    "connect.default": 'allow = ["192.0.2.1"]',
    "limits.session_size": "message_size = 4000",
    "cap[N].session_size": "message_size = 3000\nauthenticated = true",
    "cap[N].listener": "recipients_per_message = 5000\n[listener.office]\nport = 26",
    "turf.tables": "discard = true",
    "listener.NAME.require_auth": "port = 26",
    "listener.NAME.require_tls": "port = 26",
    **dict.fromkeys(("cap[N].authenticated", "cap[N].client", "cap[N].sender"), "recipients_per_message = 5000"),
    **dict.fromkeys(
        (f"cap[N].{field.name}" for field in fields(Limits) if field.name != "session_size"), "authenticated = true"
    ),
}


@pytest.mark.parametrize("path", VALUES)
def test_every_value_arrives(path: str, configured: Callable[[str], Config]) -> None:
    value, expected = VALUES[path]
    config = configured(in_section(path, value) + BESIDE.get(path, ""))
    assert arrived(path, config) == expected
    assert path.replace("[N]", "[0]").replace("NAME", "office") in config.written


@pytest.mark.parametrize("path", TABLES)
def test_every_table_arrives(path: str, configured: Callable[[str], Config]) -> None:
    entries, text, entry = TABLES[path]
    config = configured(in_section(path, entries) + BESIDE.get(path, ""))
    table = config.connect.clients if path.startswith("connect.") else arrived(path, config)
    assert isinstance(table, HostTable | ClientTable | SenderTable)
    assert decides(table, text) == entry


def test_no_key_is_left_out_of_these_tables() -> None:
    assert {path for path, _ in keys(Config)} == VALUES.keys() | TABLES.keys()


@pytest.mark.parametrize("path", [path for path, _ in keys(Config)])
def test_the_example_of_every_key_is_valid(path: str, tmp_path: Path) -> None:
    for name in ("domains", "relay_domains", "clients.deny", "relay.deny", "turf.table"):
        (tmp_path / name).write_text("")
    this = dict(keys(Config))[path]
    example = {"user": USER, "socket_group": GROUP}.get(path, this.example)
    notes = Notes(tmp_path)
    Walker(Config, notes).read(Config(), tomllib.loads(in_section(path, example)))
    assert notes.problems == []


@pytest.mark.parametrize("name", [name for name, section in sections(Config).items() if section.example])
def test_the_example_of_a_section_loads_without_a_warning(name: str, configured: Callable[[str], Config]) -> None:
    config = configured(sections(Config)[name].example)
    assert (config.warnings, getattr(config, name) == getattr(Config(), name)) == ((), False)


@pytest.mark.parametrize(("value", "expected"), [(True, True), (False, False), ([], frozenset())])
def test_authenticated_is_true_false_or_a_list(
    value: object, expected: object, configured: Callable[[str], Config]
) -> None:
    assert configured(in_section("relay.authenticated", value)).relay.authenticated == expected


def test_dotted_keys_are_the_same_as_sections(configured: Callable[[str], Config]) -> None:
    assert configured('log.to = "stderr"').log.to is LogTo.STDERR


def test_an_entry_knows_its_place(configured: Callable[[str], Config], tmp_path: Path) -> None:
    (tmp_path / "clients.deny").write_text("# our\x0cown\u2028\n\n192.0.2.7  # printer\n", encoding="utf-8")
    deny = configured('[relay]\ndeny = ["192.0.2.1", "file:clients.deny"]').relay.deny
    places = {ip: str(deny.find(client(ip), DAY).entry) for ip in ("192.0.2.1", "192.0.2.7")}
    assert places == {"192.0.2.1": "192.0.2.1 relay.deny[0]", "192.0.2.7": "192.0.2.7 clients.deny:3"}


def test_an_ipv6_address_is_not_taken_for_a_source(configured: Callable[[str], Config]) -> None:
    allow = configured('[relay]\nallow = ["fe80::1", "!dead:beef::/32", "2001:db8::1-2001:db8::5"]').relay.allow
    assert decides(allow, "2001:db8::3") == "2001:db8::1-2001:db8::5"
    assert decides(allow, "dead:beef::1") == "!dead:beef::/32"


def test_the_files_in_use_are_named_once_and_the_configuration_first(
    configured: Callable[[str], Config], tmp_path: Path
) -> None:
    (tmp_path / "ours").write_text("example.org\r\nexample.net\r\n")
    (tmp_path / "turf.table").write_bytes(b"\xef\xbb\xbf@spam.example\n")
    absolute = written(f"file:{tmp_path}/turf.table")
    config = configured(
        f'domains = ["file:ours"]\n[relay]\nalways = ["file:ours"]\n[turf]\ndiscard = true\ntables = [{absolute}]'
    )
    assert config.files == (tmp_path / "turfmilter.toml", tmp_path / "ours", tmp_path / "turf.table")
    assert decides(config.domains, "example.net") == "example.net"
    assert decides(config.turf.tables, "x@spam.example") == "@spam.example"


def test_relative_files_begin_at_the_configuration_wherever_it_was_called_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ours").write_text("example.org\n")
    (tmp_path / "turfmilter.toml").write_text('domains = ["file:ours"]\n')
    monkeypatch.chdir(tmp_path.parent)
    config = load(Path(tmp_path.name) / "turfmilter.toml")
    assert config.files == (tmp_path / "turfmilter.toml", tmp_path / "ours")


def test_the_turf_files_of_a_listener_are_its_own_or_the_general_ones(
    tmp_path: Path, configured: Callable[[str], Config]
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("@spam.example\n" if name == "a" else "")
    (tmp_path / "main").write_text("spam.example x\n")
    config = configured(
        '[turf]\ntables = ["@x.example", "file:a", "postfix:main", "FILE: b"]\ndiscard = true\n'
        "[listener.general]\nport = 1\n"
        f'[listener.own]\nport = 2\nturf.tables = ["file:{tmp_path}/c", "file:a"]\n'
        "[listener.none]\nport = 3\nturf.tables = []\n"
    )
    named = {name: [file.name for file in turf_files(config, name)] for name in ("", "general", "own", "none")}
    assert named == {"": ["a", "b"], "general": ["a", "b"], "own": ["c", "a"], "none": []}
    assert every_turf_file(config) == (tmp_path / "a", tmp_path / "b", tmp_path / "c")


SIZES = {
    0: 0,
    512: 512,
    "512 KiB": 512 * 1024,
    "512KiB": 512 * 1024,
    "10 MiB": 10 * 1024**2,
    "2 GiB": 2 * 1024**3,
    "512 KB": 512_000,
    "10 mb": 10_000_000,
    "1 GB": 1_000_000_000,
    "0 MiB": 0,
}


@pytest.mark.parametrize("size", SIZES)
def test_a_size_is_bytes_or_has_a_unit(size: object, configured: Callable[[str], Config]) -> None:
    assert configured(in_section("limits.message_size", size)).limits.message_size == SIZES[size]


@pytest.mark.parametrize(
    ("text", "opens"),
    [
        ('default = "allow"', True),
        ('default = "allow"\non_error = "tempfail"', False),
        ('default = "allow"\non_error = "continue"', True),
        ('default = "deny"\nallow = ["192.0.2.1"]', False),
        ('default = "deny"\nallow = ["192.0.2.1"]\non_error = "tempfail"', False),
    ],
)
def test_what_dns_does_not_tell_opens_only_where_all_are_allowed(
    text: str, opens: bool, configured: Callable[[str], Config]
) -> None:
    assert configured(f"[connect]\n{text}").connect.may_open is opens


# Who may connect if both lists have entries: the client, whether it is refused, and the entry with its place.
BOTH_LISTS = [
    ("192.0.2.1", False, "192.0.2.1 connect.allow[1]"),
    ("192.0.2.2", True, "192.0.2.0/24 connect.deny[0]"),
    ("198.51.100.1", False, "198.51.100.0/24 connect.allow[0]"),
    ("198.51.100.200", True, "198.51.100.128-198.51.100.255 connect.deny[2]"),
    ("203.0.113.1", True, "203.0.113.0/24 connect.deny[1]"),
    ("203.0.113.2", False, "!203.0.113.2 connect.deny[3]"),
    ("192.0.2.9", True, "!192.0.2.9 connect.allow[3]"),
]


@pytest.mark.parametrize(("address", "refused", "entry"), BOTH_LISTS)
def test_the_most_specific_entry_decides_across_both_lists_and_on_a_tie_deny(
    address: str, refused: bool, entry: str, configured: Callable[[str], Config]
) -> None:
    found = configured(
        """
        [connect]
        allow = ["198.51.100.0/24", "192.0.2.1", "203.0.113.0/24", "!192.0.2.9"]
        deny = ["192.0.2.0/24", "203.0.113.0/24", "198.51.100.128-198.51.100.255", "!203.0.113.2"]
        """
    ).connect.clients.find(client(address), DAY)
    assert found.entry
    assert (found.entry.exception, str(found.entry)) == (refused, entry)


def test_a_section_can_override_another_key_by_key(tmp_path: Path) -> None:
    general = replace(RelayConfig(), routing=False, reply=Reply(554, "5.7.1", "no"))
    notes = Notes(tmp_path)
    special = Walker(Config, notes).read(general, {"routing": True, "mode": "trial"}, "listener.office.relay.")
    assert (special.routing, special.mode, special.reply) == (True, Mode.TRIAL, general.reply)
    assert notes.written == {"listener.office.relay.routing", "listener.office.relay.mode"}


LISTENERS = """
[listener.office]
port = 26

[listener.office.connect]
deny = ["!192.0.2.7"]
reply = "554 5.7.1 not here"

[listener.office.relay]
mode = "trial"

[listener.office.limits]
message_size = "20 MiB"

[listener.office.turf]
directory = "/var/lib/turfmilter/office"

[listener.home]
port = 27
require_auth = true

[connect]
allow = ["192.0.2.7"]
deny = ["192.0.2.0/24"]
reply_at = "connect"

[relay]
routing = false
mode = "off"

[limits]
message_size = "10 MiB"
messages_per_session = 7

[turf]
tables = ["@spam.example"]
directory = "/var/lib/turfmilter/quarantine"

[reverse_name]
check = "stamp"
"""


def test_a_listener_overrides_key_by_key_wherever_its_section_is(configured: Callable[[str], Config]) -> None:
    config = configured(LISTENERS)
    office = config.at("office")
    assert (office.connect.reply, office.connect.reply_at) == (Reply(554, "5.7.1", "not here"), ReplyAt.CONNECT)
    assert (office.relay.mode, office.relay.routing) == (Mode.TRIAL, False)
    assert office.limits.numbers == Limits(message_size=20 << 20, messages_per_session=7)
    assert (office.turf.directory, office.turf.tables) == (Path("/var/lib/turfmilter/office"), config.turf.tables)
    assert (office.reverse_name, office.domains) == (config.reverse_name, config.domains)
    assert (office.here.port, office.here.require_auth) == ((26,), False)


def test_what_a_listener_does_not_override_is_the_general_section(configured: Callable[[str], Config]) -> None:
    config = configured(LISTENERS)
    home = config.at("home")
    assert home.here.require_auth
    for name in ("connect", "reverse_name", "relay", "limits", "turf"):
        assert getattr(home, name) is getattr(config, name)


def test_a_listener_with_one_list_uses_the_general_other_list(configured: Callable[[str], Config]) -> None:
    office = configured(LISTENERS).at("office").connect
    assert str(office.clients.find(client("192.0.2.7"), DAY).entry) == "192.0.2.7 connect.allow[0]"
    assert office.clients.find(client("192.0.2.8"), DAY).entry is None


def test_a_cap_names_some_limits_and_leaves_the_others(configured: Callable[[str], Config]) -> None:
    config = configured(
        "[limits]\nmessage_size = 9\nmessages_per_session = 7\n"
        "[[cap]]\nauthenticated = true\nmessage_size = 0\nrecipients_per_bounce = 3"
    )
    (cap,) = config.cap
    assert cap.over(config.limits).numbers == replace(config.limits.numbers, message_size=0, recipients_per_bounce=3)
    assert (cap.authenticated, cap.client, cap.sender, cap.listener) == (True, None, None, None)


def test_every_limit_reaches_the_rules_from_its_section_and_from_a_cap(configured: Callable[[str], Config]) -> None:
    general, capped = Limits(1, 2, 3, 4, 5), Limits(10, 20, 30, 40, 50)
    in_section, in_cap = (
        "\n".join(f"{name} = {number}" for name, number in asdict(limits).items()) for limits in (general, capped)
    )
    config = configured(f"[limits]\n{in_section}\n[[cap]]\nauthenticated = true\n{in_cap}")
    assert config.limits.numbers == general
    assert config.cap[0].over(config.limits).numbers == capped


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Config().mode = Mode.OFF  # type: ignore[misc]
    assert {f.name for f in fields(Config)} >= {"warnings", "files"}


LISTED = '[turf]\ndiscard = true\ntables = ["@spam.example"]\n'
DOUBTFUL = [
    'mode = "off"',
    'socket = "inet:8895@0.0.0.0"',
    'socket = "inet:8895"',
    'socket_mode = "0666"',
    'socket = "fd:3"\nsocket_mode = "0600"',
    'socket = "fd:3"\nsocket_group = "GROUP"',
    '[relay]\ndefault = "allow"',
    '[relay]\nallow = ["0.0.0.0/0"]',
    '[relay]\nallow = ["10.0.0.0/8", "2000::/3"]',
    '[relay]\nallow = ["8.0.0.0/7"]',
    '[relay]\ninterfaces = ["0.0.0.0-255.255.255.255"]',
    '[relay]\nrouting = false\nalways = ["customer.example"]',
    '[connect]\nreply_at = "connect"\nspare_authenticated = true',
    '[connect]\nallow = ["192.0.2.1"]\ndeny = ["192.0.2.1"]',
    '[connect]\ndeny = ["192.0.2.0/24", "192.0.2.1"]',
    '[connect]\nallow = ["!192.0.2.1"]\ndeny = ["192.0.2.1"]\n[listener.office]\nport = 26',
    '[listener.office]\nport = 26\n[listener.office.relay]\ndefault = "allow"',
    '[connect]\nreply_at = "connect"\n[listener.office]\nport = 26\n[listener.office.connect]\n'
    "spare_authenticated = true",
    '[connect]\ndeny = ["192.0.2.1"]\n[listener.office]\nport = 26\n[listener.office.connect]\n'
    'deny = ["192.0.2.1", "192.0.2.1"]',
    '[turf]\nreply = "554 5.7.1 refused"',
    '[relay]\nauthenticated = ["alice", "@corp"]',
    '[relay]\nauthenticated = ["*@staff"]',
    '[relay]\nauthenticated = ["news*"]',
    '[relay]\nauthenticated = ["*"]',
    '[relay]\nreply = "550 5.7.1 $client_address may not relay"',
    '[connect]\nreply = "550 5.7.1 see https://example.org/?$&{client_addr}"',
    '[relay]\nauthenticated = ["alice@"]',
    '[relay]\nauthenticated = ["!alice"]',
    '[relay]\nauthenticated = ["file:accounts"]',
    '[[cap]]\nauthenticated = ["@corp"]\nmessage_size = 9',
    "[turf]\nspare_local = true",
    '[turf]\nspare_clients = ["192.0.2.1"]\n[listener.a]\nport = 26',
    f'{LISTED}spare_clients = ["0.0.0.0/0"]',
    f"{LISTED}[listener.a]\nport = 26\n[listener.a.turf]\nspare_local = true",
    f'{LISTED}[listener.a]\naddress = "192.0.2.25"\n[listener.a.turf]\nspare_local = true',
    f'{LISTED}[listener.a]\nport = 587\nrequire_auth = true\n[listener.a.turf]\nspare_clients = ["192.0.2.1"]',
    '[relay]\nalways = ["com"]',
]


def test_a_doubtful_configuration_is_loaded_with_a_warning(golden: Golden, configured: Callable[[str], Config]) -> None:
    golden("config", report(DOUBTFUL, lambda text: configured(text.replace("GROUP", GROUP)).warnings))


@pytest.mark.parametrize(
    "text",
    [
        'socket = "inet:8895@127.0.0.1"',
        'socket = "inet6:8895@::1"',
        'socket = "inet:8895@localhost"',
        'socket = "fd:3"',
        '[relay]\nallow = ["10.0.0.0/8", "fc00::/7", "!0.0.0.0/0"]',
        "[relay]\nrouting = false",
        '[connect]\nreply_at = "connect"',
        '[connect]\nreply_at = "connect"\nspare_authenticated = false',
        '[listener.sub]\nport = 587\nrequire_auth = true\n[listener.sub.relay]\ndefault = "allow"',
        '[turf]\nanswer = "reject"\nreply = "554 5.7.1 refused"',
        f'{LISTED}spare_local = true\nspare_clients = ["192.0.2.0/24", "!192.0.2.1", "scanner.example.org"]',
        f'{LISTED}spare_local = true\n[listener.a]\nport = 587\n[listener.a.turf]\nspare_clients = ["192.0.2.1"]',
        f'{LISTED}[listener.a]\ndaemon = "mx"\n[listener.a.turf]\nspare_local = true',
        f"{LISTED}spare_local = true\n[listener.a]\nport = 587\n[listener.a.turf]\ntables = []",
        "[turf]\nspare_local = true\ndiscard = true\n[listener.a]\nport = 25\n"
        '[listener.a.turf]\ntables = ["@spam.example"]',
        f'{LISTED}spare_clients = ["192.0.2.1"]\n[listener.a]\nport = 587\nrequire_auth = true',
        f"{LISTED}[listener.a]\nport = 587\nrequire_auth = true\n[listener.a.turf]\nspare_authenticated = false\n"
        'spare_clients = ["192.0.2.1"]',
    ],
)
def test_a_sound_configuration_is_not_warned_about(text: str, configured: Callable[[str], Config]) -> None:
    assert configured(text).warnings == ()


def test_a_warning_of_a_table_names_file_and_line(configured: Callable[[str], Config], tmp_path: Path) -> None:
    (tmp_path / "turf.table").write_text("@spam.example\n#@ads.example\n")
    config = configured('[turf]\ndiscard = true\ntables = ["file:turf.table"]')
    assert [warning.partition(": ")[0] for warning in config.warnings] == ["turf.table:2"]


def test_a_name_that_is_also_a_file_is_warned_about(
    golden: Golden, configured: Callable[[str], Config], tmp_path: Path
) -> None:
    (tmp_path / "relay.deny").write_text("192.0.2.1\n")
    golden("config", "\n".join(configured('[relay]\ndeny = ["relay.deny"]').warnings))


def test_a_name_that_looks_like_that_of_a_file_is_warned_about(
    golden: Golden, configured: Callable[[str], Config]
) -> None:
    golden("config", "\n".join(configured('[connect]\ndeny = ["clients.deny", "office.example"]').warnings))


def test_hints_name_keys_and_words_that_exist() -> None:
    known = dict(keys(Config))
    assert known.keys() >= PARAMETERS.keys()
    assert not {name.replace("_", "") for name in known} & {
        word for words in PARAMETERS.values() for word in words.split()
    }
    choices = " ".join(this.kind.words for this in known.values() if this.kind.closed)
    assert all(f'"{word}"' in choices for word in SYNONYMS if word not in ("sender", "author", "originator"))
    assert {origin.value for origin in Origin} <= SYNONYMS.keys()


@pytest.mark.parametrize(
    "text",
    [
        'domains = []\n[relay]\nmode = "off"',
        '[turf]\nmode = "off"\ntables = ["@spam.example"]\nmatch = []',
        '[turf]\ntables = ["@spam.example"]\ndiscard = true',
        "[relay]\nauthenticated_needs_tls = true",
        '[connect]\nmode = "off"\ndefault = "deny"',
        '[connect]\non_error = "continue"\ndeny = ["dialup.example"]',
        '[reverse_name]\ncheck = "match-sender"\non_error = "continue"',
        '[limits]\nmode = "off"\nsession_size = 5',
        "[limits]\nmessage_size = 5\nsession_size = 5",
        "[listener.a]\nport = 25\n[listener.b]\nport = 26",
        '[listener.a]\nport = 25\n[listener.b]\nport = 25\naddress = "192.0.2.25"',
        '[listener.a]\nport = 25\ndaemon = "MTA"\n[listener.b]\nport = [25, 26]\ndaemon = ["MSA", "MTB"]',
        '[listener.a]\nport = 25\ndaemon = "A"\n[listener.b]\naddress = "192.0.2.25"\ndaemon = "B"',
        '[limits]\nmessage_size = 9\n[[cap]]\nlistener = "a"\nsession_size = 5\n'
        "[listener.a]\nport = 25\n[listener.a.limits]\nmessage_size = 4",
    ],
)
def test_what_is_off_or_intended_is_not_a_contradiction(text: str, configured: Callable[[str], Config]) -> None:
    configured(text)


def test_a_key_with_a_wrong_value_causes_only_one_message(configured: Callable[[str], Config]) -> None:
    with pytest.raises(ConfigError) as caught:
        configured('domains = ["example.org/24"]\n[turf]\ntables = ["@spam.example"]\ndirectory = "spool"')
    assert [said.partition(":")[0] for said in caught.value.problems] == ["domains[0]", "turf.directory"]


CONNECT = '[connect]\nallow = ["file:clients"]\ndeny = ["203.0.113.0/24", "file:denied"]\n'


@pytest.mark.parametrize(
    ("override", "shared"),
    [
        ("", True),
        ('[listener.a.connect]\nmode = "trial"\n', True),
        ('[listener.a.connect]\nreply = "554 5.7.1 no"\non_error = "tempfail"\nspare_authenticated = false\n', True),
        ('[listener.a.connect]\nmode = "trial"\n[listener.b]\nport = 26\n[listener.b.connect]\nmode = "off"\n', True),
        ('[listener.a.connect]\nallow = ["file:clients"]\n', True),
        ("[listener.a.connect]\nallow = []\n", False),
        ('[listener.a.connect]\ndeny = ["file:denied"]\n', False),
        ('[listener.a.connect]\nallow = ["file:denied"]\ndeny = ["203.0.113.0/24", "file:clients"]\n', False),
    ],
)
def test_the_table_of_clients_is_built_once_for_all_that_have_the_same_lists(
    configured: Callable[[str], Config], tmp_path: Path, override: str, shared: bool
) -> None:
    (tmp_path / "clients").write_text("192.0.2.0/24\n")
    (tmp_path / "denied").write_text("192.0.2.1\n")
    config = configured(f"{CONNECT}[listener.a]\nport = 25\n{override}")
    tables = [listener.connect.clients for listener in config.listener.values()]
    assert [table is config.connect.clients for table in tables] == [shared] * len(tables)
    assert decides(config.connect.clients, "192.0.2.1") == "192.0.2.1"


def test_a_listener_that_lists_other_clients_has_a_table_of_its_own(configured: Callable[[str], Config]) -> None:
    config = configured(
        '[connect]\ndeny = ["192.0.2.1"]\n[listener.a]\nport = 25\n[listener.a.connect]\ndeny = ["192.0.2.2"]\n'
    )
    tables = config.connect.clients, config.listener["a"].connect.clients
    assert [decides(table, "192.0.2.1") for table in tables] == ["192.0.2.1", None]
    assert [decides(table, "192.0.2.2") for table in tables] == [None, "192.0.2.2"]


def test_a_listener_overrides_whose_mail_is_spared_key_by_key(configured: Callable[[str], Config]) -> None:
    config = configured(
        f'{LISTED}spare_local = true\nspare_clients = ["192.0.2.1"]\nmatch = ["originator"]\n'
        '[listener.a]\nport = 25\n[listener.a.turf]\nspare_clients = ["192.0.2.2"]\n'
        '[listener.b]\nport = 26\n[listener.b.turf]\nmatch = ["sender"]\nspare_local = false\n'
    )
    here, a, b = config.turf, config.at("a").turf, config.at("b").turf
    assert [turf.spare_local for turf in (here, a, b)] == [True, True, False]
    assert [turf.match for turf in (here, a, b)] == [(Origin.ORIGINATOR,)] * 2 + [(Origin.SENDER,)]
    assert [decides(turf.spare_clients, "192.0.2.1") for turf in (here, a, b)] == ["192.0.2.1", None, "192.0.2.1"]
    assert [decides(turf.spare_clients, "192.0.2.2") for turf in (here, a, b)] == [None, "192.0.2.2", None]


WITHOUT_TABLES = """
domains = ["file:gone"]
[connect]
allow = ["no entry at all/"]
default = "deny"
[turf]
tables = ["file:gone"]
directory = "/var/lib/turfmilter/quarantine"
[listener.submission]
port = 587
[listener.submission.turf]
directory = "/srv/other"
[[cap]]
client = ["file:gone"]
message_size = "1 MiB"
"""


@pytest.mark.parametrize(
    "use",
    [
        lambda c: c.domains.files,
        lambda c: len(c.domains),
        lambda c: bool(c.turf.tables),
        lambda c: list(c.turf.tables),
        lambda c: "x" in c.turf.tables,
        lambda c: c.connect.allow[0],
        lambda c: c.connect.clients.names,
        lambda c: c.at("submission").turf.tables.match,
        lambda c: c.at("submission").connect.clients.find,
        lambda c: c.cap[0].client.names,
        every_turf_file,
    ],
)
def test_without_tables_their_files_need_not_exist_and_any_use_of_them_fails(
    tmp_path: Path, use: Callable[[Config], object]
) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(WITHOUT_TABLES)
    config = load(path, tables=False)
    assert config.directories == (Path("/var/lib/turfmilter/quarantine"), Path("/srv/other"))
    assert config.files == (path,)
    with pytest.raises(UnreadError, match="used, but the configuration was loaded without tables"):
        use(config)


@pytest.mark.parametrize(
    "wrong", ["nonsense = 1\n", "user = 1\n", '[turf]\ntables = ["file:gone"]\ndirectory = "relative"\n']
)
def test_without_tables_a_wrong_key_is_still_an_error(tmp_path: Path, wrong: str) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(wrong)
    with pytest.raises(ConfigError) as error:
        load(path, tables=False)
    assert len(error.value.problems) == 1
