"""Whether files, flags and ledger of a quarantine agree with each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from turfmilter.review.fate import Fate, complete, expired, fates
from turfmilter.review.recorder import by_id
from turfmilter.stores.block import Block
from turfmilter.stores.ledger import Ledger, Line
from turfmilter.stores.opened import RELEASED, HeldFile, NotAFile, OpenMaildir
from turfmilter.stores.summary import checked

Watch = Callable[[Sequence[HeldFile]], Iterable[HeldFile]]
Discord = tuple[str, str]  # an id, or "ledger", and what is wrong with it


def verify(maildir: OpenMaildir, ledger: Ledger, watch: Watch) -> Iterator[Discord]:
    """Everything that does not agree.  Reads every message from end to end.  Raises LedgerError and OSError."""
    yield from (("ledger", f"line {number} is damaged") for number in ledger.damaged())
    lines = by_id(ledger.lines())
    seen = set()
    for file in watch([file for file, _ in maildir.files()]):
        seen.add(file.id)
        try:
            yield from ((file.id, wrong) for wrong in _wrong(maildir, file, lines.get(file.id, ())))
        except NotAFile as strange:
            yield file.id, str(strange)
        except FileNotFoundError:
            continue  # it changed its name, or expired, while we looked
    for id, about in lines.items():
        if id not in seen and expired(about) is False:  # to expire is the only way to be gone
            yield id, "it is gone, and no line of the ledger says that it expired"


def _wrong(maildir: OpenMaildir, file: HeldFile, lines: Sequence[Line]) -> Iterator[str]:
    with maildir.open(file) as opened:
        block, doubt = checked(opened, file.id)
    if doubt:
        yield doubt
    if expired(lines):
        yield "it expired, as the ledger says, but is there"
    if block:
        yield from _wrongly_released(file, block, fates(lines))


def _wrongly_released(file: HeldFile, block: Block, known: dict[str, Fate]) -> Iterator[str]:
    held = {recipient.address for recipient in block.slip.recipients}
    unknown = sorted(address for address in held if known.get(address) is Fate.UNKNOWN)
    if unknown:
        yield f"unknown: a release to {', '.join(unknown)} ended without an answer; the MTA's log knows"
    released = complete(held, known)
    if RELEASED in file.flags and not released:
        yield "it is marked released, but the ledger knows of no release to all"
    if released and RELEASED not in file.flags:
        yield "it was released to all, as the ledger says, but is not marked so"
    for address in sorted(known.keys() - held):
        yield f"the ledger says that it was released to {address}, whom it was not held from"
