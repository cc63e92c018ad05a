"""Messages through real Postfix, against an equal Postfix with the filter in C that does nothing."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from bench.contestants import Contestant, noop, turfmilter
from bench.report import Figure, at_least, at_most
from bench.settings import settings
from bench.turns import RUNS, in_turns, ratio, spread
from rig.postfix import Postfix

_MESSAGES = 1000
_REUSED, _NEW = "reused", "new"


@dataclass(frozen=True)
class _Run:
    rate: float
    cpu: float


def mail(place: Path) -> Iterator[Figure]:
    """15 sessions of Postfix's own smtp-source; all mail is discarded behind the queue."""
    with ExitStack() as ending:
        own = place / "own"
        reference = ending.enter_context(noop(place))
        ours, _ = ending.enter_context(turfmilter(own, settings(own)))
        filters = {"reference": reference, "ours": ours}
        ports = {name: ending.enter_context(_postfix(place / name, one)).port for name, one in filters.items()}
        runs = in_turns(
            RUNS,
            {
                f"{name} {kind}": partial(_send, one, ports[name], kind)
                for kind in (_REUSED, _NEW)
                for name, one in filters.items()
            },
        )
        yield _rate(runs["ours reused"], runs["reference reused"])
        for kind, bound in ((_NEW, 0.50), (_REUSED, 0.30)):
            yield _cost(kind, bound, runs[f"ours {kind}"], runs[f"reference {kind}"])


def _postfix(place: Path, filter_: Contestant) -> Postfix:
    discard = dict.fromkeys(("local_transport", "default_transport", "relay_transport"), "discard:")
    own = {**discard, "default_process_limit": "100", "non_smtpd_milters": ""}
    place.mkdir()
    return Postfix(place, sink=9, milter=f"unix:{filter_.socket}", parameters=own)


def _send(filter_: Contestant, port: int, kind: str) -> _Run:
    options = ["-s", "15", "-m", str(_MESSAGES), "-l", "2048", "-f", "a@out.example", "-t", "b@rig.test"]
    before, begin = filter_.cpu(), time.monotonic()
    command = ["smtp-source", *(["-d"] if kind == _REUSED else []), *options, f"127.0.0.1:{port}"]
    subprocess.run(command, check=True)
    return _Run(_MESSAGES / (time.monotonic() - begin), filter_.cpu() - before)


def _rate(ours: Sequence[_Run], reference: Sequence[_Run]) -> Figure:
    rates, others = [run.rate for run in ours], [run.rate for run in reference]
    cpu, other = (median(run.cpu for run in runs) * 1e6 / _MESSAGES for runs in (ours, reference))
    return Figure(
        name="messages/s through Postfix, reused connections",
        measured=f"{median(rates):.0f}/s",
        reference=f"{median(others):.0f}/s",
        judged=ratio(rates, others),
        target=at_least(1.00),
        details=(
            f"rates {spread(rates)} against {spread(others)}",
            f"the filter's CPU a message {cpu:.0f} µs against {other:.0f} µs",
        ),
        limit="Postfix's own work: what the filter saves in round trips is a small part of it",
        numbers={"rates": rates, "reference": others},
    )


def _cost(kind: str, bound: float, ours: Sequence[_Run], reference: Sequence[_Run]) -> Figure:
    cpu, other = [run.cpu for run in ours], [run.cpu for run in reference]
    return Figure(
        name=f"CPU seconds for {_MESSAGES} messages, {kind} connections",
        measured=f"{median(cpu):.2f} s",
        reference=f"{median(other):.2f} s",
        judged=median(cpu),
        target=at_most(bound, " s"),
        details=(f"from {min(cpu):.2f} to {max(cpu):.2f} s against {min(other):.2f} to {max(other):.2f} s",),
        limit=f"the filter in C that does nothing needs {median(other):.2f} s on this machine",
        numbers={"cpu": cpu, "reference": other},
    )
