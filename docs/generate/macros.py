"""The page about the macros, made from the table of those that the program asks for."""

from __future__ import annotations

from collections.abc import Callable

from turfmilter.mta.macros import MACROS, STAGES, WANTED

_HEAD = """\
# What each MTA tells us

Besides the commands of a session and the message, the MTA tells a filter more in *macros*. turfmilter asks for those
that it needs when the MTA attaches it. Postfix and Sendmail obey: no `milter_connect_macros` and no
`confMILTER_MACROS_CONNECT` is needed.

What is said here has been seen with Postfix 3.7 and Sendmail 8.17. Where a rule needs a macro that the MTA does not
send, a [`warning: the MTA …`](log.md#sentences-of-the-program) says so once, with what follows.

This page is made from the program's own table.
"""

_UNUSED = """\
## What is not asked for

| macro | why |
|---|---|
| `{auth_author}` | the client's own claim (`MAIL FROM:<…> AUTH=`), sent without any login too |
| `{rcpt_host}`, `{rcpt_mailer}` | the next hop: for mail of yours it may rightly lie elsewhere |
| `{client_ptr}` | names are believed when they are confirmed; the program looks at every PTR name itself |
| `{cert_subject}` | Sendmail shows that of an untrusted certificate too |
"""


def macros() -> str:
    """The page, in Markdown."""
    return "\n".join([_HEAD, *map(_stage, WANTED), _UNUSED])


PAGES: dict[str, Callable[[], str]] = {"docs/reference/what-each-mta-tells.md": macros}


def _stage(stage: int) -> str:
    rows = [
        f"## At {STAGES[stage]}\n",
        "| macro | used for | Postfix | Sendmail | without it |",
        "|---|---|---|---|---|",
    ]
    for name in WANTED[stage]:
        macro = MACROS[name]
        rows.append(f"| `{name}` | {macro.use} | {macro.postfix} | {macro.sendmail} | {macro.without} |")
    return "\n".join([*rows, ""])
