"""`python -m generate`: write the generated pages to their places in the project."""

from __future__ import annotations

from pathlib import Path

from generate import write

write(Path(__file__).parents[2])
