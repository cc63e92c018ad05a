"""What is done to many messages costs as much for each as it does for a few."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest

from rig.child import in_child
from rig.nexthop import ScriptedNextHop
from rig.quarantine import hold, reviewed
from turfmilter.cli.turfctl import main
from turfmilter.core.held.ledger import Line

OTHERS = 4000  # lines of the ledger about other messages
FEW, MANY = 4, 24
_PR_SET_DUMPABLE = 4


class Cost:
    """Of what is done meanwhile: how often a directory was listed, and how many bytes were read."""

    def __init__(self) -> None:
        self._events: Counter[str] = Counter()
        sys.addaudithook(lambda event, _: self._events.update([event]))  # for good: only in a child

    def __call__(self, act: Callable[[], object]) -> tuple[int, int]:
        before, read = self._events.copy(), _read()
        act()
        return (self._events - before)["os.scandir"], _read() - read


def _read() -> int:
    # turfctl becomes the quarantine's owner: the kernel then closes /proc to it, unless it is told otherwise.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0)
    return int(Path("/proc/self/io").read_text().split()[1])


def run(config: Path, *arguments: str) -> None:
    with pytest.raises(SystemExit) as left:
        main(["-c", str(config), "quarantine", *arguments])
    assert left.value.code == 0


@pytest.mark.parametrize(
    "command",
    [
        lambda ids: ["release", "--yes", *ids],
        lambda ids: ["delete", "--yes", *ids],
        lambda _: ["release", "--yes", "--entry", "@turf.example"],
    ],
    ids=["release by id", "delete by id", "release by condition"],
)
def test_ledger_and_directory_are_read_once_for_a_run(
    place: Path, command: Callable[[Sequence[str]], list[str]]
) -> None:
    with ScriptedNextHop() as hop:
        told, telling = os.pipe()
        for number in (FEW, MANY):
            folder = place / str(number)
            folder.mkdir(mode=0o755)
            quarantine, config = reviewed(folder, more=f"[release]\nport = {hop.port}")
            ids = [hold(quarantine) for _ in range(number)]
            _speak_of_others(quarantine)

            def measured(config: Path = config, ids: Sequence[str] = ids, telling: int = telling) -> None:
                cost = Cost()
                listed, read = cost(lambda: run(config, *command(ids)))
                os.write(telling, f"{listed} {read}\n".encode())

            in_child(measured)
            assert len(list((quarantine / "cur").iterdir())) == number
        os.close(telling)
        with os.fdopen(told) as costs:
            few, many = (tuple(map(int, line.split())) for line in costs)
    assert many[0] == few[0], "directories listed"
    assert many[1] - few[1] < (place / str(FEW) / "quarantine/ledger").stat().st_size, "bytes read"


def _speak_of_others(quarantine: Path) -> None:
    line = Line("2026-11-22T10:00:00Z", "anna", 1000, "pts/0", "release", "intent", "?", "a1", ("b@rig.test",))
    lines = [json.dumps(asdict(line) | {"id": f"0000{number:02x}-000000"}) for number in range(OTHERS)]
    path = quarantine / "ledger"
    path.write_text("\n".join([*lines, ""]))
    os.chown(path, quarantine.stat().st_uid, quarantine.stat().st_gid)
