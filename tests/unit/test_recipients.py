"""The string for delrcpt: certain to hit on both MTAs, or none at all."""

from __future__ import annotations

import pytest

from turfmilter.mta.recipients import deletable


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("<bob@rig.test>", "<bob@rig.test>"),
        ("bob@rig.test", "<bob@rig.test>"),
        ("<Alice@RIG.test>", "<Alice@RIG.test>"),
        ("alice", "<alice>"),
        ("<alice>", "<alice>"),
        ("<@a.test:alice@rig.test>", "<alice@rig.test>"),
        ("<@a.test,@b.test:Alice@rig.test>", "<Alice@rig.test>"),
        ("@a.test:alice@rig.test", "<alice@rig.test>"),
        ('<"bob"@rig.test>', '<"bob"@rig.test>'),
        ('<"john doe"@rig.test>', '<"john doe"@rig.test>'),
        ('<"x@there.test"@rig.test>', '<"x@there.test"@rig.test>'),
        ("<x%relay.test@rig.test>", "<x%relay.test@rig.test>"),
        ("<a+b=c/d#e'f@rig.test>", "<a+b=c/d#e'f@rig.test>"),
        ("<jörg@rig.test>", "<jörg@rig.test>"),
        ("<x@bücher.test>", "<x@bücher.test>"),
    ],
)
def test_what_postfix_keeps_is_told(sent: str, told: str) -> None:
    """Postfix compares with what it parsed: without the source route, in the same case."""
    assert deletable(sent) == told


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "<>",
        "<bob@rig.test",
        "bob@rig.test>",
        "<<bob@rig.test>>",
        "<Joe <bob@rig.test>>",
        "<bob@rig.test.>",
        "<bob@[127.0.0.1]>",
        "<bob@[IPv6:::1]>",
        "<bob(comment)@rig.test>",
        "<(c)bob@rig.test>",
        "<b\\ob@rig.test>",
        '<"b\\"ob"@rig.test>',
        '<"bob@rig.test>',
        "< bob@rig.test>",
        "<\tbob@rig.test >",
        "<bob @rig.test>",
        "<a@b@rig.test>",
        "<bob@rig.test,alice@rig.test>",
        "<list:bob@rig.test;>",
        "<@a.test:>",
        "<@a.test:@b.test:bob@rig.test>",
        "<@a.test@b.test:bob@rig.test>",
        "<@rig.test>",
        "<bob@>",
        "<bob@rig.test>\n",
        "<bob@ri\u00a0g.test>",
        "<\udce9t\udce9@rig.test>",
    ],
)
def test_where_it_is_not_sure_none_is_told(sent: str) -> None:
    assert deletable(sent) is None


@pytest.mark.parametrize("piece", ["@", '"', "\\", "<", "(", "@a:", "@a,", "x", ".", "[", " "])
def test_a_monster_is_read_in_one_go(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    assert deletable(f"<{text}@rig.test>") == ("<" + text + "@rig.test>" if piece in ("x", ".") else None)
