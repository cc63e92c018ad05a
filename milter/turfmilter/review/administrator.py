"""Who works in the quarantine: the login is kept, whoever the process becomes."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

_LOGIN_UID = Path("/proc/self/loginuid")
_RUNTIME = Path("/run/turfmilter")  # made for the filter's user, by its unit or by systemd-tmpfiles


class NoOwner(Exception):
    """Root cannot tell whom to become; the text says why."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """The person at the terminal, by login name, and the uid that the program was started with.

    `origin` is where the person sits: the terminal, and the host that it was reached from.
    """

    login: str
    uid: int
    origin: str = ""


def administrator() -> Administrator:
    """Who started the program.  To be asked before the process becomes somebody else.

    The kernel remembers who logged in, whatever sudo and su do; where it does not (containers, cron) sudo says it.
    """
    uid = os.getuid()
    # Only sudo, which runs as root, is believed: anybody can set the variable for himself.
    by_sudo = os.environ.get("SUDO_USER", "") if uid == 0 else ""
    return Administrator(_logged_in() or by_sudo or _name(uid), uid, _origin())


def quarantine_user(configured: str, runtime: Path = _RUNTIME) -> str:
    """Whose the quarantines are: the `configured` user, or else the one for whom `runtime` was made.

    Not the owner of a quarantine: where that is the filter's user can put what belongs to somebody else.
    Raises NoOwner.
    """
    advice = 'set user = "turfmilter" in the configuration, or start turfctl as the filter\'s user'
    try:
        entry = pwd.getpwnam(configured) if configured else pwd.getpwuid(runtime.lstat().st_uid)
    except OSError as error:
        raise NoOwner(f"started by root, and {runtime}: {error.strerror}; {advice}") from None
    except KeyError:
        raise NoOwner(f"{configured or runtime} belongs to no user of this host; {advice}") from None
    if entry.pw_uid == 0:
        raise NoOwner(f"{runtime} belongs to root, as whom the filter never runs; {advice}")
    return entry.pw_name


def _logged_in() -> str:
    try:
        uid = int(_LOGIN_UID.read_text())
        return pwd.getpwuid(uid).pw_name
    except (OSError, ValueError, KeyError, OverflowError):  # 4294967295: nobody has logged in
        return ""


def _origin() -> str:
    # sshd(8): the client's address comes first.  sudo takes the variable away, the terminal stays.
    client = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return " ".join(filter(None, (next(filter(None, map(_terminal, range(3))), ""), client)))


def _terminal(descriptor: int) -> str:
    """The name of the terminal behind `descriptor`; "" for anything else.

    nsenter and lxc-attach bring along a terminal that has no name here, for it belongs to another /dev/pts.
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
