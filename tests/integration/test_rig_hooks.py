"""The hooks in conftest.py, in a test tree of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
OF_A_TEST = "import pytest\n@pytest.mark.skip(reason='none here')\ndef test_it(): pass\n"
IN_A_TEST = "import pytest\ndef test_it(): pytest.skip('none here')\n"
OF_A_MODULE = "import pytest\npytest.skip('none here', allow_module_level=True)\n"
IN_A_FIXTURE = """
import os, pytest
@pytest.fixture
def it(): os.posix_spawn("/bin/true", ["true"], {})
def test_it(it): pass
"""
EXPECTED_FAILURE = "import pytest\n@pytest.mark.xfail\ndef test_it(): assert False\n"


@pytest.mark.parametrize(
    ("folder", "code", "ci", "fails"),
    [
        ("e2e", OF_A_TEST, "true", True),
        ("e2e", IN_A_TEST, "true", True),
        ("e2e", OF_A_MODULE, "true", True),
        ("e2e", EXPECTED_FAILURE, "true", False),
        ("integration", OF_A_TEST, "true", True),
        ("integration", OF_A_MODULE, "true", True),
        ("e2e", OF_A_TEST, "", False),
        ("unit", OF_A_TEST, "true", False),
    ],
)
def test_a_skipped_test_of_processes_fails_in_ci(place: Path, folder: str, code: str, ci: str, fails: bool) -> None:
    done = tried(place, folder, code, ci)
    assert (done.returncode in (1, 2)) is fails, done.stdout
    assert not fails or "none here" in done.stdout


@pytest.mark.parametrize(
    ("folder", "code", "fails"),
    [
        ("unit", "import os\ndef test_it():\n    if os.fork() == 0: os._exit(0)\n", True),
        ("unit", "import subprocess\ndef test_it(): subprocess.run(['true'], check=True)\n", True),
        ("property", "import os\ndef test_it(): os.system('true')\n", True),
        ("unit", "import socket\ndef test_it(): socket.create_server(('127.0.0.1', 0)).close()\n", True),
        ("property", IN_A_FIXTURE, True),
        ("integration", "import subprocess\ndef test_it(): subprocess.run(['true'], check=True)\n", False),
    ],
)
def test_a_fast_test_that_starts_something_fails(place: Path, folder: str, code: str, fails: bool) -> None:
    done = tried(place, folder, code, "")
    assert done.returncode == fails, done.stdout
    assert fails is ("such a test belongs to tests/integration" in done.stdout)


def tried(place: Path, folder: str, code: str, ci: str) -> subprocess.CompletedProcess[str]:
    """Run one module of tests in the directory of that name."""
    (place / folder).mkdir()
    shutil.copy(TESTS / "conftest.py", place)
    (place / folder / "test_it.py").write_text(code)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", place],
        env={**os.environ, "CI": ci, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
