"""The quarantine directory: a Maildir with one file for each message."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from turfmilter.core.address.addressed import Addressed
from turfmilter.core.held.message import is_id
from turfmilter.core.held.room import UnusableQuarantine
from turfmilter.core.ports import QuarantineError
from turfmilter.core.report import Slip
from turfmilter.stores.draft import MaildirDraft, opened_directory, refused_by_os
from turfmilter.stores.format import mark, newer
from turfmilter.stores.name import host_name
from turfmilter.stores.room import FULL, spaces

_PARTS = ("tmp", "new", "cur")
_ABANDONED = timedelta(hours=36)  # the time that Maildir gives a delivery


class Maildir:
    """Implements ports.Quarantine.  `floor` is the share of bytes and inodes that must stay free."""

    def __init__(self, path: Path, *, floor: float = 0.05) -> None:
        self._path = path
        self._full = path / FULL
        self._floor = floor

    def check(self, now: datetime) -> None:
        """Check at start that a message can be held, and mark the format.  Raises UnusableQuarantine."""
        try:
            self._require_directories()
            with opened_directory(self._path) as directory:
                if reason := newer(directory):
                    raise UnusableQuarantine(
                        f"quarantine {self._path}: {reason}; install that version, or name another directory"
                    )
                self._try_out(now)
                mark(directory)
        except QuarantineError as error:
            path = shlex.quote(str(self._path))
            fix = f"df -h {path}; df -i {path}" if error.full else self._install()
            raise self._unusable(f"no message can be written ({error})", fix) from error
        except OSError as error:
            raise self._unusable(f"{error.filename}: {error.strerror}", self._install()) from error

    def clean(self, now: datetime) -> None:
        """Remove files of this host that a crash left in tmp, after 36 hours."""
        oldest = (now - _ABANDONED).timestamp()
        for path in (self._path / "tmp").iterdir():
            id, _, host = path.name.partition(".")
            if is_id(id) and host == host_name():
                with suppress(OSError):
                    if path.lstat().st_mtime < oldest:
                        path.unlink()

    def open(self, slip: Slip) -> MaildirDraft:
        """Begin a message.  Raises QuarantineError."""
        self.require_room()
        return MaildirDraft(self._path, slip)

    def require_room(self) -> None:
        """Raise QuarantineError if max_size is reached, or less is free than the floor."""
        with refused_by_os():
            full = os.path.lexists(self._full)
            disk = os.statvfs(self._path)
        if full:
            raise QuarantineError(f"{self._path}: max_size is reached", full=True)
        for what, space in zip(("bytes", "inodes"), spaces(disk), strict=True):
            if space.below(self._floor):
                raise QuarantineError(f"{self._path}: less than {self._floor:.0%} of the {what} is free", full=True)

    def _require_directories(self) -> None:
        self._require_directory(self._path)
        for path in (self._path / part for part in _PARTS):
            if path.is_symlink():  # turfctl follows none
                raise self._unusable(f"{path} is a symbolic link", f"{_move_away(path)} && {self._install()}")
            self._require_directory(path)
            if path.stat().st_dev != self._path.stat().st_dev:  # link(2) works within one file system only
                fix = f"umount {shlex.quote(str(path))} && {self._install()}"
                raise self._unusable(f"{path} is on another file system", fix)
        if os.statvfs(self._path).f_flag & os.ST_RDONLY:
            raise self._unusable("the file system is read-only", f"mount -o remount,rw {_mount_point(self._path)}")

    def _require_directory(self, path: Path) -> None:
        if not path.exists():
            raise self._unusable(f"{path} does not exist", self._install())
        if not path.is_dir():
            raise self._unusable(f"{path} is not a directory", f"{_move_away(path)} && {self._install()}")

    def _try_out(self, now: datetime) -> None:
        """Hold a message of our own exactly as any other, and remove it."""
        nobody = dict.fromkeys(("client", "name", "helo", "account", "listener", "queue_id", "entry"), "")
        slip = Slip(sender=Addressed(""), recipients=(), time=now, rule="start", **nobody)
        draft = MaildirDraft(self._path, slip)
        with refused_by_os():
            (self._path / "new" / draft.commit()).unlink()

    def _unusable(self, wrong: str, fix: str) -> UnusableQuarantine:
        doubt = f"if {self._path} is for the quarantine alone, " if self._may_be_somebody_elses() else ""
        return UnusableQuarantine(f"quarantine {self._path}: {wrong}; {doubt}fix it with: {fix}")

    def _may_be_somebody_elses(self) -> bool:
        """Return whether the path may be mistyped: the command would then take a directory from others (/var/mail)."""
        try:
            if not self._path.exists():
                return False
            foreign = self._path.stat().st_uid not in (0, os.geteuid())
            names = {path.name for path in self._path.iterdir()}
        except OSError:
            return True
        return foreign or (bool(names) and names.isdisjoint(_PARTS))

    def _install(self) -> str:
        return install_command(self._path, *(self._path / part for part in _PARTS))


def install_command(*directories: Path) -> str:
    """Return the command that creates the directories for the user of this process."""
    return f"install -d -m 0750 -o {_user()} -g {_group()} {shlex.join(map(str, directories))}"


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _group() -> str:
    try:
        return grp.getgrgid(os.getegid()).gr_name
    except KeyError:
        return str(os.getegid())


def _move_away(path: Path) -> str:
    return shlex.join(["mv", str(path), f"{path}.old"])


def _mount_point(path: Path) -> str:
    path = path.resolve()
    return shlex.quote(str(next(p for p in (path, *path.parents) if p.is_mount())))
