"""turfctl release: deliver held messages to the recipients from whom they were held."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from typing import NamedTuple

import click

from turfmilter.cli.allowing import Allowing, Answer
from turfmilter.cli.choosing import Request, agreed, choosing, chosen
from turfmilter.cli.opened import Started, opened, recorders, watched
from turfmilter.cli.output import json_option, table
from turfmilter.cli.turf import exception_adder, until
from turfmilter.config.schema import Config
from turfmilter.config.sections.turf import Origin
from turfmilter.core.escape import escape
from turfmilter.core.held.message import NotAMessage
from turfmilter.core.held.selection import OPEN
from turfmilter.core.ports import Clock
from turfmilter.mta.smtp import NextHop
from turfmilter.review.look import listener_of, message
from turfmilter.review.quarantines import Place
from turfmilter.review.recorder import Recorders
from turfmilter.review.release import NotReleased, Released, Releaser, Uncertain
from turfmilter.review.turftable import NotEdited, exceptions_for


@click.command("release")
@choosing(OPEN)
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

    Name them by the beginning of their IDs, or select them by conditions.  A dash reads IDs from standard input.

    The sender, the recipients and every byte are those that were received; To: and Cc: are not read.
    """
    if expires and not and_allow:
        raise click.UsageError("--for requires --and-allow")
    config = started.sound() if and_allow else started.configuration(tables=False)
    with ExitStack() as stack:
        allowing = stack.enter_context(Allowing(exception_adder(started, config, expires))) if and_allow else None
        quarantines = stack.enter_context(opened(config, request.directory))
        places = chosen(quarantines, request.ids, request.selection)
        ask = request.selection is not None or len(places) > 1
        if agreed(started.clock, places, "released", request, ask=ask, as_json=as_json):
            releasing = Releasing(config, recorders(started), started.clock, allowing)
            done = list[Done]()
            try:
                for one in _each(releasing, places, only, force=force):
                    done.append(one)
            finally:  # also after an interruption, what was done is told
                _say(done, as_json=as_json)
            if len(done) < len(places) or not all(one.clean for one in done):
                raise click.exceptions.Exit(1)


class Done(NamedTuple):
    """A message that was given to the next hop, its replies, and what came of the exceptions."""

    place: Place
    released: Released
    answers: tuple[Answer, ...]

    @property
    def clean(self) -> bool:
        """True if every recipient was accepted and every exception added."""
        return self.released.clean and all(answer.done for answer in self.answers)


class Releasing:
    """Releases messages one by one; with `allowing`, it adds exceptions for those that the next hop accepted."""

    def __init__(self, config: Config, recorders: Recorders, clock: Clock, allowing: Allowing | None) -> None:
        self._config = config
        self._recorders = recorders
        self._clock = clock
        self._allowing = allowing

    def expect(self, places: Sequence[Place]) -> None:
        """Announce the messages, so that the ledger is read once for all of them."""
        self._recorders.expect(places)

    def release(self, place: Place, only: Sequence[str] = (), *, force: bool = False) -> Done:
        """Release one message.  Raises NotReleased and Uncertain."""
        release = self._config.release
        hop = NextHop(release.host, release.port, release.helo)
        releaser = Releaser(place.quarantine, self._recorders.of(place.quarantine), hop, xclient=release.xclient)
        released = releaser.release(place.message, only, force=force)
        now = place._replace(message=released.message)
        return Done(now, released, tuple(self._allow(now)) if self._allowing and released.taken else ())

    def _allow(self, place: Place) -> Iterator[Answer]:
        """Add exceptions for the sender and the authors; yield what came of each."""
        assert self._allowing
        try:
            with message(place) as (_, slip):
                listener = listener_of(slip, self._config) if slip else ""
            turf = self._config.at(listener).turf
            originators = Origin.ORIGINATOR in turf.match
            entries, doubts = exceptions_for(place, turf.tables, self._clock.today(), originators=originators)
        except (NotEdited, NotAMessage, OSError) as error:
            yield _not_added(place, str(error) if isinstance(error, NotEdited) else escape(str(error)))
            return
        for entry in entries:
            yield self._allowing.allow(listener, entry, f"released {place.message.id}")
        for doubt in doubts:
            yield _not_added(place, doubt)
        if not entries and not doubts:
            compared = "sender, authors nor originators" if originators else "sender nor authors"
            yield _not_added(place, f"neither {compared} are listed now")


def _not_added(place: Place, why: str) -> Answer:
    return Answer(False, f"{escape(place.message.id)}: released, but no exception was added: {why}")


def _each(releasing: Releasing, places: Sequence[Place], only: Sequence[str], *, force: bool) -> Iterator[Done]:
    """Release the messages one by one; yield what was done, and print why a message was not released."""
    releasing.expect(places)
    for place in watched(places, "Releasing"):
        try:
            yield releasing.release(place, only, force=force)
        except (NotReleased, Uncertain) as error:
            click.echo(f"turfctl: {escape(place.message.id)}: {escape(str(error))}", err=True)


def _say(done: Sequence[Done], *, as_json: bool) -> None:
    """Print the replies, and what came of the exceptions."""
    rows = [
        {"id": one.place.message.id, "recipient": recipient, "reply": reply}
        for one in done
        for recipient, reply in one.released.replies.items()
    ]
    table(rows, ("id", "recipient", "reply"), as_json=as_json)
    for one in done:
        for parameter in one.released.lost:
            click.echo(f"turfctl: {escape(f'{one.place.message.id}: the MTA does not accept {parameter}')}", err=True)
    _say_answers((answer for one in done for answer in one.answers), as_json=as_json)


def _say_answers(answers: Iterable[Answer], *, as_json: bool) -> None:
    """Print what came of the exceptions; on standard error if standard output is for JSON alone."""
    for answer in dict.fromkeys(answers):
        click.echo(answer.text if answer.done else f"turfctl: {answer.text}", err=as_json or not answer.done)
