"""The fake MTA: where it takes a recipient, and what it makes of a message."""

from __future__ import annotations

import pytest

from caserunner.fakemessage import Message, resolve
from rig.answer import Changes

MESSAGE = b"A: 1\r\nB: 2\r\na: 3\r\n\r\nhello\r\n"


@pytest.mark.parametrize(
    ("given", "resolved"),
    [
        ("<bob@rig.test>", "bob@rig.test"),
        ("bob", "bob@rig.test"),
        ("<@a.test,@b.test:bob@rig.test>", "bob@rig.test"),
        ("<x%elsewhere.test@rig.test>", "x@elsewhere.test"),
        ('<"x@elsewhere.test"@rig.test>', "x@elsewhere.test"),
        ("<rig.test!elsewhere.test!x>", "x@elsewhere.test"),
        ("<Joe <x@elsewhere.test>>", "x@elsewhere.test"),
        ("<x%elsewhere.test@relay.test>", "x%elsewhere.test@relay.test"),
        ('<"bob smith"@rig.test>', '"bob smith"@rig.test'),
        ("<bob (at home)@rig.test.>", "bob@rig.test"),
    ],
)
def test_what_hides_in_an_address_of_ours_is_brought_out(given: str, resolved: str) -> None:
    assert resolve(given) == resolved


def test_recipients_are_taken_off_by_the_name_that_postfix_keeps() -> None:
    message = Message("<a@out.test>", ["<Bob@rig.test>", '<@x.test:"carol"@rig.test>', "<dave@rig.test>"])
    changes = Changes(delrcpt=["<Bob@rig.test>", "carol@rig.test", "<DAVE@rig.test>"])
    (delivery,) = message.delivered(MESSAGE, changes)
    assert delivery.recipients == ("dave@rig.test",)


def test_nobody_gets_what_is_discarded_or_has_lost_its_recipients() -> None:
    assert Message("<>", ["<bob@rig.test>"], discarded=True).delivered(MESSAGE, Changes()) == []
    assert Message("<>", ["<bob@rig.test>"]).delivered(MESSAGE, Changes(delrcpt=["bob@rig.test"])) == []


def test_header_fields_are_put_on_top_and_removed_by_their_number() -> None:
    changes = Changes(insheader=[(0, "N", " new\n\tfolded")], chgheader=[(2, "A", "")])
    (delivery,) = Message("<>", ["<bob@rig.test>"]).delivered(MESSAGE, changes)
    assert delivery.data == b"N: new\r\n\tfolded\r\nA: 1\r\nB: 2\r\n\r\nhello\r\n"
