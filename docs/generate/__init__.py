"""The pages that are made from the code, and the manual as a site; `make docs` writes them.

This package is for those who change the program. It is no part of what is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from generate import configuration, formats, macros, picture, programs

PAGES: Mapping[str, Callable[[], str]] = {
    **configuration.PAGES,
    **formats.PAGES,
    **macros.PAGES,
    **picture.PAGES,
    **programs.PAGES,
}


def write(folder: Path) -> None:
    """Write every page below `folder`, which is the project's."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
