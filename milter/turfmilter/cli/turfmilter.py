"""The command turfmilter: starts the daemon, or checks the configuration (-t)."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from turfmilter import __version__
from turfmilter.cli.initial import NoUserError, initialise
from turfmilter.cli.linting import lint
from turfmilter.cli.program import EX_CONFIG, config_option, leave
from turfmilter.cli.starting import Start
from turfmilter.compose import build_program, check_journal, check_mtas, check_quarantines, every_problem
from turfmilter.config.loader import ConfigError
from turfmilter.config.schema import Config, LogTo, ProtocolEngine
from turfmilter.config.socketspec import SocketSpec
from turfmilter.core.escape import escape
from turfmilter.core.held.room import UnusableQuarantine
from turfmilter.core.ports import Level
from turfmilter.daemon import background, descriptors, identity, mtas, reach
from turfmilter.daemon.generations import WorkerFailed
from turfmilter.daemon.listener import MilterSocket, SocketError
from turfmilter.daemon.notify import Notify
from turfmilter.daemon.reload import Loaded, Program
from turfmilter.daemon.supervisor import Supervisor
from turfmilter.desk import SystemClock
from turfmilter.mta.engines import choose
from turfmilter.mta.server import doubts, require_pymilter
from turfmilter.telemetry.sink import SYSLOG

EX_UNAVAILABLE = 69
EX_SOFTWARE = 70


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@config_option
@click.option("-s", "--socket", help="Listen on this socket instead of the configured one.")
@click.option(
    "-t", "--test", is_flag=True, help="Check configuration, tables and quarantines, print every problem, and exit."
)
@click.option("-f", "--foreground", is_flag=True, help="Stay in the foreground.")
@click.option(
    "--strict", is_flag=True, help="If files are broken, fail instead of starting from the last good configuration."
)
@click.option(
    "--init",
    "new",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Write a commented configuration, a turf table and a quarantine to DIR, print the next commands, and exit.",
)
@click.version_option(
    __version__,
    "-V",
    "--version",
    prog_name="turfmilter",
    message=f"%(prog)s, version %(version)s\nprotocol engine: {choose(ProtocolEngine.AUTO)}",
)
def main(path: Path, socket: str | None, test: bool, foreground: bool, strict: bool, new: Path | None) -> None:
    """Filter mail for Postfix or Sendmail: who may connect and relay, how much, and which mail is held in quarantine.

    Exit status: 0 success, 2 usage error, 69 cannot bind the socket, 70 no worker process could be started,
    78 configuration or quarantine unusable.
    """
    if new:
        _initialise(new)
        return
    try:
        begun = SystemClock().now().timestamp()
        # Loading large tables takes a while, and HUP would end the program until the supervisor handles it.  No
        # reload is lost: files that have changed since `begun` are loaded again after the start.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        spec = _spec(socket)
        start = Start(path, spec, strict=strict or test)
        config = start.config
        _warn(config.warnings)
        _warn_without_syslog(config)
        identity.check(config.user)
        _warn(identity.warnings(config.user))
        _say_who_cannot_reach(config)
        _warn([] if start.broken else check_mtas(config))
        if test:
            _test(path, config)
        else:
            _serve(start, build_program(path.absolute(), spec), foreground, begun)
    except ConfigError as error:
        leave("turfmilter", "\n".join((*error.problems, *_further_problems(error))), EX_CONFIG)
    except identity.IdentityError as error:
        leave("turfmilter", "\n".join((str(error), *_missing(config))), EX_CONFIG)
    except (UnusableQuarantine, ImportError) as error:
        leave("turfmilter", error, EX_CONFIG)
    except SocketError as error:
        leave("turfmilter", error, EX_UNAVAILABLE)
    except WorkerFailed as error:
        leave("turfmilter", error, EX_SOFTWARE)


def _test(path: Path, config: Config) -> None:
    """Print what is doubtful about `config`, which has no errors, and how to attach the MTA."""
    # As the filter's user: only its rights show whether it can write to the quarantine.
    identity.become(config.user)
    _warn(_doubts_of_the_user(config))
    _warn(map(escape, lint(config, SystemClock().now())))
    click.echo("\n".join([f"{path}: no errors", *_how_to_attach(config.socket)]))


def _initialise(directory: Path) -> None:
    try:
        for line in initialise(directory):
            click.echo(line)
    except NoUserError as error:
        leave("turfmilter", error, EX_CONFIG)
    except OSError as error:
        leave("turfmilter", f"{error.filename}: {error.strerror}", EX_CONFIG)


def _further_problems(error: ConfigError) -> Iterator[str]:
    """Further problems that would prevent a start, found in the readable part of the configuration.

    Becomes the configured user, to check the quarantines with its rights.
    """
    if error.rest is None:
        return
    try:
        identity.check(error.rest.user)
    except identity.IdentityError as unknown:
        if not any(problem.startswith("user: ") for problem in error.problems):
            yield str(unknown)
        yield from _missing(error.rest)
    else:
        identity.become(error.rest.user)
        yield from every_problem(error)[len(error.problems) :]


def _missing(config: Config) -> Iterator[str]:
    """Problems with quarantines that do not exist.  Root checks no more than that, because it must not write there."""
    missing = (directory for directory in config.directories if not directory.exists())
    yield from (f"quarantine {directory}: {directory} does not exist" for directory in missing)


def _spec(socket: str | None) -> SocketSpec | None:
    try:
        return SocketSpec.parse(socket) if socket else None
    except ValueError as error:
        raise click.BadParameter(f'"{socket}": {error}', param_hint="-s") from None


def _serve(start: Start, program: Program, foreground: bool, begun: float) -> None:
    """Bind the socket, become the user, load the tables, detach, and run the supervisor.

    The order matters.  Binding the socket and raising the limit of open files may need root; the tables are loaded
    with the user's rights.  The fork into the background comes as late as possible, so that errors reach the
    terminal, but before the supervisor, whose signal handlers and children must belong to the new process.
    """
    require_pymilter()
    background.occupy_standard_descriptors()
    few, config = descriptors.raise_limit(), start.config
    listener = MilterSocket(config.socket, config.socket_mode, config.socket_group, config.user)
    try:
        identity.become(config.user)
        loaded = start.load()
        config = loaded.config
        _warn_of_copy(loaded)
        warnings = [*_doubts_of_the_user(config), *([few] if few else [])]
        _warn(warnings)
        caller = background.Caller() if foreground else background.detach(keep_stderr=config.log.to is LogTo.STDERR)
        supervisor = Supervisor(listener, program, loaded, begun, caller=caller, notify=Notify(os.environ))
        shrunken: list[tuple[Level, str]] = [("error", sentence) for sentence in loaded.warnings]
        supervisor.run([*_greeting(config), *shrunken])
    finally:
        listener.close()


def _warn_of_copy(loaded: Loaded) -> None:
    if loaded.copy_since:
        started = f"the files are broken; starting from the copy of the generation of {loaded.copy_since}"
        _warn([started, *loaded.broken])


def _doubts_of_the_user(config: Config) -> list[str]:
    """Warnings that require the rights of the filter's user, after the change of user."""
    return [*check_quarantines(config), *check_journal(config), *_closed_to_us(config.files)]


