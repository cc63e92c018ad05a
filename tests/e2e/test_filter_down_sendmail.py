"""The filter is down, dies or hangs while Sendmail speaks with it, under each of Sendmail's flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from e2e.gate import Gate
from e2e.sendmailhost import SendmailHost
from rig.smtp import SmtpClient

CONFIG = """\
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""
TURF = b"From: a@turf.test\r\n\r\n" + b"x" * 70 + b"\r\n"


def attached(socket: str, flag: str, seconds: int) -> list[str]:
    """The line for sendmail.mc, with another flag and less patience than the feature has."""
    where = socket.replace("unix:", "local:")
    return [
        f"INPUT_MAIL_FILTER(`turfmilter', `S={where}, {flag}T=C:{seconds}s;S:{seconds}s;R:{seconds}s;E:{seconds}s')"
    ]


@pytest.mark.parametrize(
    ("flag", "answer"), [("F=T, ", "451 4.3.2"), ("", "250 2.1.0"), ("F=R, ", "550 5.0.0"), ("F=4, ", "closed")]
)
def test_a_filter_that_was_killed_is_missed_and_comes_back(place: Path, flag: str, answer: str) -> None:
    socket = f"unix:{place}/filter/turfmilter.sock"
    with SendmailHost(place, CONFIG, milter="", lines=attached(socket, flag, 3)) as host:
        host.filter.daemon.kill()
        assert first_words(host) == answer
        host.filter.start()
        assert host.send("<alice@rig.test>", sender="<x@turf.test>")[-1].startswith("250 ")
        assert len(host.filter.held()) == 1
        assert host.reached() == []


def first_words(host: SendmailHost) -> str:
    """The code of what Sendmail says to MAIL."""
    try:
        with SmtpClient(host.sendmail.port, source="127.0.0.2") as client:
            client.ehlo()
            return str(client.mail("<x@turf.test>"))[:9]
    except ConnectionError:
        return "closed"


@pytest.mark.parametrize(("flag", "answer"), [("F=T, ", "451"), ("", "250"), ("F=R, ", "554"), ("F=4, ", "421")])
def test_one_that_dies_in_the_middle_of_a_message_loses_nothing_under_t(place: Path, flag: str, answer: str) -> None:
    socket = f"unix:{place}/filter/turfmilter.sock"
    with SendmailHost(place, CONFIG, milter="", lines=attached(socket, flag, 3)) as host:
        with host.client() as client:
            client.mail("<x@turf.test>")
            client.rcpt("<alice@rig.test>")
            assert client.command("DATA").code == 354
            host.filter.daemon.kill()
            assert str(client.content(TURF)).startswith(answer)
        assert host.reached() == (["alice"] if answer == "250" else [])
        assert host.filter.held() == []


@pytest.mark.parametrize(("flag", "answer"), [("F=T, ", "451"), ("", "250")])
def test_one_that_hangs_is_given_up(place: Path, flag: str, answer: str) -> None:
    gate = Gate(place / "gate", f"unix:{place}/filter/turfmilter.sock")
    with gate, SendmailHost(place, CONFIG, milter="", lines=attached(gate.socket, flag, 2)) as host:
        with host.client() as client:
            client.mail("<x@turf.test>")
            client.rcpt("<alice@rig.test>")
            gate.stop_after(0)
            assert str(client.data(TURF)).startswith(answer)
        gate.open()
        assert host.reached() == (["alice"] if answer == "250" else [])
