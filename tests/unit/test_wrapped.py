"""Senders that a mail server derived from another address are also compared by that address."""

from __future__ import annotations

from datetime import date

import pytest

from rig.rules import senders, session, spares
from turfmilter.core.address.mailbox import Mailbox
from turfmilter.core.address.readings import read_sender
from turfmilter.core.wrapped import layers, match_sender, pattern_of, untagged
from turfmilter.rules.limits import Cap, Limits
from turfmilter.rules.turf import TurfSender

TODAY = date(2027, 1, 31)
SRS0 = "SRS0=HHHH=TT=bad.example=user@forwarder.example"
SRS1 = "SRS1=HHHH=first.example==HHHH=TT=bad.example=user@second.example"


def deciding(sender: str, *lines: str) -> str:
    """The entry of a table of `lines` that decides about `sender`, "" for none."""
    entry = match_sender(senders(*lines), [read_sender(f"<{sender}>")], TODAY)
    return entry.text if entry else ""


@pytest.mark.parametrize(
    "sender",
    [
        "prvs=1234abcdef=user@bad.example",
        "PRVS=1234ABCDEF=User@bad.example",
        "prvs=user/1234abcdef@bad.example",
        "msprvs1=17x9abc=user@bad.example",
        "btv1==0123456789a==user@bad.example",
        SRS0,
        "srs0+hhhh=tt=BAD.example=user@forwarder.example",
        "SRS0-HHHH=TT=bad.example=user@forwarder.example",
        SRS1,
        "SRS1+HHHH=first.example=+HHHH=TT=bad.example=user@second.example",
        "SRS0=HHHH=TT=bad.example=prvs=1234abcdef=user@forwarder.example",
        "prvs=1234abcdef=SRS0=HHHH=TT=bad.example=user@forwarder.example",
    ],
)
def test_a_wrapped_sender_is_compared_by_the_address_inside(sender: str) -> None:
    assert deciding(sender, "user@bad.example") == "user@bad.example"
    assert deciding(sender, "@bad.example") == "@bad.example"
    assert deciding(sender, "@bad.example", "!user@bad.example") == "!user@bad.example"
    assert deciding(sender, "other@bad.example") == ""
    rule = TurfSender(senders("user@bad.example"), spares())
    assert rule.at_mail(session(sender=f"<{sender}>")) is not None
    assert Cap(Limits(), sender=senders("user@bad.example")).applies(session(sender=f"<{sender}>"), "")


@pytest.mark.parametrize(
    ("sender", "lines", "entry"),
    [
        # BATV: one domain, and the entry that is more specific decides.
        ("prvs=1=user@bad.example", ["@bad.example", "!prvs=*=user@bad.example"], "!prvs=*=user@bad.example"),
        ("prvs=1=user@bad.example", ["user@bad.example", "!prvs=*@bad.example"], "user@bad.example"),
        ("prvs=1=user@bad.example", ["!user@bad.example", "prvs=*@bad.example"], "!user@bad.example"),
        ("prvs=1=user@bad.example", ["!@bad.example", "user@"], "!@bad.example"),
        ("prvs=1=user@bad.example", ["user@"], "user@"),
        # SRS: two domains, and either may be listed.
        (SRS0, ["@forwarder.example"], "@forwarder.example"),
        (SRS0, ["@forwarder.example", "!user@bad.example"], "@forwarder.example"),
        (SRS0, ["!@forwarder.example", "@bad.example"], "@bad.example"),
        (SRS0, ["!@forwarder.example"], "!@forwarder.example"),
        (SRS1, ["@first.example"], "@first.example"),
        (SRS1, ["@second.example"], "@second.example"),
        # What only looks like it.
        ("prvs=user@bad.example", ["user@bad.example"], ""),
        ("srs0=user@bad.example", ["user@bad.example"], ""),
        ("srs0=h=t=bad.example@forwarder.example", ["@bad.example"], ""),
        ("user=bad.example@fine.example", ["@bad.example"], ""),
    ],
)
def test_of_the_addresses_of_a_wrapped_sender_this_entry_decides(sender: str, lines: list[str], entry: str) -> None:
    assert deciding(sender, *lines) == entry


def test_wrapping_has_an_end() -> None:
    local = "srs0=h=t=a.example=" * 20 + "user"
    assert len(list(layers(Mailbox(local, "a.example")))) < 10
    assert untagged(Mailbox("user", "a.example")) is None


@pytest.mark.parametrize(
    ("local", "pattern"),
    [
        ("news-bob=ours.example", "news-*"),
        ("news-anna-lena=ours.example", "news-*"),
        ("news-return-12345-bob=ours.example", "news-return-*"),
        ("news-bounces+bob=ours.example", "news-bounces+*"),
        ("bounces+1234567-ab12-bob=ours.example", "bounces+*"),
        ("bounce-md_30112233.5f3a", "bounce-md_*"),
        ("news-20270131", "news-*"),
        ("newsletter-7f9a0c1b2d3e4f", "newsletter-*"),
        ("prvs=1234abcdef=news-20270131", "news-*"),
        ("srs0=hhhh=tt=bad.example=user", "srs0=*=bad.example=user"),
        ("srs1=hhhh=first.example==hhhh=tt=bad.example=user", "srs1=*=*=user"),
    ],
)
def test_of_a_sender_that_is_another_one_in_each_message_the_pattern_is_known(local: str, pattern: str) -> None:
    mailbox = Mailbox(local, "lists.example")
    assert pattern_of(mailbox) == f"{pattern}@lists.example"
    table = senders(f"!{pattern}@lists.example")
    assert match_sender(table, [mailbox], TODAY) is not None


@pytest.mark.parametrize(
    "local",
    [
        *("user", "first.last", "anna-lena", "anna+shop", "anna1984", "annabell12345", "info-2024", "o'brien"),
        *("3141592653", "prvs=1234abcdef=user", "owner-news", "x=y", "", "a" * 2000 + "-12345"),
    ],
)
def test_a_sender_that_stays_the_same_has_no_pattern(local: str) -> None:
    assert pattern_of(Mailbox(local, "fine.example")) is None


def test_a_sender_of_numbers_alone_has_no_pattern_but_its_domain() -> None:
    assert pattern_of(Mailbox("0102018f3a2b9c1d-aa-000000", "fine.example")) == ""
