"""Who the daemon is: never root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

from turfmilter.daemon.preload import preload


class IdentityError(Exception):
    """The daemon would be root, or cannot become whom it should be."""


def name() -> str:
    """Who we are: the user's name, or in a container that knows none the number."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def check(user: str) -> None:
    """Raises IdentityError when started by root without a `user` to become."""
    if os.geteuid() == 0 and (not user or pwd.getpwnam(user).pw_uid == 0):
        raise IdentityError('started by root: set user = "turfmilter" in the configuration, or start it as that user')


def warnings(user: str) -> list[str]:
    """What is odd about who started it."""
    uid = os.geteuid()
    if uid == 0 or not user or pwd.getpwnam(user).pw_uid == uid:
        return []
    return [f"started by {name()}, who cannot become {user}; start it as root, or as {user}"]


def become(user: str) -> None:
    """From root to `user` with its groups, for good; when not root, stay who we are.

    Nothing is imported afterwards: `user` may not be able to read it.
    """
    preload()
    if os.geteuid() != 0:
        return
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


@contextmanager
def acting_as(user: str) -> Iterator[None]:
    """Meanwhile files are made, opened and removed with the rights of `user`; nothing when not root, or for no user.

    What root would do wherever the user's links lead, the kernel allows the user only where it may do so anyway.
    """
    if os.geteuid() != 0 or not user:
        yield
        return
    entry, gid, groups = pwd.getpwnam(user), os.getegid(), os.getgroups()
    os.initgroups(user, entry.pw_gid)
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)  # the saved one stays root's: the way back, and no signal of the user reaches us
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)
