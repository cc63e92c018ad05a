"""An address folded: what is the same to the MTA compares equal, and nothing else does."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from turfmilter.core.address.mailbox import Mailbox, fold_domain, literal_address, parse_address
from turfmilter.core.address.spelling import mailbox_of


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("ours.example", "ours.example"),
        ("OURS.Example", "ours.example"),
        ("ours.example.", "ours.example"),
        ("ours.example..", "ours.example."),  # Postfix leaves two dots alone; no entry ends in one
        ("", ""),
        (".", ""),
        ("[OURS.example]", "[ours.example]"),
        ("[192.0.2.11", "[192.0.2.11"),
        ("localhost", "localhost"),
        ("a_b.ours.example", "a_b.ours.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example.", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("bu\u0308cher.example", "xn--bcher-kva.example"),
        ("\uff4f\uff55\uff52\uff53.example", "ours.example"),
        ("ours。example", "ours.example"),
        ("ours\uff0eexample｡", "ours.example"),
        ("ou\u00adrs.example", "ours.example"),
        ("straße.example", "xn--strae-oqa.example"),  # RFC 5891: not strasse
        ("пример.example", "xn--e1afmkfd.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
    ],
)
def test_a_domain_is_folded(text: str, folded: str) -> None:
    assert fold_domain(text) == folded


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Ä_.bücher.example", "ä_.xn--bcher-kva.example"),
        ("\u00ad.bücher.example", "\u00ad.xn--bcher-kva.example"),
        ("\udce9.Bücher.example", "\udce9.xn--bcher-kva.example"),
        ("ü" * 64 + ".bücher.example", "ü" * 64 + ".xn--bcher-kva.example"),
        ("%.OURS.example", "%.ours.example"),
    ],
)
def test_an_invalid_label_does_not_spoil_the_others(text: str, folded: str) -> None:
    """Otherwise a subdomain with such a label would not be found below an international domain of a table."""
    assert fold_domain(text) == folded


@pytest.mark.parametrize("label", ["ü", "\u0315\u0300", "a"])
def test_what_is_longer_than_any_name_is_only_lower_cased(label: str) -> None:
    assert fold_domain(f"{label}." * 20_000 + "Ü") == f"{label}." * 20_000 + "ü"


@pytest.mark.parametrize(
    ("domain", "address"),
    [
        ("[192.0.2.1]", "192.0.2.1"),
        ("[IPv6:2001:db8::1]", "2001:db8::1"),
        ("[ipv6:2001:DB8:0:0::1]", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[IPv6:::ffff:192.0.2.1]", "192.0.2.1"),
        ("[::FFFF:c000:201]", "192.0.2.1"),
    ],
)
def test_a_literal_has_one_spelling(domain: str, address: str) -> None:
    assert literal_address(domain) == ip_address(address)
    assert fold_domain(domain) == f"[{address}]"
    assert mailbox_of("x", domain).literal == ip_address(address)


@pytest.mark.parametrize(
    "domain",
    [
        "192.0.2.1",
        "[192.0.2.1",
        "[192.0.2.11",
        "192.0.2.1]",
        "[]",
        "[",
        "[192.0.2]",
        "[192.0.2.01]",
        "[192.0.2.256]",
        "[0xc0000201]",
        "[3221225985]",
        "[192.0.2.1]:25",
        "[192.0.2.1].ours.example",
        "[ 192.0.2.1 ]",
        "[ours.example]",
        "[IPv4:192.0.2.1]",
        "[١٩٢.0.2.1]",
    ],
)
def test_what_only_looks_like_a_literal_is_none(domain: str) -> None:
    assert Mailbox("x", domain).literal is None


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("::192.0.2.1", "::192.0.2.1"),
        ("", None),
        ("unknown", None),
        ("192.0.2.1 ", None),
        ("192.0.2.0/24", None),
    ],
)
def test_an_address_is_read(text: str, address: str | None) -> None:
    assert parse_address(text) == (ip_address(address) if address else None)


@pytest.mark.parametrize(
    ("mailbox", "text"),
    [
        (Mailbox("alice", "ours.example"), "alice@ours.example"),
        (Mailbox("alice", ""), "alice"),
        (Mailbox("", "ours.example"), "@ours.example"),
        (Mailbox("", ""), ""),
    ],
)
def test_a_mailbox_is_shown(mailbox: Mailbox, text: str) -> None:
    assert str(mailbox) == text


def test_local_parts_are_folded_like_those_of_tables() -> None:
    assert mailbox_of("Straße", "OURS.example") == mailbox_of("straße", "ours.example.")
    assert mailbox_of("Straße", "ours.example") != mailbox_of("strasse", "ours.example")
