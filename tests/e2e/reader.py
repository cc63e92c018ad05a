"""Somebody who follows a page of the documentation word by word, on one of the machines of freshhost.py."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from e2e.freshhost import HOST
from e2e.stockhost import CONFIG, CONTRIB
from rig import wait
from rig.page import Comparison, Step, steps
from rig.typed import typed

ROOT = CONTRIB.parent
SENDMAIL_MC = Path("/etc/mail/sendmail.mc")
_ANSWER = re.compile(r"\[y/N\]:? (\w+)")
_LOOKING = re.compile(r"(.*?)((?:^(?:journalctl|turfctl status)\b[^\n]*\n)?)", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(r"\[+(.+?)\]+")


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


Instead = Mapping[str, Callable[[str], str]]


def follow(page: Path, instead: Instead | None = None, *, edits: bool = False, section: str = "") -> None:
    """Type every block of commands, or those of a section, and compare what is printed with what the page shows.

    For a block whose first line is in `instead`, what the function makes of the block is typed, if anything.  With
    `edits`, a block of TOML is written into the configuration, as an administrator edits it, and a table is written to
    turf.table.
    """
    comparison, left = Comparison(), dict(instead or {})
    for step in steps(page):
        if section not in ("", step.section):
            continue
        if step.language == "toml" and edits:
            edit(CONFIG, step.text)
        elif step.language == "table" and edits:
            CONFIG.with_name("turf.table").write_text(step.text)
        elif step.language == "m4" and edits:
            insert(SENDMAIL_MC, step.text)
        elif step.language == "sh":
            typed = left.pop(step.text.partition("\n")[0], str)
            if commands := typed(step.text):
                _type(page, replace(step, text=commands), comparison)
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


def insert(mc: Path, lines: str) -> None:
    """Write lines into sendmail.mc, above the mailers."""
    above, mailers, below = mc.read_text().partition("MAILER_DEFINITIONS\n")
    assert mailers
    mc.write_text(above + lines + mailers + below)


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
