"""turfmilter: the daemon."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from turfmilter import __version__
from turfmilter.cli.configuration import EX_CONFIG, config_option, leave
from turfmilter.compose import build_log, build_quarantines, build_service
from turfmilter.config.choices import LogTo
from turfmilter.config.loader import ConfigError, load
from turfmilter.config.schema import Config
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.ports import QuarantineError
from turfmilter.daemon import background, identity, reach
from turfmilter.daemon.listener import Listener, SocketError
from turfmilter.daemon.supervisor import Supervisor
from turfmilter.mta.server import require_pymilter
from turfmilter.stores.maildir import UnusableMaildir

_SYSLOG = Path("/dev/log")
EX_UNAVAILABLE = 69


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.option("-s", "--socket", help="The socket, instead of the configuration's.")
@click.option("-t", "--test", is_flag=True, help="Check configuration, tables and quarantine; print every problem.")
@click.option("-f", "--foreground", is_flag=True, help="Stay in the foreground.")
@click.version_option(__version__, "-V", "--version", prog_name="turfmilter")
def main(path: Path, socket: str | None, test: bool, foreground: bool) -> None:
    """Filter mail for Postfix or Sendmail: who may connect and relay, how much, and whose mail is put aside.

    Exit status: 0 done, 2 usage, 69 the socket cannot be had, 78 configuration or quarantine unusable.
    """
    try:
        config = _load(path, socket)
        identity.check(config.user)
        _say_who_cannot_reach(config)
        if test:
            identity.become(config.user)
            _check_quarantines(config)
            click.echo("\n".join([f"{path}: no errors", *_how_to_attach(config.socket)]))
        else:
            _serve(config, foreground)
    except (ConfigError, identity.IdentityError, UnusableMaildir, ImportError) as error:
        leave("turfmilter", error, EX_CONFIG)
    except SocketError as error:
        leave("turfmilter", error, EX_UNAVAILABLE)


def _load(path: Path, socket: str | None) -> Config:
    config = load(path)
    for warning in config.warnings:
        _warn(warning)
    if config.log.to is LogTo.SYSLOG and not _SYSLOG.exists():
        _warn(f'{_SYSLOG} does not exist: nothing is logged until a syslog daemon runs; or set [log] to = "stderr"')
    try:
        return replace(config, socket=SocketSpec.parse(socket)) if socket else config
    except ValueError as error:
        raise click.BadParameter(f'"{socket}": {error}', param_hint="-s") from None


def _serve(config: Config, foreground: bool) -> None:
    require_pymilter()
    background.occupy_standard_descriptors()
    listener = Listener(config.socket, config.socket_mode, config.socket_group, config.user)
    try:
        identity.become(config.user)
        _check_quarantines(config)
        ready = (lambda: None) if foreground else background.detach(keep_stderr=config.log.to is LogTo.STDERR)
        Supervisor(listener, lambda log: build_service(config, log), lambda: build_log(config)).run(
            ready, _greeting(config)
        )
    finally:
        listener.close()


def _check_quarantines(config: Config) -> None:
    for quarantine in build_quarantines(config).values():
        quarantine.check()
        quarantine.clean()
        try:
            quarantine.require_room()
        except QuarantineError as error:
            _warn(f"{error}: messages that are to be held are answered 452 until there is room")


def _say_who_cannot_reach(config: Config) -> None:
    mta = reach.Postfix.at()
    for warning in reach.warnings(config.socket, config.socket_mode, config.socket_group, config.user, postfix=mta):
        _warn(warning)


def _greeting(config: Config) -> list[str]:
    """What the log says first: a filter that was forgotten in trial looks like any other."""
    started = f"turfmilter {__version__} started: mode {config.mode.value}, socket {config.socket}"
    return [started, *_how_to_attach(config.socket)]


def _how_to_attach(socket: SocketSpec) -> list[str]:
    """The lines to paste, where the socket has an address of its own."""
    mta = reach.Postfix.at()
    line = socket.postfix(mta.queue) if mta else socket.postfix()
    lines = (("main.cf", line), ("sendmail.mc", socket.sendmail()))
    return [f"{file}: {line}" for file, line in lines if line]


def _warn(sentence: str) -> None:
    click.echo(f"turfmilter: warning: {sentence}", err=True)
