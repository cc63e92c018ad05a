"""The man pages about files, turfmilter.toml(5) and turf.table(5), and that of the script turfmilter-attach(8)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from generate.roff import escaped, head, items, literal, paragraphs, see_also, text
from turfmilter.config.given import written
from turfmilter.config.sample import TURF_TABLE
from turfmilter.config.schema import Config
from turfmilter.config.setting import Setting, header, sections, settings

_ATTACH = Path(__file__).parents[2] / "contrib/postfix/attach"
_CONFIGURATION = (
    "The configuration of turfmilter(8) is one TOML file, by default /etc/turfmilter/turfmilter.toml. Every key has a "
    "default. `turfmilter -t` checks the file and prints all errors and warnings at once; a running turfmilter loads "
    "the file again when it has changed.",
    "A filter can only restrict: nothing in the configuration lets a client do what the MTA itself rejects.",
    "Top-level keys must be in front of the first [section]. Lists contain entries and files of entries: `file:PATH` "
    "is a file with one entry on each line, `postfix:PATH` and `sendmail:PATH` are files of the MTA; paths are "
    'relative to the configuration file. A "!" in front of an entry makes it an exception. The most specific entry '
    "decides, whatever the order of the entries.",
    'A size is a number of bytes, or a text such as "10 KiB", "10 MiB" or "10 GiB". A span of time is a text such as '
    '"90m", "12h", "30d" or "2w".',
)
_TABLE = (
    "A table of turfmilter(8) contains senders whose mail is held, one entry on each line. [turf] tables in "
    'turfmilter.toml(5) names it: `tables = ["file:turf.table"]`. `turfctl turf add` and `turfctl turf remove` edit '
    "it, and a running turfmilter loads it again when it has changed.",
    'The file is UTF-8. Empty lines are ignored. "#" starts a comment at the beginning of a line or after a blank. '
    "Case is ignored. International domains are compared in their ASCII form.",
)
ENTRIES = {
    "user@isp.example": "this address",
    "@isp.example": "every address in the domain and its subdomains",
    "=@isp.example": "every address in the domain, not in its subdomains",
    "user@": "this local part in any domain",
    "news*@isp.example": "local parts that match the pattern, in the domain; at most two *",
    '"a b"@isp.example': "a local part with blanks or special characters",
    "user@[192.0.2.1]": "an address literal",
    "<>": "the empty sender of bounces",
}
_DECIDES = (
    'A "!" in front of an entry makes an exception: whatever it matches counts as not listed.',
    "The most specific entry decides, whatever the order: a complete address, then a pattern with * (the one with more "
    "other characters first), =@domain, @domain (the deeper first), user@. If an entry and an exception are equally "
    "specific, the exception wins.",
)
_NOTES = {
    "expires=2027-01-31": "the last day on which the entry matches, UTC",
    'why="ticket 4711"': "a reason, for the administrator",
    "by=anna": "who added the entry, for the administrator",
}
EXAMPLE = """\
@shop.example                             # and all subdomains
!invoice@shop.example
@casino.example     expires=2027-01-31 why="ticket 4711" by=anna
"""

_ATTACHING = (
    "Adds turfmilter to smtpd_milters and non_smtpd_milters in main.cf, and a service for released messages to "
    "master.cf. It shows the changes first, and asks for confirmation. Filters that are configured already stay. Run "
    "it only after turfmilter is running: otherwise clients receive 451.",
    "The changes can be undone, with all other changes since then kept. Run `postfix reload` after each change.",
)


def configuration() -> str:
    """The page turfmilter.toml(5)."""
    lines = [
        *head("turfmilter.toml", 5, "configuration of turfmilter"),
        ".SH DESCRIPTION",
        *paragraphs(_CONFIGURATION),
        ".SH TOP LEVEL",
        *_keys(Config),
    ]
    for name, this in sections(Config).items():
        lines += [f".SH {escaped(header(this.path(name)))}", text(inspect.getdoc(this.cls) or "")]
        lines += literal(this.example.splitlines()) if this.example else ()
        lines += _keys(this.cls)
    others = (("turf.table", 5), ("turfctl", 8), ("turfmilter", 8))
    return "\n".join([*lines, *see_also(*others), ""])


def table() -> str:
    """The page turf.table(5)."""
    lines = [
        *head("turf.table", 5, "senders whose mail turfmilter holds"),
        ".SH DESCRIPTION",
        *paragraphs(_TABLE),
        ".SH ENTRIES",
        *items(ENTRIES.items()),
        ".SH WHICH ENTRY DECIDES",
        *paragraphs(_DECIDES),
        ".SH NOTES OF AN ENTRY",
        text('Notes may follow an entry. A value with blanks is enclosed in "; inside, \\" is a ".'),
        *items(_NOTES.items()),
        ".SH EXAMPLES",
        "A table:",
        *literal(EXAMPLE.splitlines()),
        ".PP",
        "A new table:",
        *literal(TURF_TABLE.splitlines()),
    ]
    return "\n".join([*lines, *see_also(("turfmilter.toml", 5), ("turfctl", 8), ("turfmilter", 8)), ""])


def attach() -> str:
    """The page turfmilter-attach(8), from the text that the script prints for --help."""
    (usage,) = re.findall(r"(?s)cat <<END\n(.*?)\nEND\n", _ATTACH.read_text(encoding="utf-8"))
    synopsis, options, rest = usage.split("\n\n")
    remembered, status = rest.split("\nExit status: ")
    found = re.split(r"(?m)^  (?=-)", options)[1:]
    explained = (re.split(r"\s{2,}", " ".join(option.split("\n")), maxsplit=1) for option in found)
    return "\n".join(
        [
            *head("turfmilter-attach", 8, "attach turfmilter to Postfix, or detach it"),
            ".SH SYNOPSIS",
            text(synopsis.removeprefix("usage: ").replace("$program", "`turfmilter-attach`")),
            ".SH DESCRIPTION",
            *paragraphs(_ATTACHING),
            ".SH OPTIONS",
            *items((option, " ".join(what.split())) for option, what in explained),
            ".PP",
            text(remembered),
            ".SH EXIT STATUS",
            text(status),
            *see_also(("postconf", 5), ("turfmilter.toml", 5), ("turfctl", 8), ("turfmilter", 8)),
            "",
        ]
    )


PAGES: dict[str, Callable[[], str]] = {
    "docs/man/turfmilter.toml.5": configuration,
    "docs/man/turf.table.5": table,
    "docs/man/turfmilter-attach.8": attach,
}


def _keys(cls: type[Any]) -> Iterator[str]:
    for name, this in settings(cls).items():
        yield from (".TP", f"\\fB{escaped(name)}\\fR = {escaped(written(_shown(this)))}", text(this.doc))
        default = "none" if this.default is None else written(this.default)
        yield text(f"Value: {this.kind.words}. Default: {default}.")


def _shown(this: Setting) -> object:
    return this.default if this.default is not None else this.example
