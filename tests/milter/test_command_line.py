"""What the program says before it serves: problems in one clear line each, all at once, and an exit status."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import turfmilter
from rig import wait
from rig.filter import USER, make_quarantine
from rig.program import configured, run, running


def turf(quarantine: Path) -> str:
    """The part of the configuration that needs a quarantine."""
    return f'[turf]\ntables = ["@turf.test"]\ndirectory = "{quarantine}"\n'


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
    assert postfix == f"main.cf: smtpd_milters = {{ unix:{place}/s, default_action=tempfail }}"
    assert sendmail.startswith(f"sendmail.mc: INPUT_MAIL_FILTER(`turfmilter', `S=local:{place}/s, ")
    assert not (place / "s").exists()


def test_what_only_root_can_read_is_said_before_a_start_as_the_user_fails(place: Path) -> None:
    path = configured(place)
    path.chmod(0o600)
    done = run("-t", "-c", path)
    assert done.returncode == 0
    assert f"turfmilter: warning: {path}: cannot be read by {USER}: a reload would fail\n" in done.stderr


@pytest.mark.parametrize("mode", ["enforce", "trial", "off"])
def test_the_log_begins_with_the_mode_and_the_lines_for_the_mta(place: Path, mode: str) -> None:
    path = configured(place, f'mode = "{mode}"\n')
    with running(place, "-c", path):
        wait.until(lambda: "sendmail.mc: " in (place / "log").read_text(), "its greeting")
    lines = (place / "log").read_text().splitlines()
    started, postfix, *_ = (line for line in lines if line.startswith("info: "))
    assert f" started: mode {mode}, socket unix:{place}/s, " in started
    assert postfix == f"info: main.cf: smtpd_milters = {{ unix:{place}/s, default_action=tempfail }}"


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
