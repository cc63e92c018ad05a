"""What the program prints before it serves: every problem in one line, all at once, and its exit status."""

from __future__ import annotations

import grp
import pwd
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import turfmilter
from rig import wait
from rig.engine import WANTED
from rig.filter import USER, make_quarantine
from rig.golden import Golden
from rig.program import ENVIRONMENT, configured, program, run, running
from turfmilter.config.schema import ProtocolEngine
from turfmilter.mta.engines import choose


def turf(quarantine: Path) -> str:
    """The part of the configuration that needs a quarantine."""
    return f'[turf]\ntables = ["@turf.test"]\ndirectory = "{quarantine}"\n'


def test_it_prints_its_version() -> None:
    done = run("-V")
    version, engine = done.stdout.splitlines()
    assert (done.returncode, version) == (0, f"turfmilter, version {turfmilter.__version__}")
    assert engine == f"protocol engine: {choose(ProtocolEngine.AUTO)}"


def test_a_check_without_errors_prints_the_line_for_the_installed_mta(place: Path, golden: Golden) -> None:
    quarantine = make_quarantine(place / "quarantine")
    path = configured(place, turf(quarantine))
    done = run("-t", "-c", path)
    assert (done.returncode, done.stderr) == (0, "")
    golden("check", done.stdout, {str(place): "DIR"})
    assert not (place / "s").exists()


# The program with another /etc, in which only the MTA named by $2 is installed, and without Postfix's programs.
ONLY = """
mount --make-rprivate / && cp -a /etc "$1" && rm -rf "$1/postfix" "$1/mail" && mkdir "$1/postfix" "$1/mail" || exit 1
case $2 in
    Postfix) touch "$1/postfix/main.cf" ;;
    Sendmail) touch "$1/mail/sendmail.mc" ;;
esac
mount --bind "$1" /etc && mount -t tmpfs none /usr/sbin || exit 1
shift 2
exec "$@"
"""


