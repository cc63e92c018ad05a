"""A host with a fresh Debian: a copy of a minimal root, in namespaces of its own and without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from rig import wait
from rig.server import Server

PROJECT = Path(__file__).parents[2]
RELEASES = ("bookworm", "trixie")
_SYSTEMCTL = Path(__file__).with_name("systemctl")
# The first process of the host: it waits for nothing, and the kernel buries its children.
_FIRST = """\
mount -t proc proc "$1/proc"
mount -t devpts devpts "$1/dev/pts"
ip link set lo up
exec chroot "$1" perl -e '$SIG{CHLD} = "IGNORE"; sleep while 1'
"""


class DebianHost(Server):
    """A host with a fresh Debian `release` below `place`; needs root, and `packaging/root RELEASE`.

    Its apt installs Debian's packages from its cache.  systemd does not run; rig/systemctl does its work.
    """

    def __init__(self, release: str, place: Path) -> None:
        self.path = place / "root"
        self._release = release
        self._holder: subprocess.Popen[bytes] | None = None
        self._first = 0

    def start(self) -> None:
        """Copy the root, and start its first process."""
        roots = PROJECT / "build/roots"
        subprocess.run(["cp", "-a", "--reflink=auto", roots / self._release, self.path], check=True)
        cache = self.path / "var/cache/apt/archives"
        for package in (roots / f"{self._release}.archives").glob("*.deb"):
            os.link(package, cache / package.name)
        systemctl = self.path / "usr/bin/systemctl"
        systemctl.rename(systemctl.with_suffix(".distrib"))
        shutil.copy(_SYSTEMCTL, systemctl)
        (self.path / "run/systemd/system").mkdir(parents=True)
        (self.path / "usr/sbin/policy-rc.d").unlink()  # nothing outside sees what is started here
        isolated = ["unshare", "--mount", "--net", "--pid", "--uts", "--fork", "--kill-child", "--propagation=private"]
        self._holder = subprocess.Popen([*isolated, "sh", "-euc", _FIRST, "first", str(self.path)])
        children = Path(f"/proc/{self._holder.pid}/task/{self._holder.pid}/children")
        self._first = int(wait.until(children.read_text, "the first process of the host").split()[0])
        wait.until(lambda: Path(f"/proc/{self._first}/root").readlink() == self.path, "the root of the host")
        (self.path / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 mx.example.org mx\n")
        self.run("hostname", "mx.example.org")

    def stop(self) -> None:
        """End every process of the host."""
        if self._holder is not None:
            self._holder.kill()
            self._holder.wait()
            self._holder = None

    def command(self, *command: str | Path, directory: str = "/") -> list[str]:
        """The command line that runs `command` on the host."""
        inside = ["nsenter", f"--target={self._first}", "--mount", "--net", "--pid", "--uts", "--root", "--wd"]
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        settings = [path, "LC_ALL=C.UTF-8", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"]
        return [*inside, "env", "-i", f"--chdir={directory}", *settings, *map(str, command)]

    def run(self, *command: str | Path, directory: str = "/", fails: bool = False) -> str:
        """What `command` prints on the host, errors included; it must succeed, or fail if it `fails`."""
        done = subprocess.run(
            self.command(*command, directory=directory),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert (done.returncode != 0) is fails, f"{command}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def state(self, package: str = "turfmilter") -> str:
        """What dpkg says about a package."""
        return self.run("dpkg-query", "-W", "-f", "${Status}", package)

    def version(self) -> str:
        """The installed version of our package."""
        return self.run("dpkg-query", "-W", "-f", "${Version}", "turfmilter")

    def install_again(self, package: str) -> str:
        """What apt prints when it installs a package of the installed version again."""
        return self.run("apt-get", "install", "-y", "--reinstall", package)

    def served(self) -> int | None:
        """The process ID of the running filter, on the host; None if it does not run."""
        try:
            pid = int((self.path / "run/services/turfmilter").read_text())
        except FileNotFoundError:
            return None
        alive = subprocess.run(self.command("test", "-e", f"/proc/{pid}/exe"), check=False)
        return pid if alive.returncode == 0 else None

    def asked_of_systemd(self) -> list[str]:
        """What systemctl was asked for since the last call of this function."""
        asked = self.path / "run/services/asked"
        lines = asked.read_text().splitlines() if asked.exists() else []
        asked.write_text("")
        return lines
