"""Modules that Python and its libraries load only when they are first needed, loaded at the start.

Root may be the only one who can read them: pip follows a strict umask, and an environment may be below /root.  After
the change of user they would be missing in the middle of a session, often without an error: a charset that is not
found is shown as escapes, and a record of DNS of a type that is not found is taken for another.  Besides, an upgrade
replaces modules while the daemon runs.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages

# With everything in them, where the program uses them at all.
_PACKAGES = (
    "encodings",  # the charsets of mail, which senders choose; and idna, by which every host name is looked up
    "email",  # message and its policies, for the parameters of Content-Type
    "click",  # help texts, error messages, progress bars and questions
    "dns",  # a module for each type of record, and those for asyncio
)
_MODULES = (
    "_strptime",  # datetime.strptime
    "linecache",  # a traceback, and below it the source, which may be missing
    "locale",  # click: the encoding of the terminal
    "random",  # click: atomic files
    "shlex",  # click: pagers and editors
    "stringprep",  # encodings.idna
    "subprocess",  # the same
    "tempfile",  # the same
    "termios",  # the same: single keys
    "traceback",  # errors in threads and callbacks
    "tracemalloc",  # warnings
    "tty",  # click: single keys
    "unicodedata",  # encodings.idna
    "urllib.parse",  # click
)


def preload() -> None:
    """Load all of them.  What cannot be loaded on this host would not be found later either."""
    for name in _MODULES:
        import_module(name)
    for name in sys.modules.keys() & set(_PACKAGES):
        for module in walk_packages(import_module(name).__path__, f"{name}."):
            # Modules for Windows, and for libraries that are not installed.
            with suppress(ImportError, AssertionError):
                import_module(module.name)
