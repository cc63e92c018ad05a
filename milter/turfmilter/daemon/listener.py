"""The listening socket: made here, because libmilter would unlink or mislay it."""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import socket
from pathlib import Path

from turfmilter.config.socketspec import SocketSpec

_BACKLOG = 1024  # connections that wait to be taken; the kernel may allow fewer (net.core.somaxconn)


class SocketError(Exception):
    """The socket cannot be had; the text says which and why."""


class Listener:
    """One listening socket.  A unix socket's path is ours alone to unlink."""

    def __init__(self, spec: SocketSpec, mode: int = 0o660, group: str = "", owner: str = "") -> None:
        """`mode`, `group` and, for root, `owner` are those of a unix socket.  Raises SocketError."""
        self._spec = spec
        try:
            self.socket = self._open()
            if spec.family == "unix":
                self._hand_over(mode, group, owner)
        except OSError as error:
            raise SocketError(f"{spec}: {_reason(error)}") from None
        # A worker that lost the race for a connection must not wait in accept().
        self.socket.setblocking(False)

    @property
    def lost(self) -> bool:
        """True when a unix socket's path has been removed, or is another's: nobody can connect any more."""
        try:
            return self._spec.family == "unix" and _identity(self._spec.path) != self._identity
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError:  # we have become a user who may not look
            return False

    def close(self) -> None:
        """Stop listening; a unix socket's path goes with it.  Once closed, the path may be another daemon's."""
        if self._spec.family == "unix" and self.socket.fileno() >= 0 and not self.lost:
            with contextlib.suppress(OSError):
                Path(self._spec.path).unlink()
        self.socket.close()

    def _open(self) -> socket.socket:
        spec = self._spec
        if spec.family == "fd":
            return _inherited(spec.fd)
        if spec.family == "unix":
            _remove_stale(Path(spec.path))
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            # Nobody connects before mode and group are set: until listen() the kernel refuses.
            listening.bind(spec.path)
            self._identity = _identity(spec.path)
            return listening
        family = socket.AF_INET6 if spec.family == "inet6" else socket.AF_INET
        # Bytes, because of text Python would make A-labels, and raise what is no OSError where that fails.
        host = spec.host.encode() or None
        address = socket.getaddrinfo(host, spec.port, family, socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address[0][4])
        listening.listen(_BACKLOG)
        return listening

    def _hand_over(self, mode: int, group: str, owner: str) -> None:
        uid = pwd.getpwnam(owner).pw_uid if owner and os.geteuid() == 0 else -1
        try:
            os.chown(self._spec.path, uid, grp.getgrnam(group).gr_gid if group else -1)
            Path(self._spec.path).chmod(mode)
            self.socket.listen(_BACKLOG)
        except OSError:
            self.close()
            raise


def _inherited(fd: int) -> socket.socket:
    listening = socket.socket(fileno=fd)
    if not listening.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise OSError(errno.EINVAL, "the descriptor is no listening socket")
    return listening


def _identity(path: str) -> tuple[int, int]:
    """Device and inode: as long as we listen no other file has these."""
    found = Path(path).lstat()
    return found.st_dev, found.st_ino


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody serves any more; one that answers, or any other file, stays."""
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except BlockingIOError:  # its queue is full: somebody owns it
            pass


def _reason(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "in use: another filter serves this socket, or another file has this name"
    if error.errno == errno.ENOENT:
        return "its directory does not exist: make it, writable for the filter's user and open to the MTA's"
    if error.errno == errno.EBADF:
        return "no such descriptor was handed over: start turfmilter.socket, or name a socket in its place"
    if error.errno == errno.EPERM:
        return "socket_group: only root or a member of that group may give the socket to it"
    if isinstance(error, socket.gaierror):
        return f"the host cannot be resolved ({error.strerror})"
    return error.strerror or str(error)
