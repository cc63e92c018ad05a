"""What pip installs: the source distribution and the wheel that is built from it, outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import turfmilter

PROJECT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def source(module_place: Path) -> Path:
    """The source distribution, made from a copy of the checkout."""
    checkout = module_place / "checkout"
    ignored = shutil.ignore_patterns(".git", ".venv", "build", "tests", "*.egg-info", "__pycache__", ".*_cache")
    shutil.copytree(PROJECT, checkout, ignore=ignored)
    make = "from setuptools import build_meta; build_meta.build_sdist('..')"
    subprocess.run([sys.executable, "-c", make], cwd=checkout, stdout=subprocess.DEVNULL, check=True)
    (found,) = module_place.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def wheel(source: Path) -> Path:
    """The wheel."""
    build = ["wheel", "--no-deps", "--no-index", "--no-build-isolation", f"--wheel-dir={source.parent}"]
    subprocess.run([*PIP, *build, source], check=True)
    (found,) = source.parent.glob("*.whl")
    return found


def modules(names: list[str], above: str) -> set[str]:
    """The modules of the program among the names of an archive."""
    return {name.removeprefix(above) for name in names if name.startswith(f"{above}turfmilter/") and name[-3:] == ".py"}


def test_both_contain_every_module_and_no_package_named_like_pymilters_extension(source: Path, wheel: Path) -> None:
    ours = {str(path.relative_to(PROJECT / "milter")) for path in (PROJECT / "milter/turfmilter").rglob("*.py")}
    top = source.name.removesuffix(".tar.gz")
    with tarfile.open(source) as archive:
        assert modules(archive.getnames(), f"{top}/milter/") == ours
        assert f"{top}/LICENSE" in archive.getnames()
    with zipfile.ZipFile(wheel) as archive:
        assert modules(archive.namelist(), "") == ours
        folders = {name.partition("/")[0] for name in archive.namelist()}
    assert folders == {"turfmilter", f"turfmilter-{turfmilter.__version__}.dist-info"}


def test_the_installed_wheel_runs_outside_the_checkout(wheel: Path, place: Path) -> None:
    subprocess.run([*PIP, "install", "--no-deps", "--no-index", f"--target={place / 'lib'}", wheel], check=True)
    where = "import milter, turfmilter; print(milter.__file__, turfmilter.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(place / "lib")}
    options = {"cwd": place, "env": environment, "capture_output": True, "text": True, "check": True}
    extension, program = subprocess.run([sys.executable, "-c", where], **options).stdout.split()  # type: ignore[call-overload]
    assert extension.endswith(".so")
    assert program == f"{place}/lib/turfmilter/__init__.py"
    said = subprocess.run([place / "lib/bin/turfmilter", "-V"], **options).stdout  # type: ignore[call-overload]
    assert said.startswith(f"turfmilter, version {turfmilter.__version__}\n")
