"""docs/howto/troubleshooting.md: after each mistake the programs print what the page shows, and its advice helps."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.freshhost import HOST, PostfixMachine, postfix_machine, set_up
from e2e.reader import ROOT, follow
from e2e.stockhost import CONFIG, CONTRIB, SOCKET, run
from rig.page import steps
from rig.typed import typed

PAGE = ROOT / "docs/howto/troubleshooting.md"
TABLE = CONFIG.with_name("turf.table")
QUARANTINE = Path("/var/lib/turfmilter/quarantine")
GOOD = f"""\
mode = "enforce"
socket = "unix:{SOCKET}"
user = "turfmilter"
domains = ["example.org"]
[turf]
tables = ["file:turf.table"]
directory = "{QUARANTINE}"
"""
NOTHING_WRONG = [
    f"{CONFIG}: no errors",
    "main.cf: smtpd_milters = { unix:turfmilter/turfmilter.sock, default_action=tempfail }",
]
SWAKS = ("swaks", "--server", "127.0.0.1", "--to", "anna@example.org", "--silent", "--from")


def without_an_at(_: PostfixMachine) -> None:
    TABLE.write_text("@turf.example\nspam.example\n")


def without_brackets(_: PostfixMachine) -> None:
    CONFIG.write_text(GOOD.replace('["example.org"]', '"example.org"'))


def forgotten(here: PostfixMachine) -> None:
    here.postfix.run("postconf", "relay_domains = example.net")


def outside_the_chroot(_: PostfixMachine) -> None:
    CONFIG.write_text(GOOD.replace(SOCKET, "/run/turfmilter/turfmilter.sock"))


def of_root(_: PostfixMachine) -> None:
    CONFIG.chmod(0o600)


def removed(_: PostfixMachine) -> None:
    shutil.rmtree(QUARANTINE)


def attached_only(here: PostfixMachine) -> None:
    attach(here)
    with here.client() as client:
        assert client.mail("<a@out.example>").code == 451


def broken_meanwhile(here: PostfixMachine) -> None:
    run("systemctl", "start", "turfmilter")
    without_an_at(here)
    here.wait_for_log("stays in force")


def on_trial(here: PostfixMachine) -> None:
    CONFIG.write_text(GOOD.replace("enforce", "trial"))
    run("systemctl", "start", "turfmilter")
    attach(here)


def without_the_service(here: PostfixMachine) -> None:
    run("systemctl", "start", "turfmilter")
    attach(here)
    run(*SWAKS, "spam@turf.example")
    run(CONTRIB / "postfix/attach", "--undo", "--yes")
    run("postfix", "reload")


def attach(_: PostfixMachine) -> None:
    run(CONTRIB / "postfix/attach", "--yes")
    run("postfix", "reload")


MISTAKES: dict[str, Callable[[PostfixMachine], None]] = {
    "An entry without an @": without_an_at,
    "A value that is not a list": without_brackets,
    "A domain of yours is rejected": forgotten,
    "Postfix cannot see the socket": outside_the_chroot,
    "Files that only root can read": of_root,
    "The quarantine does not exist": removed,
    "The filter is not running": attached_only,
    "A change has no effect": broken_meanwhile,
    "A listed sender's mail is delivered": on_trial,
    "A release fails": without_the_service,
}


def test_every_section_is_tried() -> None:
    assert {step.section for step in steps(PAGE)} == set(MISTAKES)


@pytest.mark.parametrize("section", MISTAKES)
def test_after_a_mistake_the_programs_print_what_the_page_shows_and_its_advice_helps(place: Path, section: str) -> None:
    with postfix_machine(place) as here:
        set_up(GOOD, "@turf.example\n", start=False)
        MISTAKES[section](here)
        follow(PAGE, section=section, edits=True)
        assert typed("turfmilter -t", ROOT, HOST) == (0, NOTHING_WRONG)
