"""What the private Postfix and the private Sendmail have in common."""

from __future__ import annotations

import os
import subprocess
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rig import wait
from rig.server import Program
from rig.smtp import greets

HOST = "mx.rig.test"


class MailServer(Program):
    """An MTA below `directory`: `config` is where its configuration is written, `ports` the port of each listener.

    The listeners "inbound", with the filter, and "unfiltered", without one, are always among them.
    """

    def __init__(
        self, directory: Path, config: Path, ports: Mapping[str, int], command: Sequence[str | Path], log_file: Path
    ) -> None:
        super().__init__(command, directory / "output", self._serves, log_file=log_file)
        self.directory = directory
        self.config = config
        self.certificate = config / "certificate.pem"
        self.ports = ports

    @property
    @abstractmethod
    def version(self) -> tuple[int, int]:
        """The first two parts of its version, such as (3, 7) or (8, 17)."""

    @property
    def port(self) -> int:
        """The port of the listener with the filter."""
        return self.ports["inbound"]

    @abstractmethod
    def queue(self) -> list[dict[str, Any]]:
        """The messages in the queues: queue_name ("hold" for those that a filter quarantined), queue_id, …"""

    @abstractmethod
    def queued(self) -> list[Path]:
        """The files of the messages in the queues, found without a program: tests look often."""

    def settle(self) -> None:
        """Wait until there is nothing more to deliver."""
        # Twice: a message may move, while the queues are listed, into one that was listed before.
        wait.until(lambda: not self.queued() and not self.queued(), lambda: f"an empty queue: {self.log()}")

    def _serves(self) -> bool:
        return greets(self.ports["unfiltered"])

    def _run(self, command: Sequence[str | Path], stdin: bytes = b"") -> str:
        """What the command prints.  Raises RuntimeError with that and the log if it fails."""
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        if done.returncode:
            printed = (done.stdout + done.stderr).decode(errors="replace")
            words = " ".join(map(str, command))
            raise RuntimeError(f"{words} ended with {done.returncode}: {printed}\n{self.log()}")
        return done.stdout.decode(errors="surrogateescape")


def require_root(program: str) -> None:
    """Raises RuntimeError unless we are root, as `program` needs."""
    if os.geteuid() != 0:
        raise RuntimeError(f"{program} needs root: run the tests as root or through sudo")


def write_accounts(database: Path, accounts: Mapping[str, str], host: str = HOST) -> None:
    """Add `accounts` (name and password) to the sasldb(8) `database`; a name without a realm belongs to `host`."""
    for name, password in accounts.items():
        command = ["saslpasswd2", "-p", "-c", "-f", str(database), "-u", host, name]
        subprocess.run(command, input=password.encode(), check=True)
