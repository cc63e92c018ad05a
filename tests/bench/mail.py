"""Messages through real Postfix with each protocol engine, and through an equal Postfix with each filter in C."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.contestants import ENGINES, NOOP, SAME_EVENTS, Contestant, called, noop, same_events, with_each_engine
from bench.report import Figure, Samples, at_least, at_most
from bench.turns import Effort, in_turns
from rig.postfix import Postfix
from turfmilter.config.schema import ProtocolEngine

_MESSAGES = 2_000
_NEW, _REUSED = "a new connection for each", "reused connections"
# Of the CPU time of the C no-op.
_TARGETS = {
    ProtocolEngine.LIBMILTER: {_NEW: 2.1, _REUSED: 1.9},
    ProtocolEngine.LOOP: {_NEW: 1.0, _REUSED: 1.0},
}


@dataclass(frozen=True)
class _Run:
    """Messages a second, and the filter's CPU seconds for 1,000."""

    rate: float
    cpu: float


_Runs = Mapping[str, Sequence[_Run]]


def mail(place: Path, effort: Effort) -> Iterator[Figure]:
    """15 sessions of Postfix's own smtp-source; all mail is discarded behind the queue."""
    with ExitStack() as ending:
        ours = with_each_engine(ending, place).values()
        filters = [ending.enter_context(noop(place)), ending.enter_context(same_events(place, "envelope")), *ours]
        ports = [ending.enter_context(_postfix(place / f"mta{n}", one)).port for n, one in enumerate(filters)]
        sent = {
            kind: in_turns(
                effort.rounds,
                {
                    one.name: partial(_send, one, port, kind, effort.of(_MESSAGES))
                    for one, port in zip(filters, ports, strict=True)
                },
            )
            for kind in (_NEW, _REUSED)
        }
    for engine in ENGINES:
        yield _rate(called(engine, 1), sent[_REUSED])
    for kind, runs in sent.items():
        for engine in ENGINES:
            yield from _costs(kind, engine, runs)
        yield Figure(_cost_of(kind), _cpu(SAME_EVENTS, runs), _cpu(NOOP, runs))


def _postfix(place: Path, filter_: Contestant) -> Postfix:
    discard = dict.fromkeys(("local_transport", "default_transport", "relay_transport"), "discard:")
    own = {**discard, "default_process_limit": "100", "non_smtpd_milters": ""}
    place.mkdir()
    return Postfix(place, sink=9, milter=f"unix:{filter_.socket}", parameters=own)


def _send(filter_: Contestant, port: int, kind: str, messages: int) -> _Run:
    options = ["-s", "15", "-m", str(messages), "-l", "2048", "-f", "a@out.example", "-t", "b@rig.test"]
    before, begin = filter_.cpu(), time.monotonic()
    command = ["smtp-source", *(["-d"] if kind == _REUSED else []), *options, f"127.0.0.1:{port}"]
    subprocess.run(command, check=True)
    return _Run(messages / (time.monotonic() - begin), (filter_.cpu() - before) * 1000 / messages)


def _rate(name: str, runs: _Runs) -> Figure:
    rates = {one: Samples(one, [run.rate for run in runs[one]], "/s") for one in (name, NOOP)}
    return Figure(
        name=f"messages/s through Postfix, {_REUSED}",
        measured=rates[name],
        reference=rates[NOOP],
        target=at_least(1.00),
        limit="Postfix's own work: what the filter saves in round trips is a small part of it",
    )


def _costs(kind: str, engine: ProtocolEngine, runs: _Runs) -> Iterator[Figure]:
    """Against the filter that answers five events as most filters do, and against the one that asks for ours."""
    own, fair = _cpu(called(engine, 1), runs), _cpu(SAME_EVENTS, runs)
    yield Figure(
        name=_cost_of(kind),
        measured=own,
        reference=_cpu(NOOP, runs),
        target=at_most(_TARGETS[engine][kind]),
        limit=f"the filter in C that asks for the same events needs {fair.median:.2f} s",
    )
    yield Figure(name=_cost_of(kind), measured=own, reference=fair)


def _cost_of(kind: str) -> str:
    return f"CPU for 1,000 messages through Postfix, {kind}"


def _cpu(name: str, runs: _Runs) -> Samples:
    return Samples(name, [run.cpu for run in runs[name]], " s")
