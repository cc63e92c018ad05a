"""What `turfctl review` shows: a message on one screen, and the keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from turfmilter.cli.output import moment
from turfmilter.cli.screen import Fact, cut
from turfmilter.core.escape import escape
from turfmilter.core.held.ledger import Line
from turfmilter.review.contents import Contents
from turfmilter.review.fate import fates, state
from turfmilter.review.look import Look
from turfmilter.review.quarantines import Place

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
    candidates = (full, letters.replace("?", "?:help"), letters, letters.replace(" ", ""))
    return next((line for line in candidates if len(line) <= columns), cut(letters, columns))


def facts(place: Place, seen: Look, lines: Sequence[Line]) -> Iterator[Fact]:
    """Yield what must be known for a decision; the rest is what `show` prints."""
    summary, contents, known = seen.summary, seen.contents, fates(lines)
    yield "id", escape(place.message.id)
    yield "state", state(place.message, summary.recipients, known)
    if summary.doubt:
        yield "CAUTION", escape(summary.doubt)
    yield "held", f"{moment(summary.time)} UTC"
    yield "size", f"{summary.size} bytes{_parts(contents)}"
    if seen.slip:
        yield "client", escape(f"{summary.client} {summary.name}".strip() or "local")
        standing = f" ({seen.standing})" if seen.standing else ""
        yield "why", escape(f"{summary.rule}: {summary.entry}{standing}")
        yield "sender", escape(summary.sender or "<>")
    yield "author", escape(_field(contents, "from"))
    for number, recipient in enumerate(summary.recipients[:_MOST_RECIPIENTS]):
        more = len(summary.recipients) - _MOST_RECIPIENTS
        fate = f" ({known[recipient].value})" if recipient in known else ""
        also = f", and {more} more" if more > 0 and number == _MOST_RECIPIENTS - 1 else ""
        yield "to", escape(f"{recipient}{fate}{also}")
    yield "subject", escape(_field(contents, "subject"))


_MOST_RECIPIENTS = 3


def text(contents: Contents) -> Iterator[str]:
    """Yield the lines of the text, escaped, from the first that is not empty."""
    if contents.text is None:
        yield "(no part is plain text; HTML is not shown)"
        return
    for line in contents.text.lstrip("\r\n").replace("\r\n", "\n").split("\n"):
        yield escape(line.expandtabs())


def _parts(contents: Contents) -> str:
    if contents.count < 2:
        return ""
    names = [part.name or part.type for part in contents.parts]
    return escape(f" in {contents.count} parts: {', '.join(names)}")


def _field(contents: Contents, name: str) -> str:
    return next((field.text for field in contents.header.fields if field.name.lower() == name), "")
