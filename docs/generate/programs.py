"""The man pages, made from the programs' own commands."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import click

from turfmilter import __version__
from turfmilter.cli.turfctl import main as turfctl
from turfmilter.cli.turfmilter import main as turfmilter

_FEW = 2  # commands that have an option in common; what more have is explained once
_FILES = {
    "/etc/turfmilter/turfmilter.toml": "the configuration",
    "/var/lib/turfmilter/quarantine": "where [turf] directory usually puts held messages: a Maildir, with the ledger",
}
_CODE = re.compile(r"`([^`]+)`")


def page(name: str, program: click.Command, others: str) -> str:
    """The manual page of `program` in section 8, as groff reads it; `others` are the pages to see also."""
    purpose, *more = _paragraphs(program)
    short = purpose.partition(":")[0].rstrip(".")
    return "\n".join(
        [
            '.\\" Made from the program itself by: make docs',
            f'.TH {name.upper()} 8 "" "turfmilter {__version__}" "System Administration"',
            ".SH NAME",
            f"{name} \\- {_text(short[0].lower() + short[1:])}",
            ".SH SYNOPSIS",
            *_synopsis([name], program),
            ".SH DESCRIPTION",
            *_joined([purpose, *more]),
            ".SH OPTIONS",
            *(line for option in _options(program) for line in _explained(option)),
            *(_commands(name, program) if isinstance(program, click.Group) else ()),
            ".SH FILES",
            *(line for path, what in _FILES.items() for line in (".TP", f".I {_text(path)}", _text(what))),
            ".SH SEE ALSO",
            others,
            "",
        ]
    )


def _commands(name: str, program: click.Group) -> Iterator[str]:
    """The commands of the program itself, and those of each of its groups."""
    yield ".SH COMMANDS"
    yield from _group([name], program)
    for group in _children(program):
        if isinstance(group, click.Group) and not group.hidden:
            yield f".SH {_text(f'{name} {group.name}').upper()}"
            yield from _joined(_paragraphs(group))
            yield from _group([name, str(group.name)], group)


def _group(names: list[str], group: click.Group) -> Iterator[str]:
    shared = _shared(group)
    for command in _plain(group):
        yield f".SS {_text(' '.join([*names[1:], str(command.name)]))}"
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
    yield from _joined(_paragraphs(command))
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
    words = [f"\\fB{_text(name)}\\fR" for name in names]
    words += [f"[{_named(option)}]" for option in _options(command)]
    arguments = (parameter for parameter in command.params if isinstance(parameter, click.Argument))
    words += [f"\\fI{_text(argument.metavar or str(argument.name).upper())}\\fR" for argument in arguments]
    if isinstance(command, click.Group):
        words.append("\\fICOMMAND\\fR ...")
    yield " ".join(words)


def _options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def _explained(option: click.Option) -> Iterator[str]:
    default = f" Default: {option.default}." if option.show_default else ""
    yield ".TP"
    yield _named(option)
    yield _text(f"{option.help}{default}")


def _named(option: click.Option) -> str:
    """The option as it is typed."""
    names = ", ".join(f"\\fB{_text(name)}\\fR" for name in sorted(option.opts, key=len))
    return names if option.is_flag else f"{names} \\fI{_text(_value(option))}\\fR"


def _value(option: click.Option) -> str:
    if isinstance(option.type, click.Choice):
        return "|".join(option.type.choices)
    if isinstance(option.type, click.IntRange):
        return "NUMBER"
    return option.metavar or ("FILE" if isinstance(option.type, click.Path) else "TEXT")


def _paragraphs(command: click.Command) -> list[str]:
    return [" ".join(part.split()) for part in inspect.cleandoc(command.help or "").split("\n\n")]


def _joined(paragraphs: list[str]) -> Iterator[str]:
    for number, paragraph in enumerate(paragraphs):
        if number:
            yield ".PP"
        yield _text(paragraph)


def _text(text: str) -> str:
    """`text` so that groff(7) takes nothing of it for a command."""
    safe = "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in text.replace("\\", "\\e"))
    safe = _CODE.sub(r"\\fB\1\\fR", safe.replace("-", "\\-"))
    return f"\\&{safe}" if safe.startswith((".", "'")) else safe


PAGES: dict[str, Callable[[], str]] = {
    "docs/man/turfmilter.8": lambda: page("turfmilter", turfmilter, ".BR turfctl (8)"),
    "docs/man/turfctl.8": lambda: page("turfctl", turfctl, ".BR turfmilter (8)"),
}
