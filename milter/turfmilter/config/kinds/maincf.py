"""The source "postfix:main.cf": every domain for which Postfix receives mail."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from turfmilter.config.given import Given, Wrong, quoted
from turfmilter.config.received import MAIN_CF, PostfixError, explain_unlisted, received
from turfmilter.core.table.entries import Source, made_elsewhere

_SOURCE = re.compile(r"\s*(?i:postfix):\s*(?P<path>(?:.*/)?main\.cf)\s*")
_OF_A_FILE = re.compile(r"\s*(?:file|postfix|sendmail):", re.IGNORECASE)


def is_main_cf(item: Given) -> bool:
    """Return True for "postfix:main.cf" and "postfix:DIRECTORY/main.cf"."""
    return isinstance(item.value, str) and _SOURCE.fullmatch(item.value) is not None


def read_main_cf(item: Given, around: Given) -> list[Source]:
    """Return the entries that `item`, in the list `around`, means.  Raises Wrong or TextFileError.

    A table whose keys cannot be listed is an error, unless another file in the list may contain its domains.
    """
    if item.notes.postfix is None:
        item.notes.broken.add(around.key)  # the list is incomplete, so no check of it may be reported
        return []
    try:
        found = received(item.notes.postfix, _directory(item), item.notes.files, item.notes.texts)
    except PostfixError as error:
        raise Wrong(f"{quoted(item.text)}: {error}") from None
    item.notes.entries(item.key, found.problems)
    for parameter, table in found.unlisted:
        if _may_hold_them(around):
            item.notes.warning(explain_unlisted(parameter, table))
        else:
            item.notes.problem(item.key, explain_unlisted(parameter, table))
    return [made_elsewhere(MAIN_CF, found.entries)]


def _directory(item: Given) -> Path | None:
    """Return the directory of main.cf; None, for Postfix's default, if only the name of the file is given."""
    found = _SOURCE.fullmatch(item.text)
    assert found
    path = found["path"]
    return None if path == MAIN_CF else (item.notes.folder / path).parent.absolute()


def _may_hold_them(around: Given) -> bool:
    """Return True if the list names another file."""
    items: Sequence[object] = around.value if isinstance(around.value, list) else ()
    texts = [value for value in items if isinstance(value, str)]
    return any(_OF_A_FILE.match(text) and not _SOURCE.fullmatch(text) for text in texts)
