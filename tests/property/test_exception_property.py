"""The exception for an address lets no other address pass, whatever text a sender chose as the address."""

from __future__ import annotations

from datetime import date

from hypothesis import example, given
from hypothesis import strategies as st

from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.table.entries import table_file
from turfmilter.core.table.pattern import Address, PatternError, exactly
from turfmilter.core.table.senders import SenderTable
from turfmilter.review.turftable import entry_line

TODAY = date(2026, 11, 22)
LOCAL = st.one_of(st.text(max_size=20), st.text('@ab.!#*="\\\\ \t=why', max_size=20)).map(str.lower)
DOMAIN = st.sampled_from(["", "evil.example", "[192.0.2.1]", "com"])


@given(LOCAL, DOMAIN)
@example("@com why=", "evil.example")
@example("*", "evil.example")
def test_the_line_for_an_address_matches_only_that_address(local: str, domain: str) -> None:
    try:
        line = entry_line(f"!{exactly(Mailbox(local, domain))}", TODAY, why="released", by="ada")
    except (PatternError, ValueError):
        return  # said, and nothing is written
    table = SenderTable([table_file("turf.table", line)])
    assert [(one.pattern, one.exception, one.why, one.by) for one in table] == [
        (Address(local, domain), True, "released", "ada")
    ]
    assert table.problems == []
