"""Files to start from: the configuration with every key explained, and a turf table without entries."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from turfmilter.config.given import written
from turfmilter.config.schema import Config
from turfmilter.config.setting import Setting, Times, header, sections, settings

_HEAD = """\
The configuration of turfmilter. {first} The other keys may remain as they are. While mode is "trial",
nothing is rejected or held; the log shows what would have been done. A filter can only restrict:
nothing here allows what the MTA rejects. A key after a "#" has its default, which is shown. Check this
file with: turfmilter -t
"""
_FIRST = """\
Set socket, socket_group and user (for Postfix on Debian, use the examples beside them), domains, the
clients in [relay] allow, and the tables of [turf].
"""
_FIRST_WHEN_SET = """\
Check socket and domains, and set the clients in [relay] allow; `turfctl turf add` fills the table of
[turf].
"""

TURF_TABLE = """\
# Senders whose mail is held: one entry on each line, such as @spam.example or ads@shop.example.
# An entry with "!" is an exception: !friend@spam.example
# `turfctl turf add` and `turfctl turf remove` edit this file; turfmilter follows its changes.
"""

# What the Debian package sets: the MTA is Postfix, in its chroot, unless the administrator changes it.
PACKAGED: Mapping[str, object] = {
    "socket": "unix:/var/spool/postfix/turfmilter/turfmilter.sock",
    "user": "turfmilter",
    "domains": ["postfix:main.cf"],
    "turf.tables": ["file:turf.table"],
    "journal.directory": "/var/lib/turfmilter/journal",  # the package creates it
}


def sample(given: Mapping[str, object] | None = None) -> str:
    """Return a configuration file: every key with its documentation, and those that must be set without a "#".

    `given` sets keys, by their paths ("turf.tables"), to values of TOML.
    """
    chosen = given or {}
    head = _HEAD.format(first=(_FIRST_WHEN_SET if chosen else _FIRST).strip())
    return "\n".join([_comment(head), *_keys(Config, "", chosen), *_sections(chosen)])


def _comment(text: str) -> str:
    words = " ".join(text.split())
    return textwrap.fill(words, width=98, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False) + "\n"


def _commented(example: str) -> str:
    return "".join(f"#   {line}".rstrip() + "\n" for line in example.splitlines())


def _sections(chosen: Mapping[str, object]) -> Iterator[str]:
    for name, this in sections(Config).items():
        doc = _comment(inspect.getdoc(this.cls) or "")
        shown = f"#\n# For example:\n#\n{_commented(this.example)}" if this.example else ""
        if this.times is Times.ONCE:
            yield f"\n[{name}]\n{doc}{shown}"
            yield from _keys(this.cls, f"{name}.", chosen)
        else:
            yield f"\n# {header(this.path(name))}\n{doc}{shown}"


def _keys(cls: type[Any], above: str, chosen: Mapping[str, object]) -> Iterator[str]:
    for name, this in settings(cls).items():
        value = this.default if this.sample is None else this.sample
        mark = "#" if this.sample is None else ""
        if above + name in chosen:
            value, mark = chosen[above + name], ""
        yield f"{_comment(this.doc)}{mark}{name} = {written(value)}{_remark(this, value)}\n"


def _remark(this: Setting, value: object) -> str:
    if this.kind.closed:
        return f"  # {this.kind.words.replace('`', '')}"
    said = [this.kind.zero] if value == 0 and this.kind.zero else []
    said += [] if value == this.example else [f"for example {written(this.example)}"]
    return f"  # {'; '.join(said)}" if said else ""
