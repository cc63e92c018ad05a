"""Looking at one held message: everything that a person needs to decide about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date, datetime

from turfmilter.config.schema import Config
from turfmilter.config.sections.quarantine import QuarantineConfig
from turfmilter.config.setting import unread
from turfmilter.core.address.header import Header, read_header
from turfmilter.core.held.message import Flag, NotAMessage, State, time_of
from turfmilter.core.held.selection import OPEN, Selection
from turfmilter.core.held.summary import HEADER_MOST, Summary, believed, checked, summarise
from turfmilter.core.ports import OpenMessage
from turfmilter.core.report import Slip
from turfmilter.review.contents import Contents, read_contents
from turfmilter.review.quarantines import Found, Place, Quarantines
from turfmilter.review.turftable import standing

_MAX_NEWER = 1000  # messages


@dataclass(frozen=True, slots=True)
class Look:
    """What is shown of a message.  If it has no block of ours, `slip` is None and `standing` is "".

    `until` is when it expires by its age at the earliest, None if it does not or that is not known.
    """

    summary: Summary
    slip: Slip | None
    standing: str
    contents: Contents
    until: datetime | None


def look(place: Place, config: Config, today: date) -> Look:
    """Read a message and check it against its digest.  Without tables in `config`, its `standing` is "".

    Raises NotAMessage, FileNotFoundError and OSError.
    """
    with place.open() as opened:
        summary = summarise(opened.file, place.message.id, opened.size, opened.written)
        block, doubt = checked(opened.file, place.message.id)
        opened.file.seek(block.offset if block else 0)
        contents = read_contents(opened.file)
    slip = block.slip if block else None
    until = _until(place, slip.time if slip and not doubt else None, config.quarantine)
    return Look(replace(summary, doubt=doubt), slip, _standing(slip, config, today), contents, until)


def _until(place: Place, held: datetime | None, terms: QuarantineConfig) -> datetime | None:
    """Return when it expires by its age; `held` is when it was held, None if that is not known.  See expiry.py."""
    message = place.quarantine.again(place.message)
    if Flag.FLAGGED in message.flags:
        return None
    with suppress(OverflowError):  # later than any calendar
        if message.state is not State.UNREVIEWED:
            return place.quarantine.status(message).touched + terms.keep_reviewed
        if held is not None:
            return held + terms.keep
    return None


def neighbours(place: Place, held: datetime, quarantines: Quarantines) -> tuple[str, str]:
    """Return the ids of the messages before and after the one that was `held` then, in a list of all open messages.

    "" where there is none; nothing is before it if more than a thousand are, because all of them would be read.
    """
    newer, me = Selection(states=OPEN, since=held), (held, place.message.id)
    found = quarantines.newest(newer) if quarantines.count(newer) <= _MAX_NEWER else []
    keys = [(one.summary.time, one.place.message.id) for one in found]
    before = [id for time, id in keys if (time, id) > me]
    after = [id for time, id in keys if (time, id) < me]
    after = after or [one.place.message.id for one in quarantines.newest(Selection(states=OPEN, before=held), 1)]
    return before[-1] if before else "", after[0] if after else ""


def glance(place: Place) -> Found:
    """Return a message with its summary as it is at this moment; the reason why it cannot be read is its `doubt`."""
    try:
        with place.open() as opened:
            return Found(place, summarise(opened.file, place.message.id, opened.size, opened.written))
    except FileNotFoundError:
        doubt = "it was removed just now"
    except (NotAMessage, OSError) as error:
        doubt = str(error)
    return Found(place, Summary(time_of(place.message.id), 0, doubt=doubt))


@contextmanager
def message(place: Place) -> Iterator[tuple[OpenMessage, Slip | None]]:
    """Open a message; its `file` is positioned after our block, which is returned as the Slip, None if there is none.

    Raises NotAMessage, FileNotFoundError and OSError.
    """
    with place.open() as opened:
        block, _ = believed(opened.file, place.message.id)
        opened.file.seek(block.offset if block else 0)
        yield opened, block.slip if block else None


def header(place: Place) -> Header:
    """Return the header of the message.  Raises what `message` does."""
    with message(place) as (opened, _):
        return read_header(opened.file.readline, HEADER_MOST)


def listener_of(slip: Slip, config: Config) -> str:
    """Return the listener whose rules held the message; "" if it was the general rules, or if it no longer exists."""
    return slip.listener if slip.listener in config.listener else ""


def _standing(slip: Slip | None, config: Config, today: date) -> str:
    if slip is None or slip.rule != "turf":
        return ""
    tables = config.at(listener_of(slip, config)).turf.tables
    if unread(tables):
        return ""
    return standing(slip.entry, tables, today)
