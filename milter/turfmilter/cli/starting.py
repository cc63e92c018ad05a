"""Loads the configuration for a start: from its files or, if they are broken, from the last good copy."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from turfmilter.cli.fallback import state_directory
from turfmilter.compose import build_generation, load_config, lost_since
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
            config = self._from_copy(config.state, broken)
        elif lost := lost_since(self._path, self.config):
            return self._loaded_small(lost)
        return self._loaded(config, broken)

    def _loaded(self, config: Config, broken: ConfigError | None) -> Loaded:
        if broken:  # watch the broken files as well: fixing one of them must cause a reload
            config = replace(config, files=(*config.files, *broken.files))
        problems = broken.problems if broken else ()
        return Loaded(config, build_generation(config), copy_since=self._since, broken=problems)

    def _loaded_small(self, lost: tuple[str, ...]) -> Loaded:
        """Return the last good generation, because tables in the files have lost most of their entries.

        If there is no usable copy of it, the files are used, with warnings: without the filter, no mail would pass.
        """
        assert self.config.state
        broken = ConfigError(lost, self.config.files, self.config)
        try:
            return self._loaded(self._from_copy(self.config.state, broken), broken)
        except ConfigError:
            return Loaded(self.config, build_generation(self.config), lost)

    def _from_copy(self, state: Path, broken: ConfigError) -> Config:
        copied = self._copy(state, broken)
        # This process has already used the files' values of these keys to bind the socket and change user.
        return replace(copied, **{key: getattr(self.config, key) for key in _OF_ROOT})

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
