"""A client's names are what its PTR records say and A or AAAA confirm; what DNS does not tell is said."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from rig.dnsserver import Conduct, DnsServer
from turfmilter.core.session import ClientNames, Lookup
from turfmilter.stores.dns import DnsNames, system_nameservers

AMPLE = 30.0  # seconds that no look-up here needs
SOME = 3.0  # seconds, where part of the answers come and the rest must be given up
SHORT = 0.2  # seconds, where nothing but the deadline can end it
CLIENT = "192.0.2.7"
PTR = "7.2.0.192.in-addr.arpa"
CLIENT6 = "2001:db8::7"
PTR6 = ip_address(CLIENT6).reverse_pointer

CASES: dict[str, tuple[str, str, ClientNames]] = {
    "a name that leads back": (
        CLIENT,
        f"{PTR} 300 PTR mx.client.example\nmx.client.example 300 A {CLIENT}",
        ClientNames(("mx.client.example",), ("mx.client.example",)),
    ),
    "a name with several addresses": (
        CLIENT,
        f"{PTR} 300 PTR mx.client.example\nmx.client.example 300 A 192.0.2.1\nmx.client.example 300 A {CLIENT}",
        ClientNames(("mx.client.example",), ("mx.client.example",)),
    ),
    "a forged name": (
        CLIENT,
        f"{PTR} 300 PTR mx.bank.example\nmx.bank.example 300 A 198.51.100.1",
        ClientNames((), ("mx.bank.example",)),
    ),
    "a name that does not exist": (CLIENT, f"{PTR} 300 PTR gone.example", ClientNames((), ("gone.example",))),
    "a name with an address of the other family only": (
        CLIENT,
        f"{PTR} 300 PTR mx.client.example\nmx.client.example 300 AAAA {CLIENT6}",
        ClientNames((), ("mx.client.example",)),
    ),
    "no PTR": (CLIENT, "", ClientNames()),
    "other records than a PTR": (CLIENT, f'{PTR} 300 TXT "nobody"', ClientNames()),
    "a delegated reverse zone (RFC 2317)": (
        CLIENT,
        f"{PTR} 300 CNAME 7.0-15.2.0.192.in-addr.arpa\n7.0-15.2.0.192.in-addr.arpa 300 PTR mx.client.example\n"
        f"mx.client.example 300 A {CLIENT}",
        ClientNames(("mx.client.example",), ("mx.client.example",)),
    ),
    "a name that is an alias of an alias": (
        CLIENT,
        f"{PTR} 300 PTR www.client.example\nwww.client.example 300 CNAME web.client.example\n"
        f"web.client.example 300 CNAME host.client.example\nhost.client.example 300 A {CLIENT}",
        ClientNames(("www.client.example",), ("www.client.example",)),
    ),
    "an alias of nothing": (CLIENT, f"{PTR} 300 CNAME nowhere.example", ClientNames()),
    "an international name": (
        CLIENT,
        f"{PTR} 300 PTR MX.xn--Bcher-KVA.example\nmx.xn--bcher-kva.example 300 A {CLIENT}",
        ClientNames(("mx.xn--bcher-kva.example",), ("mx.xn--bcher-kva.example",)),
    ),
    "a name with an underscore": (
        CLIENT,
        f"{PTR} 300 PTR mail_out.client.example\nmail_out.client.example 300 A {CLIENT}",
        ClientNames(("mail_out.client.example",), ("mail_out.client.example",)),
    ),
    "a name without a dot": (
        CLIENT,
        f"{PTR} 300 PTR localhost\nlocalhost 300 A {CLIENT}",
        ClientNames(("localhost",), ("localhost",)),
    ),
    "IPv6": (
        CLIENT6,
        f"{PTR6} 300 PTR mx.client.example\nmx.client.example 300 AAAA 2001:DB8:0:0::0007\n"
        f"mx.client.example 300 A {CLIENT}",
        ClientNames(("mx.client.example",), ("mx.client.example",)),
    ),
    "an IPv4-mapped IPv6 address": (
        f"::ffff:{CLIENT}",
        f"{PTR} 300 PTR mx.client.example\nmx.client.example 300 A {CLIENT}",
        ClientNames(("mx.client.example",), ("mx.client.example",)),
    ),
}

HOSTILE = [
    r"two\032words.example",
    r"line\010break.example",
    r"bell\007.example",
    r"zero\000.example",
    r"\"quoted\".example",
    r"a\.b.example",
    r"b\195\188cher.example",
    r"latin\252.example",
    r"back\\slash.example",
    r"\(comment\).example",
    r"percent%s.example",
    r"\@example",
    r"*.example",
    r"-dash.example",
    r"192.0.2.7",
    r"2001:db8::7",
    r"[192.0.2.7]",
    r"1234",
    r".",
]


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def asking(server: DnsServer, clock: Clock) -> Callable[..., DnsNames]:
    """Makes DnsNames that ask `server`."""

    def make(timeout: float = AMPLE) -> DnsNames:
        return DnsNames([server.address], timeout=timeout, timer=clock)

    return make


@pytest.fixture
def names(asking: Callable[..., DnsNames]) -> DnsNames:
    return asking()


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def begin(names: DnsNames, address: str = CLIENT) -> Lookup:
    return names.begin(ip_address(address))


def look_up(names: DnsNames, address: str = CLIENT) -> ClientNames:
    return begin(names, address).result()


def confirmed(*names: str) -> ClientNames:
    return ClientNames(names, names)


def matching(address: str, name: str, ttl: int = 300) -> str:
    """A zone in which `address` has `name`."""
    return f"{ip_address(address).reverse_pointer} {ttl} PTR {name}\n{name} {ttl} A {address}"


@pytest.mark.parametrize("case", CASES)
def test_the_names_are_those_of_the_zone(case: str, server: DnsServer, names: DnsNames) -> None:
    address, zone, expected = CASES[case]
    server.add(zone)
    assert look_up(names, address) == expected


def test_every_name_is_confirmed_for_itself(server: DnsServer, names: DnsNames) -> None:
    server.add(matching(CLIENT, "good.example"))
    server.add(matching(CLIENT, "also.example"))
    server.add(f"{PTR} 300 PTR forged.example\nforged.example 300 A 198.51.100.1")
    found = look_up(names)
    assert set(found.claimed) == {"good.example", "also.example", "forged.example"}
    assert set(found.confirmed) == {"good.example", "also.example"}
    assert not found.failed


def test_of_thirty_names_ten_are_asked_for(server: DnsServer, names: DnsNames) -> None:
    for number in range(30):
        server.add(matching(CLIENT, f"host-{number}.with-a-rather-long-name.client.example"))
    found = look_up(names)
    assert len(found.confirmed) == 10
    assert found == confirmed(*found.claimed)
    assert [question.kind for question in server.asked].count("A") == 10
    assert server.count(PTR, "PTR", "tcp") == 1  # they are too many for one datagram


def test_what_does_not_fit_over_udp_is_asked_over_tcp(server: DnsServer, names: DnsNames) -> None:
    server.add(matching(CLIENT, "mx.client.example"))
    server.tell(Conduct.TRUNCATE, PTR, "PTR")
    assert look_up(names) == confirmed("mx.client.example")
    assert [question.transport for question in server.asked] == ["udp", "tcp", "udp"]


@pytest.mark.parametrize("target", HOSTILE)
def test_what_is_no_host_name_is_dropped(target: str, server: DnsServer, names: DnsNames) -> None:
    server.add(f"{PTR} 300 PTR {target}")
    server.add(f"{target} 300 A {CLIENT}")
    assert look_up(names) == ClientNames()
    assert len(server.asked) == 1


def test_a_host_name_beside_a_hostile_one_counts(server: DnsServer, names: DnsNames) -> None:
    server.add(rf"{PTR} 300 PTR two\032words.example")
    server.add(matching(CLIENT, "mx.client.example"))
    assert look_up(names) == confirmed("mx.client.example")


@pytest.mark.parametrize("conduct", [Conduct.SERVFAIL, Conduct.REFUSED])
def test_a_refused_ptr_is_a_failure(conduct: Conduct, server: DnsServer, names: DnsNames) -> None:
    server.tell(conduct, PTR, "PTR")
    assert look_up(names) == ClientNames(failed=True)


@pytest.mark.parametrize("conduct", [Conduct.SILENCE, Conduct.WRONG_ID, Conduct.GARBAGE])
def test_a_ptr_that_cannot_be_had_is_a_failure(
    conduct: Conduct, server: DnsServer, asking: Callable[..., DnsNames]
) -> None:
    server.add(matching(CLIENT, "mx.client.example"))
    server.tell(conduct, PTR, "PTR")
    assert look_up(asking(SHORT)) == ClientNames(failed=True)


def test_aliases_in_a_circle_are_a_failure(server: DnsServer, names: DnsNames) -> None:
    server.add(f"{PTR} 300 CNAME loop.example\nloop.example 300 CNAME {PTR}")
    assert look_up(names) == ClientNames(failed=True)


def test_a_name_that_cannot_be_confirmed_now_spoils_no_other(server: DnsServer, names: DnsNames) -> None:
    server.add(matching(CLIENT, "good.example"))
    server.add(matching(CLIENT, "broken.example"))
    server.tell(Conduct.SERVFAIL, "broken.example", "A")
    found = look_up(names)
    assert set(found.claimed) == {"good.example", "broken.example"}
    assert found.confirmed == ("good.example",)
    assert found.failed


def test_at_the_deadline_what_has_arrived_is_given(server: DnsServer, asking: Callable[..., DnsNames]) -> None:
    server.add(matching(CLIENT, "good.example"))
    server.add(matching(CLIENT, "silent.example"))
    server.tell(Conduct.SILENCE, "silent.example", "A")
    found = look_up(asking(SOME))
    assert set(found.claimed) == {"good.example", "silent.example"}
    assert found.confirmed == ("good.example",)
    assert found.failed


def test_a_second_try_reaches_a_server_that_lost_the_first(server: DnsServer, asking: Callable[..., DnsNames]) -> None:
    server.add(matching(CLIENT, "mx.client.example"))
    server.tell(Conduct.SILENCE, PTR, "PTR")
    lookup = begin(asking(4 * SOME))
    server.wait_for(PTR, "PTR")
    server.tell(None, PTR, "PTR")
    assert lookup.result() == confirmed("mx.client.example")


def test_where_the_first_server_is_dead_the_second_is_asked(server: DnsServer, clock: Clock) -> None:
    server.add(matching(CLIENT, "mx.client.example"))
    dead = ("127.0.0.2", DnsServer().address[1])
    names = DnsNames([dead, server.address], timeout=4 * SOME, timer=clock)
    assert look_up(names) == confirmed("mx.client.example")


def test_all_who_ask_at_the_same_time_share_one_look_up(server: DnsServer, names: DnsNames) -> None:
    server.add(matching(CLIENT, "mx.client.example"))
    server.tell(Conduct.HOLD, PTR, "PTR")
    lookups = [begin(names, address) for address in (CLIENT, CLIENT, f"::ffff:{CLIENT}")]
    server.wait_for(PTR, "PTR")
    server.release()
    assert [lookup.result() for lookup in lookups] == [confirmed("mx.client.example")] * 3
    assert [(question.name, question.kind) for question in server.asked] == [(PTR, "PTR"), ("mx.client.example", "A")]


def test_threads_that_ask_at_the_same_time_share_one_look_up(server: DnsServer, names: DnsNames) -> None:
    server.add(matching(CLIENT, "mx.client.example"))
    results: list[ClientNames] = []
    together = threading.Barrier(16)

    def ask() -> None:
        together.wait()
        results.append(look_up(names))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [confirmed("mx.client.example")] * 16
    assert len(server.asked) == 2


def test_each_has_a_deadline_of_its_own(server: DnsServer, asking: Callable[..., DnsNames]) -> None:
    server.tell(Conduct.SILENCE, PTR, "PTR")
    names = asking(SHORT)
    lookups = [begin(names) for _ in range(3)]
    assert [lookup.result() for lookup in lookups] == [ClientNames(failed=True)] * 3


def test_clients_with_a_dead_server_do_not_hold_up_the_others(server: DnsServer, names: DnsNames) -> None:
    slow = [f"198.51.100.{number}" for number in range(8)]
    fast = [f"203.0.113.{number}" for number in range(8)]
    for address in slow + fast:
        server.add(matching(address, f"h{address.replace('.', '-')}.example"))
    for address in slow:
        server.tell(Conduct.HOLD, ip_address(address).reverse_pointer, "PTR")
    waiting = [begin(names, address) for address in slow]
    for address in slow:
        server.wait_for(ip_address(address).reverse_pointer, "PTR")
    assert [look_up(names, address) for address in fast] == [
        confirmed(f"h{address.replace('.', '-')}.example") for address in fast
    ]
    server.release()  # only now: the fast ones did not wait for it
    assert [lookup.result() for lookup in waiting] == [
        confirmed(f"h{address.replace('.', '-')}.example") for address in slow
    ]


SOA = "soa ns.example. root.example. 1 3600 600 86400"
KEPT = {
    "a short TTL is lengthened": (matching(CLIENT, "a.example", ttl=0), 30),
    "a TTL is obeyed": (matching(CLIENT, "a.example", ttl=120), 120),
    "a long TTL is cut": (matching(CLIENT, "a.example", ttl=86400), 3600),
    "the PTR's counts": (f"{PTR} 60 PTR a.example\na.example 300 A {CLIENT}", 60),
    "the address's counts": (f"{PTR} 300 PTR a.example\na.example 60 A {CLIENT}", 60),
    "the alias's counts": (f"{PTR} 60 CNAME b.example\nb.example 300 PTR a.example\na.example 300 A {CLIENT}", 60),
    "no PTR, as the SOA's minimum says": (f"in-addr.arpa 900 {SOA} 200", 200),
    "no PTR, as the SOA's own TTL says": (f"in-addr.arpa 200 {SOA} 900", 200),
    "no PTR, a long minimum is cut": (f"in-addr.arpa 86400 {SOA} 86400", 3600),
    "no PTR and nobody says for how long": ("", 30),
    "no record of that type": (f"in-addr.arpa 900 {SOA} 200\n{PTR} 300 TXT x", 200),
    "a name without an address": (f"{PTR} 300 PTR a.example\nexample 900 {SOA} 90", 90),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_known_is_kept_as_its_ttl_says(case: str, server: DnsServer, names: DnsNames, clock: Clock) -> None:
    zone, seconds = KEPT[case]
    server.add(zone)
    first = look_up(names)
    assert not first.failed
    clock.now += seconds - 1
    assert look_up(names) == first
    assert server.count(PTR, "PTR") == 1
    clock.now += 1
    assert look_up(names) == first
    assert server.count(PTR, "PTR") == 2


def test_a_failure_is_kept_for_a_short_while(server: DnsServer, names: DnsNames, clock: Clock) -> None:
    server.add(matching(CLIENT, "good.example", ttl=3600))
    server.add(matching(CLIENT, "broken.example", ttl=3600))
    server.tell(Conduct.SERVFAIL, "broken.example", "A")
    assert look_up(names).failed
    server.tell(None, "broken.example", "A")
    clock.now += 14
    assert look_up(names).failed
    clock.now += 1
    assert set(look_up(names).confirmed) == {"good.example", "broken.example"}


def test_a_deadline_that_passed_is_kept_for_a_short_while(
    server: DnsServer, asking: Callable[..., DnsNames], clock: Clock
) -> None:
    server.tell(Conduct.SILENCE, PTR, "PTR")
    names = asking(SHORT)
    assert look_up(names).failed
    tried = server.count(PTR, "PTR")
    assert look_up(names).failed
    assert server.count(PTR, "PTR") == tried
    clock.now += 15
    assert look_up(names).failed
    assert server.count(PTR, "PTR") > tried


def test_a_server_that_dies_and_comes_back(server: DnsServer, asking: Callable[..., DnsNames], clock: Clock) -> None:
    other = "198.51.100.9"
    server.add(matching(CLIENT, "mx.client.example", ttl=20))
    server.add(matching(other, "mx.other.example"))
    server.tell(Conduct.HOLD, ip_address(other).reverse_pointer, "PTR")
    names = asking(SOME)
    assert look_up(names) == confirmed("mx.client.example")
    in_the_middle = begin(names, other)
    server.wait_for(ip_address(other).reverse_pointer, "PTR")
    server.stop()
    assert in_the_middle.result() == ClientNames(failed=True)
    assert look_up(names) == confirmed("mx.client.example")  # known
    clock.now += 30
    assert look_up(names) == ClientNames(failed=True)
    assert look_up(names) == ClientNames(failed=True)  # from now on known
    server.tell(None, ip_address(other).reverse_pointer, "PTR")
    server.start()
    clock.now += 15
    assert look_up(names) == confirmed("mx.client.example")
    assert look_up(names, other) == confirmed("mx.other.example")


def test_nothing_is_started_before_the_first_look_up(server: DnsServer) -> None:
    before = threading.active_count()
    DnsNames([server.address], timeout=AMPLE)
    assert threading.active_count() == before


def test_it_may_be_made_before_a_fork(server: DnsServer, names: DnsNames) -> None:
    server.add(matching(CLIENT, "mx.client.example"))
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(writing, repr(look_up(names)).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        assert pipe.read() == repr(confirmed("mx.client.example"))
    os.waitpid(child, 0)
    assert look_up(names) == confirmed("mx.client.example")


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("nameserver 192.0.2.53\nnameserver 2001:db8::53\n", [("192.0.2.53", 53), ("2001:db8::53", 53)]),
        ("# none\nsearch example.org\n", [("127.0.0.1", 53)]),
        (None, [("127.0.0.1", 53)]),
    ],
)
def test_the_systems_name_servers_are_those_of_resolv_conf(
    text: str | None, servers: list[tuple[str, int]], tmp_path: Path
) -> None:
    resolv_conf = tmp_path / "resolv.conf"
    if text is not None:
        resolv_conf.write_text(text)
    assert system_nameservers(resolv_conf) == servers


def test_two_ports_at_one_address_are_refused() -> None:
    with pytest.raises(ValueError, match="two ports"):
        DnsNames([("127.0.0.1", 53), ("127.0.0.1", 5353)], timeout=AMPLE)
