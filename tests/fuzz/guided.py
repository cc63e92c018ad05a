"""One target of readers.py under atheris, guided by the coverage of the program: `python -m fuzz.guided TARGET …`.

The further arguments are libFuzzer's.  It runs in a process of its own, which ends with the first input that fails.
"""

from __future__ import annotations

import sys

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # not for every version of Python

with atheris.instrument_imports(include=["turfmilter"]):
    from fuzz.readers import TARGETS


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    name, *options = sys.argv[1:]
    atheris.Setup([name, *options], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
