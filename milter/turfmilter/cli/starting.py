"""What the daemon starts from: the files, or if these are broken, the copy of the last good configuration."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from turfmilter.compose import build_generation, load_config, load_copy
from turfmilter.config.loader import ConfigError, glimpsed
from turfmilter.config.schema import Config
from turfmilter.config.socketspec import SocketSpec
from turfmilter.daemon import identity
from turfmilter.daemon.reload import Loaded
from turfmilter.review.administrator import NoOwner, quarantine_user

# What root uses before it switches to the filter's user, to whom the copy belongs.
_OF_ROOT = ("socket", "socket_mode", "socket_group", "user", "status")


class Start:
    """The configuration in the file `path`, with another `socket` if one is given.

    `config` tells how to open the socket and which user to switch to; if the files are broken, root must use nothing
    else of it.  After that, `load` returns the complete configuration.  `broken` is what is wrong with the files.
    """

    def __init__(self, path: Path, socket: SocketSpec | None, *, strict: bool) -> None:
        """Raises ConfigError; with `strict` also if there is a copy."""
        self._path, self._socket = path.absolute(), socket
        self.broken: ConfigError | None = None
        self._since = ""
        try:
            self.config = load_config(path, socket)
        except ConfigError as error:
            if strict:
                raise
            self.broken = error
            self.config = self._without_files(error)

    def load(self) -> Loaded:
        """Return the configuration and generation to serve with.  Raises ConfigError."""
        config, broken = self.config, self.broken
        if broken and not self._since:
            assert config.state
            copied, self._since = load_copy(self._path, config.state, broken)
            config = replace(copied, **{key: getattr(config, key) for key in _OF_ROOT})
        if broken:  # fixing any of them may fix the configuration
            config = replace(config, files=(*config.files, *broken.files))
        problems = broken.problems if broken else ()
        return Loaded(config, build_generation(config), copy_since=self._since, broken=problems)

    def _without_files(self, broken: ConfigError) -> Config:
        readable = broken.readable((*_OF_ROOT, "state"))
        if os.geteuid() == 0:
            if readable is None or readable.state is None or not readable.user:
                raise broken
            return replace(readable, socket=self._socket or readable.socket)
        state = state_directory(self._path, broken)
        if state is None:
            raise broken
        config, self._since = load_copy(self._path, state, broken)
        return replace(config, socket=self._socket or config.socket)


def state_directory(path: Path, broken: ConfigError) -> Path | None:
    """Return where the copy of the broken configuration `path` would be; None if that cannot be read."""
    readable = broken.readable(("state",))
    if readable:
        return readable.state
    named = glimpsed(path).get("state", str(Config().state))
    return Path(named) if isinstance(named, str) and named.startswith("/") else None


def last_good(path: Path, broken: ConfigError) -> tuple[Config, str]:
    """Return the configuration `path`, which is `broken`, from its copy, and since when that was in force.

    Root switches to the filter's user first, to whom the copy belongs.  Raises ConfigError.
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
