"""Looking at one held message: everything that a person needs to decide about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date

from turfmilter.config.schema import Config
from turfmilter.core.address.header import Header, read_header
from turfmilter.core.held.message import Flag
from turfmilter.core.held.summary import HEADER_MOST, Summary, believed, checked, summarise
from turfmilter.core.ports import OpenMessage
from turfmilter.core.report import Slip
from turfmilter.review.contents import Contents, read_contents
from turfmilter.review.quarantines import Place
from turfmilter.review.recorder import Recorder
from turfmilter.review.turftable import standing


@dataclass(frozen=True, slots=True)
class Look:
    """What is shown of a message.  If it has no block of ours, `slip` is None and `standing` is ""."""

    summary: Summary
    slip: Slip | None
    standing: str
    contents: Contents


def look(place: Place, config: Config, today: date) -> Look:
    """Read a message and check it against its digest.  Raises NotAMessage, FileNotFoundError and OSError."""
    with place.open() as opened:
        summary = summarise(opened.file, place.message.id, opened.size, opened.written)
        block, doubt = checked(opened.file, place.message.id)
        opened.file.seek(block.offset if block else 0)
        contents = read_contents(opened.file)
    slip = block.slip if block else None
    return Look(replace(summary, doubt=doubt), slip, _standing(slip, config, today), contents)


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


def mark_reviewed(place: Place, recorder: Recorder) -> Place:
    """Mark the message as reviewed.  Raises FileNotFoundError and FileExistsError, LedgerError and NewerFormat."""
    place.quarantine.require_changeable()
    if Flag.REVIEWED in place.message.flags:
        return place
    with recorder.acting("review", place.message.id):
        return place._replace(message=place.quarantine.mark(place.message, add={Flag.REVIEWED}))


def _standing(slip: Slip | None, config: Config, today: date) -> str:
    if slip is None or slip.rule != "turf":
        return ""
    tables = config.at(listener_of(slip, config)).turf.tables
    return standing(slip.entry, tables, today)
