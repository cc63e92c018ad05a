"""The how-to pages about moving: their commands, typed in order, print what the pages show."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.freshhost import PostfixMachine, postfix_machine, set_up
from e2e.reader import ROOT, follow
from e2e.stockhost import SOCKET

HOWTO = ROOT / "docs/howto"
EXPORT = ROOT / "tests/fixtures/import/exchange/branch-office.reg"
ETC = Path("/etc/turfmilter")
CONFIG = f'socket = "unix:{SOCKET}"\nuser = "turfmilter"\ndomains = ["example.org"]\n'
MAIL = {
    "access": (
        "Connect:192.168.20 RELAY\n"
        "Connect:203.0.113.7 REJECT\n"
        "From:spam.example REJECT\n"
        "From:friend@spam.example OK\n"
        "To:partner.example RELAY\n"
        "To:old@example.org ERROR:5.1.1:550 has left\n"
    ),
    "local-host-names": "example.org\nmx.example.org\n",
    "sendmail.mc": (
        "FEATURE(`access_db')dnl\nFEATURE(`use_cw_file')dnl\ndefine(`confCONNECTION_RATE_THROTTLE', `15')dnl\n"
    ),
}


@pytest.fixture
def here(place: Path) -> Iterator[PostfixMachine]:
    with postfix_machine(place) as one:
        yield one


@pytest.mark.usefixtures("here")
def test_the_commands_of_the_page_about_exchange_put_its_rules_into_force() -> None:
    set_up(CONFIG)
    shutil.copy(EXPORT, ETC / "exchange.reg")
    follow(HOWTO / "move-from-exchange.md")
    assert 'mode = "trial"' in (ETC / "turfmilter.toml").read_text()


@pytest.mark.usefixtures("here")
def test_the_commands_of_the_page_about_access_tables_make_configurations() -> None:
    set_up(CONFIG)
    Path("/etc/mail").mkdir(exist_ok=True)
    for name, text in MAIL.items():
        Path("/etc/mail", name).write_text(text)
    follow(HOWTO / "move-from-access-tables.md")
