"""How the tests read a page, and compare what is printed with what it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.page import Comparison, steps


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("held 2026-03-02 12:30", "held 2026-12-01 00:35", True),
        ("held 2026-03-02 12:30", "kept 2026-12-01 00:35", False),
        ("queued as 9C1D021A050", "queued as AE16221A4A6", True),
        ("verdict=hold gen=3 ms=8", "verdict=hold gen=3", True),
        ("verdict=hold gen=3 ms=8", "verdict=hold gen=4", False),
        ("protocol engine: libmilter (auto: sound)", "protocol engine: loop (auto: pymilter is not)", True),
        ("protocol engine: libmilter (auto: sound)", "protocol engine: loop (configured)", False),
        ("X-Mailer: swaks v20201014.0 x", "X-Mailer: swaks v20240103.0 x", True),
        ("a\n…\nd", "a\nb\nc\nd", True),
        ("a\n…\nd", "a\nb\nc", False),
        ("a\nb", "b\na", False),
        ("a", "a\nb", False),
        ("<> (mailer-daemon@x.example)", "<> (mailer-mailer@x.example)", False),
    ],
)
def test_only_what_is_declared_may_vary(shown: str, printed: str, same: bool) -> None:
    assert (Comparison().differs(shown.splitlines(), printed.splitlines()) == "") is same


def test_an_id_of_the_page_stands_for_the_one_that_was_printed_first() -> None:
    comparison = Comparison()
    assert comparison.differs(["id=2q06cc-pnctn5"], ["id=2qr5f5-4qw2rs"]) == ""
    assert comparison.here("show 2q06; release 2q06cc-pnctn5") == "show 2qr5f5-4qw2rs; release 2qr5f5-4qw2rs"
    assert comparison.differs(["id=2q06cc-pnctn5"], ["id=2qr5f5-n7m6fh"]) != ""


def test_output_belongs_to_the_block_before_it_in_the_same_section(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n```sh\none\n```\nso:\n```text\n1\n```\n```sh\ntwo\n```\n## B\n```log\n2\n```\n")
    assert [(step.section, step.text, step.shown) for step in steps(page)] == [
        ("A", "one\n", ["1"]),
        ("A", "two\n", None),
        ("B", "2\n", None),
    ]
