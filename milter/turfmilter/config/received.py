"""What Postfix receives mail for, as main.cf and the files and tables that it names say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from turfmilter.config.textfile import TextFileError, Texts
from turfmilter.importers.maincf import PARENT_STYLE, RECEIVING, Received, read_received

MAIN_CF = "main.cf"
# What postmap(1) makes of the source of a table; a texthash is its own source, and inline has no file.
_INDEXED = {"btree": ".db", "cdb": ".cdb", "dbm": ".pag", "hash": ".db", "lmdb": ".lmdb", "sdbm": ".pag"}
_PLAIN = "texthash"


class PostfixError(Exception):
    """Postfix's own programs cannot say what was asked for; the text says why."""


class Postfix(Protocol):
    """What Postfix's programs say about its configuration.  Both methods raise PostfixError.

    `directory` is the one of main.cf; None is the one that postconf(1) takes by default.
    """

    def parameters(self, names: Iterable[str], directory: Path | None) -> Mapping[str, str]:
        """The values of parameters, all variables expanded."""

    def keys(self, table: str, directory: Path | None) -> Sequence[str]:
        """The keys of a table (`hash:PATH`)."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Implements Postfix: what `postfix` said is a text among `texts`, and is not asked for where these are kept."""

    postfix: Postfix | None
    texts: Texts

    def parameters(self, names: Iterable[str], directory: Path | None) -> Mapping[str, str]:
        """As Postfix says.  Raises PostfixError."""
        names = tuple(names)
        name = f"postconf {directory or ''}: {' '.join(names)}"
        found = self._get(name, lambda postfix: dict(postfix.parameters(names, directory)))
        return {str(key): str(value) for key, value in dict(found).items()}

    def keys(self, table: str, directory: Path | None) -> Sequence[str]:
        """As Postfix says.  Raises PostfixError."""
        found = self._get(f"postmap {directory or ''}: {table}", lambda postfix: list(postfix.keys(table, directory)))
        return [str(key) for key in found]

    def _get(self, name: str, ask: Callable[[Postfix], object]) -> Any:
        def fetch() -> str:
            if self.postfix is None:
                raise PostfixError(f"{name}: nobody is asked")
            return json.dumps(ask(self.postfix))

        try:
            return json.loads(self.texts.get(name, fetch))
        except TextFileError as error:
            raise PostfixError(str(error)) from None


def received(postfix: Postfix, directory: Path | None, files: list[Path], texts: Texts | None = None) -> Received:
    """What main.cf in `directory` says; every file that says a part of it is added to `files`, main.cf first.

    Raises PostfixError, or TextFileError for a file that cannot be read.
    """
    if directory:
        files.append(directory / MAIN_CF)  # also when it cannot be read: then it is what is to be fixed
    parameters = postfix.parameters((*RECEIVING, PARENT_STYLE, "config_directory"), directory)
    if not directory:
        files.append(Path(parameters["config_directory"], MAIN_CF))
    return read_received(parameters, _Files(postfix, directory, files, texts or Texts()))


def explain_unlisted(parameter: str, table: str) -> str:
    """The sentence about a table whose keys cannot be listed."""
    return (
        f"main.cf: {parameter}: the domains in {table} cannot be listed, and turfmilter refuses what it does not know;"
        ' write them into a file with a command, and add "file:PATH" to domains'
    )


@dataclass
class _Files:
    """Implements importers.maincf.Reader."""

    postfix: Postfix
    directory: Path | None
    files: list[Path]
    texts: Texts

    def lines(self, path: str) -> Sequence[str]:
        self.files.append(Path(path))
        return self.texts.file(Path(path)).split("\n")

    def keys(self, table: str) -> Sequence[str]:
        """As Postfix sees them; from the source where the index is of a type that cannot be listed (cdb)."""
        kind, _, name = table.partition(":")
        source = Path(name)
        if kind == _PLAIN:
            self.files.append(source)
        elif kind in _INDEXED:
            self.files.append(Path(f"{name}{_INDEXED[kind]}"))
        try:
            return self.postfix.keys(table, self.directory)
        except PostfixError:
            if kind not in _INDEXED or not self.texts.is_file(source):
                raise
        self.files.append(source)
        lines = (
            line.split(None, 1) for line in self.texts.file(source).split("\n") if line[:1] not in ("", "#", " ", "\t")
        )
        return [words[0].lower() for words in lines if words]