@pytest.mark.parametrize("mta", ["Postfix", "Sendmail", "neither"])
def test_the_line_for_an_mta_that_is_not_installed_is_not_printed(place: Path, golden: Golden, mta: str) -> None:
    path = configured(place, turf(make_quarantine(place / "quarantine")))
    inside = ["unshare", "--mount", "sh", "-c", ONLY, "sh", place / "etc", mta]
    done = subprocess.run(
        [*inside, *program("-t", "-c", path)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=wait.AMPLE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    golden("check", done.stdout, {str(place): "DIR"})


@pytest.mark.parametrize("closed", ["turfmilter.toml", "etc"])
def test_a_check_warns_about_files_that_only_root_can_read(place: Path, golden: Golden, closed: str) -> None:
    (place / "etc").mkdir(mode=0o755)
    path = configured(place) if closed == "turfmilter.toml" else configured(place).rename(place / "etc/turfmilter.toml")
    (place / closed).chmod(0o600)
    warned = [line for line in run("-t", "-c", path).stderr.splitlines() if f"{path}: " in line]
    group = grp.getgrgid(pwd.getpwnam(USER).pw_gid).gr_name
    assert run("-t", "-c", path).returncode == 0
    golden("check", "\n".join(warned), {f"chgrp {group}": "chgrp GROUP", f"{place}": "DIR", USER: "USER"})
    subprocess.run(warned[0].partition("fix it with: ")[2], shell=True, check=True)
    assert f"{path}: " not in run("-t", "-c", path).stderr


@pytest.mark.parametrize("mode", ["enforce", "trial", "off"])
def test_the_log_begins_with_the_mode_and_the_line_for_the_mta(place: Path, mode: str, golden: Golden) -> None:
    path = configured(place, f'mode = "{mode}"\n')
    with running(place, "-c", path):
        wait.until(lambda: "main.cf: " in (place / "log").read_text(), "its greeting")
    lines = (place / "log").read_text().splitlines()
    started, engine, postfix, *_ = (line for line in lines if line.startswith("info: "))
    assert engine == f"info: protocol engine: {choose(WANTED)}"
    golden(
        "log",
        f"{re.sub('[0-9]+ files', 'N files', started)}\n{postfix}",
        {str(place): "DIR", turfmilter.__version__: "VERSION"},
    )


def test_all_problems_are_reported_at_once(place: Path) -> None:
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


def test_a_quarantine_that_does_not_exist_is_reported_with_all_other_problems(place: Path) -> None:
    settings = f'[relay]\nmode = "tried"\n{turf(place / "missing")}[listener.a]\nport = 587\n'
    settings += f'[listener.a.turf]\ndirectory = "{place}/absent"\n'
    for options in (["-t"], ["-f"]):
        done = run(*options, "-c", configured(place, settings))
        assert done.returncode == 78
        mode, *quarantines = done.stderr.splitlines()
        assert mode.startswith("turfmilter: relay.mode: ")
        assert [line.split("; fix it")[0] for line in quarantines] == [
            f"turfmilter: quarantine {place}/{name}: {place}/{name} does not exist" for name in ("missing", "absent")
        ]


def test_an_unknown_user_does_not_hide_a_quarantine_that_does_not_exist(place: Path) -> None:
    done = run("-t", "-c", configured(place, turf(place / "missing"), user="turfmitler"))
    user, quarantine = done.stderr.splitlines()
    assert user.startswith('turfmilter: user: there is no user "turfmitler"')
    assert quarantine == f"turfmilter: quarantine {place}/missing: {place}/missing does not exist"


def test_with_root_as_the_user_the_other_problems_are_reported_too(place: Path) -> None:
    path = configured(place, '[relay]\nmode = "tried"\n' + turf(place / "missing"), user="")
    done = run("-t", "-c", path)
    mode, root, quarantine = done.stderr.splitlines()
    assert mode.startswith("turfmilter: relay.mode: ")
    assert root.startswith("turfmilter: started by root: ")
    assert quarantine == f"turfmilter: quarantine {place}/missing: {place}/missing does not exist"
    path = configured(place, turf(place / "missing"), user="")
    assert run("-t", "-c", path).stderr.splitlines() == [root, quarantine]


def test_several_quarantines_that_cannot_be_used_are_all_reported(place: Path) -> None:
    settings = f'{turf(place / "one")}[listener.a]\nport = 587\n[listener.a.turf]\ndirectory = "{place}/two"\n'
    done = run("-t", "-c", configured(place, settings))
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        f"quarantine {place}/{name}" for name in ("one", "two")
    ]


@pytest.mark.parametrize("spec", ["inet:8895@0.0.0.0", "inet6:8895@::", "inet:8895", "inet:8895@192.0.2.1"])
def test_a_socket_that_other_hosts_can_reach_causes_a_warning_from_file_and_command_line(
    place: Path, spec: str
) -> None:
    given = run("-t", "-c", configured(place), "-s", spec)
    written = run("-t", "-c", configured(place, socket=spec))
    assert given.returncode == written.returncode == 0
    assert "turfmilter: warning: socket: other hosts can reach it" in given.stderr
    assert given.stderr == written.stderr


def test_a_socket_on_the_command_line_is_checked_instead_of_the_configured_one(place: Path) -> None:
    path = configured(place, socket="inet:8895@0.0.0.0")
    assert run("-t", "-c", path, "-s", f"unix:{place}/s").stderr == ""


def test_settings_that_do_harm_later_cause_warnings(place: Path) -> None:
    (place / "turf.table").write_text("@a.test expires=2020-01-31\n@b.test\n@c.test expires=2021-01-01 by=anna\n")
    settings = '[turf]\ntables = ["file:turf.table", "@d.test expires=2022-02-02"]\ndiscard = true\n'
    settings += '[quarantine]\nkeep = "7d"\nkeep_reviewed = "30d"\n[release]\nport = 25\n'
    done = run("-t", "-c", configured(place, settings))
    assert done.returncode == 0
    said = [line.removeprefix("turfmilter: warning: ") for line in done.stderr.splitlines()]
    expired = 'turf.table:1: "@a.test": expired after 2020-01-31; remove it, or write a later day (and 1 more)'
    assert expired in said
    assert 'turf.tables[1]: "@d.test": expired after 2022-02-02; remove it, or write a later day' in said
    for key in ("quarantine.keep_reviewed: ", "release.port: 25 is "):
        assert sum(line.startswith(key) for line in said) == 1
    assert len(said) == 4


def test_warnings_do_not_change_the_exit_status(place: Path) -> None:
    path = configured(place, '[relay]\ndefault = "allow"\n')
    done = run("-t", "-c", path)
    assert done.returncode == 0
    assert "turfmilter: warning: relay.default: " in done.stderr


@pytest.mark.parametrize("arguments", [["-t"], ["-f"], []])
def test_a_missing_configuration_is_named(place: Path, arguments: list[str]) -> None:
    done = run(*arguments, "-c", place / "missing.toml")
    assert done.returncode == 78
    assert done.stderr.startswith(f"turfmilter: {place}/missing.toml: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("arguments", [["--nonsense"], ["extra"], ["-s", "inet:99999"], ["-s", "inet:smtp@x"]])
def test_a_wrong_command_line_prints_the_usage(place: Path, arguments: list[str]) -> None:
    done = run("-c", configured(place), *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: turfmilter ")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("inet:99999", "port 99999 is out of range; ports are 1 to 65535"),
        ("inet:smtp@localhost", '"smtp" is not a port number'),
        ("inet:8895@", 'no host after "@"'),
        ("relative/path", "not a socket"),
        ("unix:relative/path", "the path is relative"),
        ("inet:127.0.0.1:8895", "that is how Postfix writes it"),
    ],
)
def test_an_invalid_socket_is_refused(place: Path, spec: str, said: str) -> None:
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
def test_an_unusable_quarantine_is_refused_with_the_command_that_fixes_it(
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
    _, command = line.split("fix it with: ")
    subprocess.run(command, shell=True, check=True)
    assert run("-t", "-c", path).returncode == 0
