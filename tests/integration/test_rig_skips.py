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
    (place / folder).mkdir()
    shutil.copy(TESTS / "conftest.py", place)
    (place / folder / "test_it.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", place],
        env={**os.environ, "CI": ci, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode in (1, 2)) is fails, done.stdout
    assert not fails or "none here" in done.stdout
