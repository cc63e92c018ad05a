"""The English of pages, contrib/ and code: the words that administrators use and search for."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Made from the code, so their words are those of the code.
GENERATED = ["what-each-mta-tells.md"]
TEXTS = sorted(
    path
    for path in [
        ROOT / "README.md",
        ROOT / "SECURITY.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "contrib").rglob("*"),
    ]
    if path.is_file() and path.name not in GENERATED
)
# The packages and modules below milter/turfmilter whose comments and strings are checked.
CODE = sorted((ROOT / "milter/turfmilter").rglob("*.py"))
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
    r"hung up": "disconnected",
    r"look-ups?": "lookup",
    r"all the same|for all that": "nevertheless, anyway",
    r"belongs? into": "belongs in",
    r"(?<!there )(is|are|was|were) no (?!longer|more|less|fewer|other|better|worse|slower|faster|larger|smaller|one)": (
        "is not a"
    ),
    r"lies? (in|on|at|behind|above|below|beside|outside)": "is in",
    r"(speaks?|spoken|tells?|told) of": "mentions, reports",
    r"(is|are) said": "reports, prints, states",
    r"(can|could|cannot|to) be had": "is available",
    r"(rule|list|step|table|name)s? (is|are) asked": "is evaluated, is searched",
    r"he|him|his": "they, the user, its",
    r"thereof|therein|hereby|wherein|ere|till|in its stead": "of it, in it, until, instead",
    r"one (line|object|entry|sentence) an? (?=[a-z])": "one … for each",
    r"(open|broken|changed|written) meanwhile": "in the meantime",
}
# A string with {} in it is several tokens from Python 3.12 on.
_PROSE = {tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING)}
_MARKS = re.compile(r"^#+|^[a-zA-Z]{0,2}[\"']+|[\"']+$")
_LAYOUT = {tokenize.NL, tokenize.INDENT, tokenize.DEDENT}
_HABITS = re.compile("|".join(rf"(?P<h{n}>\b(?:{habit})\b)" for n, habit in enumerate(INSTEAD)), re.IGNORECASE)


def habits(text: str) -> list[str]:
    """Each word or phrase of the list in `text`, with what to write instead."""
    instead = list(INSTEAD.values())
    return [
        f"{found[0]!r}: write {instead[int((found.lastgroup or '')[1:])]}"
        for found in _HABITS.finditer(" ".join(_QUOTED.sub("", text).split()))
    ]


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Each comment, docstring and other string of a module, with its line; those that follow one another are one."""
    line, words, before = 0, "", 0
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type in _LAYOUT:
                continue
            kind = token.type if token.type in _PROSE else 0
            if kind != before and words:
                yield line, words
                words = ""
            if kind:
                line = line if words else token.start[0]
                words += " " + _MARKS.sub("", token.string)
            before = kind
    if words:
        yield line, words


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_text_has_a_word_of_the_list(path: Path) -> None:
    assert habits(path.read_text()) == []


@pytest.mark.parametrize("path", CODE, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_comment_and_no_string_has_a_word_of_the_list(path: Path) -> None:
    assert [f"line {line}: {habit}" for line, text in prose(path) for habit in habits(text)] == []


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


CODE_WITH_HABITS = '''"""A client
    hears 451."""
heard = f"{x} stands"
# so
# long
mended = "for" " ever"
'''


def test_comments_and_strings_of_code_are_read_and_names_are_not(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(CODE_WITH_HABITS)
    found = [(line, habit.partition(":")[0]) for line, text in prose(module) for habit in habits(text)]
    assert found == [(1, "'hears'"), (4, "'so long'"), (6, "'for ever'")]
