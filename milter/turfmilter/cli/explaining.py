"""turfctl explain: why a message is treated as it is, for given facts or for what really happened."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import click

from turfmilter.cli.control import NotAnswered, ask
from turfmilter.cli.journalled import journal, warn_of_skipped
from turfmilter.cli.opened import NoTransaction, Started
from turfmilter.cli.output import document, json_option
from turfmilter.compose import build_generation, with_names
from turfmilter.config.descent import open_file
from turfmilter.config.loader import ConfigError, load
from turfmilter.config.schema import Config
from turfmilter.core.address.addressed import bare
from turfmilter.core.address.header import read_header
from turfmilter.core.address.mailbox import fold_domain, parse_address
from turfmilter.core.escape import escape
from turfmilter.core.journal.line import decode, encode
from turfmilter.core.journal.search import NotSought, seek
from turfmilter.core.journal.transaction import Answer, NotLookedUp, Transaction, Tried
from turfmilter.core.rule import Fact
from turfmilter.core.session import ClientNames, Connection, Known, Recipient
from turfmilter.review.explanation import decided, explain, history, told, was_accepted
from turfmilter.rules.reverse_name import FIELD
from turfmilter.rules.turf import ORIGINATORS

# The fields of the header that rules read, with any configuration.
_FIELDS = ("from", *ORIGINATORS, FIELD.lower())
_PATIENCE = 40.0  # seconds: the daemon gives up after 30
_LINE_OCTETS = 65_536  # of a line of the log
_HEADER_OCTETS = 262_144  # of a message that is explained
_FACTS = {
    "--name": "name",
    "--helo": "helo",
    "--auth": "auth",
    "--tls": "tls",
    "--listener": "listener",
    "--local-address": "local_address",
    "--from": "sender",
    "--rcpt": "recipients",
    "--author": "authors",
    "--size": "size",
}  # --port is left out: it has a default


@click.command("explain")
@click.argument("what", default="", metavar="[QUEUE-ID | ID | FILE]")
@click.option("--client", metavar="IP", help="The client's address; FILE is then a message.")
@click.option("--name", default="", help="The client's confirmed name.  [default: as DNS answers]")
@click.option("--helo", default="", help="What the client says with HELO.")
@click.option("--auth", default="", metavar="USER", help="The account with which the client has logged in.")
@click.option("--tls", is_flag=True, help="The connection is encrypted.")
@click.option("--listener", metavar="NAME", help="The client connects to this listener of the configuration.")
@click.option("--local-address", metavar="IP", help="The address that the client connects to.")
@click.option("--port", type=click.IntRange(0, 65535), default=25, show_default=True, help="And the port.")
@click.option("--from", "sender", default="", metavar="SENDER", help='The sender.  [default: "<>"]')
@click.option("--rcpt", "recipients", multiple=True, metavar="RECIPIENT", help="A recipient; may be repeated.")
@click.option("--author", "authors", multiple=True, metavar="AUTHOR", help="An author (From:).  [default: the sender]")
@click.option("--size", type=click.IntRange(min=0), default=0, help="The size of the message in bytes.")
@click.option("--config", "other", type=click.Path(path_type=Path), metavar="CONFIG", help="Use this configuration.")
@json_option
@click.pass_obj
def explain_message(
    started: Started, /, what: str, client: str | None, other: Path | None, as_json: bool, **facts: Any
) -> None:
    """Explain why a message is treated as it is.

    With --client, the message need not exist: every rule is shown in its order, with what it looks at, the entry that
    decides, those that it passes over, and the reply at each stage.  DNS is asked for the client's names, unless --name
    is given.  Without --client, the message is looked for in the journal by its queue id, by the id of the held
    message, or by a line of the log on standard input; what was decided is shown, and what the rules in force decide.

    Exit status: 0 the message is accepted, 1 anything else.
    """
    config = _loaded(other) if other else started.configuration(tables=False)
    if client is None:
        _refuse_facts(facts)
        then = _found(config, what)
    else:
        then = _given(started, config, client, what, facts)
    answer = None if other else _by_daemon(config, then, look_up=client is not None)
    if answer is None:
        whole = config if other else started.configuration()
        judged = with_names(whole, then) if client is not None else then
        answer = told(explain(build_generation(whole), judged))
    if client is None:
        _compare(then, answer, as_json=as_json)
    else:
        _show(answer, as_json=as_json)
    raise click.exceptions.Exit(0 if (answer["accepted"] if client is not None else was_accepted(then)) else 1)


def _by_daemon(config: Config, transaction: Transaction, *, look_up: bool) -> dict[str, Any] | None:
    """Return the explanation by the rules that the daemon has in force; None if it does not answer."""
    if config.control is None:
        return None
    line = encode(transaction)
    if transaction.complete and not decode(line).complete:
        return None  # a line is too short for all of it
    request = {"request": "explain", "transaction": line.decode("ascii"), "look_up": look_up}
    try:
        answer = ask(config.control, request, _PATIENCE)
    except NotAnswered:
        return None
    return None if "error" in answer else answer


def _refuse_facts(facts: dict[str, Any]) -> None:
    """Raise click.UsageError if facts are given without a client: they would be ignored."""
    given = [option for option, key in _FACTS.items() if facts[key]]
    if given:
        raise click.UsageError(f"{', '.join(given)}: facts need --client as well; the journal has its own")


def _loaded(path: Path) -> Config:
    try:
        return load(path)
    except ConfigError as error:
        raise ConfigError((f"{path} cannot be used:", *error.problems)) from None


def _given(started: Started, config: Config, client: str, what: str, facts: Any) -> Transaction:
    """Return the transaction that the options describe."""
    size, header = (
        facts["size"],
        {"from": [one.encode("utf-8", "surrogateescape") for one in facts["authors"] or (bare(facts["sender"]),)]},
    )
    if what:
        try:
            with os.fdopen(open_file(Path(what)), "rb") as message:
                found = read_header(message.readline, _HEADER_OCTETS)
                size = size or os.fstat(message.fileno()).st_size
        except OSError as error:
            raise click.BadParameter(escape(f"{what}: {error.strerror}"), param_hint="FILE") from None
        header = {name: list(found.values(name)) for name in _FIELDS}
    now = started.clock.now()
    return Transaction(
        time=now,
        session="",
        connection=_connection(config, client, facts),
        facts=frozenset(Fact),
        helo=facts["helo"],
        tls=facts["tls"],
        account=facts["auth"],
        today=now.date(),
        sender=_path(facts["sender"]),
        tried=tuple(Tried(Recipient(_path(one))) for one in facts["recipients"]),
        fields={
            name: tuple(value.decode("utf-8", "surrogateescape") for value in header.get(name, ())) for name in _FIELDS
        },
        size=size,
        answer=Answer("accept"),  # so that the header and the end are judged
    )


def _path(address: str) -> str:
    return address if address.startswith("<") else f"<{address}>"


def _connection(config: Config, client: str, facts: Any) -> Connection:
    """Return the connection of the client to the listener that is named, or that has the given address and port."""
    address, local = _address(client, "--client"), _address(facts["local_address"], "--local-address")
    port, daemon = facts["port"], ""
    if facts["listener"]:
        if facts["listener"] not in config.listener:
            known = ", ".join(config.listener) or "none"
            raise click.BadParameter(f"there is no such listener; known are: {escape(known)}", param_hint="--listener")
        conditions = config.listener[facts["listener"]].conditions
        port = min(conditions.ports, default=port)
        local = min(conditions.addresses, key=str, default=local)
        daemon = min(conditions.daemons, default="")
    name = fold_domain(facts["name"])
    names = Known(ClientNames((name,), (name,))) if name else NotLookedUp()
    return Connection(address, name, names, local_address=local, port=port, daemon=daemon)


def _address(text: str | None, option: str) -> Any:
    found = parse_address(text) if text else None
    if text and found is None:
        raise click.BadParameter(f'"{escape(text)}" is not an IP address', param_hint=option)
    return found


def _found(config: Config, what: str) -> Transaction:
    """Return the newest transaction that `what` names, or that the line on standard input is about."""
    if not what:
        if sys.stdin is None or sys.stdin.isatty():
            raise click.UsageError("name a message by its queue id or its id, or give facts, beginning with --client")
        what = sys.stdin.buffer.readline(_LINE_OCTETS).decode("utf-8", "surrogateescape")
    try:
        sought = seek(what)
    except NotSought as error:
        raise click.UsageError(escape(str(error))) from None
    transactions = journal(config)
    for transaction in transactions.newest(None, sought.may_be):
        if sought.is_it(transaction):
            return transaction
    warn_of_skipped(transactions.skipped)
    begins = transactions.begins()
    raise NoTransaction(f"the journal, which begins at {begins:%Y-%m-%d %H:%M} UTC, has no such message")


def _show(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        document(answer["document"])
        return
    for line in answer["lines"]:
        click.echo(escape(line))


def _compare(then: Transaction, answer: dict[str, Any], *, as_json: bool) -> None:
    """Show what was decided, and how the rules in force decide."""
    if as_json:
        document({"then": decided(then), "now": answer["document"], "same": answer["same"]})
        return
    for line in history(then):
        click.echo(escape(line))
    click.echo("")
    click.echo("the rules in force decide the same:" if answer["same"] else "the rules in force decide otherwise:")
    _show(answer, as_json=False)
