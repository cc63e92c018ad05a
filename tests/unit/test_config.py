"""A configuration that is right: defaults, every key, files, and what is warned about."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from ipaddress import ip_address
from operator import attrgetter
from pathlib import Path

import pytest

from turfmilter.config.choices import Answer, Default, LogFormat, LogTo, OnError, Origin
from turfmilter.config.given import Notes
from turfmilter.config.loader import ConfigError, load
from turfmilter.config.relay import RelayConfig
from turfmilter.config.schema import Config
from turfmilter.config.setting import keys
from turfmilter.config.socketspec import SocketSpec
from turfmilter.config.walker import Walker
from turfmilter.config.written import written
from turfmilter.core.hosts import HostTable
from turfmilter.core.mailbox import Mailbox
from turfmilter.core.policy import Mode
from turfmilter.core.reply import REPLIES, Reply
from turfmilter.core.senders import SenderTable

DAY = date(2027, 1, 31)
USER = next(user.pw_name for user in pwd.getpwall() if user.pw_uid)
GROUP = grp.getgrall()[-1].gr_name


@pytest.fixture
def configured(tmp_path: Path) -> Callable[[str], Config]:
    """Loads the text as /…/turfmilter.toml; domains are given unless the text does it."""

    def load_text(text: str) -> Config:
        path = tmp_path / "turfmilter.toml"
        given = "" if "domains" in text else 'domains = ["example.org"]\n'
        path.write_text(given + text, encoding="utf-8")
        return load(path)

    return load_text


def decides(table: HostTable | SenderTable, text: str) -> str | None:
    """The text of the entry that decides about an address, a name or a mail address."""
    if isinstance(table, SenderTable):
        local, _, domain = text.rpartition("@")
        entry = table.match(Mailbox(local, domain), DAY)
    elif text[-1].isdigit():
        entry = table.match_address(ip_address(text), DAY)
    else:
        entry = table.match_name(text, DAY)
    return entry.text if entry else None


def in_section(path: str, value: object) -> str:
    section, _, key = path.rpartition(".")
    return f"[{section}]\n{key} = {written(value)}\n" if section else f"{key} = {written(value)}\n"


def test_the_defaults_are_those_of_an_empty_file(configured: Callable[[str], Config]) -> None:
    config = configured("")
    assert config.socket == SocketSpec("unix", path="/run/turfmilter/turfmilter.sock")
    assert (config.socket_mode, config.socket_group, config.user, config.mode) == (0o660, "", "", Mode.ENFORCE)
    assert (config.log.to, config.log.format) == (LogTo.SYSLOG, LogFormat.TEXT)
    relay = config.relay
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
    turf = config.turf
    assert (turf.mode, turf.reply, turf.answer) == (Mode.ENFORCE, REPLIES["turf"], Answer.ACCEPT)
    assert (len(turf.tables), turf.directory, turf.discard, turf.spare_authenticated) == (0, None, False, True)
    assert turf.match == {Origin.SENDER, Origin.AUTHOR}
    assert turf.unreadable_author is Mode.TRIAL
    assert decides(turf.exempt, "postmaster@example.org") == "postmaster@"
    assert decides(turf.exempt, "abuse@example.org") == "abuse@"
    assert config.warnings == ()


VALUES: dict[str, tuple[object, object]] = {
    "socket": ("inet:8895@127.0.0.1", SocketSpec("inet", host="127.0.0.1", port=8895)),
    "socket_mode": ("0600", 0o600),
    "socket_group": (GROUP, GROUP),
    "user": (USER, USER),
    "mode": ("trial", Mode.TRIAL),
    "log.to": ("stderr", LogTo.STDERR),
    "log.format": ("json", LogFormat.JSON),
    "relay.mode": ("trial", Mode.TRIAL),
    "relay.on_error": ("tempfail", OnError.TEMPFAIL),
    "relay.reply": ("450 4.7.1 not yet", Reply(450, "4.7.1", "not yet")),
    "relay.default": ("allow", Default.ALLOW),
    "relay.routing": (False, False),
    "relay.authenticated": (["Alice", "bob@Example.ORG"], {"alice", "bob@example.org"}),
    "relay.authenticated_needs_tls": (True, True),
    "turf.mode": ("off", Mode.OFF),
    "turf.reply": ("554 5.7.1 refused", Reply(554, "5.7.1", "refused")),
    "turf.match": (["author"], {Origin.AUTHOR}),
    "turf.directory": ("/var/lib/turfmilter/quarantine", Path("/var/lib/turfmilter/quarantine")),
    "turf.discard": (True, True),
    "turf.answer": ("reject", Answer.REJECT),
    "turf.spare_authenticated": (False, False),
    "turf.unreadable_author": ("enforce", Mode.ENFORCE),
}

# A table: what is written, what is looked up, and the entry that decides.
TABLES: dict[str, tuple[list[str], str, str]] = {
    "domains": (["example.org", "!office.example.org"], "mx.example.org", "example.org"),
    "relay.deny": (["192.0.2.0/24", "192.0.2.1", "!192.0.2.1"], "192.0.2.1", "192.0.2.1"),
    "relay.allow": (["192.0.2.0/24", "192.0.2.1", "!192.0.2.1"], "192.0.2.1", "!192.0.2.1"),
    "relay.interfaces": (["192.0.2.25"], "192.0.2.25", "192.0.2.25"),
    "relay.always": (["=customer.example"], "customer.example", "=customer.example"),
    "turf.tables": (["@spam.example", "!friend@spam.example"], "friend@spam.example", "!friend@spam.example"),
    "turf.exempt": (["security@example.org"], "security@example.org", "security@example.org"),
}


@pytest.mark.parametrize("path", VALUES)
def test_every_value_arrives(path: str, configured: Callable[[str], Config]) -> None:
    value, expected = VALUES[path]
    config = configured(in_section(path, value))
    assert attrgetter(path)(config) == expected
    assert path in config.written


@pytest.mark.parametrize("path", TABLES)
def test_every_table_arrives(path: str, configured: Callable[[str], Config]) -> None:
    entries, text, entry = TABLES[path]
    more = "discard = true" if path == "turf.tables" else ""
    config = configured(in_section(path, entries) + more)
    assert decides(attrgetter(path)(config), text) == entry


def test_no_key_is_left_out_of_these_tables() -> None:
    assert {path for path, _ in keys(Config)} == VALUES.keys() | TABLES.keys()


@pytest.mark.parametrize("path", [path for path, _ in keys(Config)])
def test_the_example_of_every_key_is_valid(path: str, tmp_path: Path) -> None:
    for name in ("domains", "relay.deny", "turf.table"):
        (tmp_path / name).write_text("")
    this = dict(keys(Config))[path]
    example = {"user": USER, "socket_group": GROUP}.get(path, this.example)
    notes = Notes(tmp_path)
    section, _, key = path.rpartition(".")
    Walker(Config, notes).read(Config(), {section: {key: example}} if section else {key: example})
    assert notes.problems == []


@pytest.mark.parametrize(("value", "expected"), [(True, True), (False, False), ([], frozenset())])
def test_authenticated_is_everybody_nobody_or_a_list(
    value: object, expected: object, configured: Callable[[str], Config]
) -> None:
    assert configured(in_section("relay.authenticated", value)).relay.authenticated == expected


def test_dotted_keys_are_the_same_as_sections(configured: Callable[[str], Config]) -> None:
    assert configured('log.to = "stderr"').log.to is LogTo.STDERR


def test_an_entry_knows_its_place(configured: Callable[[str], Config], tmp_path: Path) -> None:
    (tmp_path / "clients.deny").write_text("# our\x0cown\u2028\n\n192.0.2.7  # printer\n", encoding="utf-8")
    deny = configured('[relay]\ndeny = ["192.0.2.1", "file:clients.deny"]').relay.deny
    places = {str(ip): str(deny.match_address(ip_address(ip), DAY)) for ip in ("192.0.2.1", "192.0.2.7")}
    assert places == {"192.0.2.1": "192.0.2.1 relay.deny[0]", "192.0.2.7": "192.0.2.7 clients.deny:3"}


def test_an_ipv6_address_is_no_source(configured: Callable[[str], Config]) -> None:
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


def test_a_section_can_override_another_key_by_key(tmp_path: Path) -> None:
    general = replace(RelayConfig(), routing=False, reply=Reply(554, "5.7.1", "no"))
    notes = Notes(tmp_path)
    special = Walker(Config, notes).read(general, {"routing": True, "mode": "trial"}, "listener.office.relay.")
    assert (special.routing, special.mode, special.reply) == (True, Mode.TRIAL, general.reply)
    assert notes.written == {"listener.office.relay.routing", "listener.office.relay.mode"}


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Config().mode = Mode.OFF  # type: ignore[misc]
    assert {f.name for f in fields(Config)} >= {"warnings", "files"}


WARNINGS = {
    'mode = "off"': 'mode: "off": no rule is asked, every message passes',
    'socket = "inet:8895@0.0.0.0"': "socket: other machines may reach it, and a milter knows no passwords;"
    " use a unix socket or a loopback address",
    'socket = "inet:8895"': "socket: other machines may reach it, and a milter knows no passwords;"
    " use a unix socket or a loopback address",
    'socket_mode = "0666"': "socket_mode: every user of this machine may talk to the filter;"
    " socket_group and 0660 let the MTA in",
    'socket = "fd:3"\nsocket_mode = "0600"': "socket_mode: does nothing, because the socket is no unix socket",
    f'socket = "fd:3"\nsocket_group = "{GROUP}"': "socket_group: does nothing, because the socket is no unix socket",
    '[relay]\ndefault = "allow"': 'relay.default: "allow" makes this an OPEN RELAY, unless the MTA itself refuses:'
    " any client may send to any recipient",
    '[relay]\nallow = ["0.0.0.0/0"]': 'relay.allow[0]: "0.0.0.0/0": holds much of the Internet: an OPEN RELAY,'
    " unless the MTA itself refuses",
    '[relay]\nallow = ["10.0.0.0/8", "2000::/3"]': 'relay.allow[1]: "2000::/3": holds much of the Internet:'
    " an OPEN RELAY, unless the MTA itself refuses",
    '[relay]\nallow = ["8.0.0.0/7"]': 'relay.allow[0]: "8.0.0.0/7": holds much of the Internet: an OPEN RELAY,'
    " unless the MTA itself refuses",
    '[relay]\ninterfaces = ["0.0.0.0-255.255.255.255"]': 'relay.interfaces[0]: "0.0.0.0-255.255.255.255": holds much'
    " of the Internet: an OPEN RELAY, unless the MTA itself refuses",
    '[relay]\nrouting = false\nalways = ["customer.example"]': "relay.routing: false, so nobody relays, and deny,"
    " allow, interfaces, authenticated, default and always do nothing",
    '[turf]\nreply = "554 5.7.1 refused"': 'turf.reply: never heard, because turf.answer is "accept"',
    '[relay]\nalways = ["com"]': 'relay.always[0]: "com": a single label: everything below ".com" matches;'
    " =com matches that name alone",
}


@pytest.mark.parametrize("text", WARNINGS)
def test_a_doubtful_configuration_is_loaded_with_one_warning(text: str, configured: Callable[[str], Config]) -> None:
    assert configured(text).warnings == (WARNINGS[text],)


@pytest.mark.parametrize(
    "text",
    [
        'socket = "inet:8895@127.0.0.1"',
        'socket = "inet6:8895@::1"',
        'socket = "inet:8895@localhost"',
        'socket = "fd:3"',
        '[relay]\nallow = ["10.0.0.0/8", "fc00::/7", "!0.0.0.0/0"]',
        "[relay]\nrouting = false",
        '[turf]\nanswer = "reject"\nreply = "554 5.7.1 refused"',
    ],
)
def test_a_sound_configuration_is_not_warned_about(text: str, configured: Callable[[str], Config]) -> None:
    assert configured(text).warnings == ()


def test_a_warning_of_a_table_names_file_and_line(configured: Callable[[str], Config], tmp_path: Path) -> None:
    (tmp_path / "turf.table").write_text("@spam.example\n#@ads.example\n")
    config = configured('[turf]\ndiscard = true\ntables = ["file:turf.table"]')
    assert config.warnings == (
        'turf.table:2: "#@ads.example": this is a comment; Exchange\'s exact domain is =@ads.example',
    )


def test_a_name_that_is_also_a_file_is_warned_about(configured: Callable[[str], Config], tmp_path: Path) -> None:
    (tmp_path / "relay.deny").write_text("192.0.2.1\n")
    config = configured('[relay]\ndeny = ["relay.deny"]')
    assert config.warnings == (
        'relay.deny[0]: "relay.deny": a file, taken for an entry; probably meant "file:relay.deny"',
    )


@pytest.mark.parametrize(
    "text",
    [
        'domains = []\n[relay]\nmode = "off"',
        '[turf]\nmode = "off"\ntables = ["@spam.example"]\nmatch = []',
        '[turf]\ntables = ["@spam.example"]\ndiscard = true',
        "[relay]\nauthenticated_needs_tls = true",
    ],
)
def test_what_is_off_or_said_on_purpose_is_no_contradiction(text: str, configured: Callable[[str], Config]) -> None:
    configured(text)


def test_a_key_with_a_wrong_value_is_not_spoken_about_twice(configured: Callable[[str], Config]) -> None:
    with pytest.raises(ConfigError) as caught:
        configured('domains = ["example.org/24"]\n[turf]\ntables = ["@spam.example"]\ndirectory = "spool"')
    assert [said.partition(":")[0] for said in caught.value.problems] == ["domains[0]", "turf.directory"]
