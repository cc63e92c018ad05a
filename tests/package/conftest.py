"""Fixtures for the tests of the Debian packages: hosts with a fresh Debian, one release after the other."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from package.debianhost import PROJECT, RELEASES, DebianHost
from rig.workplace import workplace


@pytest.fixture(scope="module", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """The code name of the release: `pytest -k bookworm` tests one of them."""
    return str(request.param)


@pytest.fixture(scope="module")
def new_host(release: str) -> Iterator[Callable[[str], DebianHost]]:
    """Makes a host on which these packages of Debian (several, separated by blanks) are installed."""
    with workplace() as place:
        hosts: list[DebianHost] = []

        def make(packages: str) -> DebianHost:
            folder = place / str(len(hosts))
            folder.mkdir()
            host = DebianHost(release, folder)
            hosts.append(host)
            host.start()
            shutil.copytree(PROJECT / "build/repository", host.path / "srv/turfmilter/build/repository")
            shutil.copytree(PROJECT / "debian/tests", host.path / "srv/turfmilter/debian/tests")
            host.run("apt-get", "install", "-y", *packages.split())
            return host

        yield make
        for host in hosts:
            host.stop()


@pytest.fixture(scope="module")
def newer(release: str) -> Path:
    """A package of the same programs with a higher version: only debian/changelog differs."""
    (upstream, revision) = re.findall(r"\A\S+ \((.*)-(\d+)\)", (PROJECT / "debian/changelog").read_text())[0]
    packages = Path("build/packages-newer")
    version = f"{upstream}-{int(revision) + 1}"
    subprocess.run(["packaging/build", release, version, packages], cwd=PROJECT, check=True)
    (package,) = (PROJECT / packages / release).glob("*.deb")
    return package
