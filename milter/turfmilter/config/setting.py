"""Settings: dataclass fields that know how they are written in TOML and what they mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
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

    `default` None is a key that need not be there; `sample` None leaves the default, as a comment, in the sample file.
    """

    kind: Kind[Any]
    default: object
    doc: str
    example: object
    sample: object = None


class Times(Enum):
    """How often a section may stand; the values are its key path."""

    ONCE = "{}"
    REPEATED = "{}[N]"
    NAMED = "{}.NAME"


@dataclass(frozen=True, slots=True)
class Section:
    """What the metadata of a field holds that is made of sections; `example` is TOML that shows one."""

    cls: type[Any]
    times: Times
    example: str = ""

    def path(self, name: str) -> str:
        """The key path of the section `name`, with N or NAME for what tells several apart."""
        return self.times.value.format(name)


def setting(kind: Kind[T], default: object, doc: str, *, example: object, sample: object = None) -> T:
    """A dataclass field that is one key of the configuration; `default` is given as TOML has it."""
    this = Setting(kind, default, doc, example, sample)
    built_in = Given(default, "built-in", Notes(Path()))
    return field(default_factory=lambda: kind.read(built_in), metadata={"setting": this})


def optional(kind: Kind[T], doc: str, *, example: object) -> T | None:
    """A dataclass field that is one key of the configuration; None when it is not there."""
    return field(default=None, metadata={"setting": Setting(kind, None, doc, example)})


def section(cls: type[T], example: str = "") -> T:
    """A dataclass field that is a section of its own; its documentation is the docstring of `cls`."""
    return field(default_factory=cls, metadata={"section": Section(cls, Times.ONCE, example)})


def repeated(cls: type[T], example: str) -> tuple[T, ...]:
    """A dataclass field for any number of sections [[FIELD]], in their order."""
    return field(default=(), metadata={"section": Section(cls, Times.REPEATED, example)})


def named(cls: type[T], example: str) -> Mapping[str, T]:
    """A dataclass field for any number of sections [FIELD.NAME].

    The sections within them begin as those of the same name around FIELD, and override these key by key.
    """
    return field(default_factory=dict, metadata={"section": Section(cls, Times.NAMED, example)})


def settings(cls: type[Any]) -> dict[str, Setting]:
    """The keys of a section, in their order."""
    return {f.name: f.metadata["setting"] for f in fields(cls) if "setting" in f.metadata}


def sections(cls: type[Any]) -> dict[str, Section]:
    """The sections within a section, in their order."""
    return {f.name: f.metadata["section"] for f in fields(cls) if "section" in f.metadata}


def keys(cls: type[Any], above: str = "") -> Iterator[tuple[str, Setting]]:
    """Every key path within `cls` and below, with its setting; what only overrides others is left out."""
    for name, this in settings(cls).items():
        yield f"{above}{name}", this
    for name, inner in sections(cls).items():
        path = f"{above}{inner.path(name)}."
        if inner.times is Times.ONCE:
            yield from keys(inner.cls, path)
        else:
            yield from ((f"{path}{key}", this) for key, this in settings(inner.cls).items())


def header(path: str) -> str:
    """The line above the keys of the section with this key path."""
    name, repeats, _ = path.partition("[")
    return f"[[{name}]]" if repeats else f"[{path}]"
