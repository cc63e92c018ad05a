"""turfctl releases what a mail host has held, to the host's listener without the filter."""

from __future__ import annotations

import json
from pathlib import Path

from e2e.mailhost import MailHost
from rig.filter import USER
from rig.quarantine import turfctl

# Of one recipient, which both MTAs find in every spelling.
SPELLINGS = (
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
)


def write_config(path: Path, host: MailHost, tables: str) -> Path:
    """A configuration for turfctl, with the filter's quarantine."""
    path.write_text(
        f'user = "{USER}"\ndomains = ["rig.test"]\n'
        f'[turf]\ndirectory = "{host.filter.quarantine}"\ntables = ["{tables}"]\n'
        f"[release]\nport = {host.ports['unfiltered']}\n"
    )
    return path


def released(config: Path, *arguments: str, status: int = 0) -> list[dict[str, str]]:
    """What `turfctl release` reports of each recipient; it must exit with `status`."""
    done = turfctl(config, "release", "--yes", "--json", *arguments)
    assert done.returncode == status, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def check_spelling(host: MailHost, config: Path, text: str) -> None:
    """Check that a message held from `text` is released to the recipient that the MTA would have delivered it to."""
    accepted, *_ = host.send(text, sender="<anna@fine.test>")
    assert accepted.startswith("250 ")
    reached = host.reached()
    assert len(reached) == 1
    host.clear()
    host.send(text, sender="<anna@turf.test>")
    (held,) = host.filter.held()
    assert host.reached() == []
    (done,) = released(config, held["X-Quarantine-ID"])
    assert done["reply"].startswith("250 ")
    assert host.reached() == reached
