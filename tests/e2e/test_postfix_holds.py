"""default_action=quarantine: what Postfix cannot show the filter waits in its hold queue, and goes on when told to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from e2e.gate import Gate
from e2e.mailhost import MESSAGE
from e2e.postfixhost import PostfixHost
from rig.smtp import SmtpClient

TURF = """\
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""


def absent(host: PostfixHost, _gate: Gate) -> None:
    """The filter has gone before the client comes."""
    host.filter.daemon.kill()


def killed(host: PostfixHost, _gate: Gate) -> None:
    """It goes while the client is sending."""
    host.filter.daemon.kill()


def silent(_host: PostfixHost, gate: Gate) -> None:
    """It says nothing any more."""
    gate.stop_after(0)


@pytest.mark.parametrize("trouble", [absent, killed, silent])
def test_mail_that_the_filter_has_not_seen_waits_in_the_hold_queue(
    place: Path, trouble: Callable[[PostfixHost, Gate], None]
) -> None:
    gate = Gate(place / "gate", f"unix:{place}/inbound/turfmilter.sock")
    milter = f"{{ {gate.socket}, default_action=quarantine, command_timeout=3s, content_timeout=3s }}"
    with gate, PostfixHost(place, {"inbound": TURF}, listeners={"holding": {"smtpd_milters": milter}}) as host:
        if trouble is absent:
            trouble(host, gate)
        with SmtpClient(host.postfix.ports["holding"], source="127.0.0.2") as client:
            client.ehlo()
            client.mail("<x@turf.test>")
            client.rcpt("<bob@rig.test>")
            if trouble is not absent:
                trouble(host, gate)
            assert client.data(MESSAGE).code == 250
        (waiting,) = host.postfix.queue()
        assert waiting["queue_name"] == "hold"
        assert (host.sink.deliveries, host.filter.held()) == ([], [])

        host.postfix.run("postsuper", "-H", "ALL")
        host.postfix.run("postqueue", "-f")
        assert host.reached() == ["bob@rig.test"], "postsuper -H does not show it to the filter"
