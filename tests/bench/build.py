"""The programs in C: compiled here, by gcc, when their source or a header is newer."""

from __future__ import annotations

import subprocess
from pathlib import Path

_SOURCE = Path(__file__).parent
_BUILT = _SOURCE.parents[1] / "build" / "bench"


def program(name: str) -> Path:
    """The program made of NAME.c."""
    source, built = _SOURCE / f"{name}.c", _BUILT / name
    changed = max(path.stat().st_mtime for path in (source, *_SOURCE.glob("*.h")))
    if not built.exists() or built.stat().st_mtime < changed:
        _BUILT.mkdir(parents=True, exist_ok=True)
        options = ["-O2", "-Wall", "-Wextra", "-Werror"]
        subprocess.run(["gcc", *options, "-o", built, source, "-lmilter", "-lpthread"], check=True)
    return built
