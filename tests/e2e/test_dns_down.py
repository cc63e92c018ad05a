"""DNS dies in mid-session, or does not answer: what waits for it, and what does not."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest

from e2e.mailhost import MESSAGE
from e2e.postfixhost import PostfixHost
from rig.dnsserver import Conduct
from rig.smtp import SmtpClient
from rig.zone import named

ONLY = """\
workers = 1
domains = ["rig.test"]
[connect]
default = "deny"
allow = ["partner.test", "192.0.2.0/24"]
"""
EXCEPT = """\
domains = ["rig.test"]
[connect]
deny = ["dialup.test"]
"""
BOB = "<bob@rig.test>"
TAKEN = "250 2.1.5 Ok"
LATER = "451 4.7.1 cannot verify the client at the moment, try again later"


def pointer(address: str) -> str:
    """The name under which DNS is asked for the names of an address."""
    return ip_address(address).reverse_pointer


def sent(client: SmtpClient) -> bool:
    """Whether anything has come for the client that it has not read."""
    return bool(select.select([client], [], [], 0)[0])


class TestKilledInMidSession:
    @pytest.fixture
    def host(self, place: Path) -> Iterator[PostfixHost]:
        zone = named("203.0.113.1", "a.partner.test") + named("203.0.113.2", "b.partner.test")
        filters = {"inbound": ONLY, "except": EXCEPT}
        with PostfixHost(place, filters, zone=zone, dns_timeout=3.0) as running:
            yield running

    def test_the_client_comes_back_later_and_its_session_is_served_on(self, host: PostfixHost) -> None:
        host.dns.tell(Conduct.HOLD, pointer("203.0.113.1"), "PTR")
        with host.client(ADDR="203.0.113.1") as client:
            host.dns.wait_for(pointer("203.0.113.1"), "PTR")
            host.dns.stop()
            client.mail("<anna@out.test>")
            assert [str(client.rcpt(BOB)), str(client.rcpt("<postmaster@rig.test>"))] == [LATER, TAKEN]
            assert client.data(MESSAGE).code == 250
            client.mail("<anna@out.test>")
            assert str(client.rcpt(BOB)) == LATER
        assert host.send(BOB, ADDR="192.0.2.1")[0] == TAKEN
        host.dns.start()
        assert host.send(BOB, ADDR="203.0.113.2")[0] == TAKEN

    def test_what_was_learnt_before_is_still_known(self, host: PostfixHost) -> None:
        with host.client(ADDR="203.0.113.1") as client:
            for alive in (True, False):
                client.mail("<anna@out.test>")
                assert str(client.rcpt(BOB)) == TAKEN
                client.command("RSET")
                if alive:
                    host.dns.stop()
        assert host.send(BOB, ADDR="203.0.113.1")[0] == TAKEN

    def test_where_names_are_only_denied_the_client_passes_and_it_is_logged(self, host: PostfixHost) -> None:
        host.dns.stop()
        assert host.send(BOB, listener="except", ADDR="203.0.113.3")[0] == TAKEN
        assert host.reached() == ["bob@rig.test"]
        assert ' trial="connect unavailable bob@rig.test" ' in host.filters["except"].said("client=203.0.113.3 ")


def test_eight_sessions_that_wait_for_dns_do_not_hold_eight_others(place: Path) -> None:
    waiting = [f"203.0.113.{number}" for number in range(1, 9)]
    answered = [f"192.0.2.{number}" for number in range(1, 9)]
    zone = "".join(named(address, f"h{number}.out.test") for number, address in enumerate(waiting + answered))
    with PostfixHost(place, {"inbound": EXCEPT}, zone=zone, dns_timeout=5.0) as host, ExitStack() as open_:
        for address in waiting:
            host.dns.tell(Conduct.HOLD, pointer(address), "PTR")
        fast = [open_.enter_context(host.client(ADDR=address)) for address in answered]
        slow = [open_.enter_context(host.client(ADDR=address)) for address in waiting]
        for client in slow:
            client.mail("<anna@out.test>")
            client.send(f"RCPT TO:{BOB}\r\n")
        for address in waiting:
            host.dns.wait_for(pointer(address), "PTR")
        ahead = []
        for client in fast:
            assert client.transaction("<anna@out.test>", BOB, message=MESSAGE)[-1].code == 250
            ahead.append(not any(map(sent, slow)))
        # Behind those that wait not even the first would have come before them; after 5 s none of them waits any more.
        assert ahead[0]
        host.dns.release()
        assert [str(client.reply()) for client in slow] == [TAKEN] * 8
