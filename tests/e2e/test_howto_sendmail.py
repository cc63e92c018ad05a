"""docs/howto/attach-to-sendmail.md, word for word: on Debian's own sendmail.mc, and with a Sendmail that runs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.attached import AttachedFilter
from e2e.freshhost import sendmail_machine, set_up
from e2e.reader import SENDMAIL_MC, follow, insert
from rig.dnsserver import DnsServer
from rig.enclosure import enclosed
from rig.filter import USER
from rig.network import own_network
from rig.otherfilter import SCRIPTED, OtherFilter
from rig.quarantine import turfctl
from rig.sendmail import Sendmail
from rig.sendmailcf import CF
from rig.sink import Sink
from rig.smtp import SmtpClient
from turfmilter.config.socketspec import SocketSpec

ROOT = Path(__file__).parents[2]
SOCKET = "unix:/run/turfmilter/turfmilter.sock"
PAGE = (ROOT / "docs/howto/attach-to-sendmail.md").read_text()
MESSAGE = b"From: Anna <anna@out.test>\r\nSubject: x\r\n\r\nhello\r\n"
CONFIG = """\
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
[relay]
allow = []
"""


def blocks(section: str, language: str) -> list[str]:
    """The fenced blocks of a section of the page."""
    (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


ATTACH, MAKE, _ = blocks("Attach", "sh")
(LINES,) = blocks("Attach", "m4")
(SHOWN,) = blocks("Attach", "text")
UNDO, _ = blocks("Undo", "sh")
(USERS,) = blocks("A listener for your own users", "m4")
(SECTION,) = blocks("A listener for your own users", "toml")


class Machine:
    """Debian's files for Sendmail where they belong, for commands that are run on it."""

    def __init__(self, directory: Path) -> None:
        self._share = directory / "share"
        shutil.copytree(CF, self._share / "cf")
        self._mail = directory / "mail"
        (self._mail / "m4").mkdir(parents=True)
        for name in ("dialup.m4", "provider.m4"):
            (self._mail / "m4" / name).touch()
        shutil.copy(CF / "debian/sendmail.mc", self._mail)

    @property
    def mc(self) -> Path:
        """/etc/mail/sendmail.mc."""
        return self._mail / "sendmail.mc"

    @property
    def cf(self) -> str:
        """What stands in /etc/mail/sendmail.cf."""
        return (self._mail / "sendmail.cf").read_text()

    def run(self, commands: str) -> str:
        """What the commands of the page say."""
        files = {"/etc/mail": self._mail, "/usr/share/sendmail": self._share}
        shell = enclosed(
            ["bash", "-euc", commands], host="mx.rig.test", files=files, shown=[self._share, self._mail, ROOT]
        )
        done = subprocess.run(shell, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        return done.stdout

    def insert(self, lines: str) -> None:
        """Write lines above the mailers."""
        insert(self.mc, lines)


@pytest.fixture
def machine(place: Path) -> Machine:
    return Machine(place)


def test_the_steps_attach_it_to_debians_sendmail_and_the_last_ones_undo_it(machine: Machine) -> None:
    machine.run(MAKE.splitlines()[0])
    before = machine.cf
    machine.run(ATTACH)
    machine.insert(LINES)
    assert machine.run(MAKE) == SHOWN
    machine.run(UNDO)
    assert _content(machine.cf) == _content(before)
    assert not list((machine.mc.parents[1] / "share").rglob("turfmilter*"))


def test_the_program_tells_the_administrator_the_same(machine: Machine) -> None:
    told = SocketSpec.parse(SOCKET).sendmail()
    assert told is not None
    machine.insert(told + "\n")
    machine.run(MAKE.splitlines()[0])
    assert SHOWN.splitlines()[-1] in machine.cf.splitlines()


@pytest.mark.parametrize("open_to", ["Group", "World"])
def test_a_writable_directory_on_the_way_is_reported_as_the_page_says(place: Path, open_to: str) -> None:
    (place / "open").mkdir()
    (place / "open").chmod({"Group": 0o770, "World": 0o777}[open_to])
    (said,) = re.findall(rf"^\| `(.*: {open_to} writable directory)`", PAGE, re.MULTILINE)
    files = {"/run/turfmilter": place / "open"}
    sendmail = Sendmail(place / "s", sink=9, lines=[LINES], files=files)
    with own_network([]), pytest.raises(RuntimeError, match=re.escape(said)):
        sendmail.start()


def test_a_listener_that_is_added_replaces_none(machine: Machine) -> None:
    machine.run(ATTACH)
    machine.mc.write_text(re.sub("(?m)^DAEMON_OPTIONS.*", "", machine.mc.read_text()))
    machine.run(MAKE.splitlines()[0])
    before = _listeners(machine)
    assert before == ["O DaemonPortOptions=Name=MTA"]
    machine.insert(LINES + USERS)
    machine.run(MAKE)
    assert [one for one in _listeners(machine) if not re.search("Name=(release|submission)", one)] == before


def test_it_is_put_in_front_of_other_filters(machine: Machine) -> None:
    machine.run(ATTACH)
    machine.insert(
        "INPUT_MAIL_FILTER(`a', `S=inet:1@localhost')\n" + LINES + "INPUT_MAIL_FILTER(`b', `S=inet:2@::1')\n"
    )
    machine.run(MAKE)
    assert "\nO InputMailFilters=turfmilter, a, b\n" in machine.cf


OTHERS = ["INPUT_MAIL_FILTER(`a', `S=inet:1@localhost')\n", "INPUT_MAIL_FILTER(`clam-av', `S=inet:2@localhost, F=T')\n"]
RELEASE = "FEATURE(`turfmilter-release')dnl\n"


@pytest.mark.parametrize(
    ("lines", "filters"),
    [
        ([LINES], ""),
        ([*OTHERS, LINES], "a;clam-av"),
        ([LINES, *OTHERS], "a;clam-av"),
        ([OTHERS[0], LINES, OTHERS[1]], "a;clam-av"),
        ([RELEASE, *OTHERS], "a;clam-av"),
        (["define(`confINPUT_MAIL_FILTERS', `x, turfmilter;y')\n", RELEASE], "x;y"),
        (["FEATURE(`turfmilter-release', `10026', `a')\n", *OTHERS], "a"),
        (["FEATURE(`turfmilter-release', , `clam-av, a')\n", *OTHERS], "clam-av;a"),
        (["FEATURE(`turfmilter-release', `10026', `none')\n", *OTHERS], ""),
        ([LINES, USERS, *OTHERS], "a;clam-av"),
    ],
)
def test_what_is_released_passes_all_filters_but_ours_wherever_they_are_defined(
    machine: Machine, lines: list[str], filters: str
) -> None:
    machine.run(ATTACH)
    machine.insert("".join(lines))
    machine.run(MAKE)
    (listener,) = [line for line in _listeners(machine) if "Name=release" in line]
    assert listener.endswith(f" Addr=127.0.0.1, Port=10026, M=E, InputMailFilters={filters}")


def test_the_commands_of_the_page_attach_it_to_debians_sendmail_and_remove_everything_again(place: Path) -> None:
    def inserted(block: str) -> str:
        insert(SENDMAIL_MC, LINES)
        return block

    with sendmail_machine(place) as here:
        set_up(f'socket = "{SOCKET}"\nuser = "turfmilter"\ndomains = ["example.org"]\n')
        follow(ROOT / "docs/howto/attach-to-sendmail.md", {MAKE.splitlines()[0]: inserted})
        assert "turfmilter" not in SENDMAIL_MC.read_text()
        assert "rcpt=anna@example.org verdict=accept" in here.log()


@pytest.fixture
def filter_of_the_page(place: Path) -> Iterator[AttachedFilter]:
    """A filter with the socket that the page names, in a network where its ports are free."""
    with own_network([]), DnsServer() as dns:
        one = AttachedFilter(place / "run", CONFIG + SECTION, dns, 4.0)
        one.start()
        yield one
        one.daemon.stop()


def test_what_it_makes_asks_the_filter_and_spares_what_is_released(
    place: Path, filter_of_the_page: AttachedFilter
) -> None:
    files = {"/run/turfmilter": place / "run"}
    with Sink() as sink, Sendmail(place / "s", sink=sink.port, lines=[LINES], files=files) as sendmail:
        assert _send(sendmail.port, "<x@turf.test>") == 250
        assert [held.recipients for held in filter_of_the_page.held()] == [["alice@rig.test"]]
        assert sink.deliveries == []
        assert _send(10026, "<x@turf.test>") == 250
        assert sink.wait_for(1)[0].recipients == ("alice",)


def test_another_filter_sees_what_is_released_and_ours_does_not(
    place: Path, filter_of_the_page: AttachedFilter
) -> None:
    files = {"/run/turfmilter": place / "run"}
    lines = [LINES, "INPUT_MAIL_FILTER(`other', `S=inet:8891@127.0.0.1')"]
    with (
        Sink() as sink,
        OtherFilter(SCRIPTED, "inet:8891@127.0.0.1", place / "other.log"),
        Sendmail(place / "s", sink=sink.port, lines=lines, files=files) as sendmail,
    ):
        assert _send(sendmail.port, "<x@turf.test>") == 250
        (held,) = filter_of_the_page.held()
        assert b"X-Saw" not in held.message
        assert _send(10026, "<x@turf.test>") == 250
        (delivery,) = sink.wait_for(1)
        assert b"X-Saw: mail <x@turf.test>" in delivery.data
        assert len(filter_of_the_page.held()) == 1
        assert _send(sendmail.port, "<y@out.test>") == 250
        assert [one.sender for one in sink.wait_for(2)] == ["x@turf.test", "y@out.test"], "each has come once"


def test_what_turfctl_releases_is_not_caught_again(place: Path, filter_of_the_page: AttachedFilter) -> None:
    """With nothing about [release] in the configuration."""
    config = place / "turfctl.toml"
    config.write_text(f'user = "{USER}"\n' + CONFIG.replace("$quarantine", str(filter_of_the_page.quarantine)))
    files = {"/run/turfmilter": place / "run"}
    with Sink() as sink, Sendmail(place / "s", sink=sink.port, lines=[LINES], files=files) as sendmail:
        assert _send(sendmail.port, "<x@turf.test>") == 250
        (held,) = filter_of_the_page.held()
        done = turfctl(config, "release", "--yes", "--json", held["X-Quarantine-ID"])
        assert [one["reply"][:10] for one in json.loads(done.stdout)] == ["250 2.0.0 "]
        (delivery,) = sink.wait_for(1)
        assert (delivery.sender, delivery.recipients) == ("x@turf.test", ("alice",))
        assert delivery.data.endswith(MESSAGE)
        assert filter_of_the_page.held() == [], "the one has moved to cur, and nothing new was held"
        assert turfctl(config, "verify").returncode == 0


def test_the_listener_for_users_has_its_name_and_wants_a_login(place: Path, filter_of_the_page: AttachedFilter) -> None:
    files = {"/run/turfmilter": place / "run"}
    accounts = {"alice": "secret"}
    with (
        Sink() as sink,
        Sendmail(place / "s", sink=sink.port, lines=[LINES, USERS], files=files, accounts=accounts) as sendmail,
        SmtpClient(587, source="127.0.0.2") as client,
    ):
        client.ehlo()
        assert client.mail("<alice@rig.test>").code == 530
        client.starttls(sendmail.certificate)
        client.ehlo()
        assert client.auth("alice", "secret").code == 235
        assert client.transaction("<alice@rig.test>", "<x@else.test>", message=MESSAGE)[-1].code == 250
        assert "account=alice listener=submission" in filter_of_the_page.said("rcpt=x@else.test")


def _send(port: int, sender: str) -> int:
    with SmtpClient(port, source="127.0.0.2") as client:
        client.ehlo()
        return client.transaction(sender, "<alice@rig.test>", message=MESSAGE)[-1].code


def _listeners(machine: Machine) -> list[str]:
    return [line for line in machine.cf.splitlines() if line.startswith("O DaemonPortOptions=")]


def _content(cf: str) -> list[str]:
    """Without the comments, which name the time."""
    return [line for line in cf.splitlines() if line and not line.startswith("#")]
