"""What `turfctl review` shows: a message on one screen, and the keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from turfmilter.cli.onebyone.display import Fact
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import Line
from turfmilter.core.held.message import shown_id
from turfmilter.review.contents import Contents
from turfmilter.review.fate import fates, state
from turfmilter.review.layout import full_time, human_size
from turfmilter.review.look import Look
from turfmilter.review.quarantines import Place

_MOST_RECIPIENTS = 3  # so that the text is on the same screen

# Each key, its name at the bottom of the screen, and what it does.
KEYS = (
    ("n", "next", "go to the next message; the arrows down and right do the same"),
    ("p", "prev", "go to the previous message; the arrows up and left do the same"),
    ("r", "release", "deliver the message to its original recipients"),
    ("a", "+allow", "release, and add an exception for the sender and the authors to the turf table"),
    ("d", "delete", "mark the message as deleted"),
    ("m", "mark", "mark the message as reviewed and go on; it is still open, and kept for keep_reviewed"),
    ("u", "undo", "undo the last deletion or mark; a release cannot be undone"),
    ("v", "view", "show the whole message"),
    ("?", "help", "show this page; any key leaves it"),
    ("q", "quit", "end; all other messages stay as they are"),
)
HELP = tuple(f"{key}  {what}" for key, _, what in KEYS)


def keys_line(columns: int) -> str:
    """Return the keys and as much of their names as fits in `columns`."""
    full = " ".join(f"{key}:{name}" for key, name, _ in KEYS)
    letters = " ".join(key for key, _, _ in KEYS)
    return next((line for line in (full, letters.replace("?", "?:help")) if len(line) <= columns), letters)


def facts(place: Place, seen: Look, lines: Sequence[Line]) -> Iterator[Fact]:
    """Yield what must be known for a decision, each value escaped; `show` prints the rest."""
    summary, contents, known = seen.summary, seen.contents, fates(lines)
    yield "id", f"{shown_id(place.message.id)}  {state(place.message, summary.recipients, known).value}"
    if summary.doubt:
        yield "CAUTION", escape(summary.doubt)
    yield "subject", escape(_field(contents, "subject"))
    yield "author", escape(_field(contents, "from"))
    if seen.slip:
        yield "sender", escape(summary.sender or "<>")
    for recipient in summary.recipients[:_MOST_RECIPIENTS]:
        yield "to", escape(f"{recipient} ({known[recipient].value})" if recipient in known else recipient)
    if more := summary.recipients[_MOST_RECIPIENTS:]:
        yield "", f"and {len(more)} more"
    if seen.slip:
        yield "client", escape(f"{summary.client} {summary.name}".strip() or "local")
        yield "why", escape(f"{summary.rule}: {summary.entry}{f' ({seen.standing})' if seen.standing else ''}")
    yield "held", f"{full_time(summary.time)}{f', kept until {full_time(seen.until)}' if seen.until else ''}"
    yield "size", f"{human_size(summary.size)}{_parts(contents)}"


def _parts(contents: Contents) -> str:
    if contents.count < 2 and all(part.type == "text/plain" for part in contents.parts):
        return ""
    names = [part.name or part.type for part in contents.parts]
    return escape(f" in {contents.count} part{'s' if contents.count > 1 else ''}: {', '.join(names)}")


def _field(contents: Contents, name: str) -> str:
    return next((field.text for field in contents.header.fields if field.name.lower() == name), "")
