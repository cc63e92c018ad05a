"""The start of the daemon: what it needs it has, or it says in one clear line what is wrong and leaves."""

from __future__ import annotations

import grp
import os
import pwd
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import turfmilter
from rig import wait
from rig.filter import USER, Filter, give, make_quarantine
from rig.link import accepts
from rig.milterclient import MilterClient
from rig.ports import free_port

Filters = Callable[..., Filter]

SOURCE = Path(turfmilter.__file__).parents[1]
RELAY = 'domains = ["rig.test"]\n'


def program(*arguments: str | Path) -> list[str]:
    """The command line of the daemon."""
    return [sys.executable, "-m", "turfmilter", *map(str, arguments)]


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE)}


def run(*arguments: str | Path, user: str | None = None) -> subprocess.CompletedProcess[str]:
    """The daemon when it is not to stay: what it said and how it left."""
    return subprocess.run(
        program(*arguments), env=ENVIRONMENT, user=user, capture_output=True, text=True, timeout=30, check=False
    )


def configured(
    place: Path, settings: str = "", *, socket: str | None = None, user: str = USER, log: str = "stderr"
) -> Path:
    """A configuration file; the filter may write to its directory."""
    give(place)
    path = place / "turfmilter.toml"
    spec = socket or f"unix:{place}/s"
    path.write_text(f'socket = "{spec}"\nuser = "{user}"\n{RELAY}{settings}\n[log]\nto = "{log}"\n')
    return path


def turf(quarantine: Path) -> str:
    """The part of the configuration that needs a quarantine."""
    return f'[turf]\ntables = ["@turf.test"]\ndirectory = "{quarantine}"\n'


@contextmanager
def running(place: Path, *arguments: str | Path, **options: object) -> Iterator[subprocess.Popen[str]]:
    """The daemon in the foreground, ended by TERM."""
    log = (place / "log").open("w")
    process = subprocess.Popen(
        program("-f", *arguments),
        env=ENVIRONMENT,
        stdout=log,
        stderr=log,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    try:
        wait.until(lambda: "started" in (place / "log").read_text() or process.poll() is not None, "its start")
        yield process
    finally:
        process.terminate()
        assert process.wait(20) == 0, (place / "log").read_text()


def serves(address: str | Path) -> bool:
    """True when a message gets its answer there."""
    with MilterClient(address) as client:
        client.greet()
        told = client.message("<a@out.test>", ["<b@rig.test>"])
        client.quit()
    return str(told.end) == "accept"


# ---- what it can say without serving ----


def test_it_knows_its_version() -> None:
    done = run("-V")
    assert (done.returncode, done.stdout) == (0, f"turfmilter, version {turfmilter.__version__}\n")


def test_a_good_configuration_is_called_good_and_the_lines_for_the_mta_are_shown(place: Path) -> None:
    quarantine = make_quarantine(place / "quarantine")
    path = configured(place, turf(quarantine))
    done = run("-t", "-c", path)
    assert (done.returncode, done.stderr) == (0, "")
    good, postfix, sendmail = done.stdout.splitlines()
    assert good == f"{path}: no errors"
    assert postfix == f"main.cf: smtpd_milters = unix:{place}/s"
    assert sendmail.startswith(f"sendmail.mc: INPUT_MAIL_FILTER(`turfmilter', `S=local:{place}/s, ")
    assert not (place / "s").exists()


@pytest.mark.parametrize("mode", ["enforce", "trial", "off"])
def test_the_log_begins_with_the_mode_and_the_lines_for_the_mta(place: Path, mode: str) -> None:
    path = configured(place, f'mode = "{mode}"\n')
    with running(place, "-c", path):
        wait.until(lambda: "sendmail.mc: " in (place / "log").read_text(), "its greeting")
    lines = (place / "log").read_text().splitlines()
    started, postfix, *_ = (line for line in lines if line.startswith("info: "))
    assert started.endswith(f" started: mode {mode}, socket unix:{place}/s")
    assert postfix == f"info: main.cf: smtpd_milters = unix:{place}/s"


def test_all_problems_are_said_at_once(place: Path) -> None:
    (place / "turf.table").write_text("@good.test\nbad.test\n@x REJECT\n")
    settings = '[relay]\nmode = "tried"\n[turf]\ntables = ["file:turf.table"]\ndirectori = "x"\n'
    path = configured(place, settings, socket="inet:99999")
    done = run("-t", "-c", path)
    assert done.returncode == 78
    lines = done.stderr.splitlines()
    assert all(line.startswith("turfmilter: ") for line in lines)
    for part in ("socket: ", "relay.mode: ", "turf.table:2: ", "turf.table:3: ", "directori"):
        assert sum(part in line for line in lines) == 1, part
    assert run("-f", "-c", path).stderr == done.stderr


def test_warnings_are_said_and_do_no_harm(place: Path) -> None:
    path = configured(place, '[relay]\ndefault = "allow"\n')
    done = run("-t", "-c", path)
    assert done.returncode == 0
    assert "turfmilter: warning: relay.default: " in done.stderr


@pytest.mark.parametrize("arguments", [["-t"], ["-f"], []])
def test_a_configuration_that_is_not_there_is_named(place: Path, arguments: list[str]) -> None:
    done = run(*arguments, "-c", place / "missing.toml")
    assert done.returncode == 78
    assert done.stderr.startswith(f"turfmilter: {place}/missing.toml: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--nonsense"], ["extra"], ["-s", "inet:99999"], ["-s", "inet:smtp@x"]])
