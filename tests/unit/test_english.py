"""The English of the pages and of the files in contrib/: the words that administrators use and search for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Made from the code, so their words are those of the code.
GENERATED = ["configuration.md", "replies.md", "what-each-mta-tells.md", "turfmilter.toml"]
TEXTS = sorted(
    path
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "contrib").rglob("*")]
    if path.is_file() and path.name not in GENERATED
)
# What is not ours to word: blocks of code and output, quoted messages, code within a sentence.
_QUOTED = re.compile(r"^```.*?^```$|^> .*?$|`[^`\n]+`", re.MULTILINE | re.DOTALL)

INSTEAD = {
    r"stands? (in|on|at|there|behind|above|below|beside|for)": "is, appears, is listed, follows",
    r"hears?|heard": "receives",
    r"mend(s|ed|ing)?": "fix",
    r"(is|are|goes) away": "is down, is unavailable, disappears",
    r"(every|some|any|no)body": "everyone; a program, a user; anyone; no client",
    r"whoever|whomever": "users who, anyone who",
    r"anew": "again",
    r"likewise": "also, the same",
    r"so long": "as long, how long",
    r"for ever": "permanently, indefinitely",
    r"lest": "so that … not",
    r"comes? (again|back)": "tries again",
    r"hangs? up": "disconnects",
    r"look-ups?": "lookup",
}
_HABITS = re.compile("|".join(rf"(?P<h{n}>\b(?:{habit})\b)" for n, habit in enumerate(INSTEAD)), re.IGNORECASE)


def habits(text: str) -> list[str]:
    """Each word or phrase of the list in `text`, with what to write instead."""
    instead = list(INSTEAD.values())
    return [
        f"{found[0]!r}: write {instead[int((found.lastgroup or '')[1:])]}"
        for found in _HABITS.finditer(_QUOTED.sub("", text))
    ]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_has_a_word_of_the_list(path: Path) -> None:
    assert habits(path.read_text()) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The client hears 451 and comes again.", ["'hears'", "'comes again'"]),
        ("It stands in the table.", ["'stands in'"]),
        ("`mend it with: …` is how\n```text\nmend it\n```\n> hears\n", []),
        ("The lookup fails as long as DNS is unavailable.", []),
    ],
)
def test_the_list_finds_its_words_and_leaves_quoted_text_alone(text: str, found: list[str]) -> None:
    assert [habit.partition(":")[0] for habit in habits(text)] == found
