"""Settings: dataclass fields that also describe how they are written in TOML, and what they mean."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from turfmilter.config.given import Given, Notes

T = TypeVar("T")


class Kind(ABC, Generic[T]):
    """Converts a TOML value to the value of a field.

    `words` describe how it is written, in Markdown.  If the kind is `closed`, they list all possible values.
    `zero` is what 0 means, if that is not a number of anything.
    If it is a `table`, values may name files, and are not read if the configuration is loaded without tables.
    """

    words: str
    zero: str = ""
    closed: bool = False
    table: bool = False

    @abstractmethod
    def read(self, given: Given) -> T:
        """Return the value of the field.  Raises Wrong, or reports a problem for each wrong item of a list."""


class UnreadError(RuntimeError):
    """A table was used, but the configuration was loaded without tables: an error in the program."""


class Unread:
    """The value of a key that holds a table, in a configuration loaded without tables; any use raises UnreadError.

    It is neither empty nor missing: what asks it whether a client or a sender is listed must not be told "no".
    """

    def __init__(self, key: str) -> None:
        self._key = key

    def _raise(self, *_: object) -> NoReturn:
        raise UnreadError(f"{self._key}: used, but the configuration was loaded without tables")

    __getattr__ = __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = _raise


def unread(*values: object) -> bool:
    """Return True if any of the values is Unread."""
    return any(isinstance(value, Unread) for value in values)


@dataclass(frozen=True, slots=True)
class Setting:
    """The metadata of a field that is a key: its kind, its documentation, and values as in TOML.

    If `default` is None, the key is optional.  `example` is a value for the documentation.  `sample` is the value in
    the sample file; None shows the default there, as a comment.
    """

    kind: Kind[Any]
    default: object
    doc: str
    example: object
    sample: object = None


class Times(Enum):
    """How often a section may appear; the values are formats of its key path."""

    ONCE = "{}"
    REPEATED = "{}[N]"
    NAMED = "{}.NAME"


@dataclass(frozen=True, slots=True)
class Section:
    """The metadata of a field that is one section or several; `example` is TOML with such a section."""

    cls: type[Any]
    times: Times
    example: str = ""

    def path(self, name: str) -> str:
        """Return the key path of the section `name`, with N or NAME in it if there can be several."""
        return self.times.value.format(name)


def setting(kind: Kind[T], default: object, doc: str, *, example: object, sample: object = None) -> T:
    """Return a dataclass field that is a key of the configuration; `default` is written as in TOML."""
    this = Setting(kind, default, doc, example, sample)
    built_in = Given(default, "built-in", Notes(Path()))
    return field(default_factory=lambda: kind.read(built_in), metadata={"setting": this})


def optional(kind: Kind[T], doc: str, *, example: object) -> T | None:
    """Return a dataclass field that is an optional key of the configuration; None if it is not given."""
    return field(default=None, metadata={"setting": Setting(kind, None, doc, example)})


def section(cls: type[T], example: str = "") -> T:
    """Return a dataclass field that is a section; its documentation is the docstring of `cls`."""
    return field(default_factory=cls, metadata={"section": Section(cls, Times.ONCE, example)})


def repeated(cls: type[T], example: str) -> tuple[T, ...]:
    """Return a dataclass field for any number of sections [[FIELD]], in their order."""
    return field(default=(), metadata={"section": Section(cls, Times.REPEATED, example)})


def named(cls: type[T], example: str) -> Mapping[str, T]:
    """Return a dataclass field for any number of sections [FIELD.NAME].

    The sections within them start with the values of the sections of the same name beside FIELD, and override these
    key by key.
    """
    return field(default_factory=dict, metadata={"section": Section(cls, Times.NAMED, example)})


def settings(cls: type[Any]) -> dict[str, Setting]:
    """Return the keys of a section, in their order."""
    return {f.name: f.metadata["setting"] for f in fields(cls) if "setting" in f.metadata}


def sections(cls: type[Any]) -> dict[str, Section]:
    """Return the sections within a section, in their order."""
    return {f.name: f.metadata["section"] for f in fields(cls) if "section" in f.metadata}


def keys(cls: type[Any], above: str = "") -> Iterator[tuple[str, Setting]]:
    """Yield every key path in `cls` and below, with its setting; sections that only override others are left out."""
    for name, this in settings(cls).items():
        yield f"{above}{name}", this
    for name, inner in sections(cls).items():
        path = f"{above}{inner.path(name)}."
        if inner.times is Times.ONCE:
            yield from keys(inner.cls, path)
        else:
            yield from ((f"{path}{key}", this) for key, this in settings(inner.cls).items())


def header(path: str) -> str:
    """Return the line that begins the section with this key path."""
    name, repeats, _ = path.partition("[")
    return f"[[{name}]]" if repeats else f"[{path}]"
