"""Whether the MTA can reach the socket.  Real users, real directories; they need root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from rig.child import in_child
from rig.golden import Golden
from turfmilter.config.socketspec import SocketSpec
from turfmilter.daemon.reach import LocalPostfix, warnings

USER, MTA = "nobody", "postfix"
SMTPD = "smtp inet n - {} - - smtpd\npickup unix n - n 60 1 pickup\ncleanup unix n - n - 0 cleanup\n"


def configured(place: Path, main: str = "compatibility_level = 3.6\n", master: str = SMTPD.format("n")) -> Path:
    """A Postfix at place/postfix, with its queue at place/queue."""
    (place / "postfix").mkdir()
    (place / "queue").mkdir()
    (place / "postfix/main.cf").write_text(f"# the queue\nqueue_directory =\n  {place}/queue\n{main}")
    (place / "postfix/master.cf").write_text(f"# service type\n{master}")
    return place / "postfix"


def below(directory: Path, owner: str = USER, group: str | None = None, mode: int = 0o755) -> Path:
    """A socket's path in a directory of its own."""
    own = directory / "turfmilter"
    own.mkdir(parents=True)
    shutil.chown(own, owner, group)
    own.chmod(mode)
    return own / "s"


def said(path: Path, mode: int = 0o660, group: str = "", **mtas: Path) -> str:
    """The one warning, or none, without the socket that it is about."""
    mta = LocalPostfix.at(mtas.get("postfix", Path("/nonexistent")))
    spec = SocketSpec.parse(f"unix:{path}")
    found = warnings(spec, mode, group, USER, postfix=mta, sendmail=mtas.get("sendmail", Path("/nonexistent")))
    assert len(found) <= 1
    return found[0].removeprefix(f"{spec}: ") if found else ""


@pytest.fixture(autouse=True)
def root() -> None:
    assert os.geteuid() == 0, "only root can give directories away: run these tests as root"


def test_an_mta_that_is_not_installed_causes_no_warning(place: Path) -> None:
    assert said(below(place, mode=0o700), mode=0o600) == ""


@pytest.mark.parametrize("spec", ["inet:8895@127.0.0.1", "inet6:8895@::1", "fd:3"])
def test_of_what_is_no_unix_socket_nothing_is_said(place: Path, spec: str) -> None:
    mta = LocalPostfix.at(configured(place))
    assert warnings(SocketSpec.parse(spec), 0o600, "", USER, postfix=mta) == []


def test_a_directory_that_is_missing_is_named(place: Path) -> None:
    assert said(place / "missing/s") == f"the directory {place}/missing does not exist: the start will fail"


@pytest.mark.parametrize(
    ("directory_group", "directory_mode", "mode", "group", "reached"),
    [
        (None, 0o755, 0o660, MTA, True),
        (None, 0o755, 0o666, "", True),
        (MTA, 0o2750, 0o660, "", True),
        (MTA, 0o2750, 0o660, MTA, True),
        (MTA, 0o750, 0o660, MTA, True),
        (None, 0o755, 0o660, "", False),
        (MTA, 0o750, 0o660, "", False),
        (None, 0o755, 0o640, MTA, False),
        (None, 0o755, 0o606, MTA, False),  # the class of the group decides, though all others may
    ],
)
def test_postfix_must_be_able_to_write_to_the_socket(
    place: Path,
    directory_group: str | None,
    directory_mode: int,
    mode: int,
    group: str,
    reached: bool,
    golden: Golden,
) -> None:
    path = below(place, group=directory_group, mode=directory_mode)
    warning = said(path, mode, group, postfix=configured(place))
    assert (warning == "") == reached
    if not reached:
        golden("check", warning, {str(place): "DIR"})


@pytest.mark.parametrize(("mode", "reached"), [(0o755, True), (0o711, True), (0o750, False), (0o744, False)])
def test_postfix_must_be_able_to_enter_every_directory_above(
    place: Path, mode: int, reached: bool, golden: Golden
) -> None:
    above = place / "above"
    path = below(above)
    above.chmod(mode)
    warning = said(path, group=MTA, postfix=configured(place))
    assert (warning == "") == reached
    if not reached:
        golden("check", warning, {str(place): "DIR"})


def test_the_sockets_own_directory_can_be_opened_with_the_commands_in_the_warning(place: Path, golden: Golden) -> None:
    path, postfix = below(place, mode=0o700), configured(place)
    warning = said(path, group=MTA, postfix=postfix)
    golden("check", warning, {str(place): "DIR"})
    subprocess.run(warning[warning.index("chgrp ") :], shell=True, check=True)
    assert said(path, group=MTA, postfix=postfix) == ""


def test_a_loop_of_links_causes_no_warning(place: Path) -> None:
    (place / "circle").symlink_to("circle")
    assert said(place / "circle/s", postfix=configured(place)) == ""


