""" "postfix:main.cf" against a real Postfix: what Postfix accepts from strangers is ours, and nothing else is."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rig.postfix import Postfix
from rig.sink import Sink
from rig.smtp import SmtpClient
from turfmilter.config.loader import configure
from turfmilter.core.table.entry import listed
from turfmilter.mta.postconf import Postconf

NAMES = [
    f"{below}{name}.test"
    for name in ("mydest", "infile", "inhash", "relay", "relhash", "excluded", "alias", "byalias", "mailbox", "mboxmap")
    for below in ("", "x.", "y.x.")
] + ["localhost", "mx.rig.test", "rig.test", "ig.test", "test", "stranger.test", "root"]


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture(scope="module", params=["relay_domains", "mynetworks"])
def postfix(module_place: Path, request: pytest.FixtureRequest) -> Iterator[Postfix]:
    """A Postfix that names domains in every way, with subdomains of relay_domains or without."""
    place = module_place / str(request.param)
    infile = written(place / "lists/infile", "# a list\ninfile.test, !excluded.test\n")
    tables = {
        "inhash": "inhash.test x\n",
        "relhash": "relhash.test x\n.y.relhash.test x\n",
        "virtual": "byalias.test anything\nroot@byalias.test x@rig.test\nx@byalias.test x@rig.test\n"
        "someone x@rig.test\n@mydest.test x@rig.test\n",
        "mailboxes": "mboxmap.test x\n",
    }
    for name, text in tables.items():
        written(place / "lists" / name, text)
    parameters = {
        "mynetworks": "",
        "smtpd_relay_restrictions": "reject_unauth_destination",
        "parent_domain_matches_subdomains": str(request.param),
        "mydestination": f"$myhostname, localhost rig.test, mydest.test {infile}, texthash:{place}/lists/inhash",
        "relay_domains": f"!excluded.test .relay.test, relay.test proxy:texthash:{place}/lists/relhash",
        "virtual_alias_domains": f"inline:{{{{alias.test = x}}}} texthash:{place}/lists/virtual",
        "virtual_mailbox_domains": f"mailbox.test texthash:{place}/lists/mailboxes",
        "virtual_mailbox_maps": "",
        "virtual_alias_maps": "static:x@rig.test",
    }
    with Sink() as sink, Postfix(place / "postfix", sink=sink.port, parameters=parameters) as running:
        yield running


def test_what_postfix_accepts_from_strangers_is_ours_and_nothing_else(postfix: Postfix, tmp_path: Path) -> None:
    config = configure({"domains": [f"postfix:{postfix.config}/main.cf"]}, tmp_path, postfix=Postconf())
    today = datetime.now(UTC).date()
    ours = {name: listed(config.domains.match_name(name, today)) for name in NAMES}
    accepted = {}
    for name in NAMES:
        with SmtpClient(postfix.port, source="127.0.0.2") as client:
            client.ehlo()
            client.command("MAIL FROM:<a@out.test>")
            accepted[name] = client.command(f"RCPT TO:<someone@{name}>").code == 250
    assert ours == accepted
    assert sum(accepted.values()) >= 12
