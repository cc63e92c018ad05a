"""The cases of tests/cases on every MTA that can show them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from caserunner.case import Case, CaseFile
from caserunner.casefile import read_cases
from caserunner.play import NotSo, play
from caserunner.stage import Stage

FILES = [read_cases(path) for path in sorted((Path(__file__).parents[1] / "cases").glob("*.txt"))]
CASES = [(file, case) for file in FILES for case in file.cases]


def _name(file: CaseFile, case: Case, mta: str = "") -> str:
    return f"{file.name.removesuffix('.txt')}: {case.title}" + (f" [{mta}]" if mta else "")


@pytest.fixture(scope="module")
def stage(module_place: Path) -> Iterator[Stage]:
    with Stage(module_place) as running:
        yield running


@pytest.mark.parametrize(
    ("file", "case", "mta"),
    [pytest.param(file, case, mta, id=_name(file, case, mta)) for file, case in CASES for mta in case.mtas],
)
def test_it_is_as_the_case_says(stage: Stage, file: CaseFile, case: Case, mta: str) -> None:
    play(stage, file, case, mta)


@pytest.mark.parametrize(
    ("file", "case"), [pytest.param(file, case, id=_name(file, case)) for file, case in CASES if not case.harmless]
)
def test_without_the_rules_it_is_not(stage: Stage, file: CaseFile, case: Case) -> None:
    with pytest.raises(NotSo):
        play(stage, file, case, case.mtas[0], above='mode = "off"\n')


@pytest.mark.parametrize(
    ("file", "case"), [pytest.param(file, case, id=_name(file, case)) for file, case in CASES if case.harmless]
)
def test_mail_that_must_pass_passes_without_the_rules_too(stage: Stage, file: CaseFile, case: Case) -> None:
    play(stage, file, case, case.mtas[0], above='mode = "off"\n')