def test_a_wrong_command_line_is_a_matter_of_usage(place: Path, arguments: list[str]) -> None:
    done = run("-c", configured(place), *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: turfmilter ")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("inet:99999", "port 99999 is out of range; ports are 1 to 65535"),
        ("inet:smtp@localhost", '"smtp" is no port number'),
        ("inet:8895@", 'no host after "@"'),
        ("relative/path", "no kind of socket"),
        ("unix:relative/path", "the path is relative"),
        ("inet:127.0.0.1:8895", "that is Postfix's spelling"),
    ],
)
def test_a_socket_that_cannot_be_is_refused(place: Path, spec: str, said: str) -> None:
    written = run("-f", "-c", configured(place, socket=spec))
    assert written.returncode == 78
    assert written.stderr.startswith("turfmilter: socket: ")
    assert said in written.stderr
    assert len(written.stderr.splitlines()) == 1
    given = run("-f", "-c", configured(place), "-s", spec)
    assert given.returncode == 2
    assert said in given.stderr


# ---- the socket ----


def test_the_command_line_names_another_socket(place: Path) -> None:
    path = configured(place)
    with running(place, "-c", path, "-s", f"unix:{place}/other"):
        assert serves(place / "other")
        assert not (place / "s").exists()
    assert not (place / "other").exists()


def test_a_socket_in_use_is_left_to_its_owner(own_filter: Filters, place: Path) -> None:
    serving = own_filter(RELAY)
    done = run("-f", "-c", configured(place, socket=f"unix:{serving.socket}"))
    assert done.returncode == 69
    assert done.stderr == (
        f"turfmilter: unix:{serving.socket}: in use: another filter serves this socket, or another file has this name\n"
    )
    with serving.session() as client:
        assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"


def test_a_port_in_use_is_left_to_its_owner(place: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run("-f", "-c", configured(place, socket=f"inet:{port}@127.0.0.1"))
    assert done.returncode == 69
    assert done.stderr.startswith(f"turfmilter: inet:{port}@127.0.0.1: in use: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_stale_socket_is_replaced(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(str(place / "s"))
    with running(place, "-c", configured(place)):
        assert serves(place / "s")


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
def test_whatever_else_has_its_name_is_left_alone(place: Path, make: Callable[[Path], None]) -> None:
    make(place / "s")
    done = run("-f", "-c", configured(place))
    assert done.returncode == 69
    assert done.stderr.startswith(f"turfmilter: unix:{place}/s: in use: ")
    assert (place / "s").exists()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("unix:{place}/missing/s", "its directory does not exist"),
        ("unix:/proc/s", ""),
        ("inet:8895@no..host", "the host cannot be resolved"),
        ("inet:8895@192.0.2.1", "Cannot assign requested address"),
        ("fd:99", "Bad file descriptor"),
    ],
)
def test_a_socket_that_cannot_be_had_is_said_in_one_line(place: Path, spec: str, said: str) -> None:
    spec = spec.format(place=place)
    done = run("-f", "-c", configured(place, socket=spec))
    assert done.returncode == 69
    (line,) = [line for line in done.stderr.splitlines() if "warning" not in line]
    assert line.startswith(f"turfmilter: {spec}: ")
    assert said in line


