"""The marks of a held message that administrators set and remove, each with its lines in the ledger."""

from __future__ import annotations

from collections.abc import Collection

from turfmilter.core.held.message import Flag
from turfmilter.review.quarantines import Place
from turfmilter.review.recorder import Recorder

# Each function returns the message as it is then.  It raises FileNotFoundError if the message is gone, FileExistsError
# if another one is in the way, LedgerError if nothing can be recorded, and NewerFormat.


def mark_reviewed(place: Place, recorder: Recorder) -> Place:
    """Mark the message as reviewed: it is then kept for keep_reviewed."""
    place.quarantine.require_changeable()
    if Flag.REVIEWED in place.message.flags:
        return place
    return _marked(place, recorder, "review", add={Flag.REVIEWED})


def mark_unreviewed(place: Place, recorder: Recorder) -> Place:
    """Remove the mark that `mark_reviewed` has set."""
    return _marked(place, recorder, "unreview", remove={Flag.REVIEWED})


def delete(place: Place, recorder: Recorder) -> Place:
    """Mark the message as deleted; `restore` undoes it until the message expires."""
    return _marked(place, recorder, "delete", add={Flag.DELETED})


def restore(place: Place, recorder: Recorder) -> Place:
    """Remove the mark that `delete` has set."""
    return _marked(place, recorder, "undelete", remove={Flag.DELETED})


def _marked(
    place: Place, recorder: Recorder, act: str, *, add: Collection[Flag] = (), remove: Collection[Flag] = ()
) -> Place:
    with recorder.acting(act, place.message.id):
        return place._replace(message=place.quarantine.mark(place.message, add=add, remove=remove))
