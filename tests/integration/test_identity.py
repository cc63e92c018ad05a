"""Who the daemon is.  Only root can become somebody else: these tests need root."""

from __future__ import annotations

import os
import pwd

import pytest

from rig.child import in_child
from turfmilter.daemon import identity

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture(autouse=True)
def root() -> None:
    assert os.geteuid() == 0, "only root can become somebody else: run these tests as root"


@pytest.mark.parametrize("user", ["", "root"])
def test_root_is_refused_without_somebody_to_become(user: str) -> None:
    with pytest.raises(identity.IdentityError, match=r'^started by root: set user = "turfmilter" in the configuration'):
        identity.check(user)


def test_root_may_start_it_for_somebody_else() -> None:
    identity.check("nobody")


def test_becoming_somebody_is_complete_and_for_good() -> None:
    def check() -> None:
        os.setgroups([0, 4, 6])
        identity.become("nobody")
        assert os.getresuid() == (NOBODY.pw_uid,) * 3
        assert os.getresgid() == (NOBODY.pw_gid,) * 3
        assert set(os.getgroups()) == set(os.getgrouplist("nobody", NOBODY.pw_gid))
        with pytest.raises(PermissionError):
            os.setuid(0)
        with pytest.raises(PermissionError):
            os.setgroups([0])

    in_child(check)


@pytest.mark.parametrize("user", ["", "root", "daemon"])
def test_whoever_is_not_root_stays_who_he_is(user: str) -> None:
    def check() -> None:
        identity.check(user)
        identity.become(user)
        assert os.getresuid() == (NOBODY.pw_uid,) * 3
        assert os.getresgid() == (NOBODY.pw_gid,) * 3

    in_child(check, user="nobody")


@pytest.mark.parametrize(
    ("user", "said"),
    [
        ("", []),
        ("nobody", []),
        ("daemon", ["started by user nobody, which cannot become daemon; start it as root, or as daemon"]),
    ],
)
def test_whoever_starts_it_for_somebody_else_and_is_not_root_is_told(user: str, said: list[str]) -> None:
    def check() -> None:
        assert identity.warnings(user) == said

    in_child(check, user="nobody")


def test_root_is_told_nothing() -> None:
    assert identity.warnings("daemon") == []
