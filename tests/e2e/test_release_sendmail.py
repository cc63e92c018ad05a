"""A message that was held from an oddly spelled recipient goes on through a real Sendmail to whom it was for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.releasing import SPELLINGS, check_spelling, write_config
from e2e.sendmailhost import SendmailHost
from rig.quarantine import turfctl

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
    return write_config(module_place / "release.toml", host, "@turf.test")


def test_raw_bytes_in_an_address_are_not_sent_without_smtputf8(host: SendmailHost, config: Path) -> None:
    taken, *_ = host.send(b"<caf\xe9@rig.test>", sender="<anna@turf.test>")
    assert taken.startswith("250 ")
    (held,) = host.filter.held()
    done = turfctl(config, "release", "--yes", held["X-Quarantine-ID"])
    assert done.returncode == 1
    assert "it does not offer SMTPUTF8 (RFC 6531), and there is UTF-8 in an address" in done.stderr
    assert host.reached() == []


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_recipient_of_any_spelling_is_the_one_that_would_have_had_it(
    host: SendmailHost, config: Path, text: str
) -> None:
    check_spelling(host, config, text)
