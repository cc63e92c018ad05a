"""turfmilter -t and a start on a host with Debian's Postfix, with Sendmail's files, with both, and with neither."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.stockhost import CONFIG, SOCKET, installed, run
from rig.link import accepts
from rig.sendmailcf import make_cf
from rig.server import Program

ETC = Path("/etc/postfix")
SETTINGS = f"""\
socket = "unix:{SOCKET}"
user = "turfmilter"
socket_group = "postfix"
domains = ["rig.test"]
[log]
to = "stderr"
"""
MAIN = "main.cf: smtpd_milters = { unix:turfmilter/turfmilter.sock, default_action=tempfail }"
MC = """\
divert(0)dnl
VERSIONID(`test')
OSTYPE(`linux')dnl
LOCAL_DOMAIN(`other.test')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""
OF_POSTFIX = "domains: Postfix receives mail for "
OF_SENDMAIL = "domains: Sendmail receives mail for "


@pytest.fixture
def machine(place: Path) -> Iterator[None]:
    """A host with turfmilter, and no MTA yet."""
    with installed(place, SETTINGS):
        yield


def checked() -> tuple[list[str], list[str]]:
    """What -t prints, and its warnings without those about the socket's way."""
    done = subprocess.run(["turfmilter", "-t"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done
    warnings = [line.removeprefix("turfmilter: warning: ") for line in done.stderr.splitlines()]
    return done.stdout.splitlines(), warnings


def install_postfix(main: str = "") -> None:
    own = "myhostname = mx.rig.test\nmydestination = rig.test\n"
    written(ETC / "main.cf", Path("/usr/share/postfix/main.cf.debian").read_text() + own + main)
    written(ETC / "master.cf", Path("/usr/share/postfix/master.cf.dist").read_text())


def install_sendmail() -> None:
    Path("/etc/mail").mkdir()
    make_cf(Path("/etc/mail/sendmail.cf"), MC)


def written(path: Path, text: str) -> None:
    path.write_text(text)
    os.utime(path, (0, 0))


@contextmanager
def without_postfix(place: Path) -> Iterator[None]:
    """In here no program of Postfix can be found."""
    (place / "sbin").mkdir()
    shutil.copy2("/usr/sbin/nologin", place / "sbin")
    run("mount", "--bind", place / "sbin", "/usr/sbin")
    try:
        yield
    finally:
        run("umount", "/usr/sbin")


@pytest.mark.usefixtures("machine")
def test_with_postfix_alone_its_line_alone_is_printed() -> None:
    install_postfix()
    assert checked() == ([f"{CONFIG}: no errors", MAIN], [])


@pytest.mark.usefixtures("machine")
def test_with_sendmail_alone_its_line_alone_is_printed(place: Path) -> None:
    install_sendmail()
    with without_postfix(place):
        said, (missing, *others) = checked()
    assert [line.split(": ")[0] for line in said] == [str(CONFIG), "sendmail.mc"]
    assert missing.startswith(f'{OF_SENDMAIL}"other.test" (class w)')
    assert others == []


@pytest.mark.usefixtures("machine")
def test_with_both_each_is_compared() -> None:
    install_postfix("relay_domains = third.test\n")
    install_sendmail()
    said, (of_postfix, of_sendmail) = checked()
    assert [line.split(": ")[0] for line in said] == [str(CONFIG), "main.cf", "sendmail.mc"]
    assert of_postfix.startswith(f'{OF_POSTFIX}"third.test" (main.cf relay_domains)')
    assert of_sendmail.startswith(f'{OF_SENDMAIL}"other.test" (class w)')


@pytest.mark.usefixtures("machine")
def test_with_neither_nothing_is_printed(place: Path) -> None:
    with without_postfix(place):
        assert checked() == ([f"{CONFIG}: no errors"], [])


@pytest.mark.usefixtures("machine")
def test_an_attached_filter_causes_no_warning_and_a_spoiled_one_does() -> None:
    install_postfix("mynetworks = 127.0.0.1\n")
    run("/usr/bin/env", "bash", Path(__file__).parents[2] / "contrib/postfix/attach", "--yes")
    assert checked()[1] == []
    run("postconf", "-e", "smtpd_milters=inet:localhost:8891, unix:turfmilter/turfmilter.sock")
    run("postconf", "-e", "milter_default_action=accept", "non_smtpd_milters=", "relay_domains=new.test")
    keys = [re.sub(" .*", "", warning) for warning in checked()[1]]
    assert keys == ["main.cf:", "main.cf:", "main.cf:", "domains:"]


@pytest.mark.usefixtures("machine")
def test_the_domains_of_main_cf_are_followed_by_default() -> None:
    install_postfix("relay_domains = new.test\n")
    assert [line[: len(OF_POSTFIX)] for line in checked()[1]] == [OF_POSTFIX]
    CONFIG.write_text(SETTINGS.replace('"rig.test"', '"postfix:main.cf"'))
    assert checked() == ([f"{CONFIG}: no errors", MAIN], [])


def daemon(place: Path) -> Program:
    return Program(["turfmilter", "-f"], place / "filter.log", lambda: accepts(f"unix:{SOCKET}"))


@pytest.mark.usefixtures("machine")
def test_a_start_logs_what_a_check_prints(place: Path) -> None:
    install_postfix("relay_domains = new.test\nsmtpd_milters = unix:turfmilter/turfmilter.sock\n")
    warnings = checked()[1]
    assert len(warnings) == 3
    with daemon(place) as running:
        for warning in warnings:
            running.wait_for_log(re.escape(f"turfmilter: warning: {warning}\n"))


@pytest.mark.usefixtures("machine")
def test_a_postfix_that_does_not_answer_does_not_prevent_the_start(place: Path) -> None:
    install_postfix()
    (ETC / "main.cf").unlink()
    os.mkfifo(ETC / "main.cf", 0o644)  # opening it blocks, as a file on a dead server does
    with daemon(place) as running:
        running.wait_for_log("cannot be compared with this configuration: postconf did not answer within 5 seconds")
