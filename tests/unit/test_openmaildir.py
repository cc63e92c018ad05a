"""A quarantine opened for review: states are flags, others may change them, and no link leads out of it."""

from __future__ import annotations

import mailbox
import os
import stat
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig.filter import make_quarantine
from rig.quarantine import MESSAGE, hold
from turfmilter.core.held.message import NotAMessage, State, Unopenable
from turfmilter.stores.opened import HeldFile, OpenMaildir


@pytest.fixture
def quarantine(tmp_path: Path) -> Path:
    return make_quarantine(tmp_path / "quarantine")


@pytest.fixture
def maildir(quarantine: Path) -> Iterator[OpenMaildir]:
    with OpenMaildir(quarantine) as opened:
        yield opened


def listed(maildir: OpenMaildir) -> list[str]:
    return sorted(f"{file.part}/{file.name}" for file, _ in maildir.files())


@pytest.mark.parametrize(
    ("name", "id", "state"),
    [
        ("2q06cc-pnctn5", "2q06cc-pnctn5", State.UNREVIEWED),
        ("2q06cc-pnctn5:2,", "2q06cc-pnctn5", State.UNREVIEWED),
        ("2q06cc-pnctn5:2,S", "2q06cc-pnctn5", State.REVIEWED),
        ("2q06cc-pnctn5:2,RS", "2q06cc-pnctn5", State.REVIEWED),
        ("2q06cc-pnctn5:2,PS", "2q06cc-pnctn5", State.RELEASED),
        ("2q06cc-pnctn5:2,PST", "2q06cc-pnctn5", State.DELETED),
        ("2q06cc-pnctn5:2,F", "2q06cc-pnctn5", State.UNREVIEWED),
        ("anything:1,S", "anything:1,S", State.UNREVIEWED),
    ],
)
@pytest.mark.parametrize("part", ["new", "cur"])
def test_the_state_is_in_the_name(name: str, id: str, state: State, part: str) -> None:
    file = HeldFile(name, part)
    assert (file.id, file.state) == (id, state)


def test_flags_are_added_and_removed_by_a_rename(quarantine: Path, maildir: OpenMaildir) -> None:
    id = hold(quarantine)
    file = maildir.change(HeldFile(id, "new"), add="T")
    assert listed(maildir) == [f"cur/{id}:2,T"]
    file = maildir.change(file, add="S")
    assert listed(maildir) == [f"cur/{id}:2,ST"]
    file = maildir.change(file, remove="T")
    assert listed(maildir) == [f"cur/{id}:2,S"]
    assert maildir.change(file, add="S") == file


def test_flags_that_are_not_ours_stay(quarantine: Path, maildir: OpenMaildir) -> None:
    id = hold(quarantine, file="cur/{id}:2,FR")
    assert maildir.change(HeldFile(f"{id}:2,FR", "cur"), add="S").name == f"{id}:2,FRS"


@pytest.mark.parametrize("now", ["cur/{id}:2,S", "cur/{id}:2,FS", "cur/{id}:2,"])
def test_somebody_elses_change_is_kept(quarantine: Path, maildir: OpenMaildir, now: str) -> None:
    """Between our look at the directory and our rename mutt or another administrator was quicker."""
    id = hold(quarantine, file=now)
    flags = set(now.partition(":2,")[2])
    assert maildir.change(HeldFile(id, "new"), add="T").flags == flags | {"T"}


def test_a_message_that_is_gone_is_said_to_be(maildir: OpenMaildir) -> None:
    with pytest.raises(FileNotFoundError):
        maildir.change(HeldFile("2q06cc-pnctn5", "new"), add="S")
    with pytest.raises(FileNotFoundError):
        maildir.change(HeldFile("2q06cc-pnctn5:2,S", "cur"), add="S")


def test_no_other_file_is_ever_overwritten(quarantine: Path, maildir: OpenMaildir) -> None:
    id = hold(quarantine)
    (quarantine / "cur" / f"{id}:2,S").write_bytes(b"another one")
    with pytest.raises(FileExistsError, match=rf"^cur/{id}:2,S exists as well; nothing was done to either$"):
        maildir.change(HeldFile(id, "new"), add="S")
    assert (quarantine / "cur" / f"{id}:2,S").read_bytes() == b"another one"


def test_two_administrators_at_once_lose_no_flag(quarantine: Path, maildir: OpenMaildir) -> None:
    ids = [hold(quarantine) for _ in range(200)]

    def mark(flag: str) -> None:
        with OpenMaildir(quarantine) as own:
            for id in ids:
                own.change(HeldFile(id, "new"), add=flag)

    both = [threading.Thread(target=mark, args=(flag,)) for flag in "ST"]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert listed(maildir) == sorted(f"cur/{id}:2,ST" for id in ids)


def test_pythons_mailbox_sees_what_we_set_and_we_see_what_it_sets(quarantine: Path, maildir: OpenMaildir) -> None:
    ours, theirs = hold(quarantine), hold(quarantine)
    maildir.change(HeldFile(ours, "new"), add="S")
    box = mailbox.Maildir(quarantine, create=False)
    assert box.get_message(ours).get_flags() == "S"
    message = box.get_message(theirs)
    message.set_subdir("cur")
    message.set_flags("TS")
    box[theirs] = message
    assert {file.id: file.state for file, _ in maildir.files()} == {ours: State.REVIEWED, theirs: State.DELETED}
    assert len(box) == 2


def test_a_rename_as_mutt_does_it_is_never_two_messages(quarantine: Path, maildir: OpenMaildir) -> None:
    """It links the new name before it removes the old one; both are the same file."""
    id = hold(quarantine)
    (quarantine / "cur" / f"{id}:2,S").hardlink_to(quarantine / "new" / id)
    with maildir.open(HeldFile(f"{id}:2,S", "cur")) as file:
        assert file.read().endswith(MESSAGE)


