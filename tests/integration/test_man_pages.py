"""The man pages, as groff and mandoc read them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from generate import formats, programs

PROJECT = Path(__file__).parents[2]


PAGES = [*programs.PAGES, *formats.PAGES]


@pytest.mark.parametrize("name", PAGES)
def test_groff_has_nothing_to_say_about_a_man_page(name: str) -> None:
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", PROJECT / name]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_mandoc_finds_nothing_to_improve_in_the_man_pages() -> None:
    command = ["mandoc", "-T", "lint", "-W", "all", *(PROJECT / name for name in PAGES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
