"""Generates the page about macros from the table of those that the program requests."""

from __future__ import annotations

from collections.abc import Callable

from turfmilter.mta.macros import MACROS, STAGES, WANTED

_HEAD = """\
# What each MTA tells us

In addition to the SMTP commands and the message, the MTA sends information to a filter in *macros*. turfmilter requests
the macros that it needs when the MTA connects to it. Postfix and Sendmail honour this request, so you do not need to
set `milter_connect_macros` or `confMILTER_MACROS_CONNECT`.

The values on this page were observed with Postfix 3.7 and Sendmail 8.17. If a rule needs a macro that the MTA does not
send, a [`warning: the MTA …`](log.md#sentences-of-the-program) with the consequence is logged once.

This page is generated from the program's own table.
"""

_UNUSED = """\
## Macros that are not used

| macro | why |
|---|---|
| `{auth_author}` | the client's own claim (`MAIL FROM:<…> AUTH=`), also sent without a login |
| `{rcpt_host}`, `{rcpt_mailer}` | the next hop, which may be another host even for mail to your own domains |
| `{client_ptr}` | only confirmed names are used; the program looks up every PTR name itself |
| `{cert_subject}` | Sendmail also sends that of an untrusted certificate |
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
