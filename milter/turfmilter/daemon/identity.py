"""The user that the daemon runs as, which is never root."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from turfmilter.daemon.preload import preload


class IdentityError(Exception):
    """The daemon would run as root; the text says what to set."""


def name() -> str:
    """The name of the effective user, or its number if it has no name, as in some containers."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def group() -> str:
    """The name of the effective group, or its number if it has no name."""
    try:
        return grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        return str(os.getegid())


def check(user: str) -> None:
    """Raises IdentityError if the program was started by root and `user` is empty or root itself."""
    if os.geteuid() == 0 and (not user or pwd.getpwnam(user).pw_uid == 0):
        raise IdentityError('started by root: set user = "turfmilter" in the configuration, or start it as that user')


def warnings(user: str) -> list[str]:
    """Warnings about the user that started the program, if it cannot become `user`."""
    uid = os.geteuid()
    if uid == 0 or not user or pwd.getpwnam(user).pw_uid == uid:
        return []
    return [f"started by user {name()}, which cannot become {user}; start it as root, or as {user}"]


def become(user: str) -> None:
    """Change permanently from root to `user` and its groups.  Does nothing but preload modules if not root.

    Raises OSError, and KeyError for an unknown user.
    """
    # Now, because `user` may not be able to read Python's modules.
    preload()
    if os.geteuid() != 0:
        return
    entry = pwd.getpwnam(user)
    # Groups first: after setuid the process may no longer change them.
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


@contextmanager
def acting_as(user: str) -> Iterator[None]:
    """Create, open and remove files with the rights of `user` in a with block; no effect if not root or `user` is "".

    Root would follow the user's links anywhere; with the user's own rights the kernel checks each access.
    """
    if os.geteuid() != 0 or not user:
        yield
        return
    entry, gid, groups = pwd.getpwnam(user), os.getegid(), os.getgroups()
    # Groups first: with another effective user they cannot be changed.  On the way back, the user first.
    os.initgroups(user, entry.pw_gid)
    os.setegid(entry.pw_gid)
    # The saved user id stays root's, for the way back; it also keeps the user from sending signals (kill(2)).
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)
