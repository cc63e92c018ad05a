"""An address is found however it is hidden, and no text is too odd to be judged."""

from __future__ import annotations

import re
from collections.abc import Callable

from hypothesis import example, given
from hypothesis import strategies as st

from turfmilter.core.address.authors import read_authors
from turfmilter.core.address.mailbox import Mailbox, fold_domain
from turfmilter.core.address.readings import read, read_sender, read_senders
from turfmilter.core.address.spelling import Unreadable, spell

THERE, OURS = "there.example", "ours.example"

# Parts and separators of addresses.
PIECES = ["x", THERE, OURS, "[192.0.2.1]", "IMCEASMTP-", "+40", "%", "!", "@", '"', "\\", "(", ")", "<", ">", "[", "]"]
ODD = [
    ",",
    ":",
    ";",
    " ",
    "\t",
    "\r\n",
    ".",
    "..",
    "\x00",
    "\x1f",
    "\x7f",
    "\u00a0",
    "\u00ad",
    "\uff20",
    "\uff05",
    "。",
    "ü",
    "\udce9",
]
TEXTS = st.lists(st.sampled_from(PIECES + ODD), max_size=12).map("".join) | st.text(
    st.characters(exclude_categories=())
)


def quoted(text: str) -> str:
    """`text` as a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def wrapped(text: str) -> str:
    """`text` as Exchange encapsulated it; characters beyond ASCII are kept, because two digits cannot express them."""
    return "IMCEASMTP-" + re.sub(r"[^A-Za-z0-9\x80-\U0010ffff]", lambda special: f"+{ord(special[0]):02X}", text)


# How a local part and a host become the local part of an address elsewhere.
LAYERS: dict[str, Callable[[str, str], str]] = {
    "percent": lambda local, host: f"{local}%{host}",
    "bang": lambda local, host: f"{host}!{local}",
    "quoted": lambda local, host: quoted(f"{local}@{host}"),
    "quoted percent": lambda local, host: quoted(f"{local}%{host}"),
    "quoted bang": lambda local, host: quoted(f"{host}!{local}"),
    "quoted angles": lambda local, host: quoted(f"<{local}@{host}>"),
    "at": lambda local, host: f"{local}@{host}",
    "escaped at": lambda local, host: f"{local}\\@{host}",
    "full-width at": lambda local, host: f"{local}\uff20{host}",
    "imcea": lambda local, host: wrapped(f"{local}@{host}"),
    "imcea percent": lambda local, host: wrapped(f"{local}%{host}"),
    "imcea in quotes": lambda local, host: quoted(f"IMCEA {local}@{host}"),
    "route": lambda local, host: quoted(f"@{OURS}:{local}@{host}"),
    "comment": lambda local, host: f"(c){local}(c)%(c){host}(c)",
}
DRESSES = ["{}", "<{}>", "< {} >", "<Joe <{}>>", f"<@{OURS}:{{}}>", f"<@{OURS},@{OURS}:{{}}>", "<(c){}(c)>", "<{}.>"]
HOSTS = st.lists(st.sampled_from([OURS, OURS, "mail." + OURS, THERE, "[192.0.2.1]"]), max_size=4)


def is_ours(domain: str) -> bool:
    return domain in ("", OURS) or domain.endswith("." + OURS)


@given(HOSTS, st.lists(st.sampled_from(sorted(LAYERS)), min_size=4, max_size=4), st.sampled_from(DRESSES))
@example([THERE, OURS, OURS, OURS], ["bang", "percent", "imcea", "quoted"], "<{}>")
def test_a_host_outside_is_found_behind_any_layers(hosts: list[str], layers: list[str], dress: str) -> None:
    """`hosts` from the innermost on; the whole address is at ours.  All of them being ours, none is made up."""
    local = "x"
    for host, layer in zip(hosts, layers, strict=False):
        local = LAYERS[layer](local, host)
    readings = read(dress.format(f"{local}@{OURS}"))
    judged_ours = bool(readings) and all(is_ours(mailbox.domain) for mailbox in readings.mailboxes)
    assert not readings.plain or not hosts
    assert not judged_ours or all(map(is_ours, hosts))


@given(TEXTS)
@example("[@[192.0.2.1]")
@example("x@.")
@example("@a:")
@example("<" * 3)
def test_any_text_is_read_or_refused(text: str) -> None:
    readings = read(text)
    assert len(readings.mailboxes) <= 33
    for mailbox in readings.mailboxes:
        assert mailbox.literal or re.fullmatch(r"[\w.-]*", mailbox.domain)
        assert not mailbox.domain.startswith("[") or mailbox.literal


@given(TEXTS)
def test_what_is_plain_hides_nothing(text: str) -> None:
    readings = read(text)
    if readings.plain:
        (mailbox,) = readings.mailboxes
        assert mailbox.domain
        assert not set(text) & set('%!"\\(),:;[] \t\r\n')
        assert text.count("@") == 1


@given(TEXTS)
def test_angles_change_nothing(text: str) -> None:
    if not set(text) & set('<>"\\(@['):
        assert read(f"<{text}>") == read(text)


@given(TEXTS)
def test_every_separator_that_counts_shows_in_a_reading(text: str) -> None:
    """No reading hides an address: one in its local part is a reading as well."""
    readings = read(text)
    found = {str(mailbox) for mailbox in readings.mailboxes}
    for mailbox in readings.mailboxes:
        if re.fullmatch(r"[a-z0-9]+[@%][a-z0-9.]*[a-z0-9]", mailbox.local):
            assert mailbox.local.replace("%", "@") in found


@given(TEXTS)
def test_a_sender_is_always_read(text: str) -> None:
    assert isinstance(read_sender(text), Mailbox)


@given(st.text('"(<[,:;@ x', max_size=8))
def test_nothing_that_is_left_open_hides_the_domain_of_a_sender(text: str) -> None:
    assert read_sender(f"<{text}@{THERE}>").domain == THERE


@given(st.lists(TEXTS, max_size=4))
def test_authors_are_always_read(fields: list[str]) -> None:
    authors = read_authors(fields)
    assert authors.mailboxes or not authors.readable
    assert len(set(authors.mailboxes)) == len(authors.mailboxes)
    assert authors.readable == (bool(fields) and all(read_authors([field]).readable for field in fields))


@given(st.lists(TEXTS, max_size=4), TEXTS)
def test_a_further_field_hides_no_author(fields: list[str], further: str) -> None:
    assert set(read_authors(fields).mailboxes) <= set(read_authors([*fields, further]).mailboxes)


@given(TEXTS, TEXTS, st.sampled_from([" ", "<", ">", ",", "(", '"', "[", ":", "\t"]))
def test_nothing_around_an_author_hides_it_from_who_does_not_see_a_plain_list(
    before: str, after: str, between: str
) -> None:
    authors = read_authors([f"{before}{between}x@{THERE}{between}{after}"])
    hidden = Mailbox("x", THERE) not in authors.mailboxes
    assert not (hidden and authors.complete and not authors.readable)


@given(TEXTS, TEXTS)
def test_nothing_around_a_sender_hides_its_domain(before: str, after: str) -> None:
    assert THERE in {mailbox.domain for mailbox in read_senders(f"<{before} x@{THERE} {after}>")}


ADDRESSES = st.sampled_from(
    ["a@x.example", "B <b@x.example>", '"a, b" <c@[192.0.2.1]>', "d (d)", "<@e>", "f@", "g@x:y"]
)


@given(st.lists(ADDRESSES, max_size=5))
def test_no_element_of_a_list_hides_another(elements: list[str]) -> None:
    """Beside one that cannot be read, a literal is also read without its brackets."""
    alone = {mailbox for element in elements for mailbox in read_authors([element]).mailboxes}
    together = set(read_authors([", ".join(elements)]).mailboxes)
    assert together >= alone
    assert {(one.local, one.domain.strip("[]")) for one in together - alone} <= {("c", "192.0.2.1")}


@given(TEXTS)
def test_a_spelling_knows_of_every_character_whether_it_is_bare(text: str) -> None:
    try:
        spelling = spell(text)
    except Unreadable:
        return
    assert len(spelling.text) == len(spelling.bare) <= len(text)


@given(st.text('ab@<>,;:()[]\\" \t', max_size=20))
def test_a_quoted_string_stands_for_its_text(text: str) -> None:
    spelling = spell(quoted(text))
    assert spelling.text == text
    assert not any(spelling.bare)


@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_a_domain_is_folded_once_and_for_all(text: str) -> None:
    folded = fold_domain(text)
    if folded.isascii() and not folded.endswith("."):
        assert fold_domain(folded) == folded
