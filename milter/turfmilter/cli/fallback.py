"""The copy of the last good configuration, which is used while the files are broken."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from turfmilter.config.loader import ConfigError, glimpsed
from turfmilter.config.schema import Config
from turfmilter.daemon import identity
from turfmilter.desk import load_copy
from turfmilter.review.administrator import NoOwner, quarantine_user


def state_directory(path: Path, broken: ConfigError) -> Path | None:
    """The directory for the copy of the broken configuration `path`; None if it cannot be determined."""
    readable = broken.readable(("state",))
    if readable:
        return readable.state
    named = glimpsed(path).get("state", str(Config().state))
    return Path(named) if isinstance(named, str) and named.startswith("/") else None


def last_good(path: Path, broken: ConfigError) -> tuple[Config, datetime]:
    """The copy of the configuration `path`, which is `broken`, and since when it was in force.

    Root first becomes the filter's user, which owns the copy.  Raises ConfigError if there is no usable copy.
    """
    state = state_directory(path, broken)
    if state is None:
        raise broken
    if os.geteuid() == 0:
        named = broken.readable(("user",))
        user = named.user if named else str(glimpsed(path).get("user", ""))
        try:
            identity.become(quarantine_user(user))
        except (NoOwner, OSError):
            raise broken from None
    return load_copy(path.absolute(), state, broken)
