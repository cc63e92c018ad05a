"""The tutorials, word by word, from a machine with an MTA alone to a released message and back."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from e2e.freshhost import Machine, postfix_machine, sendmail_machine
from e2e.reader import ROOT, follow, install, without_packages
from rig import wait

TUTORIALS = ROOT / "docs/tutorial"
PACKAGES = next(
    line for line in (TUTORIALS / "postfix.md").read_text().splitlines() if line.startswith("apt-get install")
)


class Terminal:
    """The one in which the filter runs in the foreground, until Ctrl-C."""

    def __init__(self, here: Machine) -> None:
        self._here = here

    def start(self, _: str) -> str:
        """Start the filter; nothing is typed elsewhere."""
        self._filter = self._here.foreground("turfmilter", "-f")
        return ""

    def ctrl_c(self, block: str) -> str:
        """Stop it before the block."""
        self._filter.send(signal.SIGINT)
        assert self._filter.wait() == 0
        return block


def traces() -> list[str]:
    """All files that are named after turfmilter, where a page may have put one."""
    folders = ["/etc", "/var", "/run", "/opt", "/usr/local", "/usr/share/sendmail"]
    there = [folder for folder in folders if Path(folder).exists()]
    found = subprocess.run(["find", *there, "-name", "*turf*"], capture_output=True, text=True, check=True)
    return sorted(found.stdout.split())


def remove_user(block: str) -> str:
    """The block, for a machine on which another test may have given its own user the same number."""
    return block.replace("userdel ", "userdel --force ")


def test_the_one_about_postfix_holds_and_releases_a_message_and_removes_everything_again(place: Path) -> None:
    files = [Path("/etc/postfix/main.cf"), Path("/etc/postfix/master.cf")]

    def attached(block: str) -> str:
        return f"{block}until grep -q 'generation 2' /var/log/journal.txt; do sleep 0.1; done\n"

    with postfix_machine(place) as here:
        terminal = Terminal(here)
        before = [path.read_bytes() for path in files]
        follow(
            TUTORIALS / "postfix.md",
            {
                PACKAGES: install,
                "turfmilter -f": terminal.start,
                "contrib/postfix/attach": attached,
                "apt-get install -y swaks": without_packages,
                "systemctl enable --now turfmilter": terminal.ctrl_c,
                "rm -rf /var/lib/turfmilter /run/turfmilter": remove_user,
            },
            edits=True,
        )
        assert [path.read_bytes() for path in files] == before
        assert traces() == []
        wait.until(lambda: len(here.sink.deliveries) == 3, "the one on trial, the exception and the released one")


def test_the_one_about_sendmail_holds_and_releases_a_message_and_removes_everything_again(place: Path) -> None:
    with sendmail_machine(place) as here:
        terminal = Terminal(here)
        before = content(Path("/etc/mail/sendmail.cf"))
        follow(
            TUTORIALS / "sendmail.md",
            {
                PACKAGES: install,
                "turfmilter -f": terminal.start,
                "apt-get install -y swaks": without_packages,
                "systemctl enable --now turfmilter": terminal.ctrl_c,
                "rm -rf /var/lib/turfmilter /run/turfmilter": remove_user,
            },
            edits=True,
        )
        assert content(Path("/etc/mail/sendmail.cf")) == before
        assert traces() == []
        wait.until(lambda: len(here.sink.deliveries) == 3, "the one on trial, Ben's and the released one")


def content(cf: Path) -> list[str]:
    """The lines without the comments, which name the time."""
    return [line for line in cf.read_text().splitlines() if line and not line.startswith("#")]
