"""The domains for which Postfix receives mail, from main.cf and the files and tables that it names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from turfmilter.config.textfile import TextFileError, Texts
from turfmilter.importers.maincf import PARENT_STYLE, RECEIVING, Received, read_received

MAIN_CF = "main.cf"
# The suffix that postmap(1) adds to the source of a table; a texthash is its own source, and inline has no file.
_INDEXED = {"btree": ".db", "cdb": ".cdb", "dbm": ".pag", "hash": ".db", "lmdb": ".lmdb", "sdbm": ".pag"}
_PLAIN = "texthash"


class PostfixError(Exception):
    """One of Postfix's programs failed; the text is the reason."""


class Postfix(Protocol):
    """Queries Postfix's programs about its configuration.  Both methods raise PostfixError.

    `directory` is the directory of main.cf; None is the default of postconf(1).
    """

    def parameters(self, names: Iterable[str], directory: Path | None) -> Mapping[str, str]:
        """Return the values of parameters, with all variables expanded."""

    def keys(self, table: str, directory: Path | None) -> Sequence[str]:
        """Return the keys of a table (`hash:PATH`)."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """Implements Postfix: the answers of `postfix` are among `texts`, and it is not queried if these are kept."""

    postfix: Postfix | None
    texts: Texts

    def parameters(self, names: Iterable[str], directory: Path | None) -> Mapping[str, str]:
        """Return the values of parameters.  Raises PostfixError."""
        names = tuple(names)
        name = f"postconf {directory or ''}: {' '.join(names)}"
        found = self._get(name, lambda postfix: dict(postfix.parameters(names, directory)))
        return {str(key): str(value) for key, value in dict(found).items()}

    def keys(self, table: str, directory: Path | None) -> Sequence[str]:
        """Return the keys of a table.  Raises PostfixError."""
        found = self._get(f"postmap {directory or ''}: {table}", lambda postfix: list(postfix.keys(table, directory)))
        return [str(key) for key in found]

    def _get(self, name: str, ask: Callable[[Postfix], object]) -> Any:
        def fetch() -> str:
            if self.postfix is None:
                raise PostfixError(f"{name}: not in the copy")
            return json.dumps(ask(self.postfix))

        try:
            return json.loads(self.texts.get(name, fetch))
        except TextFileError as error:
            raise PostfixError(str(error)) from None


def received(postfix: Postfix, directory: Path | None, files: list[Path], texts: Texts | None = None) -> Received:
    """Return the domains in main.cf in `directory`; add every file that has a part of them to `files`, main.cf first.

    Raises PostfixError, or TextFileError for a file that cannot be read.
    """
    if directory:
        files.append(directory / MAIN_CF)  # now, because if it cannot be read, it is the file to be fixed
    parameters = postfix.parameters((*RECEIVING, PARENT_STYLE, "config_directory"), directory)
    if not directory:
        files.append(Path(parameters["config_directory"], MAIN_CF))
    return read_received(parameters, _Files(postfix, directory, files, texts or Texts()))


def explain_unlisted(parameter: str, table: str) -> str:
    """Return the message about a table whose keys cannot be listed."""
    return (
        f"main.cf: {parameter}: the domains in {table} cannot be listed, and turfmilter refuses mail for domains that"
        ' it does not know; write them to a file with a command, and add "file:PATH" to domains'
    )


@dataclass
class _Files:
    """Implements importers.maincf.Reader; adds every file that is read to `files`."""

    postfix: Postfix
    directory: Path | None
    files: list[Path]
    texts: Texts

    def lines(self, path: str) -> Sequence[str]:
        self.files.append(Path(path))
        return self.texts.file(Path(path)).split("\n")

    def keys(self, table: str) -> Sequence[str]:
        """Return the keys as Postfix reads them, or from the source if Postfix cannot list the index (cdb)."""
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
