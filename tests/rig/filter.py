"""turfmilter with one configuration, its quarantine and its log."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rig import wait, wire
from rig.daemon import Daemon, open_files
from rig.engine import WANTED
from rig.milterclient import Macro, MilterClient
from rig.server import Server
from rig.wire import Action, Protocol, Text
from turfmilter.core.held.block import read_block
from turfmilter.core.journal.transaction import Transaction
from turfmilter.core.report import Slip
from turfmilter.daemon import mtas
from turfmilter.stores.journal import JournalDirectory

USER = "nobody" if os.geteuid() == 0 else ""  # the user that the filter switches to: it refuses to run as root


def make_quarantine(path: Path) -> Path:
    """An empty Maildir that the filter may write to."""
    for directory in (path, *(path / part for part in ("tmp", "new", "cur"))):
        directory.mkdir(mode=0o750, exist_ok=True)
        give(directory)
    return path


def make_state(path: Path) -> Path:
    """A directory for what the filter keeps when it ends."""
    path.mkdir(mode=0o750, exist_ok=True)
    give(path)
    return path


def give(path: Path) -> None:
    """Make the user that the filter becomes the owner of `path`."""
    if USER:
        shutil.chown(path, USER)


@dataclass(frozen=True)
class Held:
    """One message in quarantine: its id, what its block records, and every byte after the block."""

    id: str
    slip: Slip
    message: bytes

    @property
    def sender(self) -> str:
        """The sender without <>, and the parameters that came with it."""
        return " ".join((self.slip.sender.address, *self.slip.sender.parameters))

    @property
    def recipients(self) -> tuple[str, ...]:
        """The recipients in the same way."""
        return tuple(" ".join((one.address, *one.parameters)) for one in self.slip.recipients)


def read_held(path: Path) -> Held:
    """The held message in the file `path`, whose seal and digest must be right."""
    with path.open("rb") as file:
        block = read_block(file)
        if not (block.sealed and block.intact(file) and block.id == path.name):
            raise AssertionError(f"{path} is not whole")
        file.seek(block.offset)
        return Held(block.id, block.slip, file.read())


def rewrite(path: Path, text: str) -> None:
    """Replace the contents of `path`; a reader sees the old text or the new one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text)
    new.rename(path)


