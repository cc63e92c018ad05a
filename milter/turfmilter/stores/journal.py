"""The directory of the journal: reading what all processes have written, compressing and removing old files."""

from __future__ import annotations

import fcntl
import gzip
import os
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from heapq import merge
from pathlib import Path
from typing import BinaryIO

from turfmilter.config.descent import CAREFULLY
from turfmilter.core.journal.line import Unreadable, decode, time_of
from turfmilter.core.journal.ports import Wanted
from turfmilter.core.journal.transaction import Transaction
from turfmilter.stores.files import temporary
from turfmilter.stores.journalfile import SUFFIX

_COMPRESSED = f"{SUFFIX}.gz"
_NAME = re.compile(r"\d{4}-\d\d-\d\d\.\w+\.\d+\.jsonl(?:\.gz)?", re.ASCII)
_PIECE = 1 << 20  # octets
_ABANDONED = 3600.0  # seconds: no process needs as long
_LEVEL = 1  # zlib: three times as fast as the default, and hardly larger


class JournalDirectory:
    """Implements ports.Transactions for the files in `directory`.

    `skipped` counts lines that were left out, by why; files that vanish while they are read are not an error, because
    they are compressed and removed at any time.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.skipped: Counter[str] = Counter()

    def begins(self) -> datetime | None:
        """Return the time of the oldest transaction, None if there is none.  Raises OSError."""
        for day in self._days(None):
            times = [time_of(line) for name in day for line in self._lines(name, None, lambda _: True, most=1)]
            if found := sorted(filter(None, times)):
                return datetime.fromisoformat(found[0]).replace(tzinfo=UTC)
        return None

    def newest(self, since: datetime | None, wanted: Wanted) -> Iterator[Transaction]:
        """Yield the transactions that ended after `since`, the newest first.  Raises OSError."""
        for day in reversed(self._days(since)):
            lines = [line for name in day for line in self._lines(name, since, wanted)]
            yield from self._decoded(iter(sorted(lines, key=time_of, reverse=True)))

    def oldest(self, since: datetime | None, wanted: Wanted) -> Iterator[Transaction]:
        """Yield the transactions that ended after `since`, the oldest first.  Raises OSError."""
        for day in self._days(since):
            yield from self._decoded(merge(*(self._lines(name, since, wanted) for name in day), key=time_of))

    def shares(self, since: datetime | None, most: int) -> list[Callable[[], Iterator[Transaction]]]:
        """Return up to `most` functions that together yield the same as `oldest`, each in its order.

        The transactions of one connection are all in one share.
        """
        files: defaultdict[str, list[str]] = defaultdict(list)
        for day in self._days(since):
            for name in day:
                files[_process(name)].append(name)
        shares: list[list[str]] = [[] for _ in range(min(most, len(files)))]
        sizes = [0] * len(shares)
        for names in sorted(files.values(), key=self._size, reverse=True):
            least = sizes.index(min(sizes))
            shares[least] += names
            sizes[least] += self._size(names)
        return [lambda names=names: self._share(names, since) for names in shares]  # type: ignore[misc]

    def _share(self, names: Sequence[str], since: datetime | None) -> Iterator[Transaction]:
        for name in names:
            yield from self._decoded(self._lines(name, since, lambda _: True))

    def _decoded(self, lines: Iterator[bytes]) -> Iterator[Transaction]:
        for line in lines:
            try:
                yield decode(line)
            except Unreadable as error:
                self.skipped[str(error)] += 1

    def _days(self, since: datetime | None) -> list[list[str]]:
        """Return the names of files, together by their day, the oldest first."""
        days: defaultdict[str, set[str]] = defaultdict(set)
        first = since.date().isoformat() if since else ""
        for name in _names(self._directory):
            if _is_file(name) and name[:10] >= first:
                days[name[:10]].add(name.removesuffix(".gz"))
        return [sorted(days[day], key=_order) for day in sorted(days)]

    def _lines(self, name: str, since: datetime | None, wanted: Wanted, *, most: int = 0) -> Iterator[bytes]:
        """Yield the lines of a file that are `wanted`, at most `most` if that is not 0."""
        first = since.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") if since else ""
        found = 0
        for line in self._whole_lines(name):
            # Whatever has no time may be of another version: it is looked at, so that it is counted.
            if wanted(line) and not "" < time_of(line) < first:
                yield line
                found += 1
                if found == most:
                    return

    def _whole_lines(self, name: str) -> Iterator[bytes]:
        """Yield the lines of a file; one that has no end is counted as skipped, and so is a damaged rest."""
        file = self._open(name)
        if file is None:
            return
        with file:
            try:
                for line in file:
                    if line.endswith(b"\n"):
                        yield line
                    else:
                        self.skipped["truncated"] += 1
            except (EOFError, zlib.error, gzip.BadGzipFile):
                self.skipped["truncated"] += 1

    def _open(self, name: str) -> BinaryIO | None:
        """Open a file, whether it is compressed by now or not; None if it was removed."""
        # The compressed one first: if both are there, it is complete, and the other is about to be removed.
        for candidate in (f"{name}.gz", name, f"{name}.gz"):
            with suppress(FileNotFoundError):
                file = os.fdopen(os.open(self._directory / candidate, CAREFULLY), "rb", _PIECE)
                return gzip.GzipFile(fileobj=file) if candidate.endswith(".gz") else file  # type: ignore[return-value]
        return None

    def _size(self, names: Sequence[str]) -> int:
        size = 0
        for name in names:
            for path in (self._directory / name, self._directory / f"{name}.gz"):
                with suppress(FileNotFoundError):
                    size += path.stat().st_size * (8 if path.suffix == ".gz" else 1)
        return size


def maintain(directory: Path, now: datetime, keep: timedelta, most: int) -> int:
    """Compress files that are no longer written to; remove what is older than `keep`, and the oldest beyond `most`.

    Return the octets that remain; `most` is in octets, 0 for no limit.  Raises OSError.
    """
    _clean(directory, now)
    first = (now.date() - keep).isoformat()
    sizes: dict[str, int] = {}
    for name in sorted(filter(_is_file, _names(directory)), key=_order):
        path = directory / name
        with suppress(FileNotFoundError):
            if name[:10] < first:
                path.unlink()
                continue
            if name.endswith(SUFFIX):
                path = _compressed(path)
            sizes[path.name] = path.stat().st_size
    total = sum(sizes.values())
    for name, size in sizes.items():
        if not 0 < most < total:
            break
        if name.endswith(_COMPRESSED):
            (directory / name).unlink(missing_ok=True)
            total -= size
    return total


def _names(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


def _is_file(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _compressed(path: Path) -> Path:
    """Compress a file unless it is being written to; return the path of what is there now."""
    with os.fdopen(os.open(path, CAREFULLY), "rb") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return path
        whole = path.with_name(f"{path.name}.gz")
        coming = path.with_name(f"{temporary(whole.name)}{os.getpid()}")
        try:
            with os.fdopen(os.open(coming, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640), "wb") as raw:
                with gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_LEVEL) as packed:
                    while piece := file.read(_PIECE):
                        packed.write(piece)
                raw.flush()
                os.fsync(raw.fileno())
            coming.rename(whole)
        except BaseException:
            coming.unlink(missing_ok=True)
            raise
        path.unlink()
        return whole


def _clean(directory: Path, now: datetime) -> None:
    """Remove the files that a process left behind that was killed while it created or compressed one."""
    for name in _names(directory):
        path = directory / name
        with suppress(FileNotFoundError):
            if name.startswith(".") and SUFFIX in name and now.timestamp() - path.lstat().st_mtime > _ABANDONED:
                path.unlink()


def _process(name: str) -> str:
    return name.split(".")[1]


def _order(name: str) -> tuple[str, str, int]:
    """The day, the process and the number in the name of a file."""
    day, process, number, *_ = name.split(".")
    return day, process, int(number)
