"""What is known about a sender: whether its mail was released, or is excepted by the turf table."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from turfmilter.cli.opened import warn_on_stderr
from turfmilter.config.schema import Config
from turfmilter.core.address.readings import read_senders
from turfmilter.core.escape import escape
from turfmilter.core.held.message import State, Unopenable
from turfmilter.core.held.selection import Selection
from turfmilter.core.wrapped import match_sender
from turfmilter.desk import open_quarantines

Remark = Callable[[str], str]  # about a sender, "" for none


def remarks(config: Config, today: date) -> Remark:
    """Return a function that says of a sender whether its mail was released, or is excepted by the turf table."""
    released: set[str] = set()
    if config.directories:
        try:
            with open_quarantines(config.directories, lambda files: files) as quarantines:
                found = quarantines.newest(Selection(states=frozenset({State.RELEASED, State.PARTLY_RELEASED})))
                released = {(one.summary.sender or "").lower() for one in found}
        except (Unopenable, OSError) as error:
            warn_on_stderr(escape(f"{error}; senders whose mail was released are not marked"))

    def remark(sender: str) -> str:
        if sender.lower() in released:
            return "mail of this sender was released"
        entry = match_sender(config.turf.tables, read_senders(sender), today)
        return f"excepted by {entry}" if entry and entry.exception else ""

    return remark
