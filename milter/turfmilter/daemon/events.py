"""Runs the command of [events] when something happens that an administrator wants to know at once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any

from turfmilter.config.sections.events import EventsConfig
from turfmilter.core.ports import Clock
from turfmilter.daemon.errands import Errand, Fork
from turfmilter.daemon.reload import Report, Say

HELD, RELOAD_FAILED, NEARLY_FULL, WORKER_DIED = "held", "reload_failed", "quarantine_nearly_full", "worker_died"
_HOURLY = 100  # events of one kind that are told within an hour
_HOUR, _DAY = 3600.0, 86400.0  # seconds
# Nothing of the environment in which the daemon was started: it could change what the program does.
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class Events:
    """Collects events, and runs the command for one after the other, each in a short-lived process of its own.

    Events wait in memory, no more than an hour brings.  `say` is told why the command failed, unless it failed for the
    same reason the time before.
    """

    def __init__(self, clock: Clock, say: Say) -> None:
        self.errand = Errand("events: the command was not run", say)
        self._clock = clock
        self._say = say
        self._waiting: deque[dict[str, Any]] = deque()
        self._told: dict[str, deque[float]] = {}  # by kind: time.monotonic() of the last ones, at most _HOURLY
        self._senders: dict[str, float] = {}  # time.monotonic() when their first held message was told
        self._nearly_full: frozenset[str] = frozenset()

    def tell(self, kind: str, text: str, **more: object) -> bool:
        """Queue an event with a sentence for people; `more` are its further keys.  False if there are too many."""
        now = time.monotonic()
        told = self._told.setdefault(kind, deque(maxlen=_HOURLY))
        if len(told) == _HOURLY and now - told[0] < _HOUR:
            return False
        told.append(now)
        if len(told) == _HOURLY and now - told[0] < _HOUR:
            self._say("warning", f"events: {_HOURLY} of the kind {kind} within an hour; the next ones are not told")
        about = {"event": kind, "time": self._clock.now().isoformat(timespec="seconds"), "host": socket.gethostname()}
        self._waiting.append({**about, "text": text, **more})
        return True

    def looked_after(self, found: Mapping[str, Any]) -> None:
        """Queue what the last upkeep of the quarantines has found: newcomers, and room that is running out."""
        now = time.monotonic()
        self._senders = {sender: told for sender, told in self._senders.items() if now - told < _DAY}
        for one in found.get("newcomers", ()):
            if one["sender"] not in self._senders:
                text = f"first message held from {one['sender']}: turfctl show {one['id']}"
                if self.tell(HELD, text, **one):
                    self._senders[one["sender"]] = now
        nearly, before = frozenset(found.get("nearly_full", ())), self._nearly_full
        self._nearly_full = nearly
        for quarantine in sorted(nearly - before):
            used = found["nearly_full"][quarantine]
            text = f"{quarantine}: room is running out; messages that are to be held will be answered 452"
            self.tell(NEARLY_FULL, text, quarantine=quarantine, used=round(used, 3))

    def due(self, config: EventsConfig) -> float:
        """When to begin, as time.monotonic(): at once if an event waits and no command runs, else never.

        Without a command in `config`, waiting events are forgotten.
        """
        if not config.command:
            self._waiting.clear()
        return inf if self.errand.under_way or not self._waiting else 0.0

    def begin(self, config: EventsConfig, fork: Fork) -> None:
        """Run the command for the next event in a child made by `fork`."""
        event = self._waiting.popleft()
        self.errand.begin(lambda: Report(_run(config.command, event, config.timeout)), fork)


def _run(command: Sequence[str], event: Mapping[str, Any], seconds: float) -> list[str]:
    """Run `command`, in the child, and return why it failed."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # ignored signals would be inherited
        signal.signal(number, signal.SIG_DFL)
    try:
        # A session is also a process group: that of the program, and of what it starts.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=_ENVIRONMENT,
            start_new_session=True,
        )
    except OSError as error:
        return [f"events: {command[0]}: {error.strerror}"]
    try:
        process.communicate(json.dumps(event).encode() + b"\n", timeout=seconds)
    except subprocess.TimeoutExpired:
        return [f"events: {command[0]}: killed, because it did not end within {seconds:g} s"]
    finally:
        # Also after it has ended by itself: what it left in the background would have no bound.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return [f"events: {command[0]}: {_how(process.returncode)}"] if process.returncode else []


def _how(code: int) -> str:
    return f"ended by signal {-code}" if code < 0 else f"exit status {code}"