@pytest.mark.parametrize("family", ["inet", "inet6"])
def test_a_port_is_served(place: Path, family: str) -> None:
    host = "127.0.0.1" if family == "inet" else "::1"
    spec = f"{family}:{free_port()}@{host}"
    with running(place, "-c", configured(place, socket=spec)):
        assert serves(spec)


@pytest.mark.parametrize("mode", ["0660", "0600", "0666"])
def test_the_socket_has_the_mode_that_the_configuration_says(place: Path, mode: str) -> None:
    with running(place, "-c", configured(place, f'socket_mode = "{mode}"\n')):
        assert (place / "s").stat().st_mode & 0o777 == int(mode, 8)


def test_the_socket_belongs_to_the_filter_and_to_the_group_that_the_configuration_says(place: Path) -> None:
    assert os.geteuid() == 0, "giving files away takes root: run this test as root"
    with running(place, "-c", configured(place, 'socket_group = "mail"\n')):
        status = (place / "s").stat()
        assert status.st_uid == pwd.getpwnam(USER).pw_uid
        assert status.st_gid == grp.getgrnam("mail").gr_gid


def test_a_socket_is_inherited(place: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place / "inherited"))
        listening.listen()
        (place / "inherited").chmod(0o666)
        number = listening.fileno()
        path = configured(place, socket=f"fd:{number}")
        with running(place, "-c", path, pass_fds=[number]):
            assert serves(place / "inherited")
        # It is not ours to remove, and serves on for the next start.
        assert (place / "inherited").exists()
        with running(place, "-c", path, pass_fds=[number]):
            assert serves(place / "inherited")


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_an_inherited_descriptor_must_listen(place: Path, kind: socket.SocketKind) -> None:
    with socket.socket(socket.AF_UNIX, kind) as deaf:
        number = deaf.fileno()
        path = configured(place, socket=f"fd:{number}")
        done = subprocess.run(
            program("-f", "-c", path),
            env=ENVIRONMENT,
            pass_fds=[number],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 69
    assert done.stderr == f"turfmilter: fd:{number}: the descriptor is no listening socket\n"


# ---- who it is ----


@pytest.mark.parametrize("arguments", [["-t"], ["-f"], []])
def test_it_refuses_to_be_root(place: Path, arguments: list[str]) -> None:
    assert os.geteuid() == 0, "only root can be refused as root: run this test as root"
    done = run(*arguments, "-c", configured(place, user=""))
    assert done.returncode == 78
    assert done.stderr == (
        'turfmilter: started by root: set user = "turfmilter" in the configuration, or start it as that user\n'
    )
    assert not (place / "s").exists()


def test_nothing_of_root_is_left_in_its_processes(own_filter: Filters) -> None:
    assert os.geteuid() == 0, "only root can become somebody else: run this test as root"
    serving = own_filter(RELAY)
    nobody = pwd.getpwnam(USER)
    for pid in serving.daemon.process.pids():
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
        )
        assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
        assert set(status["Groups"].split()) <= {str(gid) for gid in os.getgrouplist(USER, nobody.pw_gid)}
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0


def test_started_by_its_user_it_needs_no_root(place: Path) -> None:
    path = configured(place)
    with running(place, "-c", path, user=USER or None):
        assert serves(place / "s")


# ---- the quarantine ----


