"""Loads the configuration for a start: from its files or, if they are broken, from the last good copy."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from turfmilter.cli.fallback import state_directory
from turfmilter.compose import build_generation, load_config
from turfmilter.config.loader import ConfigError
from turfmilter.config.schema import Config
from turfmilter.config.socketspec import SocketSpec
from turfmilter.daemon.reload import Loaded
from turfmilter.desk import load_copy

# The keys that root uses before it becomes the filter's user, which owns the copy: never taken from the copy.
_OF_ROOT = ("socket", "socket_mode", "socket_group", "user", "status")


class Start:
    """Loads the configuration in the file `path`; `socket`, if given, replaces the configured one.

    Use `config` to bind the socket and to become the user; if root starts the program and the files are broken,
    nothing else in it is valid.  Then call `load` for the whole configuration.  `broken` has the problems of the
    files, None if there are none.
    """

    def __init__(self, path: Path, socket: SocketSpec | None, *, strict: bool) -> None:
        """Raises ConfigError if the files are broken and there is no usable copy, or if `strict` forbids its use."""
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
        """The configuration and generation to serve with.  Raises ConfigError."""
        config, broken = self.config, self.broken
        if broken and not self._since:
            assert config.state
            copied = self._copy(config.state, broken)
            # This process has already used the files' values of these keys to bind the socket and change user.
            config = replace(copied, **{key: getattr(config, key) for key in _OF_ROOT})
        if broken:  # watch the broken files as well: fixing one of them must cause a reload
            config = replace(config, files=(*config.files, *broken.files))
        problems = broken.problems if broken else ()
        return Loaded(config, build_generation(config), copy_since=self._since, broken=problems)

    def _copy(self, state: Path, broken: ConfigError) -> Config:
        config, since = load_copy(self._path, state, broken)
        self._since = since.isoformat(timespec="seconds")
        return config

    def _without_files(self, broken: ConfigError) -> Config:
        readable = broken.readable((*_OF_ROOT, "state"))
        if os.geteuid() == 0:
            if readable is None or readable.state is None or not readable.user:
                raise broken
            return replace(readable, socket=self._socket or readable.socket)
        state = state_directory(self._path, broken)
        if state is None:
            raise broken
        config = self._copy(state, broken)
        return replace(config, socket=self._socket or config.socket)
