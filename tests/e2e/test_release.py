"""A held message goes on through a real Postfix: what was signed stays signed, and who it was held from gets it."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import dkim
import pytest

from e2e.mailhost import Mailhost, without_received
from rig import wait
from rig.program import ENVIRONMENT
from rig.quarantine import command

TURF = """\
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["file:../turf.table"]
"""
SIGNED = (
    b"From:Anna  <anna@turf.test>\r\n"
    b"To: everybody@elsewhere.test\r\n"
    b"SUBJECT:  odd   spacing\t\r\n"
    b"\tand a fold \r\n"
    b"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
    b"Message-ID: <1@turf.test>\r\n"
    b"\r\n"
    b".a dot, caf\xe9, blanks at the end  \r\n"
    b"\r\n"
    b".\r\n"
)
SELECTOR, DOMAIN = b"s1", b"turf.test"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[Mailhost]:
    (module_place / "turf.table").write_text("@turf.test\n")
    with Mailhost(module_place, {"inbound": TURF}) as running:
        yield running


@pytest.fixture
def config(module_place: Path, host: Mailhost) -> Path:
    """As the filter's, with the service that has no filter."""
    (module_place / "turf.table").write_text("@turf.test\n")
    path = module_place / "release.toml"
    path.write_text(
        f'domains = ["rig.test"]\n[turf]\ndirectory = "{host.filter.quarantine}"\ntables = ["file:turf.table"]\n'
        f"[release]\nport = {host.postfix.ports['unfiltered']}\n"
    )
    return path


def turfctl(config: Path, *arguments: str, status: int = 0) -> str:
    """What it printed."""
    done = subprocess.run(
        command(config, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=wait.AMPLE, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout


def released(config: Path, *arguments: str, status: int = 0) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(turfctl(config, "release", "--yes", "--json", *arguments, status=status))
    return found


def signature() -> tuple[bytes, dict[bytes, bytes]]:
    """A DKIM-Signature over SIGNED with simple canonicalisation, which forgives nothing, and the record of its key."""
    private = openssl("genrsa", "-traditional", "2048")
    public = openssl("rsa", "-pubout", "-outform", "DER", given=private)
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    made = dkim.sign(SIGNED, SELECTOR, DOMAIN, private, canonicalize=(b"simple", b"simple"))
    return made, {SELECTOR + b"._domainkey." + DOMAIN + b".": record}


def openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(["openssl", *arguments], input=given, capture_output=True, check=True).stdout


def test_a_signature_that_was_valid_when_it_came_is_valid_when_it_leaves(host: Mailhost, config: Path) -> None:
    made, records = signature()
    host.send("<bob@rig.test>", sender="<anna@turf.test>", message=made + SIGNED)
    (held,) = host.filter.held()
    (done,) = released(config, held["X-Quarantine-ID"])
    assert done["recipient"] == "bob@rig.test"
    assert done["reply"].startswith("250 2.0.0 Ok: queued as ")
    (delivery,) = host.delivered()
    assert without_received(delivery.data) == made + SIGNED
    assert dkim.verify(delivery.data, dnsfunc=lambda name, **_: records.get(name))
    assert (delivery.sender, delivery.recipients) == ("anna@turf.test", ("bob@rig.test",))


def test_only_those_get_it_from_whom_it_was_held(host: Mailhost, config: Path) -> None:
    host.send("<bob@rig.test>", "<postmaster@rig.test>", "<carol@rig.test>", sender="<anna@turf.test>")
    assert host.reached() == ["postmaster@rig.test"]
    (held,) = host.filter.held()
    released(config, held["X-Quarantine-ID"], "--to", "carol@rig.test")
    released(config, held["X-Quarantine-ID"])
    assert sorted(host.reached()) == ["bob@rig.test", "carol@rig.test", "postmaster@rig.test"]


def test_a_selection_is_released_at_once(host: Mailhost, config: Path) -> None:
    for number in range(3):
        host.send("<bob@rig.test>", sender=f"<{number}@turf.test>")
    host.send("<bob@rig.test>", sender="<other@x.turf.test>")
    assert len(released(config, "--sender", "=@turf.test")) == 3
    assert sorted(delivery.sender for delivery in host.delivered()) == ["0@turf.test", "1@turf.test", "2@turf.test"]


def test_what_is_allowed_is_not_held_again_and_can_be_undone(host: Mailhost, config: Path) -> None:
    host.send("<bob@rig.test>", sender="<anna@turf.test>")
    (held,) = host.filter.held()
    said = turfctl(config, "release", "--yes", "--and-allow", "--for", "90d", held["X-Quarantine-ID"])
    table = config.with_name("turf.table")
    (line,) = [line for line in table.read_text().splitlines() if line.startswith("!")]
    assert line.startswith("!anna@turf.test expires=")
    assert f'why="released {held["X-Quarantine-ID"]}"' in line
    assert 'undo it with: turfctl turf remove "!anna@turf.test"' in said
    assert "not listed" in in_turf(config, "check", "anna@turf.test")
    in_turf(config, "remove", "--yes", "!anna@turf.test")
    assert table.read_text() == "@turf.test\n"


def in_turf(config: Path, *arguments: str) -> str:
    line: Sequence[str] = [word if word != "quarantine" else "turf" for word in command(config, *arguments)]
    return subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, timeout=wait.AMPLE, check=True).stdout


def test_a_next_hop_that_is_away_is_said_and_loses_nothing(host: Mailhost, config: Path) -> None:
    host.send("<bob@rig.test>", sender="<anna@turf.test>")
    (held,) = host.filter.held()
    config.write_text(config.read_text().replace("[release]\nport = ", "[release]\nport = 1 #"))
    assert released(config, held["X-Quarantine-ID"], status=1) == []
    assert host.reached() == []
    assert len(host.filter.held()) == 1
