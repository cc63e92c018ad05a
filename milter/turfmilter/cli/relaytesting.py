"""turfctl relay-test: whether this host can be made to relay, by the rules in force or by asking an MTA."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address
from typing import NamedTuple

import click

from turfmilter.cli.opened import Started, warn_on_stderr
from turfmilter.cli.output import document, json_option, table
from turfmilter.cli.program import leave
from turfmilter.compose import build_generation
from turfmilter.config.schema import Config
from turfmilter.core.address.mailbox import parse_address
from turfmilter.core.escape import escape
from turfmilter.core.journal.transaction import Transaction, Tried
from turfmilter.core.policy import Generation
from turfmilter.core.retrial import judge_again
from turfmilter.core.rule import Fact
from turfmilter.core.session import Connection, Known, Recipient
from turfmilter.core.table.pattern import Name
from turfmilter.mta.probe import NoAnswer, probe
from turfmilter.mta.smtp import NextHop
from turfmilter.review.relayforms import Form, forms

_STRANGER = "203.0.113.254"  # RFC 5737: a client that no configuration allows by accident
_VOID, _OPEN = 3, 1  # exit statuses
_EXPECTED = "5xx or 421"  # RFC 5321 §3.8: 421 closes the connection
_PATIENCE = 30.0  # seconds for each reply
_COLUMNS = ("form", "recipient", "expected", "received")


class Asked(NamedTuple):
    """One form, and the reply to it."""

    form: Form
    reply: str

    @property
    def accepted(self) -> bool:
        """True if the recipient would be accepted."""
        return self.reply.startswith("2")


@click.command("relay-test")
@click.option(
    "--client", default=_STRANGER, show_default=True, metavar="IP", help="The client by which the rules judge."
)
@click.option("--domain", metavar="DOMAIN", help="A domain of this host.  [default: the first in domains]")
@click.option("--live", metavar="HOST:PORT", help="Ask this MTA, up to RCPT; no message is sent.")
@click.option("--source", default="", metavar="IP", help="With --live: the address of this host to connect from.")
@click.option("--yes-it-is-mine", is_flag=True, help="With --live: the MTA is yours, although it has a public address.")
@json_option
@click.pass_obj
def relay_test(
    started: Started,
    client: str,
    domain: str | None,
    live: str | None,
    source: str,
    yes_it_is_mine: bool,
    as_json: bool,
) -> None:
    """Test whether strangers can relay through this host.

    Envelopes that are known to slip through relay checks are judged by the rules in force, as if a stranger sent them.
    With --live, an MTA is asked.  The first recipient is the control, the plainest outside address: if an MTA accepts
    it, it trusts this client, and the test proves nothing.

    Exit status: 0 every form is rejected, 1 one is accepted, 3 the test is void.
    """
    config = started.configuration()
    ours = domain or _first_domain(config)
    if live:
        host, port = _target(live, mine=yes_it_is_mine)
        asked = _asked_live(forms(ours, address=_literal(host)), host, port, source)
    else:
        asked = _judged(build_generation(config), forms(ours), client, ours, started.clock.now())
    if as_json:
        document([{**one.form._asdict(), "expected": _EXPECTED, "received": one.reply} for one in asked])
    else:
        table([_row(one) for one in asked], _COLUMNS, as_json=False)
    raise click.exceptions.Exit(_status(asked, live=bool(live)))


def _status(asked: Sequence[Asked], *, live: bool) -> int:
    """Say what follows, and return the exit status."""
    open_ = [one for one in asked if one.accepted]
    if live and asked[0].accepted:
        click.echo("void: the control was accepted: the MTA trusts this client; test from another address", err=True)
        return _VOID
    unclear = [one for one in asked if live and not one.accepted and not one.reply.startswith(("5", "421"))]
    if unclear:
        which = f"{len(unclear)} of {len(asked)} forms"
        warn_on_stderr(f"{which} received a temporary reply or none (greylisting?): test again later")
    if open_:
        click.echo(f"OPEN: {len(open_)} of {len(asked)} forms are accepted", err=True)
        return _OPEN
    if unclear:
        return _VOID
    click.echo(f"all {len(asked)} forms are rejected", err=True)
    return 0


def _row(asked: Asked) -> dict[str, object]:
    received = f"{'ACCEPTED: ' if asked.accepted else ''}{asked.reply}"
    recipient = asked.form.recipient if asked.form.sender == "<relay-test@example.net>" else f"from {asked.form.sender}"
    return {"form": asked.form.name, "recipient": recipient, "expected": _EXPECTED, "received": received}


def _judged(generation: Generation, every: Sequence[Form], client: str, ours: str, now: datetime) -> list[Asked]:
    address = parse_address(client)
    if address is None:
        raise click.BadParameter(f'"{escape(client)}" is not an IP address', param_hint="--client")
    connection = Connection(address, names=Known())
    return [Asked(form, _reply(generation, form, connection, ours, now)) for form in every]


def _reply(generation: Generation, form: Form, connection: Connection, ours: str, now: datetime) -> str:
    """Return what the rules answer, if the MTA reads an odd recipient in the worst way: as one of ours."""
    recipient = Recipient(form.recipient, resolved=f"relay-test@{ours}")
    retrial = judge_again(
        generation,
        Transaction(
            time=now,
            session="",
            connection=connection,
            facts=frozenset(Fact),
            today=now.date(),
            sender=form.sender,
            tried=(Tried(recipient),),
        ),
    )
    answer = retrial.tried[0] if retrial.tried else retrial.answer
    return answer.reply if answer and answer.reply else "250 accepted"


def _asked_live(every: Sequence[Form], host: str, port: int, source: str) -> list[Asked]:
    envelopes = [(form.sender, form.recipient) for form in every]
    hop = NextHop(host, port, "relay-test.example.net", _PATIENCE)
    try:
        return [Asked(form, reply) for form, reply in zip(every, probe(hop, envelopes, source=source), strict=True)]
    except NoAnswer as error:
        leave("turfctl", escape(str(error)), _VOID)


def _first_domain(config: Config) -> str:
    """Return a domain of this host.  The program ends if the configuration names none."""
    for entry in config.domains:
        if isinstance(entry.pattern, Name) and not entry.exception:
            return entry.pattern.domain
    raise click.UsageError("the configuration lists no domain by name; name one of this host with --domain")


def _target(live: str, *, mine: bool) -> tuple[str, int]:
    """Return host and port; refuse a host that is neither this one nor in a private network, unless it is `mine`."""
    host, colon, port = live.rpartition(":")
    host = host.strip("[]")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise click.BadParameter(f'"{escape(live)}" is not HOST:PORT', param_hint="--live")
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)}
    except OSError as error:
        raise click.BadParameter(escape(f"{host}: {error.strerror}"), param_hint="--live") from None
    strange = [address for address in found if not _is_near(str(address))]
    if strange and not mine:
        wrong = f"{host} has a public address that is not this host's; if the MTA is yours, use --yes-it-is-mine"
        raise click.BadParameter(escape(wrong), param_hint="--live")
    return host, int(port)


def _is_near(text: str) -> bool:
    """Return True for an address of this host, or of a network that is not public."""
    address = ip_address(text.partition("%")[0])
    if not address.is_global:
        return True
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    with socket.socket(family) as here:
        try:
            here.bind((text, 0))
        except OSError:
            return False
    return True


def _literal(host: str) -> str:
    """Return the address of `host`, for forms with our address in them."""
    return str(next(iter(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)))[4][0])
