"""turfctl import: makes a configuration from that of another program.

The daemon never imports this module, nor the readers that it uses.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import click

from turfmilter.cli.placing import Occupied, place
from turfmilter.cli.program import EX_NOT_DONE, leave
from turfmilter.config.descent import open_file
from turfmilter.config.loader import load
from turfmilter.config.received import MAIN_CF, PostfixError, received
from turfmilter.config.schema import Config
from turfmilter.config.textfile import TextFileError, read_text
from turfmilter.core.escape import escape
from turfmilter.core.table.entry import Problem, Where
from turfmilter.core.table.pattern import PatternError, parse_host
from turfmilter.importers.draft import CONFIGURATION, Draft, Unreadable
from turfmilter.importers.exchange import read_exchange
from turfmilter.importers.postfixpolicy import PARAMETERS, PostfixPolicy
from turfmilter.importers.regfile import NotARegFile, read_reg
from turfmilter.importers.sendmailpolicy import FILES, SendmailPolicy
from turfmilter.mta.postconf import Postconf

_QUARANTINE = "/var/lib/turfmilter/quarantine"


def domains_of(_context: click.Context, _option: click.Parameter, value: Sequence[str]) -> tuple[str, ...]:
    """Callback of an option: return the domains, each of which may be a list separated by commas."""
    domains = tuple(domain.strip() for one in value for domain in one.split(",") if domain.strip())
    for domain in domains:
        try:
            parse_host(domain)
        except PatternError as error:
            meant = f"; {error.meant}" if error.meant else ""
            raise click.BadParameter(escape(f'"{domain}": {error.wrong}{meant}')) from None
    return domains


_output_option = click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The directory for the new files. It is created; no file in it is overwritten.",
)
_more_domains_option = click.option(
    "--domain",
    "domains",
    multiple=True,
    callback=domains_of,
    metavar="DOMAIN",
    help="A further domain for which this host receives mail; may be repeated.",
)
_quarantine_option = click.option(
    "--quarantine",
    default=_QUARANTINE,
    show_default=True,
    metavar="DIR",
    help="The directory for held messages, for [turf] directory.",
)


@click.group("import")
def import_from() -> None:
    """Make a configuration from that of another program.

    Prints the files that it creates, and every line that it could not carry over, with the reason. The new
    configuration is in trial mode.

    Exit status: 0 everything was carried over, 1 not everything or nothing, 2 usage error.
    """


@import_from.command()
@click.argument("file", type=click.Path(path_type=Path))
@_output_option
@click.option(
    "--domain",
    "domains",
    multiple=True,
    required=True,
    callback=domains_of,
    metavar="DOMAIN",
    help="A domain for which this host receives mail; may be repeated.",
)
@_quarantine_option
def exchange(file: Path, output: Path, domains: tuple[str, ...], quarantine: str) -> None:
    r"""Read FILE, an export of Exchange's registry key MSExchangeIMC\Parameters (.reg)."""
    try:
        with os.fdopen(open_file(file), "rb") as opened:
            content = opened.read()
        draft = read_exchange(read_reg(content, file.name), file.name, domains, quarantine)
    except OSError as error:
        leave("turfctl", escape(f"{file}: {error.strerror}"), EX_NOT_DONE)
    except NotARegFile as error:
        leave("turfctl", escape(str(error)), EX_NOT_DONE)
    _create(draft, output)


@import_from.command()
@click.option(
    "-c",
    "directory",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The directory of main.cf and master.cf.  [default: Postfix's own]",
)
@_output_option
@_more_domains_option
@_quarantine_option
def postfix(directory: Path | None, output: Path, domains: tuple[str, ...], quarantine: str) -> None:
    """Read Postfix's main.cf and master.cf, and the access tables that they name, with postconf and postmap."""
    postconf = Postconf()
    try:
        folder = directory or postconf.directory()
        policy = PostfixPolicy(
            parameters=postconf.parameters(PARAMETERS, folder),
            places=_places(folder / MAIN_CF),
            received=received(postconf, folder, []),
            services=postconf.services(folder),
            lines=_lines,
            quarantine=quarantine,
        )
    except (PostfixError, TextFileError) as error:
        leave("turfctl", escape(str(error)), EX_NOT_DONE)
    _create(policy.draft(str(folder / MAIN_CF), domains), output)


@import_from.command()
@click.argument("directory", type=click.Path(path_type=Path))
@_output_option
@_more_domains_option
@_quarantine_option
def sendmail(directory: Path, output: Path, domains: tuple[str, ...], quarantine: str) -> None:
    """Read access, relay-domains, local-host-names and sendmail.mc in DIRECTORY, such as /etc/mail."""
    try:
        texts = {name: read_text(directory / name) for name in FILES if (directory / name).exists()}
    except TextFileError as error:
        leave("turfctl", escape(str(error)), EX_NOT_DONE)
    if not texts:
        leave("turfctl", escape(f"{directory}: has none of {', '.join(FILES)}"), EX_NOT_DONE)
    _create(SendmailPolicy(texts, quarantine).draft(str(directory), domains), output)


def _places(main_cf: Path) -> dict[str, Where]:
    """Return the lines in which main.cf sets its parameters; of several, the last one counts.  Raises TextFileError."""
    lines = enumerate(read_text(main_cf).split("\n"), 1)
    found = ((re.match(r"([A-Za-z]\w*)\s*=", line), number) for number, line in lines)
    return {name[1]: Where(MAIN_CF, number) for name, number in found if name}


def _lines(path: str) -> list[str]:
    """Return the lines of a file that main.cf names.  Raises Unreadable."""
    try:
        return read_text(Path(path)).split("\n")
    except TextFileError as error:
        raise Unreadable(str(error)) from None


def _create(draft: Draft, output: Path) -> None:
    """Write the files of a draft, and report everything about it; the program ends with 1 if anything is missing."""
    files = draft.files()
    config = _loaded(output, files)
    try:
        place(output, files)
    except Occupied as error:
        leave("turfctl", escape(str(error)), EX_NOT_DONE)
    except OSError as error:
        leave("turfctl", escape(f"{output}: {error.strerror}; nothing was written"), EX_NOT_DONE)
    click.echo(f"Created in {escape(str(output))}:")
    for name in reversed(files):
        click.echo(f"  {name}{_contents(name, files[name])}")
    _list("Not carried over:", [one for one in draft.problems if not one.warning])
    _list("Carried over, but check:", [one for one in draft.problems if one.warning])
    _list("`turfmilter -t` will also warn:", config.warnings)
    click.echo(f'\nThe mode is "trial". Check it with: turfmilter -t -c {escape(str(output / CONFIGURATION))}')
    if not draft.complete:
        raise click.exceptions.Exit(EX_NOT_DONE)


def _loaded(output: Path, files: dict[str, str]) -> Config:
    """Load the new configuration without writing it.  Raises ConfigError if the daemon could not start with it."""
    folder = output.absolute()
    return load(folder / CONFIGURATION, kept={str(folder / name): text for name, text in files.items()})


def _contents(name: str, text: str) -> str:
    """Return how many entries a table has; "" for the configuration."""
    count = sum(not line.startswith("#") for line in text.splitlines())
    return "" if name == CONFIGURATION else f"  {count} {'entry' if count == 1 else 'entries'}"


def _list(title: str, problems: Sequence[Problem | str]) -> None:
    if problems:
        click.echo(f"\n{title}")
    for problem in problems:
        click.echo(f"  {escape(str(problem))}")
