"""The strings for delrcpt: certain to match on both MTAs, or none at all; and what Sendmail removes together."""

from __future__ import annotations

import pytest

from turfmilter.core.removal import deletable, mailbox, removable
from turfmilter.core.session import Recipient


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
def test_what_postfix_keeps_is_told_and_what_was_sent(sent: str, told: str) -> None:
    """Postfix compares with what it parsed: without the source route, in the same case.

    Sendmail knows a recipient that ruleset 5 has rewritten by the text that was sent, and by nothing else.
    """
    assert deletable(sent) == ((told,) if told == sent else (told, sent))


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
        "@a.test,@b.test:bob@rig.test",
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
    assert deletable(sent) == ()


@pytest.mark.parametrize("piece", ["@", '"', "\\", "<", "(", "@a:", "@a,", "x", ".", "[", " "])
def test_a_monster_is_read_in_one_go(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    assert deletable(f"<{text}@rig.test>") == (("<" + text + "@rig.test>",) if piece in ("x", ".") else ())


@pytest.mark.parametrize(
    ("resolved", "same"),
    [
        ("alice", "alice"),
        ("Alice", "alice"),
        ("alice+", "alice"),
        ("alice+tag", "alice"),
        ("alice+a+b", "alice"),
        ("a\\lice", "alice"),
        ('"alice"', "alice"),
        ('"alice+x y"', "alice"),
        ("+alice", "+alice"),
        ("x+tag@elsewhere.test", "x+tag@elsewhere.test"),
        ("X@Elsewhere.test", "x@elsewhere.test"),
        ("", ""),
    ],
)
def test_a_local_user_is_one_mailbox_whatever_the_detail(resolved: str, same: str) -> None:
    assert mailbox(resolved) == same


@pytest.mark.parametrize(
    ("taken", "kept", "possible"),
    [
        ([("<alice@rig.test>", "alice")], [("<bob@rig.test>", "bob")], True),
        ([("<alice@mx.rig.test>", "alice")], [("<info@virt.test>", "alice")], False),
        ([("<alice@rig.test>", "alice"), ("<bob@rig.test>", "bob")], [("<info@virt.test>", "bob")], False),
        ([("<alice@rig.test>", "")], [("<alice@mx.rig.test>", "")], True),
        ([("<alice(c)@rig.test>", "alice")], [("<bob@rig.test>", "bob")], False),
        ([("<alice@rig.test>", "alice")], [], True),
    ],
)
def test_nobody_is_removed_together_with_one_who_gets_the_message(
    taken: list[tuple[str, str]], kept: list[tuple[str, str]], possible: bool
) -> None:
    def recipients(given: list[tuple[str, str]]) -> list[Recipient]:
        return [Recipient(text, mailbox=mailbox) for text, mailbox in given]

    assert removable(recipients(taken), recipients(kept)) is possible
