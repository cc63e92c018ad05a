"""contrib/events/mail-event: an event, as the filter hands it over, becomes a message."""

from __future__ import annotations

import json
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path

from rig.ports import free_port
from rig.sink import Sink

PROGRAM = Path(__file__).parents[2] / "contrib" / "events" / "mail-event"
EVENT = {
    "event": "worker_died",
    "time": "2026-11-30T10:00:00+00:00",
    "host": "mx1.example.org",
    "text": "worker 7 ended (signal 9)",
    "pid": 7,
    "recipients": ["a@x.test", "b@x.test"],
}


def mailed(port: int, *addresses: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROGRAM, "--smtp", f"127.0.0.1:{port}", *addresses],
        input=json.dumps(EVENT) + "\n",
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_event_is_mailed_to_every_address() -> None:
    with Sink() as sink:
        done = mailed(sink.port, "a@rig.test", "b@rig.test")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        (delivery,) = sink.wait_for(1)
    assert (delivery.sender, delivery.recipients) == ("<>", ("a@rig.test", "b@rig.test"))
    message = message_from_bytes(delivery.data, policy=policy.default)
    assert message["Subject"] == "turfmilter mx1.example.org: worker died"
    assert message["Auto-Submitted"] == "auto-generated"
    first, _, *details = message.get_content().splitlines()
    assert first == EVENT["text"]
    assert "pid: 7" in details and "recipients: a@x.test, b@x.test" in details


def test_without_a_server_it_fails_so_that_the_log_reports_it() -> None:
    assert mailed(free_port(), "a@rig.test").returncode != 0
