"""A message is held whole and durable, or the MTA keeps it."""

from __future__ import annotations

import errno
import os
import re
import resource
import secrets
import threading
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rig.maildir import MESSAGE, SLIP, held, made, message
from turfmilter.core.address.addressed import Addressed
from turfmilter.core.ports import Draft, QuarantineError
from turfmilter.core.report import Slip
from turfmilter.stores.draft import MEMORY
from turfmilter.stores.maildir import Maildir


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return made(tmp_path / "quarantine")


@pytest.fixture
def maildir(path: Path) -> Maildir:
    return Maildir(path, floor=0)


def test_a_message_is_held_byte_for_byte(maildir: Maildir, path: Path) -> None:
    draft = maildir.open(SLIP)
    draft.write(b"Subject: \xff\r\n")
    draft.write(b"\r\n")
    draft.write(b"\0a bare\nline\r")
    id = draft.commit()
    assert held(path) == [path / "new" / id]
    assert message(path / "new" / id) == b"Subject: \xff\r\n\r\n\0a bare\nline\r"
    assert held(path, "tmp") == []


@pytest.mark.parametrize(("size", "files"), [(0, 0), (MEMORY, 0), (MEMORY + 1, 1)])
def test_only_a_message_that_is_too_large_for_memory_has_a_file_before_the_commit(
    maildir: Maildir, path: Path, size: int, files: int
) -> None:
    draft = maildir.open(SLIP)
    draft.write(b"x" * size)
    assert held(path) == []
    assert len(held(path, "tmp")) == files
    assert message(path / "new" / draft.commit()) == b"x" * size
    assert held(path, "tmp") == []


def test_no_more_of_a_message_is_in_memory_than_documented(maildir: Maildir) -> None:
    chunk = b"x" * 65_535
    draft = maildir.open(SLIP)
    tracemalloc.start()
    try:
        for _ in range(40):
            draft.write(chunk)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        draft.abandon()
    assert MEMORY <= most < 1.25 * (MEMORY + len(chunk)), "a bytearray has an eighth in reserve"


def test_abandoning_leaves_nothing_and_may_be_done_twice(maildir: Maildir, path: Path) -> None:
    draft = maildir.open(SLIP)
    draft.write(b"x" * 1_000_000)
    (tmp,) = held(path, "tmp")
    draft.abandon()
    assert held(path) == held(path, "tmp") == []
    tmp.write_bytes(b"another message, by chance of the same name")
    draft.abandon()
    assert held(path, "tmp") == [tmp]


def test_abandoning_after_the_commit_takes_nothing_away(maildir: Maildir, path: Path) -> None:
    draft = maildir.open(SLIP)
    id = draft.commit()
    draft.abandon()
    assert message(path / "new" / id) == b""


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_an_abandoned_message_cannot_be_committed(maildir: Maildir, path: Path, size: int) -> None:
    draft = maildir.open(SLIP)
    draft.write(b"x" * size)
    draft.abandon()
    draft.write(b"x")
    with pytest.raises(QuarantineError, match="abandoned"):
        draft.commit()
    assert held(path) == held(path, "tmp") == []


