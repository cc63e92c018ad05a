"""The man pages, as groff reads them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from generate import programs

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", programs.PAGES)
def test_groff_has_nothing_to_say_about_a_man_page(name: str) -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", PROJECT / name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
