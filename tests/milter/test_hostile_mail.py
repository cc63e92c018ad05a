"""Hostile mail from the socket to the next hop: held, listed, shown, exported and released without harm."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from rig.answers import Answer, answers
from rig.filter import Filter
from rig.hostile import HOSTILE, as_shown
from rig.quarantine import hold, turfctl
from rig.sink import Sink

SETTINGS = """
domains = ["rig.test"]
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
[quarantine]
floor = "0%"
"""
pytestmark = pytest.mark.timeout(400)  # the first test waits for all that the others look at
DIGEST = ("digest", "--newer", "9999w")
SHOWN: Sequence[tuple[str, ...]] = [(), ("--headers",), ("--raw",), ("--json",)]
# SMTP cannot carry them unchanged: a bare LF, or a dot between two CRs, which some servers take for the end of a line.
UNSPEAKABLE = {name for name, message in HOSTILE.items() if re.search(rb"(?<!\r)\n|\r\.\r", message)}


@dataclass(frozen=True)
class Reviewed:
    """All of the corpus as it was held, and what was said of it.  Its ids, senders and answers are by name."""

    config: Path
    quarantine: Path
    ids: Mapping[str, str]
    exported: Mapping[str, bytes]
    on_terminal: Mapping[tuple[str, ...], Answer]
    in_file: Mapping[tuple[str, ...], Answer]
    delivered: Mapping[str, bytes]
    said: str
    """What the release said on standard error."""


@pytest.fixture(scope="module")
def reviewed(module_place: Path) -> Iterator[Reviewed]:
    with Filter(module_place, SETTINGS) as turf, Sink() as sink:
        ids = {name: held(turf, f"m{number}@turf.test", name) for number, name in enumerate(HOSTILE)}
        names = {f"m{number}@turf.test": name for number, name in enumerate(HOSTILE)}
        config = module_place / "review.toml"
        config.write_text(f"{turf.config.read_text()}[release]\nport = {sink.port}\n")
        commands = [
            ("list", "--limit", "0"),
            ("list", "--group-by", "sender"),
            DIGEST,
            *(("show", *options, id) for id in ids.values() for options in SHOWN),
        ]
        on_terminal = answers(config, commands, terminal=True)
        exports = [("export", id) for id in ids.values()]
        in_file = answers(config, [*commands, *exports, (*DIGEST, "--mail", "post@rig.test")], terminal=False)
        (letter,) = sink.wait_for(1)
        sink.clear()
        said = turfctl(config, "release", "--rule", "turf", "--yes").stderr
        delivered = {names[one.sender]: one.data for one in sink.deliveries}
        exported = {name: in_file["export", id].said for name, id in ids.items()}
        yield Reviewed(
            config, turf.quarantine, ids, exported, on_terminal, in_file, {**delivered, "letter": letter.data}, said
        )
        assert "Traceback" not in turf.daemon.log()


def held(turf: Filter, sender: str, name: str) -> str:
    """The id under which a message of the corpus is held; where an MTA would not show it, the store gets it."""
    message, shown = HOSTILE[name], as_shown(HOSTILE[name])
    if shown is None:
        return hold(turf.quarantine, message, sender=sender)
    before = set(turf.quarantine.glob("new/*"))
    with turf.session() as client:
        assert str(client.message(f"<{sender}>", ["<anna@rig.test>"], *shown).end) == "discard", name
    ((path),) = set(turf.quarantine.glob("new/*")) - before
    return path.name


def test_nearly_all_of_it_passes_the_real_daemon() -> None:
    assert len([name for name, message in HOSTILE.items() if as_shown(message)]) >= 60


@pytest.mark.parametrize("name", HOSTILE)
def test_it_is_shown_and_a_terminal_receives_nothing_but_text(reviewed: Reviewed, name: str) -> None:
    for options in SHOWN:
        seen = reviewed.on_terminal["show", *options, reviewed.ids[name]]
        assert seen.status == 0
        assert harmful(seen.said) == set()


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_kept_and_exported_is_every_byte_that_came(reviewed: Reviewed, name: str) -> None:
    id, message = reviewed.ids[name], HOSTILE[name]
    assert reviewed.in_file["show", "--raw", id].said == message
    known = json.loads(reviewed.in_file["show", "--json", id].said)
    assert (known["size"], known["doubt"]) == (len(message), "")
    assert known["recipients"] in (["anna@rig.test"], ["anna@example.org"])
    _, _, content = reviewed.exported[name].partition(b"\n")
    content = re.sub(rb"(?m)^>(>*From )", rb"\1", content)
    text = message.replace(b"\r\n", b"\n")
    assert content == text + (b"\n\n" if text and not text.endswith(b"\n") else b"\n")


@pytest.mark.parametrize("name", HOSTILE)
def test_it_leaves_as_it_came_or_is_refused_for_a_reason(reviewed: Reviewed, name: str) -> None:
    message = HOSTILE[name]
    if name in UNSPEAKABLE:
        assert name not in reviewed.delivered
        assert (
            f"{reviewed.ids[name]}: nothing was sent: the message contains line ends other than CRLF" in reviewed.said
        )
        return
    # RFC 5321 §4.1.1.4: the dot that ends a message stands on a line of its own.
    ended = message if message.endswith(b"\r\n") or not message else message + b"\r\n"
    assert reviewed.delivered[name] == ended


@pytest.mark.parametrize("command", [("list", "--limit", "0"), ("list", "--group-by", "sender"), DIGEST])
def test_lists_and_letters_hold_nothing_but_text(reviewed: Reviewed, command: tuple[str, ...]) -> None:
    for seen in (reviewed.on_terminal[command], reviewed.in_file[command]):
        assert seen.status == 0
        assert harmful(seen.said) == set()
    listed = reviewed.in_file["list", "--limit", "0"].said.decode()
    assert all(id in listed for id in reviewed.ids.values())


def test_the_letter_that_is_mailed_is_a_letter(reviewed: Reviewed) -> None:
    letter = message_from_bytes(reviewed.delivered["letter"], policy=policy.default)
    body = letter.get_content()
    assert letter.defects == []
    assert harmful(body.encode()) == set()
    assert [id for id in reviewed.ids.values() if body.count(id) != 2] == []  # in its row, and in a command


def test_afterwards_everything_agrees(reviewed: Reviewed) -> None:
    done = turfctl(reviewed.config, "verify")
    assert (done.stdout, done.stderr) == ("", "files, flags and ledger agree\n")


def harmful(said: bytes) -> set[str]:
    """The characters that a terminal obeys or does not show; a line ends with LF, before which it puts a CR."""
    return {char for char in said.decode().replace("\r\n", "\n") if char != "\n" and not char.isprintable()}
