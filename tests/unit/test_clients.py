"""A list of clients: which entry decides about an address, and about its names in DNS."""

from __future__ import annotations

from datetime import date
from ipaddress import ip_address

import pytest

from rig.rules import Unasked, clients, names
from turfmilter.core.clients import Match
from turfmilter.core.session import Connection, Known

TODAY = date(2027, 1, 31)
GOOD, BAD = "mail.good.example", "mail.bad.example"


def found(lines: list[str], dns: Known | Unasked, *, allowing: bool, client: str = "192.0.2.9") -> Match:
    table = clients(*lines, exception_refuses=allowing)
    return table.find(Connection(client=ip_address(client), names=dns), TODAY)


def said(match: Match) -> str:
    """The entry that decides, with its sign; "unsure", or "" for none."""
    return match.entry.text if match.entry else "unsure" if match.unsure else ""


@pytest.mark.parametrize("allowing", [False, True])
@pytest.mark.parametrize(
    ("lines", "client", "expected"),
    [
        (["192.0.2.0/24"], "192.0.2.9", "192.0.2.0/24"),
        (["192.0.2.0/24", "!192.0.2.9"], "192.0.2.9", "!192.0.2.9"),
        (["192.0.2.0/24", "good.example"], "192.0.2.9", "192.0.2.0/24"),
        (["!192.0.2.0/24", "good.example"], "192.0.2.9", "!192.0.2.0/24"),
        (["192.0.2.0/24"], "::ffff:192.0.2.9", "192.0.2.0/24"),
        (["198.51.100.0/24"], "192.0.2.9", ""),
        (["198.51.100.0/24", "192.0.2.0/24 expires=2027-01-30"], "192.0.2.9", ""),
        ([], "192.0.2.9", ""),
    ],
)
def test_no_name_is_waited_for_where_an_address_decides_or_no_name_is_listed(
    lines: list[str], client: str, expected: str, allowing: bool
) -> None:
    assert said(found(lines, Unasked(), allowing=allowing, client=client)) == expected


@pytest.mark.parametrize(
    ("lines", "dns", "allowing", "expected"),
    [
        # Trust needs a name that is confirmed …
        (["good.example"], names(GOOD), True, "good.example"),
        (["good.example"], names(claimed=[GOOD]), True, ""),
        (["bad.example", f"!{BAD}"], names(BAD), False, f"!{BAD}"),
        (["bad.example", f"!{BAD}"], names(claimed=[BAD]), False, "bad.example"),
        # … and a refusal does not.
        (["bad.example"], names(BAD), False, "bad.example"),
        (["bad.example"], names(claimed=[BAD]), False, "bad.example"),
        (["good.example", f"!{GOOD}"], names(GOOD), True, f"!{GOOD}"),
        (["good.example", f"!{GOOD}"], names(claimed=[GOOD]), True, f"!{GOOD}"),
        # If there are several names, the one with the most specific entry decides, whatever their order.
        (["good.example", "!x.bad.example"], names(GOOD, "x.bad.example"), True, "!x.bad.example"),
        (["good.example", "!x.bad.example"], names("x.bad.example", GOOD), True, "!x.bad.example"),
        (["good.example", "!x.bad.example"], names(GOOD, claimed=["x.bad.example"]), True, "!x.bad.example"),
        ([GOOD, "!bad.example"], names(BAD, GOOD), True, GOOD),
        ([f"={GOOD}", f"!{BAD}"], names(BAD, GOOD), True, f"={GOOD}"),
        # If two entries are equally specific, the one that refuses decides.
        (["good.example", "!bad.example"], names(GOOD, BAD), True, "!bad.example"),
        (["good.example", "!bad.example"], names(BAD, GOOD), True, "!bad.example"),
        (["bad.example", "!good.example"], names(GOOD, BAD), False, "bad.example"),
        (["bad.example", "!good.example"], names(BAD, GOOD), False, "bad.example"),
        (["good.example", "!good.example"], names(GOOD), True, "!good.example"),
        (["bad.example", "!bad.example"], names(BAD), False, "bad.example"),
        # Expired entries are ignored.
        (["good.example expires=2027-01-30"], names(GOOD), True, ""),
        (["good.example", f"!{GOOD} expires=2027-01-30"], names(GOOD), True, "good.example"),
        (["good.example"], names(), True, ""),
    ],
)
def test_trust_needs_a_confirmed_name_and_a_refusal_does_not(
    lines: list[str], dns: Known, allowing: bool, expected: str
) -> None:
    assert said(found(lines, dns, allowing=allowing)) == expected


