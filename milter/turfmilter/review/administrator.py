"""Who works in the quarantine: the login name is determined before the process changes its user."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

_LOGIN_UID = Path("/proc/self/loginuid")
_RUNTIME = Path("/run/turfmilter")  # made for the filter's user, by its unit or by systemd-tmpfiles


class NoOwner(Exception):
    """The user to switch to cannot be determined; the text says why."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """The person at the terminal: the login name, and the uid with which the program was started.

    `origin` is the terminal, and the host from which it was reached.
    """

    login: str
    uid: int
    origin: str = ""


def administrator() -> Administrator:
    """Return who started the program.  To be called before the process changes its user.

    The kernel knows who logged in, whatever sudo and su do; if it does not (containers, cron), sudo tells.
    """
    uid = os.getuid()
    # Only sudo, which runs as root, is trusted: any user can set the variable.
    by_sudo = os.environ.get("SUDO_USER", "") if uid == 0 else ""
    return Administrator(_logged_in() or by_sudo or _name(uid), uid, _origin())


def quarantine_user(configured: str, runtime: Path = _RUNTIME) -> str:
    """Return the user to whom the quarantines belong: the `configured` one, or else the owner of `runtime`.

    The owner of a quarantine directory is not used: the filter's user could put another user's directory in its place.
    Raises NoOwner.
    """
    advice = 'set user = "turfmilter" in the configuration, or start turfctl as the filter\'s user'
    try:
        entry = pwd.getpwnam(configured) if configured else pwd.getpwuid(runtime.lstat().st_uid)
    except OSError as error:
        raise NoOwner(f"started by root, and {runtime}: {error.strerror}; {advice}") from None
    except KeyError:
        raise NoOwner(f"{configured or runtime} does not belong to a user of this host; {advice}") from None
    if entry.pw_uid == 0:
        raise NoOwner(f"{runtime} belongs to root, but the filter never runs as root; {advice}")
    return entry.pw_name


def _logged_in() -> str:
    try:
        uid = int(_LOGIN_UID.read_text())
        return pwd.getpwuid(uid).pw_name
    except (OSError, ValueError, KeyError, OverflowError):  # 4294967295: no user has logged in
        return ""


def _origin() -> str:
    # sshd(8): the client's address comes first.  sudo removes the variable, but not the terminal.
    client = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return " ".join(filter(None, (next(filter(None, map(_terminal, range(3))), ""), client)))


def _terminal(descriptor: int) -> str:
    """Return the name of the terminal that `descriptor` refers to; "" if it is not a terminal.

    Under nsenter and lxc-attach the terminal has no name here, because it belongs to another /dev/pts.
    """
    try:
        return os.ttyname(descriptor)
    except OSError:
        return ""


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
