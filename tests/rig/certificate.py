"""A certificate for a server, which is its own authority."""

from __future__ import annotations

import subprocess
from pathlib import Path

_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"]


def make_certificate(path: Path, host: str) -> None:
    """Write the certificate for `host` and its key to `path`, in PEM.  Needs openssl(1)."""
    names = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    command = ["openssl", "req", "-x509", *_KEY, *names, "-keyout", "-", "-out", "-"]
    path.touch(mode=0o600)
    path.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
