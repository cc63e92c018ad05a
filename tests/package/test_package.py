"""The Debian package on hosts with a fresh Debian: what README shows, upgrades, removal, and beside other MTAs.

The tests of a module continue each other, in their order, on one host.  debian/tests has what a host does with mail.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from package.debianhost import PROJECT, DebianHost
from package.session import Session
from rig import wait
from rig.golden import Golden
from rig.syslog import Syslog

NewHost = Callable[[str], DebianHost]

DIRECTORY = "/srv/turfmilter"
CONFIG = "etc/turfmilter/turfmilter.toml"
HELD = "var/lib/turfmilter/quarantine/new"
LOG = "var/log/mail.log"


@pytest.fixture(scope="module")
def host(new_host: NewHost) -> Iterator[DebianHost]:
    """A host with Postfix, and a daemon that collects what is logged."""
    host = new_host("postfix")
    with Syslog(host.path / "dev/log", host.path / LOG):
        yield host


def follow_readme(host: DebianHost, heading: str) -> str:
    """What the first block of commands below that heading of README.md prints, run as it is."""
    page = (PROJECT / "README.md").read_text()
    block = re.findall(rf"(?ms)^## {heading}$.*?^```sh\n(.*?)^```$", page)[0]
    return host.run("sh", "-euxc", block, directory=DIRECTORY)


def test_readme_installs_it_and_it_runs(host: DebianHost) -> None:
    said = follow_readme(host, "Install")
    assert host.served(), said
    assert "mode trial" in (host.path / LOG).read_text()
    assert host.state() == "install ok installed"


def test_the_files_are_where_debian_looks_for_them(host: DebianHost) -> None:
    for path in [
        "/etc/mail/m4/turfmilter.m4",
        "/usr/share/bash-completion/completions/turfctl",
        "/usr/share/doc/turfmilter/README.Debian",
        "/usr/share/doc/turfmilter/examples/postfix/attach",
        "/usr/share/man/man5/turf.table.5.gz",
        "/usr/share/man/man8/turfmilter-attach.8.gz",
        "/usr/share/zsh/vendor-completions/_turfctl",
    ]:
        assert host.run("dpkg", "-S", path).startswith("turfmilter: ")
    conffiles = host.run("dpkg-query", "-W", "-f", "${Conffiles}", "turfmilter")
    assert f" /{CONFIG} " in conffiles
    assert "turf.table" not in conffiles
    # pymilter's extension has the name of our source folder.
    where = "import milter, turfmilter; print(milter.__file__, turfmilter.__file__)"
    extension, program = host.run("python3", "-c", where).split()
    assert extension.endswith(".so")
    assert program == "/usr/lib/python3/dist-packages/turfmilter/__init__.py"


def test_systemd_finds_no_error_in_the_units(host: DebianHost) -> None:
    units = [path.name for path in (host.path / "usr/lib/systemd/system").glob("turfmilter*")]
    assert len(units) == 4
    assert host.run("systemd-analyze", "verify", *units) == ""
    assert " OK " in host.run("systemd-analyze", "security", "--offline=true", "turfmilter.service").splitlines()[-1]


def test_the_shell_completes_the_commands(host: DebianHost) -> None:
    script = (
        ". /usr/share/bash-completion/completions/turfctl; COMP_WORDS=(turfctl rel) COMP_CWORD=1; _turfctl_completion"
    )
    assert "release" in host.run("bash", "-c", f'{script} turfctl; echo "${{COMPREPLY[@]}}"').split()


def test_readme_attaches_postfix(host: DebianHost) -> None:
    shown = follow_readme(host, "Attach it")
    assert "smtpd_milters = { unix:turfmilter/turfmilter.sock, default_action=tempfail }" in shown


def test_a_message_is_held_listed_and_released(host: DebianHost) -> None:
    host.run("debian/tests/postfix", directory=DIRECTORY)


def test_logcheck_reports_none_of_what_is_usual(host: DebianHost) -> None:
    rules = host.path / "etc/logcheck/ignore.d.server/turfmilter"
    logged = re.findall(r"(?m)^<\d+>(turfmilter.*)$", (host.path / LOG).read_text())
    lines = [f"Dec  1 12:00:00 mx {line}" for line in logged]
    assert lines
    reported = subprocess.run(
        ["grep", "-Evf", rules], input="\n".join(lines), capture_output=True, text=True, check=False
    )
    assert reported.stdout == ""


def test_an_upgrade_without_new_programs_reloads(host: DebianHost, newer: Path) -> None:
    shutil.copy(newer, host.path / "srv/newer.deb")
    before = host.served()
    host.asked_of_systemd()
    host.run("apt-get", "install", "-y", "/srv/newer.deb")
    assert "reload turfmilter.service" in host.asked_of_systemd()
    assert host.served() == before
    assert host.version() == newer.name.split("_")[1]


def test_an_upgrade_with_new_programs_restarts_after_the_open_sessions(host: DebianHost) -> None:
    _make_installed_programs_differ(host)
    host.run("turfmilter-attach", "--yes")
    host.run("postfix", "reload")
    before, log = host.served(), host.path / LOG
    with Session(host.command()) as session:
        log.write_text("")
        installing = subprocess.Popen(host.command("apt-get", "install", "-y", "--reinstall", "/srv/newer.deb"))
        wait.until(lambda: "waiting for open connections" in log.read_text(), "the restart")
        assert session.finish() == "250"
    assert installing.wait() == 0
    assert "restart turfmilter.service" in host.asked_of_systemd()
    assert host.served() not in (None, before)


def test_an_upgrade_over_a_broken_configuration_keeps_the_old_one_running(host: DebianHost, golden: Golden) -> None:
    _make_installed_programs_differ(host)
    before = host.served()
    config = host.path / CONFIG
    good = config.read_text()
    config.write_text(good.replace('mode = "enforce"', 'mode = "enforced"'))
    said = host.install_again("/srv/newer.deb")
    golden("package", _said(said))
    assert host.state() == "install ok installed"
    assert not {"restart turfmilter.service", "reload turfmilter.service"} & set(host.asked_of_systemd())
    assert host.served() == before
    config.write_text(good)


def test_removal_keeps_mail_and_configuration(host: DebianHost, golden: Golden) -> None:
    host.run("debian/tests/send", "kept@spam.example", "anna@example.org", directory=DIRECTORY)
    said = host.run("apt-get", "remove", "-y", "turfmilter")
    golden("package", _said(said))
    assert host.served() is None
    assert host.state() == "deinstall ok config-files"
    assert (host.path / CONFIG).exists()
    assert len(list((host.path / HELD).iterdir())) == 1


def test_a_purge_keeps_a_quarantine_that_contains_mail(host: DebianHost, golden: Golden) -> None:
    (host.path / "etc/turfmilter/more.table").touch()
    said = host.run("dpkg", "--purge", "turfmilter")
    golden("package", _said(said))
    assert len(list((host.path / HELD).iterdir())) == 1
    assert [path.name for path in (host.path / "etc/turfmilter").iterdir()] == ["more.table"]


def test_after_a_new_installation_the_mail_is_found_again_and_an_empty_quarantine_is_purged(host: DebianHost) -> None:
    host.run("apt-get", "install", "-y", "/srv/newer.deb")
    assert "kept@spam.example" in host.run("turfctl", "list")
    host.run("turfctl", "delete", "--yes", "--sender", "kept@spam.example")
    for message in (host.path / "var/lib/turfmilter/quarantine").glob("*/*,*"):
        message.unlink()
    follow_readme(host, "Undo")
    assert not (host.path / "var/lib/turfmilter").exists()
    assert not (host.path / "var/spool/postfix/turfmilter").exists()


def test_sendmail_finds_the_features_and_a_message_is_held_and_released(new_host: NewHost, golden: Golden) -> None:
    host = new_host("sendmail-bin sendmail-cf m4")
    said = follow_readme(host, "Install")
    golden("package", _said(said))  # it is configured for Postfix, so it does not start here
    assert host.state() == "install ok installed"
    host.run("debian/tests/sendmail", directory=DIRECTORY)


def test_another_mta_stays(new_host: NewHost) -> None:
    host = new_host("exim4-daemon-light")
    follow_readme(host, "Install")
    assert host.state() == "install ok installed"
    assert host.state("exim4-daemon-light") == "install ok installed"
    assert host.served() is None


def _make_installed_programs_differ(host: DebianHost) -> None:
    """As if the installed version had other programs than the next one."""
    (host.path / "usr/share/turfmilter/programs.sum").write_text("")


def _said(output: str) -> str:
    """The lines of the package itself in what apt and dpkg print."""
    return "\n".join(line for line in output.splitlines() if line.startswith("turfmilter: "))
