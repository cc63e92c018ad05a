"""turfctl relay-test: an MTA that relays is found, and one that does not is not accused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from e2e.postfixhost import PostfixHost
from e2e.sendmailhost import SendmailHost
from rig.golden import Golden
from rig.nexthop import CLOSE, ScriptedNextHop
from rig.ports import free_port
from rig.quarantine import turfctl
from turfmilter.review.relayforms import forms

CONFIG = 'domains = ["rig.test"]\n[relay]\nallow = ["192.0.2.0/24"]\n'
STRANGER = "127.0.0.2"


@pytest.fixture
def config(place: Path) -> Path:
    path = place / "turfmilter.toml"
    path.write_text(f'status = ""\n{CONFIG}')
    return path


def test_every_form_is_rejected_by_the_rules(config: Path, golden: Golden) -> None:
    done = turfctl(config, "relay-test")
    golden("relay-test", f"{done.stdout}{done.stderr}exit status {done.returncode}\n")
    found = json.loads(turfctl(config, "relay-test", "--json").stdout)
    assert len(found) >= 40
    assert {one["received"][:3] for one in found} == {"550", "421"}


@pytest.mark.parametrize(
    ("settings", "accepted"),
    [
        ('domains = ["rig.test"]\n[relay]\ndefault = "allow"\n', 50),
        ('domains = ["rig.test"]\n[relay]\nalways = ["example.com"]\n', 10),
        ('domains = ["rig.test", "example.com"]\n', 10),
        ('domains = ["rig.test"]\n[relay]\nmode = "trial"\n', 50),
        ('mode = "trial"\ndomains = ["rig.test"]\n', 50),
        ('mode = "off"\ndomains = ["rig.test"]\n', 50),
        ('domains = ["rig.test"]\n[relay]\nallow = ["203.0.113.0/24"]\n', 50),
    ],
)
def test_rules_that_relay_are_found(config: Path, settings: str, accepted: int) -> None:
    config.write_text(f'status = ""\n{settings}')
    done = turfctl(config, "relay-test", "--json")
    assert done.returncode == 1
    assert sum(one["received"].startswith("2") for one in json.loads(done.stdout)) >= accepted


@pytest.fixture(scope="module", params=["postfix", "sendmail"])
def guarded(request: pytest.FixtureRequest, module_place: Path) -> Iterator[int]:
    """The port of an MTA that relays for everyone, with a filter that does not."""
    host = (
        PostfixHost(module_place, {"inbound": CONFIG})
        if request.param == "postfix"
        else SendmailHost(module_place, CONFIG)
    )
    with host as running:
        ports = running.postfix.ports if isinstance(running, PostfixHost) else running.sendmail.ports
        yield ports["inbound"]


@pytest.fixture
def live(config: Path) -> Callable[..., tuple[int, list[dict[str, str]], str]]:
    def run(port: int, *options: str) -> tuple[int, list[dict[str, str]], str]:
        done = turfctl(config, "relay-test", "--live", f"127.0.0.1:{port}", "--source", STRANGER, "--json", *options)
        return done.returncode, json.loads(done.stdout or "[]"), done.stderr

    return run


Live = Callable[..., tuple[int, list[dict[str, str]], str]]


def test_an_mta_behind_the_filter_does_not_relay(guarded: int, live: Live) -> None:
    status, found, said = live(guarded)
    assert [one for one in found if one["received"].startswith("2")] == []
    assert (status, said) == (0, f"all {len(found)} forms are rejected\n")


HOLES: Mapping[str, Callable[[str], bool]] = {
    "percent": lambda recipient: "%" in recipient and "@rig.test" in recipient,
    "source route": lambda recipient: recipient.startswith("<@rig.test"),
    "quoted": lambda recipient: recipient.startswith('<"') and recipient.endswith("@rig.test>"),
}


@pytest.mark.parametrize("hole", HOLES)
def test_a_server_with_one_hole_is_found(hole: str, live: Live) -> None:
    def answer(command: str) -> str | None:
        if not command.startswith("RCPT TO:"):
            return None
        return "250 2.1.5 Ok" if HOLES[hole](command.removeprefix("RCPT TO:")) else "554 5.7.1 Relay access denied"

    with ScriptedNextHop({"RSET": "250 2.0.0 Ok"}, meanwhile=answer) as server:
        status, found, said = live(server.port)
        commands = server.commands
    taken = {one["recipient"] for one in found if one["received"].startswith("2")}
    expected = {one.recipient for one in forms("rig.test", address="127.0.0.1") if HOLES[hole](one.recipient)}
    assert taken == expected
    assert (status, "OPEN: " in said) == (1, True)
    assert not [command for command in commands if command.startswith("DATA")]


def test_a_server_that_trusts_the_client_voids_the_test(live: Live) -> None:
    with ScriptedNextHop({"RSET": "250 2.0.0 Ok"}) as server:
        status, _, said = live(server.port)
    assert status == 3
    assert said == "void: the control was accepted: the MTA trusts this client; test from another address\n"


def test_greylisting_proves_nothing(live: Live) -> None:
    with ScriptedNextHop({"RSET": "250 2.0.0 Ok", "RCPT": "450 4.7.1 try again later"}) as server:
        status, found, said = live(server.port)
    assert status == 3
    assert f"{len(found)} of {len(found)} forms received a temporary reply or none" in said


@pytest.mark.parametrize("reply", [CLOSE, "421 4.7.0 too many errors", "garbage"])
def test_a_server_that_ends_the_session_is_asked_again_in_a_new_one(reply: str, live: Live) -> None:
    with ScriptedNextHop({"RSET": "250 2.0.0 Ok", "RCPT": reply}) as server:
        status, found, _ = live(server.port)
    assert len(found) == len(forms("rig.test"))
    assert not [one for one in found if one["received"].startswith("2")]
    assert status == (0 if reply.startswith("421") else 3)


def test_without_a_server_it_says_so(live: Live) -> None:
    status, _, said = live(free_port())
    assert (status, "Connection refused" in said) == (3, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--live", "192.0.2.1"], "is not HOST:PORT"),
        (["--live", "8.8.8.8:25"], "use --yes-it-is-mine"),
        (["--client", "nonsense"], "is not an IP address"),
    ],
)
def test_what_it_refuses_to_do(config: Path, options: list[str], said: str) -> None:
    done = turfctl(config, "relay-test", *options)
    assert (done.returncode, said in done.stderr) == (2, True)
