"""Fixtures and hooks for all tests."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from rig.golden import Golden
from rig.workplace import workplace

# How long an example takes says nothing about the program.  `make check` tries fewer of them.
settings.register_profile("test", deadline=None)
settings.register_profile("check", deadline=None, max_examples=20)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))

TESTS = Path(__file__).parent
NEVER_SKIPPED = [TESTS / "e2e", TESTS / "integration"]
FAST = [TESTS / "unit", TESTS / "property"]
NOT_FAST = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "socket.bind", "subprocess.Popen"}


@pytest.fixture
def place() -> Iterator[Path]:
    """A short, open directory for sockets and daemons, removed afterwards."""
    with workplace() as directory:
        yield directory


@pytest.fixture(scope="module")
def module_place() -> Iterator[Path]:
    """The same for what a module's tests share."""
    with workplace() as directory:
        yield directory


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Golden:
    """Compares wording with the entries of this test in tests/golden."""
    return Golden(f"{request.path.stem}::{request.node.name}")


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport, path: Path) -> None:
    """A skipped end-to-end or integration test proves nothing: in CI it is a failure."""
    skipped = report.skipped and not hasattr(report, "wasxfail")
    if skipped and os.environ.get("CI") == "true" and any(map(path.is_relative_to, NEVER_SKIPPED)):
        report.outcome = "failed"
        report.longrepr = f"a test of this directory may not be skipped here: {report.longrepr}"


class FastTestsStayInside:
    """Raises RuntimeError where one of the fast tests starts a process or a server."""

    def __init__(self) -> None:
        self._fast = False
        sys.addaudithook(self._refuse)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Watch the test and its fixtures."""
        self._fast = any(map(item.path.is_relative_to, FAST))
        try:
            return (yield)
        finally:
            self._fast = False

    def _refuse(self, event: str, _: object) -> None:
        if self._fast and event in NOT_FAST:
            raise RuntimeError(f"{event}: such a test belongs to tests/integration")


def pytest_configure(config: pytest.Config) -> None:
    """Watch the fast tests."""
    config.pluginmanager.register(FastTestsStayInside())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn skips into failures while tests run."""
    report = yield
    _refuse_skip(report, item.path)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn skips of whole modules into failures."""
    report = yield
    _refuse_skip(report, collector.path)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long the tests of each directory took."""
    seconds: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds["/".join(report.nodeid.split("/")[:2])] += report.duration
    if len(seconds) > 1:
        for directory, taken in seconds.most_common():
            terminalreporter.write_line(f"{taken / 60:6.1f} min {directory}")
