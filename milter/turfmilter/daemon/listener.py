"""The listening socket, created here: libmilter would unlink a socket of another daemon, or lose its own."""

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

_ITSELF = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC  # refers to the file (or link) itself, without opening it
_BACKLOG = 1024  # connections waiting to be accepted; the kernel may allow fewer (net.core.somaxconn)


class SocketError(Exception):
    """The socket cannot be bound; the text says which one and why."""


class MilterSocket:
    """The daemon's listening socket; the path of a unix socket is removed only if it is still this socket."""

    def __init__(self, spec: SocketSpec, mode: int = 0o660, group: str = "", owner: str = "") -> None:
        """Bind and listen.  `mode`, `group` and, if root, `owner` apply to a unix socket.  Raises SocketError."""
        self._spec = spec
        self._owner = owner
        # For a unix socket: a descriptor of its file, the user that created it, and its device and inode.
        self._file, self._maker, self._identity = -1, -1, (-1, -1)
        try:
            self.socket = self._open()
            if spec.family == "unix":
                self._hand_over(mode, group)
        except OSError as error:
            raise SocketError(f"{spec}: {_reason(error)}") from None
        # All workers are woken for a connection and one gets it; the others must not block in accept().
        self.socket.setblocking(False)

    @property
    def lost(self) -> bool:
        """True if a unix socket's path was removed or replaced, so that no MTA can connect."""
        try:
            return self._spec.family == "unix" and _identity(Path(self._spec.path).lstat()) != self._identity
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:  # after the change of user the path may be inaccessible
            return False

    def close(self) -> None:
        """Stop listening, and remove the path of a unix socket.  Can be called again: the path is then left alone."""
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
        # As bytes: Python would convert text to A-labels, and raise an exception other than OSError if that fails.
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
            # No client can connect before mode and group are set: the kernel refuses until listen().
            listening.bind(self._spec.path)
            # From here on the file is addressed by this descriptor, because others may exchange its name.
            self._file = os.open(self._spec.path, _ITSELF)
            self._maker = os.geteuid()
        self._identity = _identity(os.fstat(self._file))
        return listening

    def _remove_stale(self) -> None:
        """Remove a socket without a listener; a socket that is served, or any other file, is left alone."""
        with contextlib.suppress(FileNotFoundError), contextlib.ExitStack() as opened:
            with self._on_the_spot():
                file = os.open(self._spec.path, _ITSELF)
            opened.callback(os.close, file)
            if _is_stale(file):
                with self._on_the_spot():
                    Path(self._spec.path).unlink()

    def _on_the_spot(self) -> contextlib.AbstractContextManager[None]:
        """Act as the owner, unless only root can change the directory: elsewhere another user could plant a link."""
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
        """Raises OSError unless the file is a socket created with the rights that this process had.

        The same user may still have exchanged it for another socket of its own, which harms only that user.
        """
        found = os.fstat(self._file)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid != self._maker or found.st_nlink != 1:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    def _owner_ids(self) -> tuple[int, int]:
        """The user and group ids to give the socket to, if root created it; -1 leaves an id as it is (chown(2))."""
        if self._maker != 0 or not self._owner:
            return -1, -1
        entry = pwd.getpwnam(self._owner)
        inherited = Path(self._spec.path).parent.stat().st_mode & stat.S_ISGID
        return entry.pw_uid, -1 if inherited else entry.pw_gid


def _inherited(fd: int) -> socket.socket:
    listening = socket.socket(fileno=fd)
    if not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise OSError(errno.EINVAL, "the descriptor is not a listening socket")
    return listening


def _identity(found: os.stat_result) -> tuple[int, int]:
    """Device and inode, which no other file can have while this socket is open."""
    return found.st_dev, found.st_ino


def _is_stale(file: int) -> bool:
    """True if `file` is a socket to which no process listens; found out by connecting to it, without blocking."""
    found = os.fstat(file)
    # A socket with a second name may belong to another service.
    if not stat.S_ISSOCK(found.st_mode) or found.st_nlink != 1:
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(_reached(file))
        except ConnectionRefusedError:
            return True
        except BlockingIOError:  # its backlog is full, so a process listens
            pass
    return False


def _reached(file: int) -> str:
    """A path to the file of an O_PATH descriptor, which few system calls accept, whatever happens to its name."""
    return f"/proc/self/fd/{file}"


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "in use: another filter listens on this socket, or another file has this name"
    if error.errno == errno.ENOENT:
        return "its directory does not exist: create it, writable by the filter's user and accessible to the MTA's"
    if error.errno == errno.EBADF:
        return "no such descriptor was passed: start turfmilter.socket, or configure another socket"
    if error.errno == errno.EACCES and os.geteuid() == 0:
        return "Permission denied: root creates it as the filter's user; let that user write to its directory"
    if error.errno == errno.EPERM:
        return "socket_group: only root or a member of that group can assign the socket to it"
    if isinstance(error, socket.gaierror):
        return f"the host cannot be resolved ({error.strerror})"
    return error.strerror or str(error)
