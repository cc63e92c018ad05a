"""The files of contrib/systemd, word for word, as far as a machine goes that systemd does not run."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.stockhost import CONFIG, CONTRIB, SOCKET, installed, run
from rig import proc
from rig.link import accepts
from rig.milterclient import MilterClient
from rig.process import ProcessEnded
from rig.server import Program
from rig.unit import Unit

SYSTEMD = CONTRIB / "systemd"
SERVICE = SYSTEMD / "turfmilter.service"
PAGE = CONTRIB.parent / "docs/howto/run-under-systemd.md"
# The quarantine is in force, so that the unit's user must be able to write there.
SETTINGS = f"""\
socket = "unix:{SOCKET}"
domains = ["rig.test"]
[log]
to = "stderr"
[turf]
tables = ["@turf.test"]
directory = "/var/lib/turfmilter/quarantine"
"""


@pytest.fixture
def machine(place: Path) -> Iterator[Path]:
    with installed(place, SETTINGS):
        yield place


def served(address: str) -> str:
    """What a message is answered there whose sender is on the turf table."""
    with MilterClient(address) as client:
        client.greet()
        told = client.message("<a@turf.test>", ["<b@rig.test>"])
        client.quit()
    return str(told.end)


@pytest.mark.usefixtures("machine")
def test_systemd_finds_no_error_in_the_units() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *sorted(SYSTEMD.glob("turfmilter*.*"))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_page_states_how_far_the_service_is_locked_in() -> None:
    said = run("systemd-analyze", "security", "--offline=true", "--no-pager", SERVICE)
    score = re.search(r"exposure level for turfmilter.service: ([0-9.]+) ", said)
    assert score and f"turfmilter.service: {score[1]} OK" in PAGE.read_text()
    assert float(score[1]) < 2


def test_the_users_and_directories_are_created_as_configured(place: Path) -> None:
    """In a directory that is to be the root of another machine, which has Postfix's group."""
    (place / "etc").mkdir()
    (place / "etc/group").write_text("postfix:x:105:\n")
    run("systemd-sysusers", f"--root={place}", SYSTEMD / "sysusers.conf")
    passwd = (place / "etc/passwd").read_text()
    assert re.search(
        r"(?m)^turfmilter:x:(\d+):(\d+):Mail filter turfmilter:/var/lib/turfmilter:/usr/sbin/nologin$", passwd
    )
    run("systemd-tmpfiles", f"--root={place}", "--create", SYSTEMD / "tmpfiles.conf", CONTRIB / "postfix/tmpfiles.conf")
    modes = {
        str(path.relative_to(place / "var")): oct(path.stat().st_mode & 0o7777)
        for path in (place / "var").rglob("turfmilter*/**")
    }
    quarantine = "lib/turfmilter/quarantine"
    closed = dict.fromkeys(
        [
            "lib/turfmilter",
            "lib/turfmilter/journal",
            quarantine,
            *(f"{quarantine}/{one}" for one in ("tmp", "new", "cur")),
        ],
        "0o750",
    )
    assert modes == {**closed, "spool/postfix/turfmilter": "0o2750"}
    assert (place / "var/spool/postfix/turfmilter").stat().st_gid == 105


def test_the_service_serves_as_its_own_user(machine: Path) -> None:
    unit = Unit(SERVICE)
    with unit.program(machine / "log", lambda: accepts(f"unix:{SOCKET}")) as service:
        assert served(f"unix:{SOCKET}") == "discard"
        owners = proc.each(service.pids(), lambda process: process.stat().st_uid)
        assert set(owners.values()) == {pwd.getpwnam("turfmilter").pw_uid}
        reload = unit["ExecReload"].replace("$MAINPID", str(service.process.pid))
        run(*reload.split())
        assert served(f"unix:{SOCKET}") == "discard"
        assert service.stop() == 0


def test_a_broken_configuration_is_not_started_again_and_again(machine: Path) -> None:
    CONFIG.write_text("domains = 5\n")
    unit = Unit(SERVICE)
    with pytest.raises(ProcessEnded) as ended:
        unit.program(machine / "log", lambda: False).start()
    assert str(ended.value.status) == unit["RestartPreventExitStatus"]


def test_a_configuration_that_was_broken_since_is_served_from_its_copy(machine: Path) -> None:
    kept = Path("/var/lib/turfmilter/last-good.json")
    unit = Unit(SERVICE)
    with unit.program(machine / "log", kept.exists) as service:
        assert service.stop() == 0
    CONFIG.write_text("domains = 5\n")
    with unit.program(machine / "log", lambda: accepts(f"unix:{SOCKET}")) as service:
        assert served(f"unix:{SOCKET}") == "discard"
        service.wait_for_log("ALARM: started from the copy")
        assert service.stop() == 0


def test_the_service_may_write_wherever_the_shipped_files_put_something() -> None:
    unit = Unit(SERVICE)
    assert unit["ProtectSystem"] == "strict"
    open_to_it = {f"/run/{unit['RuntimeDirectory']}", f"/var/lib/{unit['StateDirectory']}"}
    open_to_it |= {path.lstrip("-") for path in unit["ReadWritePaths"].split()}
    made = [
        line.split()[1]
        for path in (SYSTEMD / "tmpfiles.conf", CONTRIB / "postfix/tmpfiles.conf")
        for line in path.read_text().splitlines()
        if line.startswith("d ")
    ]
    assert [one for one in made if not any(Path(one).is_relative_to(above) for above in open_to_it)] == []
    listening = Unit(SYSTEMD / "turfmilter.socket")["ListenStream"]
    assert listening == SOCKET


def test_the_service_is_up_before_every_mta() -> None:
    for name in ("service", "socket"):
        before = Unit(SYSTEMD / f"turfmilter.{name}")["Before"].split()
        assert {"postfix@-.service", "postfix.service", "sendmail.service"} <= set(before)


def test_a_socket_that_systemd_holds_is_served(machine: Path) -> None:
    CONFIG.write_text(SETTINGS.replace(f"unix:{SOCKET}", "fd:3").replace("domains", 'user = "turfmilter"\ndomains', 1))
    listening = Unit(SYSTEMD / "turfmilter.socket")
    command = ["systemd-socket-activate", "-l", listening["ListenStream"], "turfmilter", "-f"]
    ready = f"unix:{listening['ListenStream']}"  # a socket is there before anyone listens
    with Program(command, machine / "log", lambda: accepts(ready)) as activated:
        os.chmod(listening["ListenStream"], int(listening["SocketMode"], 8))  # noqa: PTH101
        assert served(f"unix:{listening['ListenStream']}") == "discard"
        activated.wait_for_log("socket fd:3")
