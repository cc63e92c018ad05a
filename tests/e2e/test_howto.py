"""The commands of the how-to pages, run as they stand there, on a machine with Debian's own Postfix."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.filteredhost import shown as already_there
from e2e.stockhost import CONTRIB, SOCKET, StockHost, installed, stock_host
from rig import wait

ROOT = CONTRIB.parent
HOWTO = ROOT / "docs/howto"
CONFIG = f"""\
socket = "unix:{SOCKET}"
user = "turfmilter"
domains = ["rig.test"]
[log]
to = "stderr"
"""
# Only what runs under systemd can talk to it.
_NOT_HERE = re.compile(r"(?m)^systemctl .*\n")


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Every block of commands, and the lines that the page shows as its output."""
    fences = re.findall(r"(?ms)^```(\w+)\n(.*?)^```\n", page.read_text())
    for (language, block), after in zip(fences, [*fences[1:], ("", "")], strict=True):
        if language == "sh":
            yield _NOT_HERE.sub("", block), after[1].splitlines() if after[0] == "text" else []


def follow(page: Path) -> None:
    """Run every command, answer yes to every question, and compare what is said with what the page shows."""
    for block, shown in commands(page):
        for path in Path("/etc/postfix").glob("*.cf"):
            os.utime(path, (0, 0))  # Postfix waits until they are two seconds old
        done = subprocess.run(
            ["bash", "-ec", block],
            cwd=ROOT,
            input="y\n",
            capture_output=True,
            text=True,
            timeout=wait.AMPLE,
            check=False,
        )
        assert done.returncode == 0, (block, done)
        said = done.stdout + done.stderr
        assert [line for line in shown if line not in said] == [], (block, said)


@pytest.fixture
def host(place: Path) -> Iterator[StockHost]:
    with stock_host(place, CONFIG) as host:
        yield host


def test_the_commands_of_the_page_about_postfix_attach_the_filter(host: StockHost) -> None:
    files = [Path("/etc/postfix/main.cf"), Path("/etc/postfix/master.cf")]
    before = [path.read_bytes() for path in files]
    follow(HOWTO / "attach-to-postfix.md")
    assert "rcpt=root@" in host.logged("sender=anybody@good.example .* verdict=accept")
    wait.until(lambda: host.sink.deliveries, "the message of the last section")
    subprocess.run([CONTRIB / "postfix/attach", "--undo", "--yes"], check=True, capture_output=True)
    assert [path.read_bytes() for path in files] == before


def test_the_commands_of_the_page_about_content_filters_attach_it_in_front(host: StockHost) -> None:
    for name in ("main.cf", "master.cf"):
        host.postfix.write(name, (host.postfix.config / name).read_text() + already_there(name))
    follow(HOWTO / "with-a-content-filter.md")
    back = host.postfix.run("postconf", "-P", "127.0.0.1:10025/inet/smtpd_milters")
    assert back == "127.0.0.1:10025/inet/smtpd_milters =\n"


def test_the_commands_of_the_page_about_systemd_create_all_that_the_unit_needs(place: Path) -> None:
    with installed(place, CONFIG):
        follow(HOWTO / "run-under-systemd.md")
        for name in ("service", "socket"):
            assert Path(f"/etc/systemd/system/turfmilter.{name}").exists()


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```\n", page.read_text())


def test_the_commands_of_the_page_about_the_quarantine_alone_pass_the_check(place: Path) -> None:
    page = HOWTO / "quarantine-only.md"
    (toml,) = blocks(page, "toml")
    with installed(place, f'user = "turfmilter"\nsocket = "unix:{SOCKET}"\n{toml}'):
        Path("/etc/turfmilter/turf.table").write_text("@shop.example\n")
        follow(page)


def test_the_command_that_writes_domains_from_a_database_keeps_the_old_ones_when_it_fails(place: Path) -> None:
    (script,) = blocks(HOWTO / "domains-from-a-database.md", "bash")
    domains = Path("/etc/turfmilter/domains.mysql")

    def answered(says: str) -> tuple[bool, str, int]:
        """What a database that `says` this leaves: whether the command succeeded, the file, and its inode."""
        program = Path("/usr/local/sbin/mysql")
        program.write_text(f"#!/bin/sh\n{says}\n")
        program.chmod(0o755)
        done = subprocess.run(["bash", "-c", script], capture_output=True, check=False)
        assert [path.name for path in domains.parent.iterdir() if path.name.startswith("domains.")] == [domains.name]
        return done.returncode == 0, domains.read_text(), domains.stat().st_ino

    with installed(place, CONFIG):
        first = answered("echo a.test; echo b.test")
        assert first[:2] == (True, "=a.test\n=b.test\n")
        assert domains.stat().st_mode & 0o777 == 0o644
        assert answered("echo a.test; echo b.test") == first  # no change: no reload
        assert answered("exit 0") == (False, *first[1:])
        assert answered("echo a.test; exit 1") == (False, *first[1:])
        assert answered("echo c.test")[:2] == (True, "=c.test\n")