def test_a_message_cannot_be_committed_twice(maildir: Maildir, path: Path) -> None:
    draft = maildir.open(SLIP)
    draft.commit()
    with pytest.raises(QuarantineError, match="stored before"):
        draft.commit()
    assert len(held(path)) == 1


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_the_mode_is_0640_whatever_the_umask(maildir: Maildir, path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        id = maildir.open(SLIP).commit()
    finally:
        os.umask(before)
    assert (path / "new" / id).stat().st_mode & 0o7777 == 0o640


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_a_name_that_exists_means_another_id(
    maildir: Maildir, path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    draws = [7, 7, 7, 8]
    monkeypatch.setattr(secrets, "randbits", lambda _: draws.pop(0))
    first, second = maildir.open(SLIP), maildir.open(SLIP)
    first.write(MESSAGE)
    older = path / "new" / first.commit()
    second.write(b"x" * size)
    younger = path / "new" / second.commit()
    assert (message(older), message(younger)) == (MESSAGE, b"x" * size)
    assert (draws, held(path), held(path, "tmp")) == ([], [older, younger], [])


def test_ids_are_short_safe_and_sort_by_time(maildir: Maildir) -> None:
    times = [SLIP.time + timedelta(seconds=s) for s in (0, 1, 60, 10**6, 10**9)]
    ids = [maildir.open(replace(SLIP, time=time)).commit() for time in times]
    assert ids == sorted(ids)
    assert all(re.fullmatch(r"[0-9a-hjkmnp-tv-z]{6}-[0-9a-hjkmnp-tv-z]{6}", id) for id in ids)


def test_nothing_of_the_sender_is_part_of_a_path(maildir: Maildir, path: Path) -> None:
    evil = "../../../etc/passwd\0\n/"
    id = maildir.open(
        Slip(Addressed(evil), (Addressed(evil),), evil, evil, evil, evil, evil, evil, SLIP.time, evil, evil)
    ).commit()
    assert [p for p in path.rglob("*") if p.is_file()] == [path / "new" / id]


def test_each_step_may_run_on_another_thread(maildir: Maildir, path: Path) -> None:
    results: list[Any] = []

    def elsewhere(step: Callable[..., Any], *args: Any) -> Any:
        thread = threading.Thread(target=lambda: results.append(step(*args)))
        thread.start()
        thread.join()
        return results.pop()

    draft = elsewhere(maildir.open, SLIP)
    elsewhere(draft.write, MESSAGE[:5])
    elsewhere(draft.write, MESSAGE[5:])
    assert message(path / "new" / elsewhere(draft.commit)) == MESSAGE


def test_messages_at_the_same_moment_all_arrive(maildir: Maildir, path: Path) -> None:
    def hold(number: int) -> None:
        for _ in range(20):
            draft = maildir.open(SLIP)
            draft.write(b"%d" % number)
            draft.commit()

    threads = [threading.Thread(target=hold, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(message(p) for p in held(path)) == sorted(b"%d" % n for n in range(8) for _ in range(20))


def test_durable_first_then_visible_then_said(maildir: Maildir, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, link, unlink = os.fsync, os.link, os.unlink

    def part(file: int) -> str:
        return Path(f"/proc/self/fd/{file}").readlink().relative_to(path).parts[0]

    def named_fsync(file: int) -> None:
        steps.append(f"fsync {part(file)}")
        fsync(file)

    def named_link(old: str, new: str, *, dst_dir_fd: int) -> None:
        steps.append(f"link {Path(old).parent.name} {part(dst_dir_fd)}")
        link(old, new, dst_dir_fd=dst_dir_fd)

    def named_unlink(old: Path) -> None:
        steps.append(f"unlink {old.parent.name}")
        unlink(old)

    monkeypatch.setattr(os, "fsync", named_fsync)
    monkeypatch.setattr(os, "link", named_link)
    monkeypatch.setattr(os, "unlink", named_unlink)
    maildir.open(SLIP).commit()
    assert steps == ["fsync tmp", "link tmp new", "fsync new", "unlink tmp"]


def fsync_of_the_message(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    raising(monkeypatch, "fsync", error, lambda file: not Path(f"/proc/self/fd/{file}").is_dir())


def link(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    raising(monkeypatch, "link", error, lambda *_: True)


def fsync_of_the_directory(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    raising(monkeypatch, "fsync", error, lambda file: Path(f"/proc/self/fd/{file}").is_dir())


def directory(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    raising(monkeypatch, "open", error, lambda _path, flags, *_: flags & os.O_DIRECTORY)


def file(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    raising(monkeypatch, "open", error, lambda _path, flags, *_: flags & os.O_CREAT)


def write(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    raising(monkeypatch, "pwritev", error, lambda *_: True)


def mode(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    raising(monkeypatch, "fchmod", error, lambda *_: True)


def raising(monkeypatch: pytest.MonkeyPatch, call: str, error: OSError, when: Callable[..., object]) -> None:
    """A disk that breaks: no other way to see these."""
    real = getattr(os, call)

    def broken(*args: Any, **more: Any) -> Any:
        if when(*args):
            raise error
        return real(*args, **more)

    monkeypatch.setattr(os, call, broken)


@pytest.mark.parametrize("fails", [directory, file, write, mode, fsync_of_the_message, link, fsync_of_the_directory])
@pytest.mark.parametrize(
    ("number", "full"),
    [(errno.EIO, False), (errno.EACCES, False), (errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EFBIG, True)],
)
def test_a_failing_step_leaves_nothing_and_says_whether_room_was_wanting(
    maildir: Maildir, path: Path, monkeypatch: pytest.MonkeyPatch, fails: Callable[..., None], number: int, full: bool
) -> None:
    draft = maildir.open(SLIP)
    draft.write(MESSAGE)
    fails(monkeypatch, OSError(number, os.strerror(number)))
    with pytest.raises(QuarantineError, match=re.escape(os.strerror(number))) as refused:
        draft.commit()
    assert refused.value.full is full
    assert held(path) == held(path, "tmp") == []


def test_a_name_that_exists_is_kept_when_the_commit_fails(
    maildir: Maildir, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "randbits", lambda _: 7)
    older = maildir.open(SLIP)
    older.write(MESSAGE)
    id = older.commit()
    with pytest.raises(QuarantineError, match="each name that was tried exists already") as refused:
        maildir.open(SLIP).commit()
    assert not refused.value.full
    assert [p.name for p in held(path)] == [id]
    assert message(path / "new" / id) == MESSAGE
    assert held(path, "tmp") == []


@pytest.mark.parametrize("most", [1, 700, 100_000])
@pytest.mark.parametrize("size", [0, 5000, 600_000])
def test_a_kernel_that_writes_only_a_part_is_asked_for_the_rest(
    maildir: Maildir, path: Path, monkeypatch: pytest.MonkeyPatch, most: int, size: int
) -> None:
    """write(2) may do so at any time, but no file system does when there is room."""
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwritev", lambda file, pieces, place: pwrite(file, b"".join(pieces)[:most], place))
    draft = maildir.open(SLIP)
    text = bytes(range(256)) * (size // 256)
    for start in range(0, len(text), 65_535):
        draft.write(text[start : start + 65_535])
    assert message(path / "new" / draft.commit()) == text


@pytest.mark.parametrize("part", ["tmp", "new"])
def test_a_directory_that_went_away_is_trouble(maildir: Maildir, path: Path, part: str) -> None:
    draft = maildir.open(SLIP)
    (path / part).rename(path / "elsewhere")
    with pytest.raises(QuarantineError, match="No such file") as refused:
        draft.commit()
    assert not refused.value.full
    with pytest.raises(QuarantineError):
        maildir.open(SLIP).commit()


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_out_of_file_descriptors_is_trouble(maildir: Maildir, path: Path, size: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    draft = maildir.open(SLIP)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(QuarantineError, match="Too many open files"):
            store(draft, size)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert held(path) == held(path, "tmp") == []


def store(draft: Draft, size: int) -> str:
    draft.write(b"x" * size)
    return draft.commit()


@pytest.mark.parametrize("size", [100_000, 1_000_000])
def test_a_file_size_limit_is_want_of_room(maildir: Maildir, path: Path, size: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(QuarantineError, match="File too large") as refused:
            store(maildir.open(SLIP), size)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.value.full
    assert held(path, "tmp") == []
