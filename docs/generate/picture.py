"""Draws the path of a message as an SVG, with the rules of each stage as the program has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from turfmilter.config.loader import configure
from turfmilter.core.policy import Clause, Policy
from turfmilter.policies import build_policy
from turfmilter.rules.connect import ConnectAtOnce

# With every rule in force.
_EVERYTHING: dict[str, object] = {
    "domains": ["example.org"],
    "connect": {"deny": ["192.0.2.0/24"]},
    "reverse_name": {"check": "require", "remove_forged": True},
    "relay": {},
    "limits": {
        "recipients_per_message": 100,
        "recipients_per_bounce": 1,
        "message_size": "10 MiB",
        "session_size": "100 MiB",
        "messages_per_session": 50,
    },
    "turf": {
        "tables": ["@turf.example"],
        "match": ["sender", "author", "originator"],
        "directory": "/quarantine",
        "unreadable_author": "enforce",
    },
    "listener": {"submission": {"port": 587, "require_auth": True, "require_tls": True}},
}

_WIDTH, _LINE, _TOP = 760, 18, 64  # pixels
_CLIENT, _MTA, _FILTER, _BOX = 90, 280, 420, 320  # x of the two lifelines, of the boxes, and their width
_STYLE = (
    "text{font:14px sans-serif;fill:#222}.small{font-size:12px;fill:#555}.box{fill:#eef3f8;stroke:#5b7a99}"
    ".good{fill:#e9f5e9;stroke:#5a8f5a}.held{fill:#fbf3dc;stroke:#b08d2e}.line{stroke:#888;stroke-width:1.5}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.small{fill:#aaa}.box{fill:#22303d}.good{fill:#203020}"
    ".held{fill:#3a3118}svg{background:#111}}"
)


def path_of_a_message() -> str:
    """The picture."""
    rows = list(_rows())
    parts: list[str] = []
    y = _TOP
    for said, rules in rows:
        height = _LINE * (len(rules) + 1)
        parts += _row(y, height, said, rules)
        y += height + 14
    end = [
        _text(_MTA - 60, y + 20, "the verdict"),
        _box("good", 40, y + 36, 200, 44, "accept", "to the recipient"),
        _box("held", 270, y + 36, 200, 44, "hold", "to the quarantine"),
        _box("box", 500, y + 36, 240, 44, "reject, tempfail", "back to the client"),
        _text(270, y + 104, "turfctl release: to the recipient,", small=True),
        _text(270, y + 120, "through the other filters", small=True),
    ]
    y += 140
    head = [
        _text(_CLIENT - 24, 28, "client"),
        _text(_MTA - 70, 28, "Postfix or Sendmail"),
        _text(_FILTER, 28, "rules of turfmilter, in order"),
        f'<line class="line" x1="{_CLIENT}" y1="40" x2="{_CLIENT}" y2="{y - 140}"/>',
        f'<line class="line" x1="{_MTA}" y1="40" x2="{_MTA}" y2="{y - 140}"/>',
    ]
    title = "<title>The path of a message through the MTA and the rules of turfmilter</title>"
    opening = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" role="img">'
    return "\n".join([opening, title, f"<style>{_STYLE}</style>", *head, *parts, *end, "</svg>", ""])


PAGES: dict[str, Callable[[], str]] = {"docs/explanation/path-of-a-message.svg": path_of_a_message}


def _rows() -> Iterator[tuple[str, list[str]]]:
    """What the client says, and the names of the rules that are evaluated then."""
    policy = _policy()
    at_once = [f"{ConnectAtOnce.name} (reply_at = connect)"]
    yield "connect, HELO", at_once
    yield "MAIL FROM", _names(policy.at_mail)
    yield "RCPT TO, each", _names(policy.at_rcpt)
    yield "DATA, the header", _names(policy.at_headers)
    yield "the body, its end", _names(policy.at_end)


def _policy() -> Policy:
    config = configure(_EVERYTHING, Path("/"))
    return build_policy(config.at("submission"), "submission")


def _names(clauses: tuple[Clause, ...]) -> list[str]:
    return list(dict.fromkeys(clause.rule.name for clause in clauses))


def _row(y: int, height: int, said: str, rules: list[str]) -> Iterator[str]:
    middle = y + height // 2
    yield f'<line class="line" x1="{_CLIENT}" y1="{middle}" x2="{_MTA}" y2="{middle}"/>'
    yield _text(_CLIENT + 10, middle - 6, said)
    yield f'<line class="line" x1="{_MTA}" y1="{middle}" x2="{_FILTER}" y2="{middle}"/>'
    yield f'<rect class="box" x="{_FILTER}" y="{y}" width="{_BOX}" height="{height}" rx="4"/>'
    for number, rule in enumerate(rules, 1):
        yield _text(_FILTER + 14, y + _LINE * number, rule)


def _box(kind: str, x: int, y: int, width: int, height: int, title: str, below: str) -> str:
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="4"/>'
        f"{_text(x + 14, y + 19, title)}{_text(x + 14, y + 36, below, small=True)}"
    )


def _text(x: int, y: int, words: str, *, small: bool = False) -> str:
    kind = ' class="small"' if small else ""
    return f'<text x="{x}" y="{y}"{kind}>{words}</text>'
