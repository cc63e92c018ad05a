"""turfctl reload: orders a reload, and shows its result."""

from __future__ import annotations

import json
import socket
from typing import Any

import click

from turfmilter.cli.opened import Started, warn_on_stderr
from turfmilter.cli.program import EX_NOT_DONE, leave
from turfmilter.core.escape import escape

_PATIENCE = 600.0  # seconds: tables of ten million entries are loaded in half a minute
_MOST = 1 << 20  # octets of an answer


@click.command("reload")
@click.option("--may-shrink", is_flag=True, help="Load tables even if they have lost most of their entries.")
@click.pass_obj
def reload(started: Started, may_shrink: bool) -> None:
    """Reload the configuration and all tables, and show what has changed.

    If a file is broken, or a table has lost more than half of its entries, the old generation stays in force.  Exit
    status: 0 the new generation is in force, 1 the old one stays.
    """
    path = started.configuration(tables=False).control
    if path is None:
        leave("turfctl", 'there is no control socket (status = ""); use: systemctl reload turfmilter', EX_NOT_DONE)
    answer = _asked(str(path), {"request": "reload", "may_shrink": may_shrink})
    for warning in answer.get("warnings", ()):
        warn_on_stderr(escape(warning))
    if answer.get("error") or answer.get("problems"):
        problems = answer.get("problems") or [answer["error"]]
        stays = f"generation {answer['generation']} stays in force:" if "generation" in answer else "nothing was done:"
        leave("turfctl", "\n".join(map(escape, [stays, *problems])), EX_NOT_DONE)
    click.echo(escape(f"generation {answer['generation']}: {answer['difference']}"))


def _asked(path: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return the daemon's answer to a request; the program ends if there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_PATIENCE)
            connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as file:
                line = file.readline(_MOST)
    except PermissionError:
        leave("turfctl", f"{path}: only root and the filter's user may order a reload", EX_NOT_DONE)
    except OSError as error:
        leave("turfctl", escape(f"{path}: {error.strerror or error}; is turfmilter running?"), EX_NOT_DONE)
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        leave("turfctl", f"{path}: the daemon ended before it answered; see its log", EX_NOT_DONE)
    return found