class Filter(Server):
    """The daemon in `place`, which it may write to, with the TOML text `settings`.

    `settings` begins with the keys above all sections; "{quarantine}" and "{journal}" in it are the paths of these.
    `watchdog` is for its Daemon. `log` is the format of the log: json for records(), text for what people see.
    """

    def __init__(self, place: Path, settings: str, *, log: str = "json", watchdog: float = 0.0) -> None:
        give(place)
        self.socket = place / "milter.sock"
        self.quarantine = make_quarantine(place / "quarantine")
        self.journal = place / "journal"
        self.config = place / "turfmilter.toml"
        self._status = place / "status.json"
        self.state = make_state(place / "state")
        self.kept = self.state / "last-good.json"
        self._log = log
        self.configure(settings)
        self.daemon = Daemon(self.config, f"unix:{self.socket}", watchdog=watchdog)
        self._lines_seen = 0
        self._fences = 0

    def configure(self, settings: str) -> None:
        """Write the configuration as at the beginning, with other `settings`.

        Unless they say otherwise there is one worker: its lines in the log are in the order in which things happened.
        """
        above = f'socket = "unix:{self.socket}"\nuser = "{USER}"\nstatus = "{self._status}"\nstate = "{self.state}"\n'
        if "protocol_engine = " not in settings:
            above += f'protocol_engine = "{WANTED.value}"\n'
        self._one_worker = "workers = " not in settings
        if self._one_worker:
            above += "workers = 1\n"
        below = f'\n[log]\nto = "stderr"\nformat = "{self._log}"\n'
        settings = settings.replace("{quarantine}", str(self.quarantine)).replace("{journal}", str(self.journal))
        rewrite(self.config, above + settings + below)

    def start(self) -> None:
        """Start it, and return when it serves, has logged so, and has stored a copy of its configuration."""
        before = self._greetings()
        self.daemon.start()
        wait.until(lambda: self._greetings() > before, self.daemon.log)
        wait.until(lambda: self.kept.exists() or not self.state.exists(), self.daemon.log)

    def stop(self) -> None:
        """End it.  Raises RuntimeError if any of its processes had to be killed."""
        self.daemon.stop()

    def client(
        self, *, actions: Action = wire.ALL_ACTIONS, protocol: Protocol = wire.ALL_PROTOCOL, timeout: float = wait.AMPLE
    ) -> MilterClient:
        """A connection on which nothing has been sent yet."""
        return MilterClient(self.socket, actions=actions, protocol=protocol, timeout=timeout)

    @contextmanager
    def session(
        self,
        name: Text = "client.out.test",
        address: Text | None = "192.0.2.9",
        port: int = 40000,
        *,
        macros: Macro | None = None,
        actions: Action = wire.ALL_ACTIONS,
        protocol: Protocol = wire.ALL_PROTOCOL,
    ) -> Iterator[MilterClient]:
        """A session after its HELO; at its end the filter must have nothing more to send."""
        with self.client(actions=actions, protocol=protocol) as client:
            client.greet(name, address, port, macros=macros)
            yield client
            client.quit()

    def reload(self) -> None:
        """Tell it to read its files again."""
        self.daemon.process.send(signal.SIGHUP)

    def wait_for_generation(self, number: int) -> str:
        """What the log reports as changed in generation `number`, once new connections only reach that generation.

        The line is logged when the old workers have been ordered to drain; a slow one still accepts connections.
        """
        said = self.daemon.wait_for_log(rf"generation {number}: ([^\n]*?)(?:\"}}|\n)")[1]

        def alone(seen: dict[str, Any]) -> bool:
            new = {one["pid"] for one in seen["workers"] if one["generation"] >= number}
            return bool(new) and self._listening() <= new

        self.wait_for_status(alone)
        return said

    def _greetings(self) -> int:
        """How often it has logged the last line of its start, which is about the MTAs of this machine."""
        last = (
            "sendmail.mc: " if mtas.sendmail_installed() else "main.cf: " if mtas.postfix_installed() else "started: "
        )
        return self.daemon.log().count(last) if self.daemon.log_file.exists() else 0

    def _listening(self) -> set[int]:
        """The workers that take connections."""
        lines = (line.split() for line in Path("/proc/net/unix").read_text().splitlines())
        ours = {f"socket:[{line[6]}]" for line in lines if line[7:] == [str(self.socket)] and line[3] == "00010000"}
        return {pid for pid in self.daemon.workers() if ours & open_files(pid)}

    def status(self) -> dict[str, Any]:
        """Its status file."""
        return dict(json.loads(self._status.read_text()))

    def wait_for_status(self, seen: Callable[[dict[str, Any]], object], seconds: float = wait.AMPLE) -> dict[str, Any]:
        """The first status of which `seen` is true."""
        return (
            wait.until(
                lambda: next(filter(seen, [self.status()] if self._status.exists() else []), None),
                lambda: f"it in {self._status.read_text()} {self.daemon.log()}",
                seconds,
            )
            or {}
        )

    def held(self) -> list[Held]:
        """What is in quarantine."""
        return [read_held(path) for path in sorted((self.quarantine / "new").iterdir())]

    def make_journal(self) -> None:
        """Make the directory of the journal."""
        self.journal.mkdir(mode=0o750)
        give(self.journal)

    def transactions(self, number: int) -> list[Transaction]:
        """What the journal has, the oldest first, once it has so many."""

        def found() -> list[Transaction]:
            return list(JournalDirectory(self.journal).oldest(None, lambda _: True))

        wait.until(lambda: len(found()) >= number, lambda: f"{number} transactions, not {found()}")
        return found()

    def unfinished(self) -> list[str]:
        """Names of what is still being written."""
        return sorted(path.name for path in (self.quarantine / "tmp").iterdir())

    def forget(self) -> None:
        """Remove what was held, and do not return again what was logged."""
        self.lines()
        for path in (self.quarantine / "new").iterdir():
            path.unlink()

    def lines(self) -> list[str]:
        """The log's lines since the last call, which are complete once a message of our own has been logged.

        There must be one worker: the lines of several have no order.
        """
        assert self._one_worker, "lines of several workers have no order: wait for those that are meant"
        self._fences += 1
        fence = f"fence{self._fences}@fence.test"
        with self.session("fence.test") as client:
            client.message(f"<{fence}>", ["<fence@rig.test>"], [("From", f" {fence}")])
        self.daemon.wait_for_log(f"{fence}.*\n")
        lines = self.daemon.log().splitlines()
        end = next(number for number, line in enumerate(lines) if fence in line)
        begin, self._lines_seen = self._lines_seen, end + 1
        return lines[begin:end]

    def wait_for_records(self, number: int) -> list[dict[str, Any]]:
        """All lines of a JSON log about messages and refusals, in any order, once there are so many."""

        def found() -> list[dict[str, Any]]:
            return [line for line in map(_object, self.daemon.log().splitlines()) if "queue_id" in line]

        wait.until(lambda: len(found()) >= number, lambda: f"{number} lines in:\n{self.daemon.log()}")
        return found()

    def records(self) -> list[dict[str, Any]]:
        """The log's lines about messages and refusals since the last call."""
        return [line for line in map(_object, self.lines()) if "queue_id" in line]


Filters = Callable[..., Filter]  # makes one with the settings that it is given, and starts it


def _object(line: str) -> dict[str, Any]:
    """One line of a JSON log; {} for what libmilter and pymilter print."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
