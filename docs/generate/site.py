"""Builds the manual as a site: the pages below docs/, in the order of their index, with what lies beside docs/."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from mkdocs.commands.build import build
from mkdocs.config import load_config

# Pages outside docs/: their names and their titles in the site.
_BESIDE = {
    "README.md": ("readme.md", "README"),
    "CHANGELOG.md": ("changelog.md", "Changes"),
    "CONTRIBUTING.md": ("contributing.md", "Contributing"),
    "SECURITY.md": ("security-policy.md", "Security problems"),
}
_LINK = re.compile(r"\[([^\]\n]*)\]\(([^)\s]+)\)")
_HEADING = re.compile(r"(?m)^## (.*)$")


def write_site(project: Path, site: Path) -> None:
    """Write the site to `site`.  Raises mkdocs' Abort at any warning, such as a link that leads nowhere."""
    source = site.with_name(f"{site.name}-source")
    for directory in (site, source):
        shutil.rmtree(directory, ignore_errors=True)
    _collect(project, source)
    settings = site.with_name(f"{site.name}.yml")  # JSON, which is YAML as well
    settings.write_text(json.dumps(_settings(project, source, site)), encoding="utf-8")
    build(load_config(str(settings)))


def _settings(project: Path, source: Path, site: Path) -> Mapping[str, object]:
    return {
        "site_name": "turfmilter",
        "docs_dir": str(source),
        "site_dir": str(site),
        "theme": {"name": "readthedocs", "highlightjs": False},
        "nav": list(_navigation(project / "docs/index.md")),
        "markdown_extensions": ["tables", "fenced_code", "sane_lists"],
        "strict": True,
        "use_directory_urls": False,
        "validation": {"links": {"not_found": "warn", "anchors": "warn"}, "nav": {"omitted_files": "warn"}},
    }


def _collect(project: Path, source: Path) -> None:
    """Copy all pages and pictures to `source`, with links that are right there."""
    docs = project / "docs"
    for path in sorted([*docs.rglob("*.md"), *docs.rglob("*.svg"), *docs.rglob("*.png")]):
        target = source / path.relative_to(docs)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(_relinked(path, target, project, source), encoding="utf-8")
        else:
            shutil.copy(path, target)
    for name, (new, _) in _BESIDE.items():
        (source / new).write_text(_relinked(project / name, source / new, project, source), encoding="utf-8")


def _relinked(page: Path, target: Path, project: Path, source: Path) -> str:
    """The text of a page in its place in the site.  A link to a file that is not in the site becomes its text."""
    here = {(project / name).resolve(): source / new for name, (new, _) in _BESIDE.items()}

    def link(found: re.Match[str]) -> str:
        path, _, anchor = found[2].partition("#")
        if not path or ":" in path:
            return found[0]
        leads_to = (page.parent / path).resolve()
        there = here.get(leads_to) or _within(leads_to, project / "docs", source)
        if there is None:
            return found[1] if leads_to.exists() else found[0]
        return f"[{found[1]}]({_relative(there, target.parent)}{'#' if anchor else ''}{anchor})"

    return _LINK.sub(link, page.read_text(encoding="utf-8"))


def _within(path: Path, docs: Path, source: Path) -> Path | None:
    docs = docs.resolve()
    return source / path.relative_to(docs) if path.is_relative_to(docs) and path.is_file() else None


def _relative(path: Path, start: Path) -> str:
    ups = next(number for number, parent in enumerate([start, *start.parents]) if path.is_relative_to(parent))
    return "../" * ups + str(path.relative_to([start, *start.parents][ups]))


def _navigation(index: Path) -> Iterator[Mapping[str, object]]:
    """The pages in the order of the index, below its headings."""
    yield {"Documentation": "index.md"}
    parts = _HEADING.split(index.read_text(encoding="utf-8"))
    for title, text in zip(parts[1::2], parts[2::2], strict=True):
        pages: dict[str, str] = {}
        for words, path in _LINK.findall(text):
            if path.endswith(".md") and not path.startswith(".."):
                pages.setdefault(path, words)
        yield {title: [{words: path} for path, words in pages.items()]}
    yield {"The project": [{title: new} for new, title in _BESIDE.values()]}


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    write_site(Path(__file__).parents[2], Path(__file__).parents[2] / "build/manual")
