"""Nothing is imported after the change of user: where only root can read Python's modules, all of it works."""

from __future__ import annotations

import encodings
import os
import pkgutil
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest

from rig import wait
from rig.dnsserver import Conduct, DnsServer
from rig.filter import Filter, give, rewrite
from rig.hostile import HOSTILE
from rig.nexthop import ScriptedNextHop
from rig.quarantine import hold, in_turn, reviewed
from rig.rootonly import RootOnly
from rig.terminal import printed
from rig.zone import claimed, named

SETTINGS = """\
workers = 2
domains = ["rig.test"]
[dns]
nameservers = ["{host}:{port}"]
timeout = 1.0
[connect]
deny = ["partner.test"]
[reverse_name]
check = "stamp"
[turf]
tables = ["file:turf.table"]
directory = "{quarantine}"
"""
ZONE = (
    named("192.0.2.1", "mx.partner.test")
    + named("2001:db8::1", "mx.other.test")
    + claimed("192.0.2.2", "alias.other.test")
    + "alias.other.test 300 CNAME b.other.test\nb.other.test 300 A 192.0.2.2\n"
    + "other.test 300 SOA ns.other.test. root.other.test. 1 2 3 4 5\n"
    + claimed("192.0.2.3", "none.other.test", "xn--bcher-kva.other.test", "bad\\255name.other.test")
)
# What no session can bring about: errors in the program itself, and in Python's own threads.
LATE = """
import asyncio, codecs, threading, traceback, warnings
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from email.message import EmailMessage
import click
from turfmilter.cli.turfmilter import main
from turfmilter.daemon import identity
identity.become("nobody")
import sys
for charset in sys.argv[1:]:
    codecs.lookup(charset)
datetime.strptime("2026", "%Y")
"b\\u00fccher.example".encode("idna")
message = EmailMessage()
message["Subject"] = "\\u00e9"
message.set_content("\\u00e9", charset="iso-8859-15")
message.as_bytes()
ThreadPoolExecutor(1).submit(lambda: 1 / 0).exception()
asyncio.run(asyncio.sleep(0))
main(["--help"], standalone_mode=False)
try:
    main(["--nonsense"])
except SystemExit:
    pass
print("all of it")
"""


@pytest.fixture
def root_only(place: Path) -> RootOnly:
    assert os.geteuid() == 0, "only root can become somebody else: run these tests as root"
    give(place)
    return RootOnly(place)


def wrapped(turf: Filter, root_only: RootOnly) -> Filter:
    """The filter, about to be started where only root can read Python."""
    turf.daemon.process.command = root_only.command("-m", "turfmilter", "-f", "-c", turf.config)
    return turf


