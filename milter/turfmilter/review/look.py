"""One held message, looked at: all that a person needs to decide about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from typing import BinaryIO

from turfmilter.config.schema import Config
from turfmilter.core.address.header import Header, read_header
from turfmilter.core.report import Slip
from turfmilter.review.contents import Contents, read_contents
from turfmilter.review.recorder import Recorder
from turfmilter.review.turftable import standing
from turfmilter.stores.opened import REVIEWED, Place
from turfmilter.stores.summary import HEADER_MOST, Summary, believed, checked, summarise


@dataclass(frozen=True, slots=True)
class Look:
    """What is seen of a message.  `slip` is None, and `standing` "", when the file has no block of ours."""

    summary: Summary
    slip: Slip | None
    standing: str
    contents: Contents


def look(place: Place, config: Config, today: date) -> Look:
    """Read a message.  Raises NotAFile, FileNotFoundError and OSError."""
    with place.open() as file:
        summary = summarise(file, place.file.id)
        block, doubt = checked(file, place.file.id)
        file.seek(block.offset if block else 0)
        contents = read_contents(file)
    slip = block.slip if block else None
    return Look(replace(summary, doubt=doubt), slip, _standing(slip, config, today), contents)


@contextmanager
def message(place: Place) -> Iterator[tuple[BinaryIO, Slip | None]]:
    """The message alone, without our block, and what that says.  Raises NotAFile, FileNotFoundError and OSError."""
    with place.open() as file:
        block, _ = believed(file, place.file.id)
        file.seek(block.offset if block else 0)
        yield file, block.slip if block else None


def header(place: Place) -> Header:
    """The header of the message.  Raises what `message` does."""
    with message(place) as (file, _):
        return read_header(file.readline, HEADER_MOST)


def listener_of(slip: Slip, config: Config) -> str:
    """The listener whose rules held the message; "" when that were the general ones, or it is there no more."""
    return slip.listener if slip.listener in config.listener else ""


def mark_reviewed(place: Place, recorder: Recorder) -> Place:
    """Somebody has seen it.  Raises FileNotFoundError and FileExistsError, LedgerError and NewerFormat."""
    place.maildir.require_changeable()
    if REVIEWED in place.file.flags:
        return place
    with recorder.acting("review", place.file.id):
        return place._replace(file=place.maildir.change(place.file, add=REVIEWED))


def _standing(slip: Slip | None, config: Config, today: date) -> str:
    if slip is None or slip.rule != "turf":
        return ""
    tables = config.at(listener_of(slip, config)).turf.tables
    return standing(slip.entry, tables, today)
