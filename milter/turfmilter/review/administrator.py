"""Who works in the quarantine: the login is kept, whoever the process becomes."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_LOGIN_UID = Path("/proc/self/loginuid")


class NoOwner(Exception):
    """The quarantine belongs to nobody that root could become."""


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


def owner(directories: Iterable[Path]) -> str:
    """The user to whom all of the `directories` belong.  Raises NoOwner, and OSError when one is not there."""
    owners = {path.stat().st_uid: path for path in directories}
    if len(owners) > 1:
        first, second, *_ = owners.values()
        raise NoOwner(f"{first} and {second} belong to different users; choose with --directory")
    [(uid, path)] = owners.items()
    if uid == 0:
        raise NoOwner(f"{path} belongs to root; give it to the filter's user, for the filter never runs as root")
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        raise NoOwner(f"{path} belongs to the uid {uid}, which is no user of this host") from None


def _logged_in() -> str:
    try:
        uid = int(_LOGIN_UID.read_text())
        return pwd.getpwuid(uid).pw_name
    except (OSError, ValueError, KeyError, OverflowError):  # 4294967295: nobody has logged in
        return ""


def _origin() -> str:
    terminals = (os.ttyname(descriptor) for descriptor in range(3) if os.isatty(descriptor))
    # sshd(8): the client's address comes first.  sudo takes the variable away, the terminal stays.
    client = os.environ.get("SSH_CONNECTION", "").partition(" ")[0]
    return " ".join(filter(None, (next(terminals, ""), client)))


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