class TestDaemon:
    @pytest.fixture
    def dns(self) -> Iterator[DnsServer]:
        with DnsServer(ZONE) as running:
            yield running

    @pytest.fixture
    def settings(self, place: Path, dns: DnsServer) -> str:
        (place / "turf.table").write_text("@turf.test\n")
        host, port = dns.address
        return SETTINGS.replace("{host}", host).replace("{port}", str(port))

    @pytest.fixture
    def turf(self, place: Path, settings: str, root_only: RootOnly) -> Iterator[Filter]:
        with wrapped(Filter(place, settings), root_only) as running:
            yield running
        assert root_only.imported() == []
        assert [line for line in running.daemon.log().splitlines() if "Error" in line or "Traceback" in line] == []

    def test_messages_of_every_kind(self, turf: Filter) -> None:
        authors = [
            *(
                " =?koi8-r?q?=c1?= <x@out.test>",
                " b\u00fc@b\u00fccher.test",
                " =?no-such?q?x?= (",
                " \udcff\udcfe <x@turf.test",
            ),
            *(" x@[192.0.2.1]", " a: b@turf.test;", "", " " + "x@out.test, " * 500),
        ]
        for author in authors:
            with turf.session() as client:
                told = client.message("<a@turf.test>", ["<b@rig.test>"], [("From", author)], b"\xff\x00\n")
                assert str(told.end) == "discard"
                recipients = ["<B\u00fc@b\u00fccher.test>", "<x%y@rig.test>", "<@a,@b:c@d>", '<"a b"@[192.0.2.1]>']
                client.message("<b\u00fc@b\u00fccher.test>", recipients, [("From", author)])
        assert len(turf.held()) == len(authors)

    def test_refusals_and_answers_of_dns(self, turf: Filter, dns: DnsServer) -> None:
        for conduct, address in ((Conduct.SERVFAIL, "192.0.2.4"), (Conduct.GARBAGE, "192.0.2.5")):
            dns.tell(conduct, ip_address(address).reverse_pointer, "PTR")
        dns.add(named("192.0.2.6", *(f"n{number}.other.test" for number in range(10))))
        dns.tell(Conduct.TRUNCATE, ip_address("192.0.2.6").reverse_pointer, "PTR")
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "192.0.2.5", "192.0.2.6", "2001:db8::1"):
            with turf.session(f"[{address}]", address) as client:
                client.message("<a@out.test>", ["<b@rig.test>", "<c%d@rig.test>", "<e@else.test>"])
        turf.daemon.wait_for_log('"client": "192.0.2.1".*"rule": "connect", "entry": "partner.test ')
        assert dns.count(ip_address("192.0.2.6").reverse_pointer, "PTR", "tcp") == 1

    def test_reloads_good_and_bad(self, turf: Filter, place: Path, settings: str) -> None:
        bad = (
            "@turf.test extra\n",
            "b\u00fccher.test\n",
            "@x expires=2026-13-01\n",
            '@x why="\n',
            "@" + "x" * 300 + "\n",
        )
        for number, table in enumerate(bad, 1):
            rewrite(place / "turf.table", table)
            turf.reload()
            self.wait_for_failures(turf, number)
        rewrite(place / "turf.table", '@turf.test\n@b\u00fccher.test expires=2036-01-31 why="\u00e9"\n')
        for more in ("dommains = 3\n", "= broken\n", '[limits]\nmessage_size = "1 lightyear"\n'):
            number += 1
            turf.configure(more + settings)
            turf.reload()
            self.wait_for_failures(turf, number)
        turf.configure(settings)
        turf.reload()
        turf.daemon.wait_for_log("generation 2: turf")

    def wait_for_failures(self, turf: Filter, number: int) -> None:
        turf.wait_for_status(lambda seen: seen["reloads_failed"] >= number)

    def test_a_worker_that_is_replaced_and_the_upkeep(self, turf: Filter, settings: str) -> None:
        with turf.session() as client:
            client.message("<a@turf.test>", ["<b@rig.test>"])
        turf.configure(settings + '[quarantine]\nkeep = "1h"\nfloor = "0%"\nmax_size = "1 KiB"\n')
        turf.reload()
        turf.daemon.wait_for_log("generation 2: ")
        before = set(turf.daemon.workers())
        os.kill(min(before), signal.SIGKILL)
        turf.wait_for_status(lambda seen: {one["pid"] for one in seen["workers"]}.isdisjoint({min(before)}))
        with turf.session() as client:
            assert client.message("<a@out.test>", ["<b@rig.test>"])

    def test_a_trial_as_well(self, place: Path, settings: str, root_only: RootOnly) -> None:
        turf = Filter(place, settings)
        done = run(root_only.command("-m", "turfmilter", "-t", "-c", str(turf.config)))
        assert (done.returncode, root_only.imported()) == (0, []), done.stderr


def by_name(commands: Sequence[Sequence[str]]) -> Iterable[Sequence[Sequence[str]]]:
    """The commands of one name together: what one command imports must not help another."""
    groups: dict[str, list[Sequence[str]]] = defaultdict(list)
    for words in commands:
        groups[next(word for word in words if word != "quarantine")].append(words)
    return groups.values()


