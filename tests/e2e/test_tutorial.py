"""The tutorial, word by word, from a machine with Postfix alone to a released message and back."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.reader import ROOT, Machine, follow, install, machine, without_packages
from rig import wait
from rig.process import Process

PAGE = ROOT / "docs/tutorial/postfix.md"
PACKAGES = next(line for line in PAGE.read_text().splitlines() if line.startswith("apt-get install"))


@pytest.fixture
def here(place: Path) -> Iterator[Machine]:
    with machine(place) as one:
        yield one


def traces() -> list[str]:
    """All files that are named after turfmilter, where a page may have put one."""
    folders = ["/etc", "/var", "/run", "/opt", "/usr/local"]
    found = subprocess.run(["find", *folders, "-name", "*turf*"], capture_output=True, text=True, check=True)
    return sorted(found.stdout.split())


def remove_user(block: str) -> str:
    """The block, for a machine on which another test may have given its own user the same number."""
    return block.replace("userdel ", "userdel --force ")


def test_who_follows_it_holds_and_releases_a_message_and_removes_everything_again(here: Machine) -> None:
    files = [Path("/etc/postfix/main.cf"), Path("/etc/postfix/master.cf")]
    before = [path.read_bytes() for path in files]
    first_terminal: list[Process] = []

    def start(_: str) -> str:
        first_terminal.append(here.foreground("turfmilter", "-f"))
        return ""

    def attached(block: str) -> str:
        return f"{block}until grep -q 'generation 2' /var/log/journal.txt; do sleep 0.1; done\n"

    def ctrl_c(block: str) -> str:
        first_terminal[0].send(signal.SIGINT)
        assert first_terminal[0].wait() == 0
        return block

    follow(
        PAGE,
        {
            PACKAGES: install,
            "turfmilter -f": start,
            "contrib/postfix/attach": attached,
            "apt-get install -y swaks": without_packages,
            "systemctl enable --now turfmilter": ctrl_c,
            "rm -rf /var/lib/turfmilter /run/turfmilter": remove_user,
        },
        edits=True,
    )
    assert [path.read_bytes() for path in files] == before
    assert traces() == []
    wait.until(lambda: len(here.sink.deliveries) == 3, "the message on trial, the exception and the released one")
