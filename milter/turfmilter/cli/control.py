"""Asking the daemon through its control socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

_MOST = 16 << 20  # octets of an answer


class NotAnswered(Exception):
    """The daemon did not answer; the text says why."""


def ask(path: Path, request: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the daemon's answer to a request.  Raises NotAnswered, also if none comes within `seconds`."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(str(path))
            connection.sendall(json.dumps(request).encode() + b"\n")
            with connection.makefile("rb") as file:
                line = file.readline(_MOST)
    except PermissionError:
        raise NotAnswered(f"{path}: only root and the filter's user may use it") from None
    except OSError as error:
        raise NotAnswered(f"{path}: {error.strerror or error}; is turfmilter running?") from None
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise NotAnswered(f"{path}: the daemon ended before it answered; see its log")
    return found