class TestTurfctl:
    @pytest.fixture
    def config(self, place: Path) -> Path:
        (place / "turf.table").write_text("@turf.example\n")
        give(place / "turf.table")
        return reviewed(place, 'tables = ["file:turf.table"]')[1]

    @pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
    def test_every_command(self, config: Path, root_only: RootOnly, terminal: bool) -> None:
        quarantine = config.parent / "quarantine"
        ids = [hold(quarantine, text, sender="b\u00fc@turf.example") for text in HOSTILE.values()]
        others = [hold(quarantine) for _ in range(600)]  # so many that a bar shows the progress
        looks = [
            ["quarantine", "show", *option, id] for option in ([], ["--headers"]) for id in ids[:: 1 + 4 * len(option)]
        ]
        with ExitStack() as stack:
            hop = stack.enter_context(ScriptedNextHop({"RCPT TO:<anna@": "550 5.1.1 n\u00f6"}))
            config.write_text(f"{config.read_text()}[release]\nport = {hop.port}\n")
            commands = [
                ["quarantine", "list"],
                *looks,
                *(["list", "--group-by", by] for by in ("sender", "recipient", "domain", "entry", "client")),
                ["list", "--all", "--state", "unknown"],
                ["list", "--state", "unknown"],
                ["show", "--part", "1", ids[0]],
                ["quarantine", "list", "--newer", "3000d", "--json"],
                ["quarantine", "list", "--newer", "nonsense"],
                ["quarantine", "list", "--help"],
                ["quarantine", "nonsense"],
                ["quarantine", "verify"],
                ["quarantine", "stats"],
                ["quarantine", "digest", "--newer", "3000d"],
                ["quarantine", "digest", "--newer", "3000d", "--mail", "postmaster@rig.test"],
                ["quarantine", "export", "--rule", "turf"],
                ["quarantine", "release", "--yes", others[0]],
                ["quarantine", "release", "--yes", "--and-allow", "--for", "3d", others[1]],
                ["quarantine", "delete", others[2]],
                ["quarantine", "delete", "--yes", "--sender", "spam@turf.example"],
                ["quarantine", "undelete", "--yes", others[3]],
                ["quarantine", "expire", "--yes"],
                ["turf", "list"],
                ["turf", "list", "--json"],
                ["turf", "check", "x@b\u00fccher.example"],
                ["turf", "add", "--yes", "--for", "3w", "--why", "\u00e9", "@b\u00fccher.example"],
                ["turf", "remove", "--yes", "@b\u00fccher.example"],
                ["turf", "add", "--yes", "nonsense"],
                ["--help"],
                *([group, name, "--help"] for group, name in (("quarantine", "release"), ("turf", "add"))),
            ]
            said = ""
            for some in by_name(commands):
                line = root_only.command(*in_turn(config, some))
                said += on_terminal(line) if terminal else run(line).stdout
        ends = {tuple(words): f"turfctl {' '.join(words)}: " in said for words in commands}
        assert [words for words, ended in ends.items() if not ended] == []
        assert "Traceback" not in said
        assert root_only.imported() == []

    def test_a_next_hop_that_is_called_by_a_name_and_one_that_is_away(self, config: Path, root_only: RootOnly) -> None:
        config.write_text(f'{config.read_text()}[release]\nhost = "xn--bcher-kva.invalid"\nport = 2\n')
        release = ["quarantine", "release", "--yes", hold(config.parent / "quarantine")]
        done = run(root_only.command(*in_turn(config, [release])))
        assert "nothing was sent" in done.stderr
        assert (root_only.imported(), "Traceback" in done.stderr) == ([], False)


def test_what_only_an_error_brings_about(root_only: RootOnly) -> None:
    charsets = [module.name for module in pkgutil.iter_modules(encodings.__path__)]
    names = [name for name in charsets if name not in ("aliases", "mbcs", "oem", "cp65001")]
    done = run(root_only.command("-c", LATE, *names))
    assert done.stdout.endswith("all of it\n"), done.stderr
    assert root_only.imported() == []


def test_every_type_of_record_is_known(root_only: RootOnly) -> None:
    classes = (
        "from dns.rdata import get_rdata_class\nfrom dns.rdataclass import IN\nfrom dns.rdatatype import RdataType\n"
        "print([get_rdata_class(IN, kind).__name__ for kind in RdataType])"
    )
    become = "import turfmilter.compose\nfrom turfmilter.daemon import identity\nidentity.become('nobody')\n"
    as_root, as_user = (run(root_only.command("-c", start + classes)) for start in ("", become))
    assert (as_user.stdout, as_user.stderr, root_only.imported()) == (as_root.stdout, "", [])


def run(line: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=wait.AMPLE,
        check=False,
    )


_PAGER = {"TERM": "xterm", "PAGER": "head -n 5"}  # it leaves early, and waits for nobody


def on_terminal(line: Sequence[str]) -> str:
    """What was shown; every question is answered with yes."""
    return printed(line, {**os.environ, **_PAGER}, keys="y\n" * 5)[0].decode(errors="replace")
