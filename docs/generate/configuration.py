"""The pages generated from the schema of the configuration: the sample file, the reference, and the replies."""

from __future__ import annotations

import inspect
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from turfmilter.config.checks import CAP_CHECKS, CHECKS, LISTENER_CHECKS, NO_LISTENER, TIE
from turfmilter.config.given import written
from turfmilter.config.loader import ConfigError, configure
from turfmilter.config.sample import PACKAGED, TURF_TABLE, sample
from turfmilter.config.schema import Config
from turfmilter.config.setting import header, keys, sections, settings
from turfmilter.core.reply import REPLIES

_REFERENCE_HEAD = """\
# turfmilter.toml

The configuration is one [TOML](https://toml.io/) file, by default `/etc/turfmilter/turfmilter.toml`.
Every key has a default; `contrib/turfmilter.toml` is a file to start from.
`turfmilter -t` checks it and prints all errors and warnings at once.

A filter can only restrict: nothing in the configuration lets a client do what the MTA itself rejects.

Top-level keys must be in front of the first `[section]`.
Lists contain entries and files of entries: `file:PATH` is a file with one entry on each line, `postfix:PATH` and
`sendmail:PATH` are files of the MTA; paths are relative to the configuration file.
A `!` in front of an entry makes it an exception. The most specific entry decides, whatever the order of the entries.

This page is generated from the program's schema.

## Sizes and spans of time

They are written alike in every key and in every option of `turfctl`.

| text | means |
|---|---|
| `1048576`, `"1048576"` | a size in bytes; in the configuration a number needs no quotes |
| `"10 KiB"`, `"10 MiB"`, `"10 GiB"` | a size in powers of 1024; `"10K"`, `"10M"` and `"10G"` mean the same |
| `"10 KB"`, `"10 MB"`, `"10 GB"` | a size in powers of 1000 |
| `"90m"`, `"12h"`, `"30d"`, `"2w"` | a span of time in minutes, hours, days or weeks; months and years have no letter |

The unit of a size may be in upper or lower case; that of a span of time is in lower case. One space may precede the
unit.
Some keys and options set bounds: messages are kept for at least an hour, and a table entry is valid for whole days.
"""

_CHECKS_HEAD = """\
## Conflicting keys

The messages about a general section also apply to a listener that overrides it, and to a cap.

| key | message | |
|---|---|---|
"""

_MISTAKES_HEAD = """\
## Error messages

A message begins with the key path of the value (items of a list are counted from 0), with the file and line of an
entry in a file, or, for a syntax error in the TOML, with the file, line and column.

Text is written in quotation marks, and so are addresses, paths, sizes, spans of time, percentages and modes:
`deny = ["192.0.2.0/24"]`, `keep = "30d"`, `socket_mode = "0660"`. If the marks are missing, the message says what to
write. It also does so for parameters, values and entries of Postfix, Sendmail and other programs:
[As other programs write it](tables.md#as-other-programs-write-it).
"""

_MISTAKES = (
    'domian = ["example.org"]',
    'mynetworks = ["192.168.1.0/24"]',
    'domains = "example.org example.net"',
    'domains = ["/etc/postfix/relay_domains"]',
    'domains = ["mysql:/etc/postfix/domains.cf"]',
    '[log]\ndomains = ["example.org"]',
    "[realy]",
    'mode = "enforced"',
    'mode = "dry-run"',
    'socket = "inet:127.0.0.1:8895"',
    'socket = "inet:99999"',
    'socket = "run/turfmilter.sock"',
    "socket_mode = 660",
    'user = "root"',
    '[dns]\ntimeout = "4s"',
    '[dns]\nnameservers = ["dns.example.org"]',
    '[connect]\ndeny = ["192.0.2.20-192.0.2.10"]',
    '[connect]\nallow = ["192.0.2.1-2001:db8::1"]',
    '[relay]\nrouting = "yes"',
    '[relay]\nallow = "192.168.1.0/24"',
    '[relay]\nallow = ["192.168.1.17/24"]',
    '[relay]\nallow = ["$mynetworks"]',
    '[relay]\ninterfaces = ["mx.example.org"]',
    '[relay]\nreply = "550 4.7.1 no relaying"',
    '[relay]\nreply = "550 no relaying"',
    '[limits]\nmessage_size = "10 meg"',
    '[limits]\nmessage_size = "unlimited"',
    "[quarantine]\nkeep = 30",
    "[quarantine]\nfloor = 5",
    '[release]\nhost = "[127.0.0.1]:10026"',
    "[cap]\nrecipients_per_message = 5000",
    "[listener]\nport = 587",
    '[listener.submission]\nport = "submission"',
    "[listener.submission]\nport = 587\nrecipients_per_message = 500",
    '[turf]\ntables = ["spam.example"]\ndirectory = "/var/lib/turfmilter/quarantine"',
    '[turf]\ntables = ["hash:/etc/postfix/spammers"]',
    '[turf]\ndirectory = "quarantine"',
)

