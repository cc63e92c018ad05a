"""Sockets as libmilter spells them, and the lines for both MTAs."""

from __future__ import annotations

import pytest

from rig.golden import Golden, report
from turfmilter.config.socketspec import SocketSpec

UNIX = SocketSpec("unix", path="/run/turfmilter/turfmilter.sock")


@pytest.mark.parametrize(
    ("text", "spec", "shown"),
    [
        ("unix:/run/turfmilter/turfmilter.sock", UNIX, "unix:/run/turfmilter/turfmilter.sock"),
        ("local:/run/turfmilter/turfmilter.sock", UNIX, "unix:/run/turfmilter/turfmilter.sock"),
        ("/run/turfmilter/turfmilter.sock", UNIX, "unix:/run/turfmilter/turfmilter.sock"),
        ("inet:8895@127.0.0.1", SocketSpec("inet", host="127.0.0.1", port=8895), "inet:8895@127.0.0.1"),
        ("INET:8895@localhost", SocketSpec("inet", host="localhost", port=8895), "inet:8895@localhost"),
        ("inet:8895@[127.0.0.1]", SocketSpec("inet", host="127.0.0.1", port=8895), "inet:8895@127.0.0.1"),
        ("inet:8895", SocketSpec("inet", port=8895), "inet:8895"),
        ("inet6:8895@::1", SocketSpec("inet6", host="::1", port=8895), "inet6:8895@::1"),
        ("inet6:8895@[::1]", SocketSpec("inet6", host="::1", port=8895), "inet6:8895@::1"),
        ("inet6:65535", SocketSpec("inet6", port=65535), "inet6:65535"),
        ("fd:3", SocketSpec("fd", fd=3), "fd:3"),
    ],
)
def test_a_socket_is_read_and_shown(text: str, spec: SocketSpec, shown: str) -> None:
    assert SocketSpec.parse(text) == spec
    assert str(spec) == shown
    assert SocketSpec.parse(shown) == spec


NOT_A_SOCKET = [
    "",
    "tcp:8895",
    "unix:",
    "local:a/b",
    "unix:/run/my filter",
    "unix:/run/a,b",
    "unix:/run/a\0b",
    "unix:/" + "x" * 107,
    "inet:127.0.0.1:8895",
    "inet:mail.example.org:8895",
    "inet:[::1]:8895",
    "localhost:8895",
    "inet:99999",
    "inet:0@localhost",
    "inet:65536@localhost",
    "inet:milter@localhost",
    "inet6:",
    "inet:8895@",
    "inet:8895@::1",
    "inet6:8895@127.0.0.1",
    "inet:8895@*",
    "inet:8895@300.1.1.1",
    "fd:systemd",
    "fd:2",
]


def wrong(text: str) -> list[str]:
    with pytest.raises(ValueError) as caught:
        SocketSpec.parse(text)
    return [str(caught.value)]


def test_an_invalid_socket_is_reported_with_what_was_meant(golden: Golden) -> None:
    golden("config", report(NOT_A_SOCKET, wrong))


def test_the_longest_path_is_107_bytes() -> None:
    assert SocketSpec.parse("unix:/" + "x" * 106).path == "/" + "x" * 106


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("unix:/run/x", True),
        ("fd:3", True),
        ("inet:8895@127.0.0.2", True),
        ("inet:8895@LOCALHOST", True),
        ("inet6:8895@::1", True),
        ("inet:8895", False),
        ("inet6:8895", False),
        ("inet:8895@0.0.0.0", False),
        ("inet6:8895@::", False),
        ("inet:8895@192.0.2.1", False),
        ("inet:8895@mx.example.org", False),
    ],
)
def test_only_loopback_addresses_are_out_of_reach(text: str, loopback: bool) -> None:
    assert SocketSpec.parse(text).loopback is loopback


@pytest.mark.parametrize(
    ("text", "postfix", "sendmail"),
    [
        ("unix:/run/turfmilter/t.sock", "unix:/run/turfmilter/t.sock", "local:/run/turfmilter/t.sock"),
        (
            "unix:/var/spool/postfix/turfmilter/t.sock",
            "unix:turfmilter/t.sock",
            "local:/var/spool/postfix/turfmilter/t.sock",
        ),
        ("inet:8895@127.0.0.1", "inet:127.0.0.1:8895", "inet:8895@127.0.0.1"),
        ("inet:8895@mx.example.org", "inet:mx.example.org:8895", "inet:8895@mx.example.org"),
        ("inet:8895@0.0.0.0", "inet:127.0.0.1:8895", "inet:8895@127.0.0.1"),
        ("inet6:8895@2001:db8::1", "inet:[2001:db8::1]:8895", "inet6:8895@2001:db8::1"),
        ("inet6:8895", "inet:[::1]:8895", "inet6:8895@::1"),
    ],
)
def test_the_lines_to_paste_are_in_each_mtas_spelling(text: str, postfix: str, sendmail: str) -> None:
    spec = SocketSpec.parse(text)
    assert spec.postfix() == f"smtpd_milters = {{ {postfix}, default_action=tempfail }}"
    assert spec.sendmail() == f"INPUT_MAIL_FILTER(`turfmilter', `S={sendmail}, F=T, T=C:2m;S:30s;R:60s;E:5m')dnl"


def test_the_address_of_an_inherited_socket_is_unknown() -> None:
    assert SocketSpec.parse("fd:3").postfix() is None
    assert SocketSpec.parse("fd:3").sendmail() is None
