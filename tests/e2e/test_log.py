"""What the log says of mail that really came: whose it was, what was done, and under which queue id Postfix has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.mailhost import MESSAGE
from e2e.postfixhost import PostfixHost, queue_id

CONFIG = """\
domains = ["rig.test"]
[relay]
allow = []
[turf]
directory = "$quarantine"
tables = ["@turf.test", '"a b"@odd.test']
"""
ENDED = r" gen=1( ms=\d+)?$"


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    with PostfixHost(module_place, {"inbound": CONFIG}) as running:
        yield running


def lines(host: PostfixHost, word: str) -> list[str]:
    """All lines so far in which `word` stands."""
    return [line for line in host.filter.daemon.log().splitlines() if word in line]


def test_the_queue_id_is_postfixs_own_as_soon_as_there_is_one(host: PostfixHost) -> None:
    recipients = (
        "<x@elsewhere.test>",
        "<y@elsewhere.test>",
        "<bob@rig.test>",
        "<z@elsewhere.test>",
        "<carol@rig.test>",
    )
    taken = queue_id(host.send(*recipients, sender="<ids@out.test>")[-1])
    host.filter.said(f"^{taken}: .* verdict=accept ")
    said = [re.findall(r"^(\S+): .* rcpt=(\S+) ", line)[0] for line in lines(host, "sender=ids@out.test")]
    assert said == [
        ("NOQUEUE", "x@elsewhere.test"),
        ("NOQUEUE", "y@elsewhere.test"),
        (taken, "z@elsewhere.test"),
        (taken, "bob@rig.test,carol@rig.test"),
    ]
    host.postfix.wait_for_log(f": {taken}: client=unknown")


def test_each_message_of_a_connection_has_its_own_queue_id(host: PostfixHost) -> None:
    with host.client() as client:
        replies = [client.transaction("<two@out.test>", "<bob@rig.test>", message=MESSAGE)[-1] for _ in range(3)]
    ids = [queue_id(str(reply)) for reply in replies]
    host.filter.said(f"^{ids[-1]}: ")
    assert [line.partition(":")[0] for line in lines(host, "sender=two@out.test")] == ids
    assert len(set(ids)) == 3


def test_mail_from_pickup_has_the_queue_id_of_pickup(host: PostfixHost) -> None:
    host.postfix.run("sendmail", "-f", "cron@rig.test", "bob", stdin=b"Subject: nightly\n\nall is well\n")
    said = host.filter.said("sender=cron@rig.test")
    host.postfix.wait_for_log(f"pickup.*: {said.partition(':')[0]}: uid=")


@pytest.mark.parametrize(
    ("sender", "recipient", "expected"),
    [
        ("<good@out.test>", "<bob@rig.test>", "sender=good@out.test nrcpt=1 rcpt=bob@rig.test verdict=accept"),
        (
            "<bad@turf.test>",
            "<bob@rig.test>",
            "sender=bad@turf.test nrcpt=1 rcpt=bob@rig.test size=51 verdict=hold rule=turf"
            ' entry="@turf.test turf.tables[0]" saw=sender id=$id',
        ),
        (
            "<relay@out.test>",
            "<x@elsewhere.test>",
            "sender=relay@out.test nrcpt=1 rcpt=x@elsewhere.test verdict=reject rule=relay"
            ' reply="550 5.7.1 relaying prohibited"',
        ),
        (
            '<"a b"@odd.test>',
            '<"b\\" verdict=accept"@rig.test>',
            r'sender="\"a b\"@odd.test" nrcpt=1 rcpt="\"b\\\" verdict=accept\"@rig.test" size=51 verdict=hold rule=turf'
            r' entry="\"a b\"@odd.test turf.tables[1]" saw=sender id=$id',
        ),
        (
            "<a\u202eb@out.test> SMTPUTF8",
            "<c\u200bd@rig.test>",
            r'sender="a\u202eb@out.test" nrcpt=1 rcpt="c\u200bd@rig.test" verdict=accept',
        ),
    ],
)
def test_a_line_contains_all_of_it_in_order_and_no_client_can_forge_one(
    host: PostfixHost, sender: str, recipient: str, expected: str
) -> None:
    before = len(host.filter.daemon.log().splitlines())
    host.send(recipient, sender=sender, ADDR="192.0.2.9", NAME="mail.out.test")
    said = host.filter.said(re.escape(expected.partition("$id")[0]))
    id = re.escape(host.filter.held()[0].name) if "$id" in expected else ""
    opening = "client=192.0.2.9 name=mail.out.test helo=client.out.test listener=mx.rig.test "
    whole = re.escape(opening + expected).replace(r"\$id", id)
    assert re.fullmatch(rf"([0-9A-F]+|NOQUEUE): {whole}{ENDED}", said)
    assert len(host.filter.daemon.log().splitlines()) == before + 1
