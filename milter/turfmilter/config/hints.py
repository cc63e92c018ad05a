"""Values as administrators of other programs type them first, and what to write instead.

Only what has been found wrong is compared with these tables; none of them makes a value valid or invalid.
"""

from __future__ import annotations

import re

from turfmilter.core.table.foreign import Hints, foreign

# Sources of a list, written as WORD:PATH.
SOURCES: Hints = (
    (
        r"(?:proxy:)*(?P<word>btree|cdb|cidr|dbm|hash|lmdb|sdbm|texthash):(?P<path>.+?)(?:\.(?:cdb|db|lmdb))?",
        "{word}: is not a source",
        'for the text file of a Postfix table, write "postfix:{path}"',
    ),
    (
        r"(?:proxy:)*(?P<word>regexp|pcre):.*",
        "{word}: is not a source, because there are no regular expressions here",
        'write its entries in a file of your own, "file:PATH"',
    ),
    (
        r"(?:proxy:)*(?P<word>dbi|ldaps?|memcache|mongodb|mysql|netinfo|nis\w*|odbc|pgsql|redis|socketmap|sqlite|tcp):.*",
        "{word}: is not a source, because a database cannot be listed",
        'write its entries to a file with a command, and name the file as "file:PATH"',
    ),
    (
        r"(?:ftp|https?):.*",
        "a URL cannot be a source",
        'download it to a file with a command, and name the file as "file:PATH"',
    ),
    (r"(?P<word>inline|static):.*", "{word}: is not a source", "write the entries themselves in this list"),
    (
        r"(?P<word>files?|include|list|map|path|table|text):(?P<path>.+)",
        "{word}: is not a source",
        'probably meant "file:{path}"',
    ),
)
_INDEX = re.compile(r"\.(?:cdb|db|dir|lmdb|pag)\Z")  # what postmap(1) and makemap(8) append to the name of the source
_PATH = re.compile(r"(?!/[^/]+/[imsxu]{0,3}\Z)(?:/|\.{1,2}/)[\w.@+/-]*[\w.@+-]")
# Endings of files that are not top-level domains.
_FILE_NAME = re.compile(r"[\w.-]+\.(?:access|allow|csv|dat|db|deny|list|lst|table|txt)", re.IGNORECASE)


def recognised(text: str, hints: Hints) -> str:
    """Return what is wrong with `text` and what was probably meant; "" if it is not among the `hints`."""
    found = foreign(text, hints)
    return "; ".join(part for part in (found.wrong, found.meant) if part) if found else ""


def looks_like_a_path(entry: str) -> bool:
    """Return True for an entry that is more likely the name of a file."""
    return bool(_PATH.fullmatch(entry) or _FILE_NAME.fullmatch(entry))


def source_of(path: str) -> str:
    """Return how the file `path` is probably to be named as a source; of an index, its source."""
    name = source_of_index(path) or path
    word = "postfix" if "/postfix/" in name else "sendmail" if name.startswith("/etc/mail/") else "file"
    return f"{word}:{name}"


def source_of_index(path: str) -> str:
    """Return the file from which postmap or makemap built the index `path`; "" if it is not an index."""
    return _INDEX.sub("", path) if _INDEX.search(path) else ""
