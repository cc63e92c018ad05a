"""Whether a client's address has a name that leads back to it: stamped into the message, or asked for."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes
from email.policy import compat32
from pathlib import Path

import pytest

from e2e.postfixhost import PostfixHost
from rig.zone import claimed, named

CHECK = """\
domains = ["rig.test"]
[relay]
allow = ["198.51.100.0/24"]
[reverse_name]
check = """
FILTERS = {
    "inbound": CHECK + '"stamp"\n',
    "require": CHECK + '"require"\n',
    "match": CHECK + '"match-sender"\n',
    "lenient": CHECK + '"require"\non_error = "continue"\n',
    "clean": CHECK + '"off"\nremove_forged = true\n',
    "trial": CHECK + '"match-sender"\nmode = "trial"\n',
}
# What each client is called by DNS: the last number of its address says which case it is.
ZONE = (
    named("203.0.113.11", "mail.out.test")
    + claimed("203.0.113.12", "mail.out.test")
    + claimed("203.0.113.14", "a.other.test")
    + named("203.0.113.14", "b.out.test")
    + claimed("203.0.113.15", "broken.out.test")
    + named("2001:db8::11", "six.out.test")
    + claimed("2001:db8::12", "six.out.test")
)
BROKEN = {"broken.out.test": "A", "16.113.0.203.in-addr.arpa": "PTR"}
TAKEN, REFUSED, LATER = "250 2.1.5", "550 5.7.25", "451 4.7.25"
BOB = "<bob@rig.test>"
FIELD = "Authentication-Results"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    with PostfixHost(module_place, FILTERS, zone=ZONE, broken=BROKEN) as running:
        yield running


def stamps(host: PostfixHost) -> list[str]:
    """The fields with results in the one message that was delivered, in their order."""
    (delivery,) = host.delivered()
    return message_from_bytes(delivery.data, policy=compat32).get_all(FIELD, [])


def answer(host: PostfixHost, listener: str, sender: str = "<anna@out.test>", **client: str) -> str:
    """What a client hears that sends to one recipient."""
    return host.send(BOB, listener=listener, sender=sender, **client)[0]


@pytest.mark.parametrize(
    ("client", "result"),
    [
        ("203.0.113.11", "pass policy.iprev=203.0.113.11 (mail.out.test)"),
        ("203.0.113.12", "fail policy.iprev=203.0.113.12 (mail.out.test)"),
        ("203.0.113.13", "permerror policy.iprev=203.0.113.13"),
        ("203.0.113.14", "pass policy.iprev=203.0.113.14 (b.out.test)"),
        ("203.0.113.15", "temperror policy.iprev=203.0.113.15 (broken.out.test)"),
        ("203.0.113.16", "temperror policy.iprev=203.0.113.16"),
        ("IPV6:2001:db8::11", 'pass policy.iprev="2001:db8::11" (six.out.test)'),
        ("IPV6:2001:db8::12", 'fail policy.iprev="2001:db8::12" (six.out.test)'),
    ],
)
def test_every_message_is_stamped_and_none_refused(host: PostfixHost, client: str, result: str) -> None:
    host.send(BOB, ADDR=client)
    assert stamps(host) == [f"mx.rig.test;\r\n\tiprev={result}"]


@pytest.mark.parametrize("client", ["127.0.0.1", "IPV6:::1", "127.0.0.2"])
def test_mail_that_this_host_sends_to_itself_is_not_stamped_again(host: PostfixHost, client: str) -> None:
    true = "Authentication-Results: mx.rig.test; iprev=pass policy.iprev=203.0.113.11"
    message = f"{true}\r\nSubject: from the content filter\r\n\r\nhello\r\n".encode()
    for listener in ("inbound", "clean"):
        host.clear()
        host.send(BOB, message=message, listener=listener, ADDR=client)
        assert stamps(host) == ["mx.rig.test; iprev=pass policy.iprev=203.0.113.11"]


FORGED = b"Authentication-Results: mx.rig.test; spf=pass\r\n"


def test_forged_results_are_removed_as_long_as_they_can_be(host: PostfixHost) -> None:
    """For each of them Postfix reads the header from its beginning."""
    host.send(BOB, message=FORGED * 200 + b"\r\nhello\r\n", listener="clean", ADDR="203.0.113.11")
    assert stamps(host) == []
    heard = host.send(BOB, message=FORGED * 14_000 + b"\r\nhello\r\n", listener="clean", ADDR="203.0.113.11")
    assert heard[-1] == "550 5.7.1 too many Authentication-Results fields"
    assert len(host.delivered()) == 1


def test_the_name_that_postfix_has_confirmed_is_stamped(host: PostfixHost) -> None:
    host.send(BOB, ADDR="203.0.113.1", NAME="host.postfix.test")
    assert stamps(host) == ["mx.rig.test;\r\n\tiprev=pass policy.iprev=203.0.113.1 (host.postfix.test)"]


def test_a_local_submission_is_not_stamped(host: PostfixHost) -> None:
    host.postfix.run("sendmail", "-f", "root@rig.test", "bob@rig.test", stdin=b"Subject: x\n\nhello\n")
    assert stamps(host) == []


REQUIRED = {
    "203.0.113.11": TAKEN,
    "203.0.113.12": REFUSED,
    "203.0.113.13": REFUSED,
    "203.0.113.14": TAKEN,
    "203.0.113.15": LATER,
    "203.0.113.16": LATER,
    "IPV6:2001:db8::11": TAKEN,
    "IPV6:2001:db8::12": REFUSED,
    "IPV6:2001:db8::13": REFUSED,
    "198.51.100.1": TAKEN,
}


@pytest.mark.parametrize(("client", "heard"), REQUIRED.items(), ids=str)
def test_a_confirmed_name_can_be_required(host: PostfixHost, client: str, heard: str) -> None:
    assert answer(host, "require", ADDR=client).startswith(heard)
    assert host.reached() == (["bob@rig.test"] if heard == TAKEN else [])


@pytest.mark.parametrize(
    ("sender", "client", "heard"),
    [
        ("<anna@out.test>", "203.0.113.11", TAKEN),
        ("<anna@mail.out.test>", "203.0.113.11", TAKEN),
        ("<anna@OUT.test.>", "203.0.113.11", TAKEN),
        ("<anna@out.test>", "203.0.113.14", TAKEN),
        ("<anna@other.test>", "203.0.113.11", REFUSED),
        ("<anna@x.mail.out.test>", "203.0.113.11", REFUSED),
        ("<anna@il.out.test>", "203.0.113.11", REFUSED),
        ("<anna@out.test>", "203.0.113.12", REFUSED),
        ("<anna@out.test>", "203.0.113.16", LATER),
        ("<>", "203.0.113.11", TAKEN),
        ("<anna@other.test>", "198.51.100.1", TAKEN),
        ("<anna@out.test>", "IPV6:2001:db8::11", TAKEN),
        ("<anna@other.test>", "IPV6:2001:db8::11", REFUSED),
    ],
)
def test_the_name_can_be_asked_to_be_the_senders(host: PostfixHost, sender: str, client: str, heard: str) -> None:
    assert answer(host, "match", sender, ADDR=client).startswith(heard)


def test_authenticated_clients_need_no_name(host: PostfixHost) -> None:
    for listener in ("require", "match"):
        assert answer(host, listener, ADDR="203.0.113.13", LOGIN="alice").startswith(TAKEN)


def test_where_dns_fails_clients_can_be_let_pass(host: PostfixHost) -> None:
    assert answer(host, "lenient", ADDR="203.0.113.16").startswith(TAKEN)
    assert answer(host, "lenient", ADDR="203.0.113.12").startswith(REFUSED)
    assert ' trial="reverse_name unavailable bob@rig.test" ' in host.filters["lenient"].said("203.0.113.16 ")


def test_in_trial_the_log_shows_which_clients_would_have_been_rejected(host: PostfixHost) -> None:
    assert answer(host, "trial", "<anna@other.test>", ADDR="203.0.113.11").startswith(TAKEN)
    assert ' trial="reverse_name reject bob@rig.test" ' in host.filters["trial"].said("203.0.113.11 ")
