"""turfctl review: held messages one by one, with single keys."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path

import click

from turfmilter.cli.allowing import Allowing
from turfmilter.cli.onebyone.acts import TROUBLE, Acts
from turfmilter.cli.onebyone.display import Display, Fact, Page
from turfmilter.cli.onebyone.facts import HELP, facts, keys_line
from turfmilter.cli.onebyone.keyboard import REDRAW, Ended, Keyboard
from turfmilter.cli.opened import Started, directory_option, opened, recorders
from turfmilter.cli.options import selecting
from turfmilter.cli.releasing import Releasing
from turfmilter.cli.showing import print_message, text_lines
from turfmilter.cli.turf import exception_adder, until
from turfmilter.config.loader import ConfigError
from turfmilter.config.schema import Config
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import LedgerError
from turfmilter.core.held.message import NotAMessage, shown_id
from turfmilter.core.held.selection import OPEN, Selection
from turfmilter.core.ports import Clock
from turfmilter.review.agenda import Agenda
from turfmilter.review.layout import counted
from turfmilter.review.look import look
from turfmilter.review.quarantines import NotFound, Place, Quarantines
from turfmilter.review.turftable import NotEdited


@click.command("review")
@selecting(states=OPEN)
@click.option(
    "--for",
    "expires",
    callback=until,
    metavar="SPAN",
    help="How long exceptions for senders are valid: 90d.  [default: permanently]",
)
@directory_option
@click.pass_obj
def review(started: Started, selection: Selection, expires: date | None, directory: Path | None) -> None:
    """Go through held messages one by one, the newest first.

    Single keys release a message, delete it, mark it reviewed, or go to the next one; `?` explains them.  Each act
    is done at once.  A message must meet all conditions.
    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stdout.isatty()):
        raise click.UsageError("review reads keys from a terminal; without one, use list, show, release and delete")
    display, notices = Display(started.clock), list[str]()
    config, broken = _loaded(started, notices)
    with ExitStack() as stack:
        allowing, why_not = (None, broken) if broken else _allowing(started, config, expires, stack)
        quarantines = stack.enter_context(opened(config, directory))
        found = quarantines.newest(selection)
        if not found:
            raise NotFound("no message matches")
        agenda = Agenda((one.place for one in found), selection.states, notices.append)
        writing = recorders(started, notices.append)
        writing.expect(one.place for one in found)
        releasing = [Releasing(config, writing, started.clock, one) for one in (None, allowing)]
        acts = Acts(agenda, writing, releasing, why_not, notices)
        try:
            with Keyboard(sys.stdin.fileno()) as keyboard:
                _Review(acts, keyboard, display, config, started.clock, quarantines).run()
        except Ended as ended:
            raise click.exceptions.Exit(128 + ended.number) from None  # as a shell reports an end by a signal
        finally:
            display.add(f"{acts.summary()}; {counted(len(agenda))} left")


def _loaded(started: Started, notices: list[str]) -> tuple[Config, str]:
    """Return the configuration, and what is broken in its files: then no exception can be added, all else can be done.

    Warnings are noted: the first screen would clear them away.  Raises ConfigError.
    """
    try:
        return started.sound(), ""
    except ConfigError as broken:
        return started.readable(lambda sentence: notices.append(f"warning: {sentence}")), str(broken)


def _allowing(started: Started, config: Config, expires: date | None, stack: ExitStack) -> tuple[Allowing | None, str]:
    """Return what adds exceptions, or None and the reason."""
    try:
        return stack.enter_context(Allowing(exception_adder(started, config, expires))), ""
    except (ConfigError, NotEdited) as error:
        return None, str(error)


class _Review:
    """The loop: shows the current message, and does what the keys say."""

    def __init__(
        self,
        acts: Acts,
        keyboard: Keyboard,
        display: Display,
        config: Config,
        clock: Clock,
        quarantines: Quarantines,
    ) -> None:
        self._acts = acts
        self._agenda, self._notices = acts.agenda, acts.notices
        self._keyboard = keyboard
        self._display = display
        self._config = config
        self._clock = clock
        self._quarantines = quarantines
        self._of_message = {
            "r": acts.release,
            "a": acts.release_and_allow,
            "d": acts.delete,
            "m": acts.mark,
            "v": self._view,
            "\r": self._view,
            "\n": self._view,
        }
        self._others = {
            "n": self._next,
            "down": self._next,
            "right": self._next,
            "p": self._previous,
            "up": self._previous,
            "left": self._previous,
            "u": acts.undo,
            "?": self._help,
            "h": self._help,
        }

    def run(self) -> None:
        """Return when the user quits.  Raises Ended."""
        while True:
            place = self._draw()
            key = self._keyboard.key()
            if key == "q":
                return
            if key in (REDRAW, "\f"):
                continue
            self._notices.clear()
            try:
                self._do(key, place)
            except FileNotFoundError:
                pass  # it is gone: the agenda finds that out, and says so
            except TROUBLE as error:
                self._notices.append(escape(f"{place.message.id}: {error}" if place else str(error)))

    def _do(self, key: str, place: Place | None) -> None:
        if other := self._others.get(key):
            other()
            return
        act = self._of_message.get(key)
        if act is None:
            self._notices.append("no such key; ? explains the keys")
        elif place and self._agenda.current() != place:  # what was decided on is not what is there
            self._notices.append("not done: the message has just changed")
        elif place:
            try:
                act(place)
            finally:
                if key in "ra":  # typed while it was under way, for what was on the screen then
                    self._keyboard.forget()
        elif len(self._agenda):
            self._notices.append("not done: the message cannot be read")

    def _next(self) -> None:
        if not self._agenda.step(1):
            self._notices.append("this is the last message")

    def _previous(self) -> None:
        if not self._agenda.step(-1):
            self._notices.append("this is the first message")

    def _draw(self) -> Place | None:
        """Draw the screen, and return the message on it; None if there is none, or if it cannot be looked up now."""
        told, body = list[Fact](), iter(("u undoes the last act, q quits.",))
        try:
            place = self._agenda.current()
        except OSError as error:
            place, told, body = None, [_unreadable(error)], iter(())
        if place:
            told, body = self._read(place)
        on, rows = self._display.measure()
        number = len(self._agenda)
        above = f"Message {self._agenda.at + 1} of {number}" if number else "No message is left."
        self._display.draw(Page(above, told, body, self._notices, keys_line(on.columns)).lines(on, rows))
        return place

    def _read(self, place: Place) -> tuple[list[Fact], Iterator[str]]:
        try:
            seen = look(place, self._config, self._clock.today())
            lines = self._acts.recorder(place).lines(place.message.id)
            return list(facts(place, seen, lines)), text_lines(seen.contents)
        except (NotAMessage, LedgerError, OSError) as error:
            return [("id", shown_id(place.message.id)), _unreadable(error)], iter(())

    def _view(self, place: Place) -> None:
        """Show everything, as `turfctl show` does."""
        with self._keyboard.lent():
            self._display.add("")
            with suppress(KeyboardInterrupt):  # ^C ends only what is shown
                print_message(place, self._config, self._clock.today(), self._quarantines)
        self._display.add("(any key goes back)")
        self._keyboard.key()

    def _help(self) -> None:
        page = Page("The keys:", (), HELP, (), "(any key goes back)", more="(too small for all)", hanging=3)
        self._display.draw(page.lines(*self._display.measure()))
        self._keyboard.key()


def _unreadable(error: Exception) -> Fact:
    return "CAUTION", escape(f"cannot be read: {error}")
