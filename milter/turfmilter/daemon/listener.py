"""The listening socket: made here, because libmilter would unlink or mislay it."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import socket
import stat
from pathlib import Path

from turfmilter.config.descent import only_root_changes
from turfmilter.config.socketspec import SocketSpec
from turfmilter.daemon import identity

_ITSELF = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC  # a descriptor of the file, be it a link, without opening it
_BACKLOG = 1024  # connections that wait to be taken; the kernel may allow fewer (net.core.somaxconn)


class SocketError(Exception):
    """The socket cannot be had; the text says which and why."""


class MilterSocket:
    """One listening socket.  A unix socket's path is ours alone to unlink."""

    def __init__(self, spec: SocketSpec, mode: int = 0o660, group: str = "", owner: str = "") -> None:
        """`mode`, `group` and, for root, `owner` are those of a unix socket.  Raises SocketError."""
        self._spec = spec
        self._owner = owner
        # Of a unix socket: its file, as whom that was made, and how it is known again.
        self._file, self._maker, self._identity = -1, -1, (-1, -1)
        try:
            self.socket = self._open()
            if spec.family == "unix":
                self._hand_over(mode, group)
        except OSError as error:
            raise SocketError(f"{spec}: {_reason(error)}") from None
        # A worker that lost the race for a connection must not wait in accept().
        self.socket.setblocking(False)

    @property
    def lost(self) -> bool:
        """True when a unix socket's path has been removed, or is another's: nobody can connect any more."""
        try:
            return self._spec.family == "unix" and _identity(Path(self._spec.path).lstat()) != self._identity
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:  # we have become a user who may not look
            return False

    def close(self) -> None:
        """Stop listening; a unix socket's path goes with it.  Once closed, the path may be another daemon's."""
        if self._spec.family == "unix" and self.socket.fileno() >= 0 and not self.lost:
            with contextlib.suppress(OSError), self._on_the_spot():
                Path(self._spec.path).unlink()
        self.socket.close()

    def _open(self) -> socket.socket:
        spec = self._spec
        if spec.family == "fd":
            return _inherited(spec.fd)
        if spec.family == "unix":
            return self._open_path()
        family = socket.AF_INET6 if spec.family == "inet6" else socket.AF_INET
        # Bytes, because of text Python would make A-labels, and raise what is no OSError where that fails.
        host = spec.host.encode() or None
        address = socket.getaddrinfo(host, spec.port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address[0][4])
        listening.listen(_BACKLOG)
        return listening

    def _open_path(self) -> socket.socket:
        self._remove_stale()
        with self._on_the_spot():
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            # Nobody connects before mode and group are set: until listen() the kernel refuses.
            listening.bind(self._spec.path)
            # From here on the file itself is meant, whatever others do to its name.
            self._file = os.open(self._spec.path, _ITSELF)
            self._maker = os.geteuid()
        self._identity = _identity(os.fstat(self._file))
        return listening

    def _remove_stale(self) -> None:
        """Remove a socket that nobody serves any more; one that answers, or any other file, stays."""
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as opened:
            with self._on_the_spot():
                file = os.open(self._spec.path, _ITSELF)
            opened.callback(os.close, file)
            if _is_stale(file):
                with self._on_the_spot():
                    Path(self._spec.path).unlink()

    def _on_the_spot(self) -> contextlib.AbstractContextManager[None]:
        """Root makes and removes the socket itself only where no other user could plant a link; else as the owner."""
        return identity.acting_as("" if only_root_changes(Path(self._spec.path).parent) else self._owner)

    def _hand_over(self, mode: int, group: str) -> None:
        try:
            self._require_own()
            uid, gid = self._owner_ids()
            gid = grp.getgrnam(group).gr_gid if group else gid
            os.chown(_reached(self._file), uid, gid)
            Path(_reached(self._file)).chmod(mode)
            self.socket.listen(_BACKLOG)
        except OSError:
            self.close()
            raise
        finally:
            os.close(self._file)

    def _require_own(self) -> None:
        """Raises OSError unless the file is a socket that was made with the rights that we had.

        It may still have been exchanged for another socket of the same user, which is that user's own affair.
        """
        found = os.fstat(self._file)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != self._maker or found.st_nlink != 1:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    def _owner_ids(self) -> tuple[int, int]:
        """The user and the group that root gives the socket to; -1 for those that it has already."""
        if self._maker != 0 or not self._owner:
            return -1, -1
        entry = pwd.getpwnam(self._owner)
        inherited = Path(self._spec.path).parent.stat().st_mode & stat.S_ISGID
        return entry.pw_uid, -1 if inherited else entry.pw_gid


def _inherited(fd: int) -> socket.socket:
    listening = socket.socket(fileno=fd)
    if not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise OSError(errno.EINVAL, "the descriptor is no listening socket")
    return listening


def _identity(found: os.stat_result) -> tuple[int, int]:
    """Device and inode: as long as we listen no other file has these."""
    return found.st_dev, found.st_ino


def _is_stale(file: int) -> bool:
    """Whether nobody serves the socket any more that `file` is; it answers whatever its owner and mode."""
    found = os.fstat(file)
    # One with a second name may belong to another service.
    if not stat.S_ISSOCK(found.st_mode) or found.st_nlink != 1:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(_reached(file))
        except ConnectionRefusedError:
            return True
        except BlockingIOError:  # its queue is full: somebody owns it
            pass
    return False


def _reached(file: int) -> str:
    """A path to the file itself, whatever becomes of its name: few system calls take a descriptor of O_PATH."""
    return f"/proc/self/fd/{file}"


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "in use: another filter serves this socket, or another file has this name"
    if error.errno == errno.ENOENT:
        return "its directory does not exist: make it, writable for the filter's user and open to the MTA's"
    if error.errno == errno.EBADF:
        return "no such descriptor was handed over: start turfmilter.socket, or name a socket in its place"
    if error.errno == errno.EACCES and os.geteuid() == 0:
        return "Permission denied for the filter's user, as whom root makes it: let that user write to its directory"
    if error.errno == errno.EPERM:
        return "socket_group: only root or a member of that group may give the socket to it"
    if isinstance(error, socket.gaierror):
        return f"the host cannot be resolved ({error.strerror})"
    return error.strerror or str(error)