def test_a_crash_between_link_and_unlink_leaves_a_message_that_can_be_read(
    quarantine: Path, maildir: OpenMaildir
) -> None:
    id = hold(quarantine)
    (quarantine / "tmp" / f"{id}.host").hardlink_to(quarantine / "new" / id)
    with maildir.open(HeldFile(id, "new")) as file:
        assert file.read().endswith(MESSAGE)


def copied(quarantine: Path, id: str, name: str = "cur/1764530000.M1P1.mx,S=99:2,S") -> Path:
    """As Dovecot does for an IMAP COPY: another name for the same file."""
    copy = quarantine / name
    for directory in (copy.parents[1], copy.parent):
        directory.mkdir(exist_ok=True)
    copy.hardlink_to(quarantine / "new" / id)
    return copy


@pytest.mark.parametrize(
    "name", ["cur/1764530000.M1P1.mx,S=99:2,S", "new/1764530000.M1P1.mx", ".Checked/cur/1.mx:2,", ".A.B/new/1.mx"]
)
def test_a_copy_that_an_imap_server_has_made_is_no_obstacle(quarantine: Path, maildir: OpenMaildir, name: str) -> None:
    id = hold(quarantine)
    copy = copied(quarantine, id, name)
    with maildir.open(HeldFile(id, "new")) as file:
        assert file.read().endswith(MESSAGE)
    copied(quarantine, id, "cur/another:2,")
    with maildir.open(HeldFile("another:2,", "cur")) as file:
        assert file.read().endswith(MESSAGE)
    maildir.remove(HeldFile(id, "new"))
    assert copy.read_bytes().endswith(MESSAGE)


@pytest.mark.parametrize("where", ["beside", "root of the quarantine", "a directory behind a link", "no mailbox"])
def test_a_name_outside_of_the_mailboxes_is_still_refused(quarantine: Path, maildir: OpenMaildir, where: str) -> None:
    id = hold(quarantine)
    copied(quarantine, id)
    if where == "a directory behind a link":
        (quarantine.parent / "elsewhere" / "cur").mkdir(parents=True)
        (quarantine / ".Linked").symlink_to(quarantine.parent / "elsewhere")
    names = {
        "beside": quarantine.parent / "kept",
        "root of the quarantine": quarantine / "kept",
        "a directory behind a link": quarantine.parent / "elsewhere" / "cur" / "kept",
        "no mailbox": quarantine / "notes" / "cur" / "kept",
    }
    names[where].parent.mkdir(parents=True, exist_ok=True)
    names[where].hardlink_to(quarantine / "new" / id)
    with pytest.raises(NotAMessage, match=r"^a file of 3 links: another one is outside the quarantine$"):
        maildir.open(HeldFile(id, "new"))


def test_a_name_that_has_gone_outside_since_the_last_look_counts_no_more(
    quarantine: Path, maildir: OpenMaildir
) -> None:
    id = hold(quarantine)
    copy = copied(quarantine, id)
    maildir.open(HeldFile(id, "new")).close()
    copy.rename(quarantine.parent / "kept")
    with pytest.raises(NotAMessage, match=r"^a file of 2 links: another one is outside"):
        maildir.open(HeldFile(id, "new"))
    copy.hardlink_to(secret(quarantine))  # the name that is remembered is another file's now
    with pytest.raises(NotAMessage, match=r"^a file of 2 links: another one is outside"):
        maildir.open(HeldFile(id, "new"))


def secret(quarantine: Path) -> Path:
    path = quarantine.parent / "secret"
    path.write_text("secret")
    return path


@pytest.mark.parametrize(
    ("plant", "what"),
    [
        (lambda path, secret: path.symlink_to(secret), "a symbolic link, not a message"),
        (lambda path, secret: path.hardlink_to(secret), "a file of 2 links: another one is outside"),
        (lambda path, _: os.mkfifo(path), "a pipe, not a message"),
        (lambda path, _: path.mkdir(), "a directory, not a message"),
        (lambda path, _: os.mknod(path, 0o600 | stat.S_IFSOCK), "a device or a socket, not a message"),
    ],
    ids=["symbolic link", "hard link", "pipe", "directory", "socket"],
)
def test_what_was_planted_is_not_opened(
    quarantine: Path, maildir: OpenMaildir, plant: Callable[[Path, Path], None], what: str
) -> None:
    plant(quarantine / "new" / "planted", secret(quarantine))
    with pytest.raises(NotAMessage, match=f"^{what}"):
        maildir.open(HeldFile("planted", "new"))


@pytest.mark.parametrize("part", ["tmp", "new", "cur"])
def test_a_directory_that_is_a_link_is_not_entered(quarantine: Path, part: str) -> None:
    elsewhere = quarantine.parent / "elsewhere"
    (quarantine / part).rename(elsewhere)
    (quarantine / part).symlink_to(elsewhere)
    with pytest.raises(Unopenable, match=rf"^quarantine {quarantine}/{part}: Not a directory$"):
        OpenMaildir(quarantine)


def test_a_quarantine_moved_away_after_it_was_opened_is_still_the_one(quarantine: Path, maildir: OpenMaildir) -> None:
    id = hold(quarantine)
    quarantine.rename(quarantine.parent / "moved")
    make_quarantine(quarantine)
    assert listed(maildir) == [f"new/{id}"]


def test_files_of_programs_are_no_messages(quarantine: Path, maildir: OpenMaildir) -> None:
    (quarantine / "new" / ".nfs0001").touch()
    assert listed(maildir) == []


def test_a_quarantine_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unopenable, match=rf"^quarantine {tmp_path}/none: No such file or directory$"):
        OpenMaildir(tmp_path / "none")
