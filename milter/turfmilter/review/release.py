"""Releasing a held message: to the recipients it was held from, unchanged, and once unless forced."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import BinaryIO

from turfmilter.core.address.addressed import Addressed, bare
from turfmilter.core.held.block import FORMAT, Block
from turfmilter.core.held.ledger import INTENT, OUTCOME, LedgerError
from turfmilter.core.held.message import Flag, Message, NewerFormat, NotAMessage
from turfmilter.core.held.summary import checked
from turfmilter.core.ports import HeldMessages, OpenMessage
from turfmilter.mta.smtp import NextHop, NotSent, Unknown, send
from turfmilter.mta.xclient import OriginalClient
from turfmilter.review.fate import RELEASE, Fate, complete, fates
from turfmilter.review.recorder import Recorder


class NotReleased(Exception):
    """Nothing was sent; the text says why, and what to do."""


class Uncertain(Exception):
    """The message may have been sent; the text says how to find out."""


@dataclass(frozen=True, slots=True)
class Released:
    """What the next hop replied.

    `replies` are its replies for each recipient, `lost` the ESMTP parameters that it did not accept; `complete` means
    that no recipient is waiting for the message any more.
    """

    message: Message
    replies: dict[str, str]
    lost: tuple[str, ...]
    complete: bool

    @property
    def taken(self) -> bool:
        """True if at least one recipient was accepted."""
        return any(reply.startswith("2") for reply in self.replies.values())

    @property
    def clean(self) -> bool:
        """True if every recipient of this attempt was accepted."""
        return all(reply.startswith("2") for reply in self.replies.values())


class Releaser:
    """Sends the messages of one quarantine to `hop`, and records its replies in the ledger.

    With `xclient`, a hop that offers XCLIENT is told from which client the message came.
    """

    def __init__(self, held: HeldMessages, recorder: Recorder, hop: NextHop, *, xclient: bool = True) -> None:
        self._held = held
        self._recorder = recorder
        self._hop = hop
        self._xclient = xclient

    def release(self, message: Message, only: Collection[str] = (), *, force: bool = False) -> Released:
        """Send `message` to the recipients that it is still held from, or only to those in `only`.

        `force` also sends what was sent already, may have been sent, or was modified since it was held.
        Raises NotReleased and Uncertain.
        """
        with ExitStack() as closing:
            with _nothing_sent():
                opened = closing.enter_context(self._held.open(message))
                _lock(opened, closing)
                block, doubt = _with_envelope(opened.file, message.id)
                if not force:
                    self._require_unreleased(message)
                    if doubt:
                        raise NotReleased(f"{doubt}; --force sends what is there now")
                known = fates(self._recorder.lines(block.id))
                recipients = _chosen(block, only, known, force=force)
                opened.file.seek(block.offset)
                data = opened.file.read()
            replies, lost = self._send(block, recipients, data)
            # No one else releases it while it is locked: what was known before, and these replies, are everything.
            known |= {address: Fate.RELEASED for address, reply in replies.items() if reply.startswith("2")}
            done = complete((recipient.address for recipient in block.slip.recipients), known)
            released = Released(message, replies, lost, done)
            return replace(released, message=self._marked(released)) if released.taken else released

    def _require_unreleased(self, message: Message) -> None:
        flags = self._held.again(message).flags
        if Flag.DELETED in flags:
            raise NotReleased("the message is deleted: undelete it first")
        if Flag.RELEASED in flags:
            raise NotReleased("the message has been released already; --force sends it again")

    def _send(self, block: Block, chosen: Sequence[Addressed], data: bytes) -> tuple[dict[str, str], tuple[str, ...]]:
        """Return the replies for each recipient, and the parameters that the next hop did not accept."""
        attempt, begun = secrets.token_hex(4), False

        def before_data(taken: Iterable[Addressed]) -> None:
            nonlocal begun
            with _nothing_sent():
                self._note(INTENT, block.id, attempt, dict.fromkeys((to.address for to in taken), ""))
            begun = True

        try:
            sent = send(self._hop, block.slip.sender, chosen, data, before_data, self._client(block))
        except NotSent as error:
            why = f"nothing was sent: {error}"
            if begun:
                # No reply of the next hop begins with "not": these recipients are known not to have the message.
                replies = dict.fromkeys((to.address for to in chosen), f"not sent: {error}")
                try:
                    self._note(OUTCOME, block.id, attempt, replies)
                except LedgerError as unwritten:
                    why = f"{why}; {unwritten}"
            raise NotReleased(why) from error
        except Unknown as error:
            raise Uncertain(f"{error}: check in the MTA's log whether it arrived") from error
        replies = {to.address: reply for to, reply in sent.replies.items()}
        try:
            self._note(OUTCOME, block.id, attempt, replies)
        except LedgerError as error:
            raise Uncertain(f"it was sent ({'; '.join(replies.values())}), but {error}") from error
        return replies, tuple(sent.lost)

    def _client(self, block: Block) -> OriginalClient | None:
        slip = block.slip
        return OriginalClient(slip.client, slip.name, slip.helo) if self._xclient else None

    def _marked(self, released: Released) -> Message:
        """Return the message with its flags.  If they cannot be set, the ledger still has the release.

        A message that no recipient has is not marked: reviewed ones are removed earlier.
        """
        with suppress(OSError, NewerFormat):
            add = {Flag.REVIEWED, Flag.RELEASED} if released.complete else {Flag.REVIEWED}
            return self._held.mark(released.message, add=add)
        return released.message

    def _note(self, stage: str, id: str, attempt: str, replies: dict[str, str]) -> None:
        said = replies.values() if any(replies.values()) else ()
        self._recorder.note(RELEASE, stage, id, attempt=attempt, recipients=replies, replies=said)


def _with_envelope(opened: BinaryIO, id: str) -> tuple[Block, str]:
    """Return the block, and the reason to doubt the message.  Without an envelope nothing is sent, even if forced.

    To: and Cc: were written by the sender, and need not agree with the envelope.
    """
    block, doubt = checked(opened, id)
    if block is None:
        raise NotReleased(f"{doubt}; its recipients are unknown")
    if block.format > FORMAT:
        raise NotReleased(doubt)  # its lines may mean something else
    if not block.has_envelope:
        raise NotReleased(f"{doubt}; its sender and recipients are unknown")
    return block, doubt


def _chosen(block: Block, only: Collection[str], known: Mapping[str, Fate], *, force: bool) -> list[Addressed]:
    """Return the recipients to send to, as the block has them, with their parameters.  Raises NotReleased."""
    held = {recipient.address: recipient for recipient in block.slip.recipients}
    only = [address if address in held else bare(address) for address in only]
    strangers = [address for address in only if address not in held]
    if strangers:
        raise NotReleased(f"not held from {', '.join(strangers)}, but from {', '.join(held)}")
    wanted = list(dict.fromkeys(only)) or [a for a in held if force or known.get(a) is not Fate.RELEASED]
    again = [a for a in wanted if known.get(a) is Fate.RELEASED]
    unknown = [a for a in wanted if known.get(a) is Fate.UNKNOWN]
    if not force and (again or not wanted):
        raise NotReleased(f"released already to {', '.join(again or held)}; --force sends it again")
    if not force and unknown:
        raise NotReleased(
            f"an earlier release to {', '.join(unknown)} ended without an answer: look into the MTA's log whether"
            " it arrived, and release with --force if it did not"
        )
    return [held[address] for address in wanted]


@contextmanager
def _nothing_sent() -> Iterator[None]:
    """Turn errors before the message is sent into NotReleased: no recipient has it."""
    try:
        yield
    except FileNotFoundError:
        raise NotReleased("the message is gone") from None
    except (OSError, NotAMessage, LedgerError) as error:
        raise NotReleased(f"nothing was sent: {error}") from error


def _lock(opened: OpenMessage, closing: ExitStack) -> None:
    """Lock the message until `closing` ends: if two administrators release it at once, only one does."""
    try:
        closing.enter_context(opened.lock())
    except BlockingIOError:
        raise NotReleased("another administrator is releasing it at this moment") from None
