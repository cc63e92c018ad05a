"""Checks whether the MTA can reach the filter's unix socket, which otherwise shows only when mail arrives.

An MTA that is not installed is not checked, and there are no warnings about what cannot be determined.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from turfmilter.config.socketspec import SocketSpec

_ACL = "system.posix_acl_access"
_ENTER, _WRITE = 1, 2  # the x and w bits of a mode
# With DontBlameSendmail, Sendmail may trust more directories than by default.
_TRUSTING = re.compile(r"(?im)^O\s*DontBlameSendmail\s*=(?!\s*safe\s*$)")


@dataclass(frozen=True, slots=True)
class Access:
    """Owner, group and mode of a directory, or of the socket that is going to be created."""

    uid: int
    gid: int
    mode: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Those of `path`, links followed.  Raises OSError."""
        found = path.stat()
        return cls(found.st_uid, found.st_gid, found.st_mode)

    @classmethod
    def of_socket(cls, path: Path, mode: int, group: str, user: str) -> Self:
        """Those that daemon.listener will give the socket `path`.  Raises OSError, KeyError for unknown names."""
        directory = cls.of(path.parent)
        uid, gid = os.geteuid(), os.getegid()
        if user and uid == 0:
            uid, gid = (entry := pwd.getpwnam(user)).pw_uid, entry.pw_gid
        inherited = directory.gid if directory.mode & stat.S_ISGID else gid
        return cls(uid, grp.getgrnam(group).gr_gid if group else inherited, mode)

    def grants(self, user: pwd.struct_passwd, wanted: int) -> bool:
        """True if `user`, with all its groups, has the `wanted` permission; the first class that matches decides."""
        if user.pw_uid in (0, self.uid):
            return user.pw_uid == 0 or bool(self.mode >> 6 & wanted)
        member = self.gid in os.getgrouplist(user.pw_name, user.pw_gid)
        return bool(self.mode >> (3 if member else 0) & wanted)


@dataclass(frozen=True, slots=True)
class LocalPostfix:
    """What main.cf and master.cf in `directory` tell about Postfix's processes."""

    directory: Path
    user: pwd.struct_passwd
    queue: Path
    chrooted: str  # the first program in a chroot that connects to filters; "" if there is none

    @classmethod
    def at(cls, directory: Path = Path("/etc/postfix")) -> Self | None:
        """The Postfix configured in `directory`; None if there is none, or if its files cannot be read."""
        try:
            main = dict(_parameters(_lines(directory / "main.cf")))
            user = pwd.getpwnam(main.get("mail_owner", "postfix"))
            level = main.get("compatibility_level", "0")
            chrooted = _chrooted(_lines(directory / "master.cf"), level)
        except (OSError, UnicodeDecodeError, KeyError):
            return None
        return cls(directory, user, Path(main.get("queue_directory", "/var/spool/postfix")), chrooted)

    def hindrances(self, path: Path, socket: Access) -> Iterator[str]:
        """The first reason why Postfix could not connect to the socket `path`, and how to fix it."""
        name = self.user.pw_name
        closed = next((one for one in _above(path) if not Access.of(one).grants(self.user, _ENTER)), None)
        inside = path.is_relative_to(self.queue.resolve())
        if self.chrooted and not inside and not _same(self._in_chroot(path), path.parent):
            yield (
                f"{self.directory}/master.cf runs {self.chrooted} in the chroot {self.queue}, where this path does not"
                f' exist; set socket = "unix:{self.queue}/turfmilter/turfmilter.sock", or use a port:'
                ' "inet:8895@127.0.0.1"'
            )
        elif closed:
            let_in = f"grant access: chgrp {name} {closed}; chmod g+x {closed}"
            elsewhere = f'set socket = "unix:{self.queue}/turfmilter/turfmilter.sock"'
            yield f'Postfix\'s user "{name}" cannot enter {closed}; {let_in if closed == path.parent else elsewhere}'
        elif not socket.grants(self.user, _WRITE):
            yield (
                f'Postfix\'s user "{name}" cannot write to the socket; set socket_group = "{name}" and'
                f' socket_mode = "0660", or let the socket inherit the group of its directory:'
                f" chgrp {name} {path.parent}; chmod g+s {path.parent}"
            )

    def _in_chroot(self, path: Path) -> Path:
        return self.queue / path.parent.relative_to("/")


def warnings(
    spec: SocketSpec,
    mode: int,
    group: str,
    user: str,
    *,
    postfix: LocalPostfix | None,
    sendmail: Path = Path("/etc/mail/sendmail.cf"),
) -> list[str]:
    """Warnings about what keeps the MTAs of this host from connecting to the socket `spec`.

    `mode`, `group` and `user` are those of the configuration; `sendmail` is the path of Sendmail's, which need not
    exist.
    """
    if spec.family != "unix":
        return []
    try:
        path = Path(spec.path).parent.resolve(strict=True) / Path(spec.path).name
        socket = Access.of_socket(path, mode, group, user)
        found = [*postfix.hindrances(path, socket)] if postfix else []
        if sendmail.is_file() and not _TRUSTING.search(sendmail.read_text(errors="replace")):
            found += _refusals(path)
    except FileNotFoundError:
        return [f"{spec}: the directory {Path(spec.path).parent} does not exist: the start will fail"]
    except (OSError, RuntimeError):  # resolve() raises RuntimeError for a loop of links
        return []
    return [f"{spec}: {one}" for one in found]


def _refusals(path: Path) -> Iterator[str]:
    """A warning about the first directory that makes Sendmail reject the socket: writable by others, sticky or not."""
    for directory in _above(path):
        mode = Access.of(directory).mode
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            who = "World" if mode & stat.S_IWOTH else "Group"
            yield (
                f'Sendmail will reject it ("unsafe: {who} writable directory"), because of {directory};'
                " put it in a directory that only its owner can write to, such as /run/turfmilter"
            )
            return


def _above(path: Path) -> list[Path]:
    """The directories above `path`, from the root down, except those with an ACL, whose mode is not conclusive."""
    return [one for one in reversed(path.parents) if _ACL not in os.listxattr(one)]


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


def _lines(path: Path) -> list[str]:
    """The logical lines of main.cf or master.cf (postconf(5)): a leading blank continues a line, # is a comment."""
    if not path.is_file():  # reading a pipe would block
        raise FileNotFoundError
    written = (line for line in path.read_text().splitlines() if line.strip() and not line.lstrip().startswith("#"))
    return re.sub(r"\n(?=\s)", "", "\n".join(written)).splitlines()


def _parameters(lines: list[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, _, value = line.partition("=")
        yield name.strip(), value.strip()


def _chrooted(services: list[str], level: str) -> str:
    """The first program that connects to filters (smtpd or cleanup) and runs in a chroot (master(5)); "" if none."""
    # postconf(5), compatibility_level: below 1, "-" means a chroot.  Fields, from 0: 4 is chroot, 7 the command.
    chroot = "y" if re.match("[1-9]", level) else "y-"
    fields = (line.split() for line in services)
    return next((one[7] for one in fields if len(one) > 7 and one[4] in chroot and one[7] in ("smtpd", "cleanup")), "")
