"""One message on its way through the fake MTA: the filter is asked as MTAs ask it, and obeyed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from caserunner.mailhost import ALIASES, OURS
from rig.answer import Answer, Changes
from rig.milterclient import MilterClient
from rig.sink import Delivery


def resolve(argument: str) -> str:
    """Where MTAs take a recipient: what hides in an address of ours is brought out, again and again."""
    text = re.sub(r"\([^()]*\)", "", argument.rpartition("<")[2].partition(">")[0]).strip().replace("\\", "")
    if text.startswith("@"):
        text = text.partition(":")[2]
    while True:
        local, at, domain = text.rpartition("@") if "@" in text else (text, "", "")
        domain = domain.strip().removesuffix(".")
        local = local.strip().strip('"')
        if at and domain.lower() not in OURS:
            return f"{local}@{domain}"
        if "@" in local:
            text = local
        elif "!" in local:
            host, _, user = local.partition("!")
            text = f"{user}@{host}"
        elif "%" in local:
            text = "@".join(local.rsplit("%", 1))
        else:
            dotted = not re.search(r'[\s"(),:;<>@\[\]]', local)  # RFC 5321 §4.1.2: otherwise it is in quotes
            return (local if dotted else f'"{local}"') + f"@{domain or OURS[0]}"


@dataclass
class Message:
    """What was taken of one transaction: the sender, and each recipient as given."""

    sender: str
    recipients: list[str] = field(default_factory=list)
    exempt: bool = False  # the filter has accepted it and receives no more of it
    discarded: bool = False

    def note(self, answer: Answer) -> None:
        """What an answer means for the rest of it."""
        self.exempt |= answer.kind in ("accept", "discard")
        self.discarded |= answer.kind == "discard"

    def show(self, filter_: MilterClient, data: bytes) -> Answer:
        """Show the filter what DATA brought; its last answer."""
        answer = Answer("continue")
        header, body = _split(data)
        steps: list[Callable[[], Answer]] = [filter_.data]
        steps += [partial(filter_.header, name, value) for name, value in header]
        steps += [filter_.eoh, partial(filter_.body, body), filter_.eom]
        for step in steps:
            answer = step()
            self.note(answer)
            if not answer.goes_on:
                break
        return answer

    def delivered(self, data: bytes, changes: Changes) -> list[Delivery]:
        """What is delivered when the filter's changes are made."""
        gone = {_parsed(one) for one in changes.delrcpt}
        left = [resolve(f"<{one}>") for one in map(_parsed, self.recipients) if one not in gone]
        reached = tuple(dict.fromkeys(ALIASES.get(one.lower(), one) for one in left))
        if self.discarded or not reached:
            return []
        return [Delivery("fake", self.sender.strip("<>"), (), reached, _changed(data, changes))]


def _parsed(argument: str) -> str:
    """A recipient as Postfix keeps it: without brackets, route and needless quotes, in its own case."""
    text = argument.removeprefix("<").removesuffix(">")
    text = text.partition(":")[2] if text.startswith("@") else text
    return re.sub(r'^"([\w.+-]+)"@', r"\1@", text)


def _split(data: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    head, _, body = data.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", head.removesuffix(b"\r\n")) if head.strip() else []
    pairs = (one.partition(b":") for one in fields)
    # Both MTAs remove the blanks before a colon.
    return [(name.rstrip(b" \t"), value.replace(b"\r\n", b"\n")) for name, _, value in pairs], body


def _changed(data: bytes, changes: Changes) -> bytes:
    header, body = _split(data)
    removed = {(name.lower(), index) for index, name, value in changes.chgheader if not value}
    seen: dict[str, int] = {}
    kept = []
    for name, value in header:
        key = name.decode("ascii", "replace").lower()
        seen[key] = seen.get(key, 0) + 1
        if (key, seen[key]) not in removed:
            kept.append((name, value))
    added = [(name.encode(), value.encode()) for _, name, value in changes.insheader]
    added += [(name.encode(), value.encode()) for name, value in changes.addheader]
    lines = [b"%b:%b\r\n" % (name, value.replace(b"\n", b"\r\n")) for name, value in added + kept]
    return b"".join(lines) + b"\r\n" + body
