"""The filter as a child."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest

from rig.daemon import Daemon
from rig.milterclient import MilterClient
from rig.process import ProcessEnded


@pytest.fixture
def daemon(place: Path) -> Daemon:
    """The filter without an MTA, not yet started."""
    config = place / "turfmilter.toml"
    config.write_text(
        f'socket = "unix:{place}/s"\nuser = "nobody"\nstatus = ""\ndomains = ["rig.test"]\n[log]\nto = "stderr"\n'
        '[turf]\ntables = ["@spam.test"]\ndiscard = true\n'
    )
    return Daemon(config, f"unix:{place}/s")


def test_it_answers_logs_and_ends(daemon: Daemon) -> None:
    with daemon, MilterClient(daemon.socket) as client:
        assert str(client.greet()) == "continue"
        assert str(client.message("<a@spam.test>", ["<b@rig.test>"]).end) == "discard"
        client.quit()
        daemon.wait_for_log("sender=a@spam.test .* verdict=discard")
    assert daemon.process.pids() == []


def test_it_can_be_killed_in_mid_message(daemon: Daemon) -> None:
    daemon.start()
    with MilterClient(daemon.socket) as client:
        client.greet()
        client.mail("<a@spam.test>")
        daemon.kill()
        with pytest.raises(ConnectionError):
            client.eom()
    assert daemon.process.pids() == []


def test_it_becomes_the_user_that_its_configuration_names(daemon: Daemon) -> None:
    with daemon:
        status = Path(f"/proc/{daemon.process.pid}/status").read_text()
        uid = pwd.getpwnam("nobody").pw_uid
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n" in status


def test_a_refusal_to_start_tells_why(place: Path) -> None:
    (place / "broken.toml").write_text("no_such_key = 1\n")
    with pytest.raises(ProcessEnded, match="no_such_key") as ended:
        Daemon(place / "broken.toml", place / "s").start()
    assert ended.value.status == 78
