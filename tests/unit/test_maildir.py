"""A message is held whole and durable, or the MTA keeps it."""

from __future__ import annotations

import errno
import os
import re
import resource
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rig.maildir import MESSAGE, SLIP, held, made, message
from turfmilter.core.address.addressed import Addressed
from turfmilter.core.ports import QuarantineError
from turfmilter.core.report import Slip
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


def test_nothing_is_visible_before_the_commit(maildir: Maildir, path: Path) -> None:
    draft = maildir.open(SLIP)
    draft.write(b"x" * 1_000_000)
    assert held(path) == []
    assert len(held(path, "tmp")) == 1
    draft.abandon()


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


def test_an_abandoned_message_cannot_be_committed(maildir: Maildir, path: Path) -> None:
    draft = maildir.open(SLIP)
    draft.abandon()
    with pytest.raises(ValueError, match="closed"):
        draft.commit()
    assert held(path) == held(path, "tmp") == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o777])
def test_the_mode_is_0640_whatever_the_umask(maildir: Maildir, path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        id = maildir.open(SLIP).commit()
    finally:
        os.umask(before)
    assert (path / "new" / id).stat().st_mode & 0o7777 == 0o640


def test_a_name_that_exists_means_another_id(maildir: Maildir, path: Path) -> None:
    draft = maildir.open(SLIP)
    draft.write(MESSAGE)
    (tmp,) = held(path, "tmp")
    taken = path / "new" / tmp.name.partition(".")[0]
    taken.write_bytes(b"an older message")
    id = draft.commit()
    assert id != taken.name
    assert message(path / "new" / id) == MESSAGE
    assert taken.read_bytes() == b"an older message"
    assert held(path, "tmp") == []


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
    fsync, link, unlink = os.fsync, os.link, Path.unlink

    def named_fsync(file: int) -> None:
        steps.append(f"fsync {Path(f'/proc/self/fd/{file}').readlink().relative_to(path).parts[0]}")
        fsync(file)

    def named_link(old: str, new: str) -> None:
        steps.append(f"link {Path(old).parent.name} {Path(new).parent.name}")
        link(old, new)

    def named_unlink(self: Path) -> None:
        steps.append(f"unlink {self.parent.name}")
        unlink(self)

    monkeypatch.setattr(os, "fsync", named_fsync)
    monkeypatch.setattr(os, "link", named_link)
    monkeypatch.setattr(Path, "unlink", named_unlink)
    maildir.open(SLIP).commit()
    assert steps == ["fsync tmp", "link tmp new", "fsync new", "unlink tmp"]


def fsync_of_the_message(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    raising(monkeypatch, "fsync", error, lambda file: not Path(f"/proc/self/fd/{file}").is_dir())


def link(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    raising(monkeypatch, "link", error, lambda *_: True)


def fsync_of_the_directory(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    raising(monkeypatch, "fsync", error, lambda file: Path(f"/proc/self/fd/{file}").is_dir())


def raising(monkeypatch: pytest.MonkeyPatch, call: str, error: OSError, when: Callable[..., bool]) -> None:
    """A disk that breaks: no other way to see these."""
    real = getattr(os, call)

    def broken(*args: Any) -> Any:
        if when(*args):
            raise error
        return real(*args)

    monkeypatch.setattr(os, call, broken)


@pytest.mark.parametrize("fails", [fsync_of_the_message, link, fsync_of_the_directory])
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
    draft = maildir.open(SLIP)
    (tmp,) = held(path, "tmp")
    (path / "new" / tmp.name.partition(".")[0]).write_bytes(b"an older message")
    raising(monkeypatch, "link", FileExistsError(errno.EEXIST, "File exists"), lambda *_: True)
    with pytest.raises(QuarantineError) as refused:
        draft.commit()
    assert not refused.value.full
    assert [p.read_bytes() for p in held(path)] == [b"an older message"]
    assert held(path, "tmp") == []


@pytest.mark.parametrize("part", ["tmp", "new"])
def test_a_directory_that_went_away_is_trouble(maildir: Maildir, path: Path, part: str) -> None:
    draft = maildir.open(SLIP)
    (path / part).rename(path / "elsewhere")
    with pytest.raises(QuarantineError, match="No such file") as refused:
        draft.commit()
    assert not refused.value.full
    with pytest.raises(QuarantineError):
        maildir.open(SLIP).commit()


def test_out_of_file_descriptors_is_trouble(maildir: Maildir, path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    draft = maildir.open(SLIP)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        with pytest.raises(QuarantineError, match="Too many open files"):
            maildir.open(SLIP)
        with pytest.raises(QuarantineError, match="Too many open files"):
            draft.commit()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert held(path) == held(path, "tmp") == []


def test_a_file_size_limit_is_want_of_room(maildir: Maildir, path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(QuarantineError, match="File too large") as refused:
            maildir.open(SLIP).write(b"x" * 1_000_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.value.full
    assert held(path, "tmp") == []
