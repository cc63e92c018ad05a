"""Who works in the quarantine, and whom the program becomes.  Only root can become somebody else."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from rig.child import in_child
from turfmilter.review import administrator as module
from turfmilter.review.administrator import Administrator, NoOwner, administrator, quarantine_user

NOBODY = pwd.getpwnam("nobody")
NO_LOGIN = str(2**32 - 1)


@pytest.fixture(autouse=True)
def login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The kernel's note of who has logged in, as a file of our own: a test cannot log in."""
    assert os.geteuid() == 0, "only root can become somebody else: run these tests as root"
    path = tmp_path / "loginuid"
    path.write_text(NO_LOGIN)
    monkeypatch.setattr(module, "_LOGIN_UID", path)
    monkeypatch.delenv("SUDO_USER", raising=False)
    return path


def test_without_a_login_it_is_the_user(login: Path) -> None:
    assert administrator() == Administrator("root", 0)
    login.unlink()
    assert administrator() == Administrator("root", 0)


def test_sudo_says_who_it_was_where_the_kernel_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    assert administrator() == Administrator("anna", 0)


def test_the_kernel_is_believed_before_sudo(login: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    login.write_text(str(NOBODY.pw_uid))
    monkeypatch.setenv("SUDO_USER", "anna")
    assert administrator() == Administrator("nobody", 0)


def test_nobody_but_sudo_can_name_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")

    def check() -> None:
        assert administrator() == Administrator("nobody", NOBODY.pw_uid)

    in_child(check, user="nobody")


def test_whom_root_becomes_is_in_the_configuration(tmp_path: Path) -> None:
    os.chown(tmp_path, pwd.getpwnam("daemon").pw_uid, -1)
    assert quarantine_user("nobody", tmp_path) == "nobody"
    assert quarantine_user("", tmp_path) == "daemon"


@pytest.mark.parametrize(
    ("uid", "said"),
    [(0, "belongs to root, but the filter never runs as root"), (54321, "does not belong to a user of this host")],
)
def test_a_runtime_directory_of_nobody_in_particular_names_nobody(tmp_path: Path, uid: int, said: str) -> None:
    os.chown(tmp_path, uid, -1)
    with pytest.raises(NoOwner, match=f'{said}; set user = "turfmilter" in the configuration'):
        quarantine_user("", tmp_path)


def test_without_a_runtime_directory_the_user_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(NoOwner, match=r"^started by root, and /.*/none: No such file or directory; set user = "):
        quarantine_user("", tmp_path / "none")


def test_a_link_in_the_runtime_directorys_place_names_nobody(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", NOBODY.pw_uid, -1)
    (tmp_path / "link").symlink_to("theirs")
    with pytest.raises(NoOwner, match="belongs to root"):
        quarantine_user("", tmp_path / "link")
