"""The cases of tests/cases on every MTA that can show them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from caserunner.case import Case, CaseFile
from caserunner.casefile import read_cases
from caserunner.play import NotSo, play, play_off, play_unruled
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


@pytest.mark.parametrize(("file", "case"), [pytest.param(file, case, id=_name(file, case)) for file, case in CASES])
def test_without_the_rules_it_is_not_so_unless_mail_must_pass(stage: Stage, file: CaseFile, case: Case) -> None:
    with contextlib.nullcontext() if case.harmless else pytest.raises(NotSo):
        play_off(stage, file, case, case.mtas[0])


@pytest.mark.parametrize(
    ("file", "case", "mta", "reached"),
    [
        pytest.param(file, case, mta, one.value, id=_name(file, case, mta))
        for file, case in CASES
        for mta in case.mtas
        if mta != "fake"  # which goes where the tests tell it to, and proves nothing
        for one in case.at_end("without the rules", mta)
    ],
)
def test_without_the_rules_the_mta_delivers_it_there(
    stage: Stage, file: CaseFile, case: Case, mta: str, reached: str
) -> None:
    assert play_unruled(stage, file, case, mta) == [reached]