def _closed_to_us(files: Iterable[Path]) -> list[str]:
    """Warnings about files that the filter's user cannot read: root has read them, but a reload could not."""
    return [
        f"{path}: cannot be read by {identity.name()}: a reload would fail; fix it with: {_opening(path)}"
        for path in files
        if not os.access(path, os.R_OK)
    ]


def _opening(path: Path) -> str:
    """Return the command that lets our group read `path`, or enter its directory if that is what is closed."""
    closed = shlex.quote(str(path if os.access(path.parent, os.X_OK) else path.parent))
    return f"chgrp {identity.group()} {closed} && chmod g+rX {closed}"


def _say_who_cannot_reach(config: Config) -> None:
    mta = reach.LocalPostfix.at()
    _warn(reach.warnings(config.socket, config.socket_mode, config.socket_group, config.user, postfix=mta))


def _warn_without_syslog(config: Config) -> None:
    if config.log.to is LogTo.SYSLOG and not SYSLOG.exists():
        said = f'{SYSLOG} does not exist: nothing is logged; start a syslog daemon, or set [log] to = "stderr"'
        _warn([said])


def _greeting(config: Config) -> Iterator[tuple[Level, str]]:
    """The first lines of the log; they name the mode, because a filter left in trial mode looks like any other."""
    files = f"{descriptors.limit()} files may be open"
    yield "info", f"turfmilter {__version__} started: mode {config.mode.value}, socket {config.socket}, {files}"
    chosen = choose(config.protocol_engine)
    yield "info", f"protocol engine: {chosen}"
    yield from (("info", line) for line in _how_to_attach(config.socket))
    if chosen.engine is ProtocolEngine.LIBMILTER:
        yield from (("warning", doubt) for doubt in doubts(sys.version_info[:2]))


def _how_to_attach(socket: SocketSpec) -> list[str]:
    """The lines for main.cf and sendmail.mc that attach the filter, for the MTAs that are installed.

    Empty for a socket without an address of its own, such as an inherited descriptor.
    """
    mta = reach.LocalPostfix.at()
    line = socket.postfix(mta.queue) if mta else socket.postfix()
    lines = [("main.cf", line)] if mtas.postfix_installed() else []
    lines += [("sendmail.mc", socket.sendmail())] if mtas.sendmail_installed() else []
    return [f"{file}: {line}" for file, line in lines if line]


def _warn(sentences: Iterable[str]) -> None:
    for sentence in sentences:
        click.echo(f"turfmilter: warning: {sentence}", err=True)
