"""A new rule touches the files that the page about the architecture names, and no other: one is added to a copy."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
FIXTURE = PROJECT / "tests/fixtures/newrule"

NEW = {
    "milter/turfmilter/rules/helo.py": "rule.py.in",
    "milter/turfmilter/config/sections/helo.py": "section.py.in",
    "tests/unit/test_helo.py": "cases.py.in",
    "docs/reference/rule-helo.md": "page.md.in",
}
# In each file: the text before which there is something new, and the new text.
CHANGED = {
    "milter/turfmilter/config/schema.py": [
        ("from turfmilter.config.sections.journal", "from turfmilter.config.sections.helo import HeloConfig\n"),
        ("    reverse_name: ReverseNameConfig", "    helo: HeloConfig = section(HeloConfig)\n"),
    ],
    "milter/turfmilter/policies.py": [
        ("from turfmilter.rules.limits", "from turfmilter.rules.helo import Helo\n"),
        ("        *_require_name(config),\n", "        *_helo(config),\n"),
        (
            "def _require_name(",
            "def _helo(config: Config) -> Iterator[Clause]:\n"
            "    if config.helo.deny:\n"
            "        rule = Helo(frozenset(name.lower() for name in config.helo.deny))\n"
            "        yield Clause(rule, Action.REJECT, config.helo.reply, config.helo.mode)\n\n\n",
        ),
    ],
    "tests/unit/test_config.py": [
        (
            '    "reverse_name.mode": (',
            '    "helo.mode": ("trial", Mode.TRIAL),\n'
            '    "helo.reply": ("554 5.7.1 no", Reply(554, "5.7.1", "no")),\n'
            '    "helo.deny": (["localhost"], ("localhost",)),\n',
        )
    ],
    "docs/index.md": [
        (
            "  - [The connect rule]",
            "  - [The helo rule](reference/rule-helo.md): which names clients may not give with HELO\n",
        )
    ],
    "CHANGELOG.md": [("\n## ", "\n- `[helo]` refuses clients by the name that they give with HELO.\n")],
}
GENERATED = {
    "contrib/turfmilter.toml",
    "debian/turfmilter.toml",
    "docs/man/turfmilter.toml.5",
    "docs/reference/configuration.md",
    "docs/reference/replies.md",
}
# All tests about rules, the configuration and the pages.
TESTS = ("architecture", "compose", "config", "config_broken", "docs", "generated_pages", "helo", "rules")


# What is made here, and belongs to nobody: .gitignore has the same.
NOT_OURS = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "__pycache__", ".hypothesis", ".*_cache")


def run(tree: Path, *command: str) -> str:
    """What a successful command says in `tree`."""
    surroundings = os.environ | {"PYTHONPATH": "milter:docs", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=tree, env=surroundings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def contents(tree: Path) -> dict[str, bytes]:
    """Every file of the project in `tree`."""
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def add_the_rule(tree: Path) -> None:
    for name, source in NEW.items():
        shutil.copy(FIXTURE / source, tree / name)
    for name, changes in CHANGED.items():
        text = (tree / name).read_text()
        for before, new in changes:
            assert before in text, f"{name} has no line that begins with {before!r}"
            text = text.replace(before, new + before, 1)
        (tree / name).write_text(text)
    run(tree, sys.executable, "-m", "generate")


def test_a_new_rule_touches_the_files_that_the_plan_names_and_no_other(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(PROJECT, tree, ignore=NOT_OURS)
    before = contents(tree)
    add_the_rule(tree)
    tests = (f"tests/unit/test_{name}.py" for name in TESTS)
    run(tree, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    run(tree, sys.executable, "-m", "mypy", "--cache-dir", os.devnull, "milter/turfmilter/policies.py")
    run(tree, sys.executable, "-m", "ruff", "format", "--no-cache", "--check", "milter", "tests")
    run(tree, sys.executable, "-m", "ruff", "check", "--no-cache", "milter", "tests")
    shutil.rmtree(tree / ".hypothesis", ignore_errors=True)
    after = contents(tree)
    touched = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert touched == NEW.keys() | CHANGED.keys() | GENERATED
