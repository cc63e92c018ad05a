"""Settings: dataclass fields that know how they are written in TOML and what they mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Generic, TypeVar

from turfmilter.config.given import Given, Notes

T = TypeVar("T")


class Kind(ABC, Generic[T]):
    """How a TOML value becomes a field's value.

    `words` say how it is written, in Markdown; they are all that there is to say when the kind is `closed`.
    """

    words: str
    closed: bool = False

    @abstractmethod
    def read(self, given: Given) -> T:
        """The field's value.  Raises Wrong, or notes one problem for each wrong item of a list."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a field's metadata holds: its kind, its default and sample in TOML's terms, and its documentation.

    `sample` None leaves the default, as a comment, in the sample file.
    """

    kind: Kind[Any]
    default: object
    doc: str
    example: object
    sample: object = None


def setting(kind: Kind[T], default: object, doc: str, *, example: object, sample: object = None) -> T:
    """A dataclass field that is one key of the configuration; `default` is given as TOML has it."""
    this = Setting(kind, default, doc, example, sample)
    built_in = Given(default, "built-in", Notes(Path()))
    return field(default_factory=lambda: kind.read(built_in), metadata={"setting": this})


def section(cls: type[T]) -> T:
    """A dataclass field that is a section of its own; its documentation is the docstring of `cls`."""
    return field(default_factory=cls, metadata={"section": cls})


def settings(cls: type[Any]) -> dict[str, Setting]:
    """The keys of a section, in their order."""
    return {f.name: f.metadata["setting"] for f in fields(cls) if "setting" in f.metadata}


def sections(cls: type[Any]) -> dict[str, type[Any]]:
    """The sections within a section, in their order."""
    return {f.name: f.metadata["section"] for f in fields(cls) if "section" in f.metadata}


def keys(cls: type[Any], above: str = "") -> Iterator[tuple[str, Setting]]:
    """Every key path within `cls` and below, with its setting."""
    for name, this in settings(cls).items():
        yield f"{above}{name}", this
    for name, inner in sections(cls).items():
        yield from keys(inner, f"{above}{name}.")
