"""turfctl reload: orders a reload, and shows its result."""

from __future__ import annotations

import click

from turfmilter.cli.control import NotAnswered, ask
from turfmilter.cli.opened import Started, warn_on_stderr
from turfmilter.cli.program import EX_NOT_DONE, leave
from turfmilter.core.escape import escape

_PATIENCE = 600.0  # seconds: tables of ten million entries are loaded in half a minute


@click.command("reload")
@click.option("--may-shrink", is_flag=True, help="Load tables even if they have lost most of their entries.")
@click.pass_obj
def reload(started: Started, may_shrink: bool) -> None:
    """Reload the configuration and all tables, and show what has changed.

    If a file is broken, or a table has lost more than half of its entries, the old generation stays in force.  Exit
    status: 0 the new generation is in force, 1 the old one stays.
    """
    path = started.configuration(tables=False).control
    if path is None:
        leave("turfctl", 'there is no control socket (status = ""); use: systemctl reload turfmilter', EX_NOT_DONE)
    try:
        answer = ask(path, {"request": "reload", "may_shrink": may_shrink}, _PATIENCE)
    except NotAnswered as error:
        leave("turfctl", escape(str(error)), EX_NOT_DONE)
    for warning in answer.get("warnings", ()):
        warn_on_stderr(escape(warning))
    if answer.get("error") or answer.get("problems"):
        problems = answer.get("problems") or [answer["error"]]
        stays = f"generation {answer['generation']} stays in force:" if "generation" in answer else "nothing was done:"
        leave("turfctl", "\n".join(map(escape, [stays, *problems])), EX_NOT_DONE)
    click.echo(escape(f"generation {answer['generation']}: {answer['difference']}"))
