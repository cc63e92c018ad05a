"""A message that was held from an oddly spelled recipient goes on through a real Sendmail to whom it was for."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.sendmailhost import SendmailHost
from rig.filter import USER
from rig.program import ENVIRONMENT
from rig.quarantine import command

TURF = """\
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[SendmailHost]:
    with SendmailHost(module_place, TURF) as running:
        yield running


@pytest.fixture
def config(module_place: Path, host: SendmailHost) -> Path:
    path = module_place / "release.toml"
    path.write_text(
        f'user = "{USER}"\ndomains = ["rig.test"]\n'
        f'[turf]\ndirectory = "{host.filter.quarantine}"\ntables = ["@turf.test"]\n'
        f"[release]\nport = {host.sendmail.ports['unfiltered']}\n"
    )
    return path


def test_raw_bytes_in_an_address_are_not_sent_without_smtputf8(host: SendmailHost, config: Path) -> None:
    taken, *_ = host.send(b"<caf\xe9@rig.test>", sender="<anna@turf.test>")
    assert taken.startswith("250 ")
    (held,) = host.filter.held()
    done = subprocess.run(
        command(config, "release", "--yes", held["X-Quarantine-ID"]),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "it does not offer SMTPUTF8 (RFC 6531), and there is UTF-8 in an address" in done.stderr
    assert host.reached() == []


@pytest.mark.parametrize(
    "text",
    [
        "<alice@rig. test>",
        "< alice@rig.test>",
        "<(x) alice@rig.test>",
        "<(x) alice>",
        "< alice>",
        "<@a.test: alice@rig.test>",
        "<@a.test: alice>",
        "<Joe <alice@rig.test>>",
        "alice(a-comment)@rig.test",
        "alice@rig.test",
    ],
)
def test_a_recipient_of_any_spelling_is_the_one_that_would_have_had_it(
    host: SendmailHost, config: Path, text: str
) -> None:
    taken, *_ = host.send(text, sender="<anna@out.test>")
    assert taken.startswith("250 ")
    reached = host.reached()
    assert len(reached) == 1
    host.clear()
    host.send(text, sender="<anna@turf.test>")
    assert host.reached() == []
    (held,) = host.filter.held()
    done = subprocess.run(
        command(config, "release", "--yes", "--json", held["X-Quarantine-ID"]),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    (row,) = json.loads(done.stdout)
    assert row["reply"].startswith("250 ")
    assert host.reached() == reached
