"""turfctl release: deliver held messages to the recipients from whom they were held."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date

import click

from turfmilter.cli.allowing import Allowing
from turfmilter.cli.choosing import Request, agreed, choosing, chosen
from turfmilter.cli.opened import Started, opened, recorders, watched
from turfmilter.cli.output import json_option, table
from turfmilter.cli.turf import exception_adder, until
from turfmilter.config.schema import Config
from turfmilter.config.sections.turf import Origin
from turfmilter.core.escape import escape
from turfmilter.core.held.message import NotAMessage, State
from turfmilter.mta.smtp import NextHop
from turfmilter.review.look import listener_of, message
from turfmilter.review.quarantines import Place
from turfmilter.review.release import NotReleased, Released, Releaser, Uncertain
from turfmilter.review.turftable import NotEdited, exceptions_for

_OPEN = frozenset({State.UNREVIEWED, State.REVIEWED})


@click.command("release")
@choosing(_OPEN)
@click.option(
    "--to", "only", multiple=True, metavar="RECIPIENT", help="Only to this recipient; may be given more than once."
)
@click.option(
    "--force", is_flag=True, help="Release even if already sent, in an unknown state, or modified since it was held."
)
@click.option("--and-allow", is_flag=True, help="Also add exceptions for the sender and the authors to the turf table.")
@click.option(
    "--for",
    "expires",
    callback=until,
    metavar="SPAN",
    help="How long the exceptions are valid: 90d.  [default: permanently]",
)
@json_option
@click.pass_obj
def release(
    started: Started,
    request: Request,
    only: tuple[str, ...],
    force: bool,
    and_allow: bool,
    expires: date | None,
    as_json: bool,
) -> None:
    """Deliver held messages to their original recipients.

    Name them by the beginning of their IDs, or select them by conditions.  The sender, the recipients and every byte
    are those that were received; To: and Cc: are not read.
    """
    if expires and not and_allow:
        raise click.UsageError("--for requires --and-allow")
    config = started.configuration()
    with ExitStack() as stack:
        allowing = None
        if and_allow:
            adder = exception_adder(started, expires, as_json=as_json)
            allowing = stack.enter_context(Allowing(adder))
        quarantines = stack.enter_context(opened(config, request.directory))
        places = chosen(quarantines, request.ids, request.selection)
        ask = request.selection is not None or len(places) > 1
        if agreed(started.clock, places, "released", request, ask=ask, as_json=as_json):
            releasing = _Releasing(config, started, only, force=force)
            done = releasing.all(places, allowing)
            _say(done, as_json=as_json)
            if releasing.failed or not all(released.clean for _, released in done):
                raise click.exceptions.Exit(1)


class _Releasing:
    def __init__(self, config: Config, started: Started, only: tuple[str, ...], *, force: bool) -> None:
        self._config = config
        self._recorders = recorders(started)
        self._clock = started.clock
        self._only = only
        self._force = force
        self.failed = False

    def all(self, places: list[Place], allowing: Allowing | None) -> list[tuple[Place, Released]]:
        done = []
        self._recorders.expect(places)
        for place in watched(places, "Releasing"):
            try:
                released = self._one(place)
            except (NotReleased, Uncertain, FileNotFoundError) as error:
                self._fail(place, escape(str(error)))
                continue
            done.append((place, released))
            if allowing and released.taken:
                self._allow(place._replace(message=released.message), allowing)
        return done

    def _allow(self, place: Place, allowing: Allowing) -> None:
        try:
            with message(place) as (_, slip):
                listener = listener_of(slip, self._config) if slip else ""
            turf = self._config.at(listener).turf
            originators = Origin.ORIGINATOR in turf.match
            entries, doubts = exceptions_for(place, turf.tables, self._clock.today(), originators=originators)
        except (NotEdited, NotAMessage, FileNotFoundError) as error:
            why = str(error) if isinstance(error, NotEdited) else escape(str(error))
            self._fail(place, f"released, but no exception was added: {why}")
            return
        for entry in entries:
            allowing.allow(listener, entry, f"released {place.message.id}")
        for doubt in doubts:
            self._fail(place, f"released, but no exception was added: {escape(doubt)}")
        if not entries and not doubts:
            compared = "sender, authors nor originators" if originators else "sender nor authors"
            self._fail(place, f"released, but no exception was added: neither {compared} are listed now")

    def _fail(self, place: Place, why: str) -> None:
        self.failed = True
        click.echo(f"turfctl: {escape(place.message.id)}: {why}", err=True)

    def _one(self, place: Place) -> Released:
        release = self._config.release
        hop = NextHop(release.host, release.port, release.helo)
        releaser = Releaser(place.quarantine, self._recorders.of(place.quarantine), hop, xclient=release.xclient)
        return releaser.release(place.message, self._only, force=self._force)


def _say(done: list[tuple[Place, Released]], *, as_json: bool) -> None:
    rows = [
        {"id": place.message.id, "recipient": recipient, "reply": reply}
        for place, released in done
        for recipient, reply in released.replies.items()
    ]
    table(rows, ("id", "recipient", "reply"), as_json=as_json)
    for place, released in done:
        for parameter in released.lost:
            click.echo(f"turfctl: {escape(f'{place.message.id}: the MTA does not accept {parameter}')}", err=True)
