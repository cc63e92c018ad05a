"""Broken configurations, each with the messages that it must cause, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.golden import Golden, report
from turfmilter.config.given import written
from turfmilter.config.loader import ConfigError, configure, load
from turfmilter.config.schema import Config
from turfmilter.config.setting import keys, sections

FOLDER = Path(__file__).parent / "broken"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
# Lists of sections, which a new section would change, and what the golden file has instead.
HIDDEN = {
    str(FOLDER): "FOLDER",
    " or in ".join(
        f"[{path.removesuffix('.reply')}]" for path, _ in keys(Config) if path.endswith(".reply")
    ): "SECTIONS",
    ", ".join(sections(Config)): "SECTIONS",
}


# One line of a configuration each, as someone writes it who knows other formats.
NOT_TOML = [
    "deny = [192.0.2.0/24]",
    "deny = [192.0.2.1, 192.0.2.2]",
    'deny = ["192.0.2.1", 198.51.100.0/24 203.0.113.0/24]',
    "deny = [\n    192.0.2.1,\n]",
    'deny = ["192.0.2.1"\n"192.0.2.2"]',
    'deny = ["192.0.2.1", "192.0.2.2"\n[relay]\n',
    'deny = ["192.0.2.1",\nallow = []\n',
    "deny = 192.0.2.0/24",
    "deny = 192.0.2.0/24 # office",
    "deny = [2001:db8::/32]",
    "tables = [@spam.example]",
    "tables = [!@spam.example]",
    "tables = [file:turf.table]",
    'deny = "192.0.2.1", "192.0.2.2"',
    'deny = "192.0.2.1" "192.0.2.2"',
    'deny = ("192.0.2.1")',
    "directory = /var/lib/turfmilter/quarantine",
    "socket = unix:/run/turfmilter/turfmilter.sock",
    "domains = $mydestination",
    "mode = trial",
    "routing = False",
    "routing = yes",
    "directory = none",
    "keep = 30d",
    "keep = 30 days",
    "floor = 5%",
    "message_size = 10M",
    "socket_mode = 0660",
    "mode = \u201ctrial\u201d",
    "mode = `trial`",
    r'tables = ["/^x\.example$/"]',
    'reply = "550 5.7.1 say "no""',
    "mode = 'trial",
    "mode =",
    "mode = # trial",
    "mode: trial",
    "[turf",
    '[listener "submission"]',
    "[listener submission]",
    "[listener: submission]",
    "// a comment",
]


# Values, each for its key.
VALUES = {
    "quarantine.floor": [5, 0.05, 5_000_000_000, "5", "5 percent", "1 GiB", True, "500%"],
    "quarantine.keep": [30, 0, "30", "30 days", "2 Weeks", "6 months", "1 year", "1y", "90 min", "forever"],
    "dns.nameservers": [
        ["/etc/resolv.conf"],
        ["localhost"],
        ["udp://192.0.2.53"],
        ["192.0.2.53#5353"],
        "192.0.2.53, 192.0.2.54",
    ],
    "dns.timeout": ["4", "2.5 s", "4 seconds", "soon"],
    "turf.tables": ["turf.table", "/etc/postfix/spammers turf.table"],
    "turf.directory": ["none", "maildir:/var/mail/held"],
    "workers": ["auto", "4"],
    "limits.recipients_per_message": ["1,000", "no", "ten"],
    "turf.spare_local": ["encrypt", "may", "maybe"],
    "log.to": ["/var/log/mail.log", "console"],
    "socket": [8895, "8895", "8895@localhost", "tcp:8895", "tcp:192.0.2.1:8895", "tcp6:[::1]:8895", "milter.sock"],
    "relay.reply": [
        550,
        "relaying prohibited",
        "550 relaying prohibited",
        "5.7.1 relaying prohibited",
        "450",
        "550 5.7.1",
        "550-5.7.1 one\n550 5.7.1 two",
        "550 5.7.1 one\ntwo",
        "550 5.7.1 no mail from %s",
        "550 5.7.1 kein Anschluß",
        "550 5.7.1 a\ttab",
        "REJECT not welcome",
        "REJECT 5.7.1 not welcome",
        "DEFER_IF_PERMIT not now",
        'ERROR:"550 not welcome"',
        "250 2.0.0 welcome",
        "550 4.7.1 other classes",
    ],
}


@pytest.mark.parametrize("key", VALUES)
def test_a_value_of_another_form_is_explained(golden: Golden, tmp_path: Path, key: str) -> None:
    section, _, name = key.rpartition(".")
    values = {written(value): value for value in VALUES[key]}

    def said(value: str) -> tuple[str, ...]:
        table = {section: {name: values[value]}} if section else {name: values[value]}
        with pytest.raises(ConfigError) as caught:
            configure({"domains": ["example.org"], **table}, tmp_path)
        return caught.value.problems

    golden("config", report(values, said))


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize("name", NAMES)
def test_every_problem_of_a_broken_configuration_is_reported(golden: Golden, name: str) -> None:
    golden("config", "\n".join(problems(FOLDER / f"{name}.toml")), HIDDEN)


def test_a_line_that_is_not_toml_is_explained(golden: Golden, tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"

    def said(line: str) -> tuple[str, ...]:
        path.write_text(f"{line}\n")
        return problems(path)

    golden("config", report(NOT_TOML, said), {f"{tmp_path}/": ""})


def test_a_missing_configuration_is_reported(golden: Golden, tmp_path: Path) -> None:
    golden("config", "\n".join(problems(tmp_path / "turfmilter.toml")), {str(tmp_path): "FOLDER"})


def test_a_number_that_cannot_be_printed_is_described(golden: Golden, tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(
        f'domains = ["example.org"]\nsocket_mode = 0x{"f" * 6000}\nrelay.routing = 0x{"f" * 6000}\n'
        f"limits.message_size = 0x{'f' * 6000}\nlimits.session_size = 0x8000000000000000\n"
    )
    golden("config", "\n".join(problems(path)))


def test_a_listener_is_not_blamed_for_the_general_section(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(
        'domains = ["example.org"]\n[relay]\non_error = "continue"\n[limits]\nsession_size = 5\n'
        '[listener.office]\nport = 26\n[listener.office.relay]\nmode = "trial"\n'
        '[listener.office.limits]\nmode = "trial"\n[[cap]]\nauthenticated = true\nsession_size = 6\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [said.partition(":")[0] for said in caught.value.problems] == ["relay.on_error", "limits.session_size"]


LONG = 1_000_000  # characters
DISCARD = 'domains = ["example.org"]\n[turf]\ntables = ["file:turf.table"]\ndiscard = true\n'


@pytest.mark.parametrize(
    "line",
    [
        "x" * LONG,
        "@spam.example " + "x" * LONG,
        f"@spam.example {'x' * LONG}=1",
        f"@spam.example expires={'x' * LONG}",
        f"@spam.example why={'x' * LONG}",
        "@spam.example why=" + '"' * (LONG + 1),
        f"@{'x' * LONG}.example",
        f"{'x' * LONG}@spam.example {'x' * LONG}",
        "\0" * LONG,
    ],
    ids=lambda line: line[:20].replace("\0", "NUL"),
)
def test_the_message_about_a_long_line_is_short(tmp_path: Path, line: str) -> None:
    (tmp_path / "turf.table").write_text(f"{line}\nbad\n")
    (tmp_path / "turfmilter.toml").write_text(DISCARD)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "turfmilter.toml")
    assert all(said.startswith("turf.table:") and len(said) < 5000 for said in caught.value.problems)
    assert caught.value.problems[-1].startswith('turf.table:2: "bad": ')


@pytest.mark.parametrize(
    "settings",
    [
        f"{'x' * LONG} = 1",
        f'mode = "{"x" * LONG}"',
        f'domains = ["file:{"x" * LONG}"]',
        f'domains = ["postfix:{"x" * LONG}"]',
        f'domains = ["{"x" * LONG}:y"]',
        f"[{'x' * LONG}]\n[{'x' * LONG}]",
        f"[listener.{'x' * LONG}]\nport = 0",
        f'[turf]\ntables = ["{"x" * LONG}"]',
    ],
    ids=lambda settings: settings[:20],
)
def test_the_message_about_a_long_value_is_short(tmp_path: Path, settings: str) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(f"{settings}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert all(len(said) < 5000 for said in caught.value.problems)


def test_a_file_name_that_is_too_long_is_reported_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(DISCARD.replace("turf.table", "x" * 5000))
    with pytest.raises(ConfigError) as caught:
        load(path)
    (said,) = caught.value.problems
    assert said.startswith("turf.tables[0]: ") and said.endswith("xxx: cannot be read: File name too long")


def test_the_warnings_about_long_entries_are_short(tmp_path: Path) -> None:
    local = "x" * LONG
    (tmp_path / "turf.table").write_text(f"{local}@spam.example\n{local}@spam.example\n@spam.example\n")
    (tmp_path / "turfmilter.toml").write_text(DISCARD)
    warnings = load(tmp_path / "turfmilter.toml").warnings
    assert any("a duplicate of" in said for said in warnings)
    assert all(len(said) < 2000 for said in warnings)


def test_an_index_of_the_mta_is_not_a_source(golden: Golden, tmp_path: Path) -> None:
    (tmp_path / "relay_domains.db").write_bytes(b"\x00" * 12 + b"\x61\x15\x06\x00\xff\xfe")
    path = tmp_path / "turfmilter.toml"
    path.write_text('domains = ["postfix:relay_domains.db"]\n')
    golden("config", "\n".join(problems(path)), {str(tmp_path): "FOLDER"})


MANY = {
    "every line of a table": [f"spam{number}.example" for number in range(1, 10_001)],
    "every line, followed by another word each": [f"@spam{n}.example word{'abc'[n % 3] * n}" for n in range(1, 100)],
    "as many as are reported one by one": [f"spam{number}.example" for number in range(1, 6)],
    "one more": [f"spam{number}.example" for number in range(1, 7)],
    "two kinds, and one line with another": [*["spam.example", "@192.0.2.1"] * 6, "@x expires=soon"],
}


@pytest.mark.parametrize("name", MANY)
def test_many_problems_of_one_kind_are_one_message(golden: Golden, tmp_path: Path, name: str) -> None:
    (tmp_path / "turf.table").write_text("\n".join(MANY[name]))
    (tmp_path / "turfmilter.toml").write_text(DISCARD)
    golden("config", "\n".join(problems(tmp_path / "turfmilter.toml")))


def test_many_problems_in_a_list_of_the_configuration_are_one_message(golden: Golden, tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(f'domains = ["example.org"]\n[connect]\ndeny = {["192.0.2"] * 20}\n')
    golden("config", "\n".join(problems(path)))


def test_a_table_that_is_named_twice_is_reported_once(golden: Golden, tmp_path: Path) -> None:
    (tmp_path / "turf.table").write_text("a.example\nb.example\nc.example\n")
    (tmp_path / "turfmilter.toml").write_text(
        f'{DISCARD}[listener.office]\nport = 26\n[listener.office.turf]\ntables = ["file:turf.table"]\n'
    )
    golden("config", "\n".join(problems(tmp_path / "turfmilter.toml")))


def test_many_warnings_of_one_kind_are_one_message(golden: Golden, tmp_path: Path) -> None:
    (tmp_path / "turf.table").write_text("@spam.example\n" * 1000)
    (tmp_path / "turfmilter.toml").write_text(DISCARD)
    golden("config", "\n".join(load(tmp_path / "turfmilter.toml").warnings))


def test_a_long_table_names_its_one_broken_line(tmp_path: Path) -> None:
    lines = [f"@host{number}.example" for number in range(100_000)]
    lines[76_542] = "spam.example"
    (tmp_path / "turf.table").write_text("\n".join(lines))
    (tmp_path / "turfmilter.toml").write_text(
        'domains = ["example.org"]\n[turf]\ntables = ["file:turf.table"]\ndiscard = true'
    )
    assert [problem.partition('": ')[0] for problem in problems(tmp_path / "turfmilter.toml")] == [
        'turf.table:76543: "spam.example'
    ]
