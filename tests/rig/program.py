"""The program on its command line: short runs, and one that stays in the foreground."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import turfmilter
from rig import wait
from rig.engine import WANTED
from rig.filter import USER, give, make_state
from rig.milterclient import MilterClient

# Wherever and on whatever terminal tests run, programs show the same times and widths, and no pager waits.
_AS_EVERYWHERE = {"TZ": "UTC", "PAGER": "cat", "PYTHONPATH": str(Path(turfmilter.__file__).parents[1])}
ENVIRONMENT = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")} | _AS_EVERYWHERE
_OURS = 'domains = ["rig.test"]\n'


def program(*arguments: str | Path, user: str | None = None) -> list[str]:
    """The command line of the daemon; started by `user`, who can at least read where it is installed."""
    return [*as_user(user), sys.executable, "-m", "turfmilter", *map(str, arguments)]


def as_user(user: str | None) -> list[str]:
    """The beginning of a command line that runs as `user`."""
    if user is None:
        return []
    entry = pwd.getpwnam(user)
    identity = ["--reuid", str(entry.pw_uid), "--regid", str(entry.pw_gid), "--init-groups"]
    # A checkout may be in a directory that only root can enter.
    return ["setpriv", *identity, "--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]


def run(*arguments: str | Path, user: str | None = None) -> subprocess.CompletedProcess[str]:
    """A run of the daemon that is expected to end: what it printed, and its exit status."""
    return subprocess.run(
        program(*arguments, user=user), env=ENVIRONMENT, capture_output=True, text=True, timeout=wait.AMPLE, check=False
    )


def configured(
    place: Path, settings: str = "", *, socket: str | None = None, user: str = USER, log: str = "stderr"
) -> Path:
    """A configuration file; the filter may write to its directory."""
    give(place)
    path = place / "turfmilter.toml"
    spec = socket or f"unix:{place}/s"
    state = make_state(place / "state")
    engine = "" if "protocol_engine = " in settings else f'protocol_engine = "{WANTED.value}"\n'
    own = f'{engine}socket = "{spec}"\nuser = "{user}"\nstatus = "{place}/status.json"\nstate = "{state}"\n'
    path.write_text(f'{own}{_OURS}{settings}\n[log]\nto = "{log}"\n')
    return path


@contextmanager
def running(
    place: Path, *arguments: str | Path, user: str | None = None, **options: object
) -> Iterator[subprocess.Popen[str]]:
    """The daemon in the foreground, ended by TERM."""
    log = (place / "log").open("w")
    process = subprocess.Popen(
        program("-f", *arguments, user=user),
        env=ENVIRONMENT,
        stdout=log,
        stderr=log,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    try:
        wait.until(lambda: "started" in (place / "log").read_text() or process.poll() is not None, "its start")
        yield process
    finally:
        process.terminate()
        assert process.wait(wait.AMPLE) == 0, (place / "log").read_text()


def serves(address: str | Path) -> bool:
    """True if a message is accepted there."""
    with MilterClient(address) as client:
        client.greet()
        told = client.message("<a@out.test>", ["<b@rig.test>"])
        client.quit()
    return str(told.end) == "accept"
