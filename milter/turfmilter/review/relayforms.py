"""Envelopes with which a host can be made to relay, if it reads an address otherwise than the program that allows it.

Every recipient leads, in some mail server or in some reading of the standards, to an address that is not ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

OUTSIDE = "relay-test@example.com"  # RFC 2606 §3: the domain is reserved, and accepts no mail


class Form(NamedTuple):
    """One envelope: its name, sender and recipient as arguments of MAIL FROM and RCPT TO, and where the form is from.

    The first form of a list is the control: the plainest outside address.
    """

    name: str
    sender: str
    recipient: str
    source: str


def forms(ours: str, *, outside: str = OUTSIDE, address: str = "192.0.2.25") -> list[Form]:
    """Return all forms for a host that receives mail for the domain `ours` at the IP address `address`."""
    user, _, domain = outside.rpartition("@")
    from_ = "<relay-test@example.net>"
    found = [Form("control", from_, f"<{outside}>", "RFC 5321 §3.6.2: what a host must not relay for strangers")]
    found += [
        Form(name, from_, text, source)
        for name, text, source in (*_routed(user, domain, ours, address), *_disguised(user, domain, ours))
    ]
    found += [Form(name, sender, f"<{outside}>", source) for name, sender, source in _senders(ours, address)]
    return found


def _routed(user: str, domain: str, ours: str, address: str) -> Iterator[tuple[str, str, str]]:
    """Yield the ways in which an address once said through which hosts mail goes."""
    outside = f"{user}@{domain}"
    percent = "RFC 1123 §5.2.16: the percent hack"
    yield "percent", f"<{user}%{domain}@{ours}>", percent
    yield "percent, without our domain", f"<{user}%{domain}>", percent
    yield "percent, doubled", f"<{user}%{domain}%{ours}@{ours}>", percent
    yield "percent, at our address", f"<{user}%{domain}@[{address}]>", percent
    yield "percent, quoted", f'<"{user}%{domain}"@{ours}>', percent
    yield "percent, in a quoted string alone", f'<"{user}%{domain}">', percent
    yield "percent, trailing dot", f"<{user}%{domain}@{ours}.>", percent
    yield "percent, two signs", f"<{user}%%{domain}@{ours}>", "Postfix rewrites x%%dom to x%@dom"
    bang = "RFC 976 §2: UUCP paths"
    yield "bang", f"<{domain}!{user}@{ours}>", bang
    yield "bang, without our domain", f"<{domain}!{user}>", bang
    yield "bang, through us", f"<{ours}!{domain}!{user}>", bang
    yield "bang and percent", f"<{domain}!{user}%{ours}@{ours}>", bang
    yield "bang, quoted", f'<"{domain}!{user}"@{ours}>', bang
    route = "RFC 5321 §4.1.1.3: source routes"
    yield "source route", f"<@{ours}:{outside}>", route
    yield "source route, two hosts", f"<@{ours},@{domain}:{outside}>", route
    yield "source route, at our address", f"<@[{address}]:{outside}>", route
    yield "source route and percent", f"<@{ours}:{user}%{domain}@{ours}>", route


def _disguised(user: str, domain: str, ours: str) -> Iterator[tuple[str, str, str]]:
    """Yield addresses that programs divide in different ways."""
    outside = f"{user}@{domain}"
    quoted = "RFC 5321 §4.1.2: a quoted local part may contain @"
    yield "address in quotes", f'<"{outside}"@{ours}>', quoted
    yield "address in quotes, without our domain", f'<"{outside}">', quoted
    yield "address in quotes, escaped", f'<"{user}\\@{domain}"@{ours}>', quoted
    yield "backslash", f"<{user}\\@{domain}@{ours}>", quoted
    yield "two signs", f"<{outside}@{ours}>", "an @ that is not quoted: servers divide at the first or at the last"
    yield "two signs, ours first", f"<{user}@{ours}@{domain}>", "the same, the other way round"
    yield "our domain as a user", f"<{ours}@{domain}>", "a program that looks for our domain anywhere in the text"
    yield "our domain as a parameter", f"<{user}@{domain}?{ours}>", "the same"
    yield "our domain below theirs", f"<{user}@{ours}.{domain}>", "a program that compares the beginning of a domain"
    yield "their domain that ends like ours", f"<{user}@x{ours}>", "a program that compares the end of a domain"
    imcea = "Q237927 and Q264330: encapsulated addresses of Exchange"
    yield "IMCEA", f"<IMCEASMTP-{user.replace('-', '+2D')}+40{domain}@{ours}>", imcea
    yield "IMCEA, lower case", f"<imceasmtp-{user.replace('-', '+2d')}+40{domain}@{ours}>", imcea
    yield "IMCEA, in a quoted string", f'<"IMCEA {outside}"@{ours}>', imcea
    yield "IMCEA, with a type", f'<"IMCEASMTP:{outside}"@{ours}>', imcea
    literal = "RFC 5321 §4.1.3: address literals"
    yield "literal", f"<{user}@[203.0.113.1]>", literal
    yield "literal of IPv6", f"<{user}@[IPv6:2001:db8::1]>", literal
    yield "number", f"<{user}@3405803777>", "an address as one number, as inet_aton(3) reads it"
    yield "percent to a literal", f"<{user}%[203.0.113.1]@{ours}>", literal
    yield from _spelled(user, domain, ours)


def _spelled(user: str, domain: str, ours: str) -> Iterator[tuple[str, str, str]]:
    """Yield spellings that one program understands, and another one does not."""
    outside = f"{user}@{domain}"
    case = "RFC 5321 §2.4: domains have no case"
    yield "case", f"<{user}@{domain.upper()}>", case
    yield "trailing dot", f"<{outside}.>", "RFC 1034 §3.1: an absolute name"
    yield "comment", f"<{user}(x)@{domain}>", "RFC 5322 §3.2.2: comments"
    yield "comment with our domain", f"<{user}@{domain}(@{ours})>", "RFC 5322 §3.2.2: comments"
    yield "without brackets", outside, "RFC 821 §4.1.2 requires brackets, and servers accept addresses without them"
    yield "two addresses", f"<{user}@{ours},{outside}>", "RFC 5322 §3.4: a list where there must be one address"
    yield "blank", f"<{user}@{ours} {outside}>", "the same, with a blank"
    yield "8-bit", f"<{user}\udce9@{domain}>", "bytes that are not UTF-8"
    yield "look-alike of the sign", f"<{user}\uff20{domain}@{ours}>", "Unicode: a wide @ that some programs fold"
    yield "look-alike of the percent", f"<{user}\uff05{domain}@{ours}>", "Unicode: a wide % that some programs fold"
    yield "look-alike of the dot", f"<{user}%{domain.replace('.', chr(0x3002))}@{ours}>", "RFC 3490 §3.1: other dots"


def _senders(ours: str, address: str) -> Iterator[tuple[str, str, str]]:
    spoofed = "a program that trusts the sender"
    yield "null sender", "<>", "RFC 5321 §4.5.5: bounces"
    yield "sender of our domain", f"<relay-test@{ours}>", spoofed
    yield "postmaster as the sender", f"<postmaster@{ours}>", spoofed
    yield "sender without a domain", "<relay-test>", spoofed
    yield "sender at localhost", "<relay-test@localhost>", spoofed
    yield "sender at our address", f"<relay-test@[{address}]>", spoofed
