"""The result of the bench: as Markdown for the documentation, and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.report import Figure, Results, Samples

_HEAD = ("figure", "filter", "measured", "reference", "ratio", "target", "result")


def markdown(results: Results) -> str:
    """The table of all figures, why targets were missed, and how long each group of figures took."""
    missed = [figure for figure in results.figures if figure.missed and figure.limit]
    parts = [
        _table(_HEAD, map(_row, results.figures)),
        _list("What bounds the figures that were missed", {_full_name(figure): figure.limit for figure in missed}),
        _list("What could not be measured", results.broken),
        _table(("group", "seconds"), _times(results.seconds)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def progress(figure: Figure) -> str:
    """A figure while the bench runs: one line, and its details below."""
    facts = [str(figure.measured), f"against {_named(figure.reference)}" if figure.reference else ""]
    facts += [f"ratio {figure.ratio}" if figure.ratio else "", figure.bound, figure.verdict]
    lines = [f"{_full_name(figure)}: " + "; ".join(filter(None, facts)), *figure.details]
    return "\n    ".join(lines)


def write_json(results: Results, path: Path) -> None:
    """Everything that was measured, run by run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {**asdict(results), "figures": [_facts(figure) for figure in results.figures]}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _row(figure: Figure) -> tuple[str, ...]:
    ratio, reference = figure.ratio, figure.reference
    shown = (str(ratio) if ratio else "", figure.bound, figure.verdict)
    return figure.name, figure.measured.who, str(figure.measured), _named(reference) if reference else "", *shown


def _named(reference: Samples) -> str:
    return f"{reference.who}: {reference}"


def _full_name(figure: Figure) -> str:
    return ", ".join(filter(None, (figure.name, figure.measured.who)))


def _list(title: str, reasons: Mapping[str, str]) -> str:
    lines = [f"- {name}: {reason}." for name, reason in reasons.items()]
    return f"{title}:\n\n" + "\n".join(lines) if lines else ""


def _times(seconds: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    for name, taken in seconds.items():
        yield f"`{name}`", f"{taken:.0f}"
    yield "together", f"{sum(seconds.values()):.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _facts(figure: Figure) -> dict[str, object]:
    reference = figure.reference
    return {
        "name": figure.name,
        "filter": figure.measured.who,
        "unit": figure.measured.unit,
        "measured": list(figure.measured.values),
        "reference": {"filter": reference.who, "values": list(reference.values)} if reference else None,
        "judged": figure.judged.median,
        "target": figure.bound,
        "result": figure.verdict,
        "limit": figure.limit,
        "details": list(figure.details),
    }
