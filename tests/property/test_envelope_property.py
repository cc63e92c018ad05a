"""Whatever address and parameters an MTA hands over, the release names the recipient exactly as the client did."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from turfmilter.core.address.addressed import addressed, parted
from turfmilter.core.held.block import read_block, render
from turfmilter.core.report import Slip

# Parts of addresses, chosen so that odd addresses are frequent.
MARKS = [*'<> "\\()@:,;=%![].\t', "a", "rig.test", "é", "\\x20", "\udce9", "\u202e", "\x01", "2:"]
PARAMETERS = ["NOTIFY=NEVER", "BODY=8BITMIME", "SMTPUTF8"]
pieces = st.sampled_from([*MARKS, *PARAMETERS])
words = st.lists(pieces, max_size=12).map("".join) | st.text(max_size=20)
arguments = words | words.map("<{}>".format)
parameters = st.lists(words, max_size=4).map(tuple)


def through_a_file(*recipients: tuple[str, tuple[str, ...]]) -> Slip:
    """The recipients that are read back after a client sent these."""
    parties = tuple(addressed(text, params) for text, params in recipients)
    slip = Slip(addressed("<>"), parties, *[""] * 6, datetime(2026, 3, 1, tzinfo=UTC), "turf", "")
    return read_block(io.BytesIO(render("0" * 13, slip, "0" * 64))).slip


@given(recipients=st.lists(st.tuples(arguments, parameters), min_size=1, max_size=3))
@example([("<alice@rig. test>", ())])
@example([("<(x) alice>", ("NOTIFY=NEVER",)), ("< alice>", ()), ("<@a.test: alice>", ())])
@example([("<alice@rig. NOTIFY=NEVER>", ("NOTIFY=SUCCESS",))])
@example([("Joe <alice@rig.test>", ()), ("<<alice@rig.test>>", ()), ("<>", ("BODY=7BIT", "AUTH=<>"))])
def test_text_and_parameters_come_back(recipients: list[tuple[str, tuple[str, ...]]]) -> None:
    for party, (text, params) in zip(through_a_file(*recipients).recipients, recipients, strict=True):
        assert party.parameters == params
        # Brackets that the client left out may be added to an ordinary address, and to nothing else.
        assert party.path == text or (party.path == f"<{text}>" and not any(map(str.isspace, unquoted(text))))
        assert addressed(party.path, party.parameters) == party


def unquoted(text: str) -> str:
    """`text` without quoted strings and escaped characters."""
    kept, quoted, escaped = "", False, False
    for char in text:
        if not escaped and char == '"':
            quoted = not quoted
        elif not quoted and not escaped and char != "\\":
            kept += char
        escaped = not escaped and char == "\\"
    return kept


@given(text=arguments)
def test_an_address_without_parameters_is_read_the_same_in_the_first_format(text: str) -> None:
    """Unless its last words look like parameters known to the MTAs, which is why format 2 exists."""
    party = addressed(text)
    read = parted(party.address)
    assert read.parameters or read.address == party.address
