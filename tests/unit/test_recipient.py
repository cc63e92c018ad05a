"""Recipients that cannot be refused alone."""

from __future__ import annotations

import pytest

from turfmilter.core.session import Connection, Recipient, Session
from turfmilter.rules.recipient import UnrefusableRecipient


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("@a.test,@b.test:x@there.test", True),
        ("<x\\,y@there.test>", True),
        ("x\\,y@there.test", True),
        ("<<x@there.test>,bob@rig.test>", True),
        ("x@there.test,", True),
        ("<(,)x@there.test>", True),
        ('<"a",b@there.test>', True),
        ('<"\\",x@there.test>', True),
        ("<@a.test,@|:x@there.test>", True),
        ("<@a.test,@b.test:x,y@there.test>", True),
        ("<@a.test,@b.test:x@there.test>", False),
        ('<"a,b"@there.test>', False),
        ('"a,b"@there.test', False),
        ("<@a.test:x@there.test>", False),
        ("@a.test:x@there.test", False),
        ("<x\\y@there.test>", False),
        ("<x@there.test>", False),
        ("x@there.test;", False),
        ('<"x@there.test>', False),
        ("x", False),
        ("", False),
    ],
)
def test_it_is_one_with_a_comma_that_parts_addresses(text: str, found: bool) -> None:
    assert bool(UnrefusableRecipient().at_rcpt(Session(Connection()), Recipient(text))) is found


@pytest.mark.parametrize(
    ("part", "end", "found"),
    [
        (",", "", True),
        ('"', '",', True),
        ('","', "", False),
        ("<@a,", "", True),
        ("a", ",a", True),
        ('","', ",", True),
    ],
)
def test_a_monster_is_judged_like_any_other(part: str, end: str, found: bool) -> None:
    """It is long enough that the test would not finish if the time grew faster than the length."""
    for number in (1, 3, 1_000_001):
        assert bool(UnrefusableRecipient().at_rcpt(Session(Connection()), Recipient(part * number + end))) is found