_REPLIES_HEAD = """\
# Replies

Every reply that turfmilter can give, unless a key of the configuration sets another one.

| when | reply | key |
|---|---|---|
"""


def reference() -> str:
    """Return the reference page, in Markdown."""
    parts = [_REFERENCE_HEAD, "## Top level\n", *_reference_keys(Config, "")]
    for name, this in sections(Config).items():
        path = this.path(name)
        example = [f"```toml\n{this.example}```\n"] if this.example else []
        parts += [
            f"## {header(path)}\n",
            f"{inspect.getdoc(this.cls)}\n",
            *example,
            *_reference_keys(this.cls, f"{path}."),
        ]
    return "\n".join([*parts, _checks(), _MISTAKES_HEAD, *_mistakes()])


def replies() -> str:
    """Return the page of all replies, in Markdown."""
    rows = (f"| {name} | `{reply}` | {f'`{key}`' if key else ''} |\n" for name, reply, key in every_reply())
    return _REPLIES_HEAD + "".join(rows)


def every_reply() -> Iterator[tuple[str, str, str]]:
    """Yield for each reply: its cause, the reply, and the key that changes it ("" for none).

    The reply of a rule that has such a key need not be in REPLIES; its section is named like the rule.
    """
    keyed = {str(this.default): path for path, this in keys(Config) if path.endswith(".reply")}
    named = {name: str(reply) for name, reply in REPLIES.items()}
    named |= {path.removesuffix(".reply"): reply for reply, path in keyed.items() if reply not in named.values()}
    yield from ((name, reply, keyed.get(reply, "")) for name, reply in named.items())


PAGES: dict[str, Callable[[], str]] = {
    "contrib/turfmilter.toml": sample,
    "contrib/turf.table": lambda: TURF_TABLE,
    "debian/turfmilter.toml": lambda: sample(PACKAGED),
    "docs/reference/configuration.md": reference,
    "docs/reference/replies.md": replies,
}


def _reference_keys(cls: type[Any], above: str) -> Iterator[str]:
    for name, this in settings(cls).items():
        yield f"### `{above}{name}`\n"
        yield f"{this.doc}\n"
        yield f"- Value: {this.kind.words}"
        yield "- Default: none" if this.default is None else f"- Default: `{written(this.default)}`"
        yield f"- Example: `{name} = {written(this.example)}`\n"


def _checks() -> str:
    said = [(c.keys[0], c.sentence, c.warning) for c in CHECKS]
    said += [(f"listener.NAME.{c.keys[0]}".rstrip("."), c.sentence, c.warning) for c in LISTENER_CHECKS]
    said += [("listener.NAME", TIE.format(other="OTHER"), False)]
    said += [(f"cap[N].{c.keys[0]}".rstrip("."), c.sentence, c.warning) for c in CAP_CHECKS]
    said += [("cap[N].listener", NO_LISTENER.format(name="NAME"), False)]
    rows = (f"| `{key}` | {sentence} | {'warning' if warning else 'error'} |\n" for key, sentence, warning in said)
    return f"{_CHECKS_HEAD}{''.join(rows)}"


def _mistakes() -> Iterator[str]:
    for mistake in _MISTAKES:
        yield f"```toml\n{mistake}\n```\n"
        yield f"> {_said_of(mistake)}\n"


def _said_of(mistake: str) -> str:
    try:
        configure({"domains": ["example.org"], **tomllib.loads(mistake)}, Path())
    except ConfigError as error:
        return str(error)
    raise AssertionError(f"not a mistake: {mistake}")
