"""Somebody who follows a page of the documentation word by word, on a machine with Debian's own Postfix."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from e2e.stockhost import CONTRIB, SOCKET, run
from e2e.stockpostfix import StockPostfix
from rig import wait
from rig.link import accepts
from rig.machine import own_machine
from rig.page import Comparison, Step, steps
from rig.process import Process
from rig.services import UNITS, Services
from rig.sink import Sink
from rig.smtp import SmtpClient
from rig.syslog import Syslog
from rig.terminal import typed

ROOT = CONTRIB.parent
HOST = "mx.example.org"
CONFIG = Path("/etc/turfmilter/turfmilter.toml")
_LOG = Path("/var/log/journal.txt")
_JOURNALCTL = ROOT / "tests/rig/journalctl"
_ANSWER = re.compile(r"\[y/N\]:? (\w+)")
_LOOKING = re.compile(r"(.*?)((?:^(?:journalctl|turfctl status)\b[^\n]*\n)?)", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"\[+(.+?)\]+")


@dataclass
class Machine:
    """A host named mx.example.org that receives mail for example.org, and has no turfmilter yet but its programs."""

    place: Path
    postfix: StockPostfix
    sink: Sink
    services: Services

    def log(self) -> str:
        """What was sent to syslog."""
        return _LOG.read_text(errors="replace") if _LOG.exists() else ""

    def client(self) -> SmtpClient:
        """A client at port 25 that has said EHLO."""
        client = SmtpClient(25)
        client.ehlo()
        return client

    def wait_for_log(self, pattern: str) -> None:
        """Return when the regular expression is found in what was sent to syslog."""
        wait.until(lambda: re.search(pattern, self.log()), lambda: f"{pattern!r} in:\n{self.log()}")

    def foreground(self, *command: str) -> Process:
        """A command that goes on running in its own terminal; returned once the filter serves."""
        process = Process(command, self.place / "foreground.log")
        process.start(serves)
        return process


def serves() -> bool:
    """True when a filter serves at the socket that the pages name for Postfix."""
    return accepts(f"unix:{SOCKET}")


@contextmanager
def machine(place: Path) -> Iterator[Machine]:
    """The host with Postfix running, inside namespaces of its own; its log is what `journalctl` shows."""
    with ExitStack() as running:
        running.enter_context(own_machine(place))
        _own_dev(place / "dev")
        for directory in ("/var/log", "/var/lib", "/var/spool/postfix", "/etc/systemd/system"):
            Path(directory).mkdir(parents=True, exist_ok=True)
        Path("/etc/hosts").write_text(f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {HOST} mx\n")
        Path("/etc/resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        shutil.copy(_JOURNALCTL, "/usr/local/sbin/journalctl")
        sink = running.enter_context(Sink())
        running.enter_context(Syslog(Path("/dev/log"), _LOG))
        postfix = running.enter_context(
            StockPostfix(
                place / "postfix",
                sink=sink.port,
                accounts={"anna": "secret"},
                host=HOST,
                domain="example.org",
                names=True,
            )
        )
        postfix.write("main.cf", f"{(postfix.config / 'main.cf').read_text()}myorigin = example.org\n")
        Path("/var/log/postfix.txt").symlink_to(postfix.log_file)
        services = running.enter_context(Services(place, serves, {"postfix": lambda _: None}))
        yield Machine(place, postfix, sink, services)


def set_up(config: str, table: str = "", *, start: bool = True) -> None:
    """Install the filter as the tutorial does, with its user, its directories and its unit, a configuration and a
    turf.table."""
    for name in ("service", "socket"):
        shutil.copy(CONTRIB / f"systemd/turfmilter.{name}", UNITS)
    run("systemd-sysusers", CONTRIB / "systemd/sysusers.conf")
    run("systemd-tmpfiles", "--create", CONTRIB / "systemd/tmpfiles.conf", CONTRIB / "postfix/tmpfiles.conf")
    CONFIG.parent.mkdir()
    CONFIG.write_text(config)
    CONFIG.with_name("turf.table").write_text(table)
    if start:
        run("systemctl", "start", "turfmilter")


def without_packages(block: str) -> str:
    """The block without the commands that install Debian's packages, which tests/rig/install has done."""
    return re.sub("(?m)^apt-get .*\n", "", block)


