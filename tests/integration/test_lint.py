"""What `turfmilter -t` doubts in a configuration without errors."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from caserunner.casefile import read_cases
from rig.dnsserver import DnsServer
from rig.golden import Golden, report
from turfmilter.cli.linting import lint
from turfmilter.config.loader import configure

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
PROJECT = Path(__file__).parents[2]
OURS = 'domains = ["example.org", "=example.net"]\n'

CAP = "[[cap]]\n{}\nmessage_size = 1\n"
ALL, ANNA = "authenticated = true", 'authenticated = ["anna"]'
NETWORK, SENDER = 'client = ["192.0.2.0/24"]', 'sender = ["@x.example"]'
ANYONE = '[listener.in.relay]\ndefault = "allow"\n'
DOUBTFUL = {
    "our own domain is listed": '[turf]\ntables = ["@example.org", "x@example.net"]\ndiscard = true\n',
    "our own domain is excepted": '[turf]\ntables = ["@org", "!@example.org"]\ndiscard = true\n',
    "our network may not connect": '[connect]\ndeny = ["192.0.2.128/25"]\n[relay]\nallow = ["192.0.2.0/24"]\n',
    "this host may not connect": '[connect]\ndeny = ["127.0.0.0/8"]\n',
    "everyone may relay": '[relay]\ndefault = "allow"\n',
    "everyone may relay, on trial": '[relay]\nmode = "trial"\ndefault = "allow"\n',
    "the relay rule is off": '[relay]\nmode = "off"\ndefault = "allow"\n',
    "one network may relay": '[relay]\nallow = ["203.0.113.0/24"]\n',
    "all networks may relay": '[relay]\nallow = ["0.0.0.0/0"]\n',
    "whoever has a name may relay": '[relay]\nallow = ["com", "net", "org"]\n',
    "all of a large domain": '[relay]\nalways = ["com"]\n',
    "everyone with a name may relay": '[relay]\ndefault = "allow"\n[reverse_name]\ncheck = "require"\n',
    "all but bogons may relay": '[connect]\ndeny = ["192.0.2.0/24", "2001:db8::/32"]\n[relay]\ndefault = "allow"\n',
    "a listener relays": f"[listener.in]\nport = 2525\n{ANYONE}",
    "a listener relays for those who log in": f"[listener.in]\nport = 587\nrequire_auth = true\n{ANYONE}",
    "always": '[relay]\nalways = ["partner.example"]\n',
    "an address of another host": '[listener.in]\naddress = "203.0.113.77"\n',
    "an address of this host": '[listener.in]\naddress = ["203.0.113.77", "127.0.0.1"]\n',
    "a cap for all": CAP.format(ALL) + CAP.format(ANNA),
    "a cap for others": CAP.format(ANNA) + CAP.format(ALL),
    "a cap for the same": CAP.format(NETWORK) + CAP.format(f"{NETWORK}\n{SENDER}"),
    "a cap for some of them": CAP.format(f"{NETWORK}\n{SENDER}") + CAP.format(NETWORK),
}


def doubts(text: str) -> list[str]:
    return lint(configure(tomllib.loads(OURS + text), Path("/")), NOW)


def test_what_is_probably_not_meant_is_named(golden: Golden) -> None:
    golden("lint", report(DOUBTFUL, lambda name: doubts(DOUBTFUL[name])))


def test_a_mail_exchanger_that_may_not_connect_is_named(golden: Golden) -> None:
    zone = """
example.org 300 MX 10 mx.example.org
example.org 300 MX 20 backup.isp.example
mx.example.org 300 A 192.0.2.25
backup.isp.example 300 A 198.51.100.25
backup.isp.example 300 AAAA 2001:db8::25
"""
    with DnsServer(zone) as server:
        host, port = server.address
        text = f'[connect]\ndefault = "deny"\nallow = ["192.0.2.0/24"]\n[dns]\nnameservers = ["{host}:{port}"]\n'
        golden("lint", "\n".join(doubts(text)))
        assert doubts(text.replace('"192.0.2.0/24"', '"192.0.2.0/24", "198.51.100.25", "2001:db8::/32"')) == []


def test_dns_that_does_not_answer_is_no_doubt() -> None:
    text = (
        '[connect]\ndefault = "deny"\nallow = ["192.0.2.0/24"]\n[dns]\ntimeout = 0.5\nnameservers = ["127.0.0.1:9"]\n'
    )
    assert doubts(text) == []


@pytest.mark.parametrize("path", sorted((PROJECT / "tests/cases").glob("*.txt")), ids=lambda path: path.stem)
def test_no_configuration_of_the_cases_is_called_an_open_relay(path: Path) -> None:
    config = configure(tomllib.loads(read_cases(path).filter.replace("$quarantine", "/var/quarantine")), Path("/"))
    assert [one for one in lint(config, NOW) if "open relay" in one] == []


def test_the_sample_has_no_doubts() -> None:
    text = (PROJECT / "contrib/turfmilter.toml").read_text()
    assert lint(configure(tomllib.loads(text.replace("domains = []", OURS)), PROJECT / "contrib"), NOW) == []