@pytest.mark.parametrize("allowing", [False, True])
@pytest.mark.parametrize(
    ("lines", "dns", "unsure"),
    [
        (["good.example"], names(failed=True), True),
        (["good.example"], names(), False),
        (["good.example"], names(GOOD, failed=True), False),
        # All names are known and none of them is listed: confirming them would change nothing.
        (["good.example"], names(claimed=[BAD], failed=True), False),
        (["good.example"], names("other.example", claimed=[BAD], failed=True), False),
        (["good.example expires=2027-01-30"], names(claimed=[GOOD], failed=True), False),
        (["192.0.2.9", "good.example"], names(failed=True), False),
        (["192.0.2.0/28"], names(failed=True), False),
    ],
)
def test_it_is_unsure_only_where_a_name_that_dns_did_not_tell_could_decide(
    lines: list[str], dns: Known, unsure: bool, allowing: bool
) -> None:
    assert found(lines, dns, allowing=allowing).unsure == unsure


def test_a_claimed_name_that_could_not_be_confirmed_might_still_be_trusted() -> None:
    assert found(["good.example"], names(claimed=[GOOD], failed=True), allowing=True).unsure
    assert found(["bad.example", "!good.example"], names(claimed=[GOOD], failed=True), allowing=False).unsure
    assert not found(["bad.example", "!good.example"], names(claimed=[BAD], failed=True), allowing=False).unsure


@pytest.mark.parametrize(
    ("lines", "dns", "allowing", "expected"),
    [
        (["bad.example", f"!{BAD}"], names(claimed=[BAD], failed=True), False, "unsure"),
        (["bad.example", f"!{BAD}"], names(claimed=["x.bad.example"], failed=True), False, "bad.example"),
        ([GOOD, "!good.example"], names(claimed=[GOOD], failed=True), True, "unsure"),
        (["!good.example", BAD], names(GOOD, claimed=[BAD], failed=True), True, "unsure"),
        (["!good.example", "bad.example"], names(GOOD, claimed=[BAD], failed=True), True, "!good.example"),
        ([GOOD, BAD], names(GOOD, claimed=[BAD], failed=True), True, GOOD),
        ([GOOD, "!bad.example"], names(GOOD, claimed=[BAD], failed=True), True, GOOD),
    ],
)
def test_a_decision_is_final_unless_a_name_confirmed_later_could_reverse_it(
    lines: list[str], dns: Known, allowing: bool, expected: str
) -> None:
    assert said(found(lines, dns, allowing=allowing)) == expected


def test_a_client_without_an_address_is_known_by_its_names_alone() -> None:
    table = clients("0.0.0.0/0", "::/0", "good.example", exception_refuses=True)
    assert table.find(Connection(), TODAY) == Match()
    assert said(table.find(Connection(names=names(GOOD)), TODAY)) == "good.example"


@pytest.mark.parametrize(("lines", "named"), [([], False), (["192.0.2.0/24"], False), (["!good.example"], True)])
def test_a_list_tells_whether_dns_must_be_queried(lines: list[str], named: bool) -> None:
    table = clients(*lines, exception_refuses=True)
    assert (table.names, len(table)) == (named, len(lines))


def test_every_useless_entry_is_warned_of_once() -> None:
    table = clients("good.example", GOOD, "192.0.2.0/24", "192.0.2.9", exception_refuses=True)
    assert len(table.warnings) == 2