@pytest.mark.parametrize("arguments", [["-t"], ["-f"], []])
@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda path: path.rename(path.with_name("away")), "{path} does not exist"),
        (lambda path: (path / "new").rmdir(), "{path}/new does not exist"),
        (lambda path: (path / "tmp").chmod(0o500), "Permission denied"),
    ],
)
def test_a_quarantine_that_cannot_be_used_is_refused_with_the_command_that_mends_it(
    place: Path, break_it: Callable[[Path], None], said: str, arguments: list[str]
) -> None:
    quarantine = make_quarantine(place / "quarantine")
    break_it(quarantine)
    path = configured(place, turf(quarantine))
    done = run(*arguments, "-c", path)
    assert done.returncode == 78
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"turfmilter: quarantine {quarantine}: ")
    assert said.format(path=quarantine) in line
    assert not (place / "s").exists()
    _, command = line.split("mend it with: ")
    subprocess.run(command, shell=True, check=True)
    assert run("-t", "-c", path).returncode == 0


# ---- the background ----


def syslog_runs() -> bool:
    """True on a host whose log goes somewhere."""
    return Path("/dev/log").exists()


@contextmanager
def ended(path: Path) -> Iterator[None]:
    """The daemon that was left in the background with the configuration `path` is ended by TERM."""
    try:
        yield
    finally:
        daemon = _leader_of(path)
        if daemon:
            os.kill(daemon, signal.SIGTERM)
            wait.until(lambda: not _leader_of(path), "its end")
    assert daemon, "nothing was left in the background"
    assert not (path.parent / "s").exists()


def _leader_of(path: Path) -> int:
    """The first process that runs with the configuration `path`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().split(b"\0")
        except OSError:
            continue
        if b"turfmilter" in words and os.fsencode(path) in words:
            found.append(int(entry.parent.name))
    return min(found, default=0)


def test_in_the_background_it_returns_when_it_serves(place: Path) -> None:
    path = configured(place, log="syslog")
    with ended(path):
        done = run("-c", path)
        # It has returned, so nobody holds on to the caller's standard output or error.
        assert (done.returncode, done.stdout) == (0, "")
        # Where no syslog daemon runs that is said, and nothing else.
        assert ["/dev/log does not exist" in line for line in done.stderr.splitlines()] == [True] * (not syslog_runs())
        assert accepts(place / "s")
        assert serves(place / "s")


def test_in_the_background_it_has_no_terminal_and_no_directory(place: Path) -> None:
    path = configured(place, log="syslog")
    with ended(path):
        run("-c", path)
        leader = _leader_of(path)
        assert os.getsid(leader) == leader != os.getsid(0)
        assert Path(f"/proc/{leader}/cwd").readlink() == Path("/")
        workers = [int(p) for p in Path(f"/proc/{leader}/task/{leader}/children").read_text().split()]
        assert workers
        for pid in (leader, *workers):
            for descriptor in "012":
                assert Path(f"/proc/{pid}/fd/{descriptor}").readlink() == Path("/dev/null")


def test_in_the_background_the_log_may_still_go_to_standard_error(place: Path) -> None:
    path, said = configured(place), place / "said"
    with ended(path), said.open("w") as stderr:
        subprocess.run(program("-c", path), env=ENVIRONMENT, stderr=stderr, check=True)
        assert serves(place / "s")
    assert said.read_text().startswith("info: turfmilter ")
    assert said.read_text().endswith("info: stopped\n")


def test_in_the_background_it_serves_although_it_was_started_with_nothing_open(place: Path) -> None:
    path = configured(place, log="syslog")
    closed = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *program("-c", path)]
    with ended(path):
        assert subprocess.run(closed, env=ENVIRONMENT, timeout=30, check=False).returncode == 0
        assert serves(place / "s")


def test_in_the_background_problems_still_reach_the_caller(own_filter: Filters, place: Path) -> None:
    serving = own_filter(RELAY)
    done = run("-c", configured(place, socket=f"unix:{serving.socket}"))
    assert done.returncode == 69
    assert "in use" in done.stderr
    assert accepts(serving.socket)
