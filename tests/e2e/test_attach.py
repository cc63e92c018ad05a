"""contrib/postfix/attach: what it changes, what it leaves alone, and the way back."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rig import wait
from rig.filesystem import tmpfs
from rig.machine import own_machine
from rig.network import own_network

ATTACH = Path(__file__).parents[2] / "contrib/postfix/attach"
STOCK = Path("/usr/share/postfix")
FILTER = "{ unix:turfmilter/turfmilter.sock, default_action=tempfail }"
SERVICES = """\
127.0.0.1:2525 inet n - y - - smtpd
  -o smtpd_milters=inet:localhost:9999
127.0.0.1:2526 inet n - y - - smtpd
  -o smtpd_milters=
"""
SMTPS = "smtps inet n - y - - smtpd\n  -o smtpd_tls_wrappermode=yes\n"


@pytest.fixture
def etc(place: Path) -> Iterator[Path]:
    """Debian's configuration with odd services of the administrator's own; every port is free."""
    directory = place / "etc"
    directory.mkdir()
    (directory / "main.cf").write_text((STOCK / "main.cf.debian").read_text() + "\nmyhostname=  mx.rig.test\n")
    (directory / "master.cf").write_text((STOCK / "master.cf.dist").read_text() + SERVICES)
    with own_network([]):
        yield directory


def attach(etc: Path, *options: str, answer: str = "", status: int = 0) -> str:
    settle(etc)
    done = subprocess.run(
        [ATTACH, "-c", etc, *options], input=answer, capture_output=True, text=True, timeout=wait.AMPLE, check=False
    )
    assert done.returncode == status, done
    return done.stdout + done.stderr


def both(etc: Path) -> list[bytes]:
    """main.cf and master.cf; there is nothing else, or what undoing needs."""
    assert {path.name for path in etc.iterdir()} <= {"main.cf", "master.cf", "turfmilter.undo"}
    return [(etc / name).read_bytes() for name in ("main.cf", "master.cf")]


def value(etc: Path, *words: str) -> str:
    settle(etc)
    return subprocess.run(["postconf", "-c", etc, *words], capture_output=True, text=True, check=True).stdout.strip()


def append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


def settle(etc: Path) -> None:
    """Postfix waits until a file is two seconds old, lest somebody is still writing it."""
    for path in etc.glob("*.cf"):
        os.utime(path, (0, 0))


@pytest.mark.parametrize("options", [["--yes"], ["--yes", "--submission"], ["--yes", "-s", "inet:127.0.0.1:8895"]])
def test_undo_gives_back_every_byte(etc: Path, options: list[str]) -> None:
    before = both(etc)
    attach(etc, *options)
    assert both(etc) != before
    attach(etc, "--undo", "--yes")
    assert both(etc) == before
    assert not (etc / "turfmilter.undo").exists()
    assert attach(etc, "--undo", "--yes") == "nothing to do\n"


def test_what_was_changed_since_survives_the_undo(etc: Path) -> None:
    before = both(etc)
    attach(etc, "--yes")
    own = "# of the administrator\n"
    (etc / "main.cf").write_text(own + (etc / "main.cf").read_text())
    attach(etc, "--undo", "--yes")
    assert both(etc) == [own.encode() + before[0], before[1]]


@pytest.mark.parametrize("options", [[], ["--submission"]])
def test_what_others_add_at_the_end_survives_the_undo(etc: Path, options: list[str]) -> None:
    """As `postconf -e` does, and whoever has an editor."""
    main, master = both(etc)
    attach(etc, "--yes", *options)
    append(etc / "main.cf", "smtpd_authorized_xclient_hosts = 127.0.0.1\n")
    append(etc / "master.cf", "other unix - n n - - pipe\n")
    attach(etc, "--undo", "--yes")
    added = [b"smtpd_authorized_xclient_hosts = 127.0.0.1\n", b"other unix - n n - - pipe\n"]
    assert both(etc) == [main + added[0], master + added[1]]


def test_a_change_in_the_very_same_lines_is_not_undone(etc: Path) -> None:
    attach(etc, "--yes")
    main = etc / "main.cf"
    main.write_text(main.read_text().replace("smtpd_milters = { unix:", "smtpd_milters = inet:localhost:1, { unix:"))
    after = both(etc)
    said = attach(etc, "--undo", "--yes", status=1)
    assert f"attach: {main} was changed in the same place since: take the lines out by hand" in said
    assert both(etc) == after


@pytest.mark.parametrize("options", [[], ["--submission"]])
def test_a_second_time_changes_nothing(etc: Path, options: list[str]) -> None:
    attach(etc, "--yes", *options)
    after = both(etc)
    assert attach(etc, "--yes", *options) == "nothing to do\n"
    assert both(etc) == after


def test_a_socket_whose_name_only_begins_alike_is_another_one(etc: Path) -> None:
    append(etc / "main.cf", "smtpd_milters = inet:127.0.0.1:8895\n")
    attach(etc, "--yes", "-s", "inet:127.0.0.1:889")
    expected = "{ inet:127.0.0.1:889, default_action=tempfail }, inet:127.0.0.1:8895"
    assert value(etc, "-h", "smtpd_milters") == expected


def test_a_filter_attached_by_hand_stays_as_it_is(etc: Path) -> None:
    append(etc / "main.cf", "smtpd_milters = inet:localhost:8891, unix:turfmilter/turfmilter.sock\n")
    attach(etc, "--yes")
    assert value(etc, "-h", "smtpd_milters") == "inet:localhost:8891, unix:turfmilter/turfmilter.sock"


@pytest.mark.parametrize(
    ("main", "smtpd", "local"),
    [
        ("", FILTER, "$smtpd_milters"),
        ("smtpd_milters = inet:localhost:8891", f"{FILTER}, inet:localhost:8891", "$smtpd_milters"),
        ("smtpd_milters = $x\nx = inet:[::1]:1 unix:/y", f"{FILTER}, $x", "$smtpd_milters"),
        ("non_smtpd_milters = inet:localhost:8891", FILTER, f"{FILTER}, inet:localhost:8891"),
        ("non_smtpd_milters = $smtpd_milters", FILTER, "$smtpd_milters"),
    ],
)
def test_the_filter_comes_first_among_those_that_are_there(etc: Path, main: str, smtpd: str, local: str) -> None:
    append(etc / "main.cf", f"{main}\n")
    attach(etc, "--yes")
    assert value(etc, "-h", "smtpd_milters") == smtpd
    assert value(etc, "-h", "non_smtpd_milters") == local


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [
        (
            "127.0.0.1:2525/inet/smtpd_milters",
            "{unix:turfmilter/turfmilter.sock,default_action=tempfail},inet:localhost:9999",
        ),
        ("127.0.0.1:2526/inet/smtpd_milters", ""),
        ("smtps/inet/milter_macro_daemon_name", "submission"),
    ],
)
def test_services_of_the_administrators_own_are_filtered_as_they_were_meant(
    etc: Path, parameter: str, expected: str
) -> None:
    append(etc / "master.cf", SMTPS)
    attach(etc, "--yes")
    assert value(etc, "-Ph", parameter) == expected


def test_a_service_that_has_a_name_keeps_it(etc: Path) -> None:
    append(etc / "master.cf", "587 inet n - y - - smtpd\n  -o milter_macro_daemon_name=ORIGINATING\n")
    attach(etc, "--yes")
    assert value(etc, "-Ph", "587/inet/milter_macro_daemon_name") == "ORIGINATING"


@pytest.mark.parametrize("chroot", ["y", "n", "-"])
def test_new_services_are_in_a_chroot_where_the_inbound_one_is(etc: Path, chroot: str) -> None:
    master = etc / "master.cf"
    stock = "smtp      inet  n       -       y"
    assert stock in master.read_text()
    master.write_text(master.read_text().replace(stock, stock[:-1] + chroot))
    attach(etc, "--submission", "--yes")
    for service in ("submission", "submissions", "127.0.0.1:10026"):
        assert value(etc, "-Fh", f"{service}/inet/chroot") == chroot


def test_another_socket_can_be_named(etc: Path) -> None:
    attach(etc, "--yes", "-s", "inet:127.0.0.1:8895")
    assert value(etc, "-h", "smtpd_milters") == "{ inet:127.0.0.1:8895, default_action=tempfail }"


@pytest.mark.parametrize(
    ("options", "answer", "status"), [(["--dry-run"], "", 0), ([], "n\n", 1), ([], "", 1), ([], "nonsense\n", 1)]
)
def test_the_difference_is_shown_first_and_without_a_yes_nothing_is_changed(
    etc: Path, options: list[str], answer: str, status: int
) -> None:
    before = both(etc)
    said = attach(etc, *options, answer=answer, status=status)
    assert f"+smtpd_milters = {FILTER}\n" in said
    assert "+127.0.0.1:10026 inet n " in said
    assert said.endswith("nothing was changed\n")
    assert both(etc) == before
    assert not (etc / "turfmilter.undo").exists()


def test_a_yes_changes_it(etc: Path) -> None:
    assert attach(etc, answer="y\n").endswith("done; it counts after: postfix reload\n")
    assert value(etc, "-h", "smtpd_milters") == FILTER


def test_owner_and_mode_of_the_files_stay(etc: Path) -> None:
    (etc / "main.cf").chmod(0o640)
    attach(etc, "--yes")
    assert (etc / "main.cf").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("which", ["main.cf", "master.cf"])
@pytest.mark.parametrize("break_it", ["missing", "mounted"])
def test_a_failure_half_way_leaves_the_old_configuration(place: Path, etc: Path, which: str, break_it: str) -> None:
    breaks: dict[str, Callable[[], object]] = {
        "missing": lambda: (etc / which).unlink(),
        "mounted": lambda: subprocess.run(["mount", "--bind", etc / which, etc / which], check=True),
    }
    with own_machine(place):
        breaks[break_it]()
        before = {path.name: path.read_bytes() for path in etc.iterdir()}
        assert which in attach(etc, "--yes", status=1)
        assert {path.name: path.read_bytes() for path in etc.iterdir()} == before


@pytest.mark.parametrize(
    ("service", "missing"),
    [
        (SMTPS, "submissions"),
        ("465 inet n - y - - smtpd\n", "submissions"),
        ("192.0.2.1:587 inet n - y - - smtpd\n", "submission"),
        ("localhost:10026 inet n - y - - smtpd\n", "127.0.0.1:10026"),
    ],
)
def test_a_port_that_a_service_has_gets_no_second_one(etc: Path, service: str, missing: str) -> None:
    append(etc / "master.cf", service)
    name, port = service.split()[0], {"submissions": 465, "submission": 587}.get(missing, 10026)
    said = attach(etc, "--submission", "--yes")
    assert f"attach: {missing} is not added, because {name} is on port {port} already\n" in said
    services = [line.split()[0] for line in value(etc, "-M").splitlines()]
    assert missing not in services
    assert services.count(name) == 1


@pytest.mark.parametrize(("port", "options"), [(10026, []), (587, ["--submission"])])
def test_a_port_on_which_another_program_listens_is_not_taken(etc: Path, port: int, options: list[str]) -> None:
    before = both(etc)
    with socket.create_server(("127.0.0.1", port)):
        assert f"something listens on port {port} already" in attach(etc, *options, "--yes", status=1)
        assert both(etc) == before
    attach(etc, *options, "--yes")
    after = both(etc)
    with socket.create_server(("127.0.0.1", port)):  # Postfix itself
        attach(etc, *options, "--yes")
    assert both(etc) == after


def test_what_a_killed_run_has_left_is_not_taken_for_the_way_back(etc: Path) -> None:
    before = both(etc)
    left = etc / "turfmilter.undo.new/after"
    left.mkdir(parents=True)
    (left / "main.cf").write_text("of another time\n")
    (etc / "main.cf.turfmilter").write_text("half\n")
    attach(etc, "--yes")
    attach(etc, "--undo", "--yes")
    assert both(etc) == before


def test_two_runs_at_once_do_not_disturb_each_other(etc: Path) -> None:
    settle(etc)
    with subprocess.Popen([ATTACH, "-c", etc], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        first.stdout.readline()  # it shows the difference, and asks
        assert f"another run is at work in {etc}" in attach(etc, "--yes", status=1)
        first.communicate("y\n")
    assert first.returncode == 0
    assert attach(etc, "--yes") == "nothing to do\n"


@pytest.mark.parametrize("room", ["4k", "24k", "40k", "64k"])
def test_a_full_disk_leaves_the_old_configuration(place: Path, etc: Path, room: str) -> None:
    before = both(etc)
    size = sum(-(-len(text) // 4096) * 4 for text in before)
    (place / "small").mkdir()
    with own_machine(place), tmpfs(place / "small", size=f"{size + int(room[:-1])}k") as small:
        for name, text in zip(("main.cf", "master.cf"), before, strict=True):
            (small / name).write_bytes(text)
        settle(small)
        done = subprocess.run([ATTACH, "-c", small, "--yes"], capture_output=True, text=True, check=False)
        if done.returncode:
            assert "No space left on device" in done.stderr
            assert both(small) == before
        else:
            assert value(small, "-h", "smtpd_milters") == FILTER


@pytest.mark.parametrize("which", ["INT", "TERM", "HUP"])
@pytest.mark.parametrize("program", ["cat", "mv", "rm"])
def test_an_interrupted_run_has_done_all_or_nothing(place: Path, etc: Path, which: str, program: str) -> None:
    before = both(etc)
    interrupting = place / "bin" / program  # sends the signal each time that the script runs it
    interrupting.parent.mkdir()
    interrupting.write_text(f'#!/bin/sh\nkill -{which} $SCRIPT\nexec {shutil.which(program)} "$@"\n')
    interrupting.chmod(0o755)
    settle(etc)
    path = f"{interrupting.parent}:{os.environ['PATH']}"
    script = ["sh", "-c", f"SCRIPT=$$ PATH={path} exec {ATTACH} -c {etc} --yes"]
    subprocess.run(script, capture_output=True, timeout=wait.AMPLE, check=False)
    assert (both(etc) == before) != (etc / "turfmilter.undo").exists()
    attach(etc, "--undo", "--yes")
    assert both(etc) == before


@pytest.mark.parametrize("options", [["--nonsense"], ["extra"]])
def test_a_wrong_command_line_is_a_matter_of_usage(etc: Path, options: list[str]) -> None:
    before = both(etc)
    assert attach(etc, *options, status=2).startswith("usage: attach ")
    assert both(etc) == before
