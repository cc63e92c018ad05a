"""The peer, out of what both MTAs really send (Postfix 3.7, Sendmail 8.17)."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import pytest

from rig.rules import Unasked
from turfmilter.core.address.mailbox import IPAddress
from turfmilter.core.ports import Names
from turfmilter.core.rule import Fact
from turfmilter.core.session import ClientNames, Connection, Known, UnderWay
from turfmilter.mta.macros import Macros
from turfmilter.mta.peer import connection


class Sent(Macros):
    """The macros that an MTA has sent; what it has not is "", as with a real one."""

    def __init__(self, **values: str) -> None:
        super().__init__(None)
        self._values = {name if len(name) == 1 else f"{{{name}}}": value for name, value in values.items()}

    def __getitem__(self, name: str) -> str:
        return self._values.get(name, "")


class Dns:
    """Gives one answer, at once, and notes who was looked up."""

    def __init__(self, answer: ClientNames) -> None:
        self.answer = answer
        self.asked: list[IPAddress] = []

    def begin(self, address: IPAddress) -> UnderWay:
        self.asked.append(address)
        return Known(self.answer)


def peer(
    family: int = socket.AF_INET,
    hostaddr: Any = ("192.0.2.7", 40000),
    *,
    names: Names | None = None,
    **macros: str,
) -> Connection:
    return connection(family, hostaddr, Sent(**macros), names, frozenset(Fact))


@pytest.mark.parametrize(
    ("family", "hostaddr", "client"),
    [
        (socket.AF_INET, ("192.0.2.7", 40000), "192.0.2.7"),
        (socket.AF_INET6, ("2001:db8::7", 40000, 0, 0), "2001:db8::7"),
        (socket.AF_INET6, ("::ffff:192.0.2.7", 40000, 0, 0), "192.0.2.7"),
        (socket.AF_INET6, ("fe80::1%eth0", 40000, 0, 2), "fe80::1"),
        (socket.AF_UNIX, "/run/x", None),
        (socket.AF_UNIX, "", None),
        (socket.AF_UNSPEC, None, None),
        (socket.AF_INET, None, None),
        (socket.AF_INET, ("", 0), None),
        (socket.AF_INET, ("unknown", 0), None),
    ],
)
def test_the_client_is_the_address_of_the_peer(family: int, hostaddr: Any, client: str | None) -> None:
    assert peer(family, hostaddr).client == (ip_address(client) if client else None)


@pytest.mark.parametrize(
    ("resolve", "client_name", "name"),
    [
        ("OK", "good.out.test", "good.out.test"),
        ("OK", "GOOD.Out.test.", "good.out.test"),
        ("FAIL", "unknown", ""),
        ("FAIL", "[192.0.2.7]", ""),
        ("FAIL", "[IPv6:2001:db8:0:0:0:0:0:7]", ""),
        ("FORGED", "unknown", ""),
        ("FORGED", "[192.0.2.7]", ""),
        ("FORGED", "liar.ours.test", ""),
        ("TEMP", "unknown", ""),
        ("TEMP", "liar.ours.test", ""),
        ("", "liar.ours.test", ""),
        ("ok", "liar.ours.test", ""),
        ("YES", "liar.ours.test", ""),
        ("OK", "unknown", ""),
        ("OK", "[192.0.2.7]", ""),
        ("OK", "", ""),
    ],
)
def test_only_an_ok_confirms_a_name_and_then_nobody_else_is_asked(resolve: str, client_name: str, name: str) -> None:
    dns = Dns(ClientNames(claimed=("claimed.out.test",)))
    seen = peer(names=dns, client_resolve=resolve, client_name=client_name, client_ptr="ptr.ours.test")
    assert seen.name == name
    assert dns.asked == []
    for _ in range(2):
        seen.names.begin()
    assert dns.asked == ([] if name else [ip_address("192.0.2.7")])
    assert seen.names.result() == (ClientNames((name,), (name,)) if name else dns.answer)


@pytest.mark.parametrize(
    ("answer", "resolve"),
    [
        (ClientNames(("good.out.test",), ("good.out.test",)), "FORGED"),
        (ClientNames(("good.out.test",), ("good.out.test",)), "FAIL"),
        (ClientNames((), ("good.out.test",), failed=True), "TEMP"),
        (ClientNames(), "TEMP"),
    ],
)
def test_what_dns_says_replaces_what_the_mta_could_not_confirm(answer: ClientNames, resolve: str) -> None:
    """The log shows only what the MTA has confirmed."""
    seen = peer(names=Dns(answer), client_resolve=resolve, client_name="unknown")
    assert (seen.name, seen.names.result()) == ("", answer)


def test_where_no_rule_needs_a_name_none_is_looked_up() -> None:
    assert peer(names=None, client_resolve="TEMP", client_name="unknown").names.result() == ClientNames()


@pytest.mark.parametrize(
    ("family", "hostaddr", "asked"),
    [
        (socket.AF_INET6, ("2001:db8::7", 40000, 0, 0), ["2001:db8::7"]),
        (socket.AF_INET6, ("::ffff:192.0.2.7", 40000, 0, 0), ["192.0.2.7"]),
        (socket.AF_UNIX, "/run/x", []),
        (socket.AF_UNSPEC, None, []),
        (socket.AF_INET, ("unknown", 0), []),
    ],
)
def test_the_address_of_the_client_is_looked_up_if_it_has_one(family: int, hostaddr: Any, asked: list[str]) -> None:
    dns = Dns(ClientNames())
    assert peer(family, hostaddr, names=dns).names.result() == ClientNames()
    assert dns.asked == list(map(ip_address, asked))


def test_the_look_up_is_begun_and_not_waited_for() -> None:
    class Begun:
        def begin(self, _address: IPAddress) -> UnderWay:
            return Unasked()

    peer(names=Begun()).names.begin()


def test_who_asks_for_names_that_nobody_expected_to_need_gets_them() -> None:
    """An address entry that decides now may have expired when the session goes on after midnight."""
    dns = Dns(ClientNames(("good.out.test",), ("good.out.test",)))
    seen = peer(names=dns)
    assert [seen.names.result(), seen.names.result()] == [dns.answer] * 2
    assert dns.asked == [ip_address("192.0.2.7")]


@pytest.mark.parametrize("host", ["mx.ours.test", ""])
def test_the_mta_says_what_its_own_name_is(host: str) -> None:
    assert peer(socket.AF_INET, None, j=host).host == host


@pytest.mark.parametrize(
    ("daemon_addr", "if_addr", "local_address"),
    [
        ("192.0.2.25", "", "192.0.2.25"),
        ("2001:db8::25", "", "2001:db8::25"),
        ("IPv6:2001:db8:0:0:0:0:0:25", "", "2001:db8::25"),
        ("0.0.0.0", "192.0.2.25", "192.0.2.25"),
        ("::", "IPv6:2001:db8:0:0:0:0:0:25", "2001:db8::25"),
        ("IPv6:0:0:0:0:0:0:0:0", "192.0.2.25", "192.0.2.25"),
        ("0.0.0.0", "", None),
        ("", "192.0.2.25", "192.0.2.25"),
        ("", "", None),
        ("nonsense", "more nonsense", None),
    ],
)
def test_the_local_address_is_the_one_that_the_client_reached(
    daemon_addr: str, if_addr: str, local_address: str | None
) -> None:
    """Sendmail gives 0.0.0.0 for a listener on all addresses, and {if_addr} then has the one that was reached."""
    expected = ip_address(local_address) if local_address else None
    assert peer(daemon_addr=daemon_addr, if_addr=if_addr).local_address == expected


@pytest.mark.parametrize(
    ("text", "port"), [("25", 25), ("65535", 65535), ("", 0), ("smtp", 0), ("-1", 0), ("\u0662\u0665", 0), ("²", 0)]
)
def test_the_port_is_a_number(text: str, port: int) -> None:
    assert peer(daemon_port=text).port == port


def test_the_daemon_keeps_its_name() -> None:
    assert peer(daemon_name="Submission").daemon == "Submission"


OF_A_LISTENER = {"daemon_name": "mx.rig.test", "daemon_addr": "127.0.0.1", "daemon_port": "25"}


@pytest.mark.parametrize(
    ("family", "hostaddr", "macros"),
    [
        pytest.param(socket.AF_INET, ("127.0.0.1", 0), {}, id="Postfix, sendmail(1)"),
        pytest.param(socket.AF_INET, ("127.0.0.1", 0), OF_A_LISTENER, id="Postfix, its daemon macros are sent too"),
        pytest.param(socket.AF_INET6, ("::1", 0, 0, 0), {}, id="port 0 on the other loopback"),
        pytest.param(socket.AF_UNSPEC, None, {}, id="Sendmail, -bs on pipes"),
        pytest.param(socket.AF_UNIX, "", {}, id="Sendmail, -bs on a unix socket"),
        pytest.param(socket.AF_UNIX, "/run/mail", OF_A_LISTENER, id="a unix socket, whatever its macros"),
    ],
)
def test_a_local_submission_is_told_apart(family: int, hostaddr: Any, macros: dict[str, str]) -> None:
    assert peer(family, hostaddr, **macros).local


@pytest.mark.parametrize(
    ("family", "hostaddr", "macros"),
    [
        pytest.param(socket.AF_INET, ("127.0.0.1", 40000), {}, id="a client on this host"),
        pytest.param(socket.AF_INET, ("127.0.0.1", 0), {"client_resolve": "OK"}, id="XCLIENT without a port"),
        pytest.param(socket.AF_INET, ("192.0.2.7", 0), {}, id="port 0 from afar"),
        pytest.param(socket.AF_INET, ("", 0), {}, id="port 0 from nowhere"),
        pytest.param(socket.AF_INET, None, {}, id="no address at all"),
        pytest.param(socket.AF_UNSPEC, None, {"daemon_name": "mx"}, id="a network client without an address: name"),
        pytest.param(socket.AF_UNSPEC, None, {"daemon_addr": "192.0.2.25"}, id="the same: address"),
        pytest.param(socket.AF_UNSPEC, None, {"daemon_port": "25"}, id="the same: port"),
        pytest.param(socket.AF_INET6, ("::ffff:192.0.2.7", 0, 0, 0), {}, id="port 0, mapped"),
    ],
)
def test_anything_else_that_looks_odd_is_a_client(family: int, hostaddr: Any, macros: dict[str, str]) -> None:
    assert not peer(family, hostaddr, **macros).local


def test_macros_that_no_rule_looks_at_are_not_asked_for() -> None:
    macros = Sent(j="mx.ours.test", daemon_addr="192.0.2.1", daemon_port="25", daemon_name="MTA")
    seen = connection(socket.AF_INET, ("192.0.2.7", 40000), macros, None, ())
    assert (seen.host, seen.local_address, seen.port, seen.daemon) == ("", None, 0, "MTA")
