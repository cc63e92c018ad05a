"""Explains lines that are not TOML, in the words of someone who knows other formats."""

from __future__ import annotations

import re

from turfmilter.config.given import quoted
from turfmilter.config.hints import recognised
from turfmilter.core.table.foreign import Hints

# By the beginning of a message of tomllib, a clearer one.
_SYNTAX = {
    "Illegal character '\\n'": "the text does not end on this line; a quotation mark is missing",
    'Expected "\'"': "the text does not end; a single quotation mark is missing",
    "Unescaped '\\": "a backslash begins an escape inside double quotation marks; write the text in single ones",
    "Invalid statement": 'neither key = value nor [section]; a comment begins with "#"',
    "Invalid value": "not a value; write text in quotes, and true and false in lower case",
    "Cannot overwrite a value": "this key appears twice; remove one of them",
    "Cannot declare": "this section appears twice; put all of its keys in one place",
    "Unclosed array": 'a list is not closed; a "]" or a comma is missing',
    "Expected newline": 'something follows the value; write sizes, modes and addresses in quotes, such as "10 MiB"',
    "Expected '=' after a key": 'no "=" after the key; write key = value, or [section], or "#" before a comment',
    "Expected ']'": 'the name of a section ends with "]", and consists of letters, digits, "-", "_" and dots',
}
_OF_A_VALUE = ("Expected newline", "Expected ']'", "Invalid value", "Unclosed array")
# Lines that are not TOML, with "" in place of each text in quotation marks.
_LINES: Hints = (
    (r".*[`\u2018\u2019\u201c\u201d\u201e].*", "quotation marks that TOML does not have", 'write "..."'),
    (
        r"\s*\[\s*(?P<outer>\w+)\s*[\s:/]\s*(?P<inner>[\w-]+)\s*\].*",
        "the name of a section inside another follows a dot",
        "write [{outer}.{inner}]",
    ),
    (r'\s*\[\s*(?P<outer>\w+)\s+"".*', "the name of a section inside another follows a dot", "write [{outer}.NAME]"),
    (r"\s*[\w.-]+\s*=\s*(?:#.*)?", "the value is missing", "write one, or remove the line for the default"),
    (r"\s*[\w.-]+\s*=\s*\(.*", "parentheses around the value", 'a list is written as ["...", "..."]'),
    (r'\s*[\w.-]+\s*=\s*""(?:[\s,;]+"")+.*', "several values without brackets", 'write ["...", "..."]'),
    (
        r'\s*[\w.-]+\s*=\s*""\w.*',
        "quotation marks inside the text",
        "write the whole text in single quotation marks",
    ),
)
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')
_KEY = re.compile(r"\s*[\w.-]+\s*=\s*")
_SECTION = re.compile(r"\s*\[{1,2}[\w.-]+\]{0,2}\s*")  # closed or not
_LITERAL = re.compile(r"[+-]?(?:0|[1-9][\d_]*)(?:\.\d+)?|true|false|\d{4}-\d\d-\d\d\S*")
_WORDS_OF_TOML = {
    **dict.fromkeys(("true", "yes", "on"), "write true"),
    **dict.fromkeys(("false", "no", "off"), "write false"),
    **dict.fromkeys(("none", "null", "nil"), "remove the line for the default"),
}


def explain_syntax(said: str, line: str, column: int) -> str:
    """Return what is wrong in a `line` that is not TOML; tomllib `said` it about that `column`, counted from 1."""
    if said.startswith(_OF_A_VALUE):
        key = _KEY.match(line)
        if not said.startswith("Expected") and (_SECTION.fullmatch(line) or (key and column <= key.end())):
            return _SYNTAX["Unclosed array"]
        reduced = _TEXT.sub('""', line)
        better = recognised(reduced, _LINES) or ("" if _SECTION.fullmatch(line) else _explain_bare(reduced))
        if better:
            return better
    return next((better for beginning, better in _SYNTAX.items() if said.startswith(beginning)), said)


def _explain_bare(line: str) -> str:
    """Return the message about the first value in `line` that must be written in quotes; "" if there is none."""
    value = _KEY.sub("", line, count=1).partition("#")[0].strip()
    separate = value.startswith("[") or not _KEY.match(line)  # blanks separate what was meant as items of a list
    for item in map(str.strip, value.strip("[]{}").split(",")):
        if item and '"' not in item and not _LITERAL.fullmatch(item):
            if item.lower() in _WORDS_OF_TOML:
                return f"{item} is not a value in TOML; {_WORDS_OF_TOML[item.lower()]}"
            words = item.split() if separate else [item]
            return f"text without quotation marks; write {', '.join(map(quoted, words))}"
    return ""
