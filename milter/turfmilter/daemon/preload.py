"""Imports at the start what Python and its libraries would import only when it is first needed.

Possibly only root can read these modules: pip obeys a strict umask, and an environment can be below /root.  After the
change of user they would be missing in the middle of a session, often without an error: text in an unknown charset is
shown as escapes, and a DNS record of an unknown type is misinterpreted.  An upgrade also replaces modules while the
daemon runs.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from pkgutil import walk_packages

# Imported with all their modules, if the program uses the package at all.
_PACKAGES = (
    "encodings",  # the charsets of mail, which senders choose; and idna, needed for every lookup of a host name
    "email",  # message and its policies, for the parameters of Content-Type
    "click",  # help texts, error messages, progress bars and questions
    "dns",  # a module for each type of record, and those for asyncio
)
# Of these packages, what no program imports later: for tests, and for Windows.
_NEVER_NEEDED = {"click.testing", "click._winconsole"}
_MODULES = (
    "_strptime",  # datetime.strptime
    "linecache",  # the source lines in a traceback
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
    """Import all of them.  Modules that cannot be imported on this host are skipped."""
    for name in _MODULES:
        import_module(name)
    for name in sys.modules.keys() & set(_PACKAGES):
        modules = {module.name for module in walk_packages(import_module(name).__path__, f"{name}.")}
        for module in sorted(modules - _NEVER_NEEDED):
            # Modules for Windows, and for libraries that are not installed.
            with suppress(ImportError, AssertionError):
                import_module(module)