def test_a_link_is_followed(place: Path) -> None:
    path = below(place / "real", mode=0o700)
    (place / "link").symlink_to(place / "real/turfmilter")
    assert f" {path.parent};" in said(place / "link/s", group=MTA, postfix=configured(place))


def test_an_acl_may_give_more_than_the_mode_shows(place: Path) -> None:
    path = below(place, mode=0o700)
    # Version 2; the owner, the user with this number, the group, the mask, all others.
    entries = [(1, 7, -1), (2, 1, 65000), (4, 0, -1), (16, 5, -1), (32, 0, -1)]
    acl = (2).to_bytes(4, "little") + b"".join(
        tag.to_bytes(2, "little") + bits.to_bytes(2, "little") + number.to_bytes(4, "little", signed=True)
        for tag, bits, number in entries
    )
    os.setxattr(path.parent, "system.posix_acl_access", acl)
    assert said(path, group=MTA, postfix=configured(place)) == ""


@pytest.mark.parametrize(
    ("master", "main", "program"),
    [
        (SMTPD.format("y"), "compatibility_level = 3.6\n", "smtpd"),
        (SMTPD.format("-"), "compatibility_level = 0\n", "smtpd"),
        (SMTPD.format("-"), "", "smtpd"),
        (SMTPD.format("-"), "compatibility_level = 3.6\n", ""),
        (SMTPD.format("n"), "", ""),
        ("smtp inet n - n - - smtpd\ncleanup unix n - y - 0 cleanup\n", "compatibility_level = 3.6\n", "cleanup"),
        ("relay unix - - y - - smtp\n#smtp inet n - y - - smtpd\n", "compatibility_level = 3.6\n", ""),
        ("587 inet n - y - - smtpd\n  -o smtpd_milters=\n", "compatibility_level = 2\n", "smtpd"),
    ],
)
def test_a_socket_outside_the_chroot_is_not_seen_from_inside(
    place: Path, master: str, main: str, program: str, golden: Golden
) -> None:
    warning = said(below(place), group=MTA, postfix=configured(place, main, master))
    assert (f" {program} " in warning) == bool(program)
    if program:
        golden("check", warning, {str(place): "DIR"})
    else:
        assert warning == ""


def test_a_socket_inside_the_chroot_is_seen(place: Path) -> None:
    postfix = configured(place, master=SMTPD.format("y"))
    assert said(below(place / "queue"), group=MTA, postfix=postfix) == ""


def test_a_queue_that_is_a_link_is_followed(place: Path) -> None:
    postfix = configured(place, master=SMTPD.format("y"))
    (place / "queue").rename(place / "disk")
    (place / "queue").symlink_to("disk")
    assert said(below(place / "queue"), group=MTA, postfix=postfix) == ""


def test_a_directory_that_is_in_the_chroot_as_well_is_seen(place: Path) -> None:
    postfix = configured(place, master=SMTPD.format("y"))
    path = below(place)
    inside = place / "queue" / str(place).lstrip("/")
    inside.mkdir(parents=True)
    (inside / "turfmilter").symlink_to(path.parent)  # as a bind mount would show it
    assert said(path, group=MTA, postfix=postfix) == ""


@pytest.mark.parametrize(
    ("mode", "word"),
    [(0o1777, "World"), (0o777, "World"), (0o775, "Group"), (0o755, "")],
)
def test_sendmail_rejects_a_socket_below_a_directory_that_others_can_write_to(
    tmp_path: Path, mode: int, word: str, golden: Golden
) -> None:
    closed = Path(tempfile.mkdtemp(dir="/run"))  # because Sendmail rejects /tmp
    above = closed / "above"
    path = below(above)
    try:
        above.chmod(mode)
        cf = tmp_path / "sendmail.cf"
        cf.write_text("O DontBlameSendmail=safe\n")
        warning = said(path, sendmail=cf)
        assert (f'"unsafe: {word} writable directory"' in warning) == bool(word)
        if word:
            golden("check", warning, {str(closed): "DIR"})
        cf.write_text("#\nO DontBlameSendmail=TrustStickyBit,GroupWritableDirPathSafe\n")
        assert said(path, sendmail=cf) == ""
    finally:
        shutil.rmtree(closed)


def test_started_by_its_own_user_it_gives_the_same_warnings(place: Path) -> None:
    postfix = configured(place)
    path = below(place)

    def check() -> None:
        assert "socket_group" in said(path, postfix=postfix)
        assert said(path, mode=0o666, postfix=postfix) == ""

    in_child(check, user=USER)


@pytest.mark.parametrize("missing", ["main.cf", "master.cf"])
def test_a_postfix_that_is_not_configured_is_none(place: Path, missing: str) -> None:
    directory = configured(place)
    (directory / missing).unlink()
    assert LocalPostfix.at(directory) is None
