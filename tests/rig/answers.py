"""Many commands of turfctl in one process: what each prints, on a terminal or into a file, and its exit status."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rig.program import ENVIRONMENT
from rig.terminal import printed

_LOOP = """
import json, sys
from turfmilter.cli.turfctl import main
config, commands, mark = sys.argv[1:]
for command in json.loads(commands):
    try:
        main(["-c", config, "quarantine", *command], prog_name="turfctl")
    except SystemExit as left:
        print(f"{mark}{left.code or 0}{mark}", end="", flush=True)
"""


@dataclass(frozen=True)
class Answer:
    """What a command printed, including standard error, and its exit status."""

    said: bytes
    status: int


def answers(
    config: Path,
    commands: Sequence[Sequence[str]],
    *,
    terminal: bool,
    columns: int = 80,
    environment: Mapping[str, str] | None = None,
) -> Mapping[tuple[str, ...], Answer]:
    """What each of the `commands` prints.  Raises CalledProcessError if one ends the process.

    A terminal has so many `columns`; nobody answers there.  The `environment` is in addition to that of all programs.
    """
    around = {**ENVIRONMENT, **(environment or {})}
    mark = secrets.token_hex(16)
    line = [sys.executable, "-c", _LOOP, str(config), json.dumps(commands), mark]
    said = printed(line, around, columns=columns)[0] if terminal else _in_pipe(line, around)
    *pieces, rest = said.split(mark.encode())
    if rest or len(pieces) != 2 * len(commands):
        raise AssertionError(f"it ended early: {said[-5000:]!r}")
    given = zip(commands, pieces[::2], pieces[1::2], strict=True)
    return {tuple(command): Answer(text, int(code)) for command, text, code in given}


def _in_pipe(line: Sequence[str], environment: Mapping[str, str]) -> bytes:
    return subprocess.run(line, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True).stdout