def install(block: str) -> str:
    """The block without packages and a virtual environment: in their place are the programs of this checkout."""
    installed = Path("/opt/turfmilter/bin")
    installed.mkdir(parents=True)
    for name in ("turfmilter", "turfctl"):
        shutil.move(Path("/usr/local/sbin", name), installed / name)
    return re.sub(r"(?m)^(apt-get|python3 -m venv|/opt/turfmilter/bin/pip) .*\n", "", block)


def _own_dev(kept: Path) -> None:
    """Make /dev a directory in which /dev/log can be added; all else in it is what it was."""
    kept.mkdir()
    subprocess.run(["mount", "--rbind", "/dev", kept], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "dev", "/dev"], check=True)
    for path in kept.iterdir():
        Path("/dev", path.name).symlink_to(path)


Instead = Mapping[str, Callable[[str], str]]


def follow(page: Path, instead: Instead | None = None, *, edits: bool = False, section: str = "") -> None:
    """Type every block of commands, or those of a section, and compare what is printed with what the page shows.

    For a block whose first line is in `instead`, what the function makes of the block is typed.  With `edits`, a block
    of TOML is written into the configuration, as an administrator edits it, and a table is written to turf.table.
    """
    comparison, left = Comparison(), dict(instead or {})
    for step in steps(page):
        if section not in ("", step.section):
            continue
        if step.language == "toml" and edits:
            edit(CONFIG, step.text)
        elif step.language == "table" and edits:
            CONFIG.with_name("turf.table").write_text(step.text)
        elif step.language == "sh":
            typed = left.pop(step.text.partition("\n")[0], str)
            _type(page, replace(step, text=typed(step.text)), comparison)
    assert not left, f"{page.name} has no such blocks any more: {left}"


def _type(page: Path, step: Step, comparison: Comparison) -> None:
    """Type a block, which must succeed unless the page shows what it prints.

    Its last command, if it looks at the log or the status, is repeated until what the page shows is to be seen there.
    """
    for path in Path("/etc/postfix").glob("*.cf"):
        os.utime(path, (0, 0))  # Postfix waits until they are two seconds old
    commands = comparison.here(step.text)
    doing, looking = _LOOKING.fullmatch(commands).groups()  # type: ignore[union-attr]  # it matches anything
    shown = step.shown
    before = _typed(page, doing, shown if not looking else None) if doing else []

    def differs() -> str:
        printed = _typed(page, looking, shown) if looking else before
        return comparison.differs(shown, printed) if shown is not None else ""

    try:
        wait.until(lambda: not differs(), "", wait.AMPLE if looking else 0)
    except TimeoutError:
        raise AssertionError(f"{page.name}: {commands}{differs()}") from None


def _typed(page: Path, commands: str, shown: list[str] | None) -> list[str]:
    """What the commands print; their questions are answered as the page shows."""
    status, printed = typed(commands, ROOT, HOST, _ANSWER.findall("\n".join(shown or [])))
    assert status == 0 or shown is not None, f"{page.name}: {commands}ends with {status}:\n" + "\n".join(printed)
    return printed


def edit(config: Path, wanted: str) -> None:
    """Set the keys of `wanted` in the file, in their sections, in place of what is there for them, commented or not."""
    lines = config.read_text().splitlines()
    section = ""
    for line in wanted.splitlines():
        if head := _SECTION.fullmatch(line):
            section = head[1]
        elif line and not line.startswith("#"):
            _set(lines, section, line)
    config.write_text("".join(f"{line}\n" for line in lines))


def _set(lines: list[str], section: str, wanted: str) -> None:
    key = wanted.partition("=")[0].strip()
    now = ""
    for number, line in enumerate(lines):
        if head := _SECTION.fullmatch(line):
            now = head[1]
        elif now == section and re.match(rf"#?{re.escape(key)} *=", line):
            lines[number] = wanted
            return
    raise AssertionError(f"[{section}] {key} is not in the configuration")
