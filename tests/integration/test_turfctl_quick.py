"""turfctl reads and imports only what a command needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from rig import wait
from rig.program import ENVIRONMENT
from rig.quarantine import command, hold, reviewed

TABLES = """
[connect]
deny = ["file:clients.deny"]
[relay]
allow = ["file:relay.allow"]
[listener.submission]
port = 587
[listener.submission.turf]
tables = ["file:turf.submission"]
[[cap]]
client = ["file:cap.clients"]
message_size = "1 MiB"
"""
FILES = {
    "turf.table": "@spam.example\n",
    "clients.deny": "192.0.2.1\n",
    "relay.allow": "127.0.0.1\n",
    "turf.submission": "@junk.example\n",
    "cap.clients": "192.0.2.2\n",
}


@pytest.fixture
def config(place: Path) -> Path:
    for name, text in FILES.items():
        (place / name).write_text(text)
    return reviewed(place, 'tables = ["file:turf.table"]', more=TABLES)[1]


def opened(config: Path, *arguments: str) -> set[str]:
    """The tables that a command opens, as strace(1) sees it; the command must succeed."""
    traced = config.parent / "trace"
    call = ["strace", "-f", "-qq", "-e", "trace=open,openat,openat2", "-o", str(traced), *command(config, *arguments)]
    subprocess.run(call, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, timeout=wait.AMPLE, check=True)
    names = {Path(name).name for name in re.findall(r'"([^"]*)"', traced.read_text())}
    assert config.name in names
    return names & FILES.keys()


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--json", "--all"],
        ["stats"],
        ["show", "--headers", "ID"],
        ["show", "--raw", "ID"],
        ["show", "--part", "1", "ID"],
        ["delete", "ID"],
        ["release", "--dry-run", "ID"],
        ["expire", "--dry-run"],
        ["verify"],
        ["digest"],
        ["export", "ID"],
    ],
    ids=" ".join,
)
def test_commands_about_held_messages_read_no_table(config: Path, arguments: list[str]) -> None:
    id = hold(config.parent / "quarantine")
    assert opened(config, *(id if word == "ID" else word for word in arguments)) == set()


@pytest.mark.parametrize(
    "arguments",
    [["turf", "list"], ["turf", "check", "a@spam.example"], ["turf", "add", "-y", "@a.example"], ["show", "ID"]],
    ids=" ".join,
)
def test_commands_that_ask_or_edit_tables_read_all_of_them(config: Path, arguments: list[str]) -> None:
    id = hold(config.parent / "quarantine")
    assert opened(config, *(id if word == "ID" else word for word in arguments)) == FILES.keys()


_IMPORTED = """
import sys
from turfmilter.cli.turfctl import main
try:
    main(sys.argv[1:], prog_name="turfctl")
finally:
    print(*sys.modules)
"""


def imported(*arguments: str) -> set[str]:
    """The modules that a command has imported at its end."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED, *arguments],
        env=ENVIRONMENT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=wait.AMPLE,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_the_version_is_printed_without_importing_what_commands_need() -> None:
    loaded = imported("--version")
    assert "turfmilter.cli.turfctl" in loaded
    assert (
        loaded & {"smtplib", "ssl", "dns", "asyncio", "sqlite3", "email", "tomllib", "turfmilter.cli.commands"} == set()
    )


# What other commands need: to send mail, to read the contents of messages, to review them one by one.
_OF_OTHERS = {
    "dns",
    "asyncio",
    "logging",
    "email",
    "html",
    "smtplib",
    "ssl",
    "turfmilter.cli.onebyone.command",
    "turfmilter.cli.showing",
    "turfmilter.compose",
    "turfmilter.mta",
    "turfmilter.policies",
    "turfmilter.review.contents",
    "turfmilter.review.expiry",
}


@pytest.mark.parametrize("arguments", [["list", "--json"], ["quarantine", "list", "--json"], ["stats"]], ids=" ".join)
def test_a_list_imports_nothing_that_only_other_commands_need(config: Path, arguments: list[str]) -> None:
    hold(config.parent / "quarantine")
    loaded = imported("-c", str(config), *arguments)
    assert "turfmilter.cli.listing" in loaded
    assert loaded & _OF_OTHERS == set()
