"""The man pages, made from the programs' own commands."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import click

from generate.roff import escaped, head, items, paragraphs, see_also, text, wrapped
from turfmilter.cli.turfctl import main as turfctl
from turfmilter.cli.turfmilter import main as turfmilter

_FORMATS = (("turf.table", 5), ("turfmilter.toml", 5))
_FEW = 2  # commands that have an option in common; what more have is explained once
_FILES = {
    "/etc/turfmilter/turfmilter.toml": "the configuration",
    "/var/lib/turfmilter/quarantine": "where [turf] directory usually puts held messages: a Maildir, with the ledger",
}


def page(name: str, program: click.Command, *others: tuple[str, int]) -> str:
    """The manual page of `program` in section 8, as groff reads it; `others` are the pages to see also."""
    purpose, *more = _paragraphs(program)
    short = purpose.partition(":")[0].rstrip(".")
    return "\n".join(
        [
            *head(name, 8, short[0].lower() + short[1:]),
            ".SH SYNOPSIS",
            *_synopsis([name], program),
            ".SH DESCRIPTION",
            *paragraphs([purpose, *more]),
            ".SH OPTIONS",
            *(line for option in _options(program) for line in _explained(option)),
            *(_commands(name, program) if isinstance(program, click.Group) else ()),
            ".SH FILES",
            *items(_FILES.items()),
            *see_also(*others),
            "",
        ]
    )


def _commands(name: str, program: click.Group) -> Iterator[str]:
    """The commands of the program itself, and those of each of its groups."""
    yield ".SH COMMANDS"
    yield from _group([name], program)
    for group in _children(program):
        if isinstance(group, click.Group) and not group.hidden:
            yield f".SH {escaped(f'{name} {group.name}').upper()}"
            yield from paragraphs(_paragraphs(group))
            yield from _group([name, str(group.name)], group)


def _group(names: list[str], group: click.Group) -> Iterator[str]:
    shared = _shared(group)
    for command in _plain(group):
        yield f".SS {escaped(' '.join([*names[1:], str(command.name)]))}"
        yield from _command([*names, str(command.name)], command, shared)
    if shared:
        yield ".SS Options of several commands"
        yield from (line for option in shared.values() for line in _explained(option))


def _children(group: click.Group) -> list[click.Command]:
    """The commands of a group in their order; those of turfctl are imported only now."""
    context = click.Context(group)
    found = (group.get_command(context, name) for name in group.list_commands(context))
    return [command for command in found if command]


def _plain(group: click.Group) -> list[click.Command]:
    return [command for command in _children(group) if not isinstance(command, click.Group)]


def _command(names: list[str], command: click.Command, shared: Mapping[str, click.Option]) -> Iterator[str]:
    """One command; the options that it shares with others are explained elsewhere."""
    yield from _synopsis(names, command)
    yield ".PP"
    yield from paragraphs(_paragraphs(command))
    own = [option for option in _options(command) if _key(option) not in shared]
    yield from (line for option in own for line in _explained(option))


def _shared(group: click.Group) -> Mapping[str, click.Option]:
    """The options that more than a few of the commands have, and mean the same by."""
    every = [option for command in _plain(group) for option in _options(command)]
    options = {_key(option): option for option in every}
    count = Counter(map(_key, every))
    return {key: option for key, option in options.items() if count[key] > _FEW}


def _key(option: click.Option) -> str:
    return f"{option.opts} {option.help}"


def _synopsis(names: list[str], command: click.Command) -> Iterator[str]:
    words = [f"\\fB{escaped(name)}\\fR" for name in names]
    words += [f"[{_named(option)}]" for option in _options(command)]
    arguments = (parameter for parameter in command.params if isinstance(parameter, click.Argument))
    words += [f"\\fI{escaped(argument.metavar or str(argument.name).upper())}\\fR" for argument in arguments]
    if isinstance(command, click.Group):
        words.append("\\fICOMMAND\\fR ...")
    yield wrapped(" ".join(words))


def _options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def _explained(option: click.Option) -> Iterator[str]:
    default = f" Default: {option.default}." if option.show_default else ""
    yield ".TP"
    yield _named(option)
    yield text(f"{option.help}{default}")


def _named(option: click.Option) -> str:
    """The option as it is typed."""
    names = ", ".join(f"\\fB{escaped(name)}\\fR" for name in sorted(option.opts, key=len))
    return names if option.is_flag else f"{names} \\fI{escaped(_value(option))}\\fR"


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(option.type.choices)
    if isinstance(option.type, click.IntRange):
        return "NUMBER"
    return option.metavar or ("FILE" if isinstance(option.type, click.Path) else "TEXT")


def _paragraphs(command: click.Command) -> list[str]:
    return [" ".join(part.split()) for part in inspect.cleandoc(command.help or "").split("\n\n")]


PAGES: dict[str, Callable[[], str]] = {
    "docs/man/turfmilter.8": lambda: page(
        "turfmilter", turfmilter, *_FORMATS, ("turfctl", 8), ("turfmilter-attach", 8)
    ),
    "docs/man/turfctl.8": lambda: page("turfctl", turfctl, *_FORMATS, ("turfmilter", 8)),
}
