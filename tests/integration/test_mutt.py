"""An ordinary Maildir: what mutt does to it turfctl understands, and Python's mailbox sees the same."""

from __future__ import annotations

import json
import mailbox
import os
import pty
import subprocess
import termios
from pathlib import Path

import pytest

from rig import wait
from rig.filter import USER, give
from rig.program import as_user
from rig.quarantine import MESSAGE, hold, reviewed, turfctl

SETTINGS = "set folder=~ quit=yes delete=yes move=no wait_key=no mark_old=no"  # mutt asks nothing


@pytest.fixture
def config(place: Path) -> Path:
    give(place)
    return reviewed(place)[1]


@pytest.fixture
def quarantine(config: Path) -> Path:
    return config.parent / "quarantine"


def mutt(quarantine: Path, keys: str) -> None:
    """What the quarantine's owner does who types `keys` in mutt, as the how-to says to start it."""
    ours, its = pty.openpty()
    termios.tcsetwinsize(its, (24, 80))  # ncurses 6.5 opens no terminal without a size
    line = ["mutt", "-n", "-F", "/dev/null", "-f", str(quarantine), "-e", SETTINGS, "-e", f"push '{keys}'"]
    environment = {"PATH": os.environ["PATH"], "TERM": "vt100", "HOME": str(quarantine.parent), "LC_ALL": "C.UTF-8"}
    with subprocess.Popen([*as_user(USER), *line], env=environment, stdin=its, stdout=its, stderr=its) as process:
        os.close(its)
        os.set_blocking(ours, False)
        seen = bytearray()
        try:
            wait.until(lambda: _ended(process, ours, seen), lambda: f"mutt, which shows {bytes(seen)!r}")
        finally:
            process.kill()
            os.close(ours)
    assert process.returncode == 0, bytes(seen)


def _ended(process: subprocess.Popen[bytes], terminal: int, seen: bytearray) -> bool:
    """True when it has ended; what it shows until then is read, or it would wait for that."""
    try:
        seen += os.read(terminal, 65_536)
    except OSError:  # nothing new, or EIO: nobody is there any more
        return process.poll() is not None
    return False


def states(config: Path) -> dict[str, str]:
    """The state of each message by its subject, as turfctl has it."""
    every = (f"--state={state}" for state in ("unreviewed", "reviewed", "released", "deleted"))
    done = turfctl(config, "list", "--json", *every)
    return {message["subject"]: message["state"] for message in json.loads(done.stdout)}


def held(quarantine: Path, *subjects: str) -> list[str]:
    return [hold(quarantine, MESSAGE.replace(b"hello", subject.encode())) for subject in subjects]


def flags(quarantine: Path) -> dict[str, str]:
    """The flags of each message by its subject, as Python has them."""
    return {str(message["subject"]): message.get_flags() for message in mailbox.Maildir(quarantine)}


def limited(subject: str, keys: str) -> str:
    """The keys that do something to the message with this subject."""
    return f"<limit>~s{subject}<enter>{keys}<limit>all<enter>"


def test_flags_that_mutt_sets_are_our_states(quarantine: Path, config: Path) -> None:
    held(quarantine, "one", "two", "three")
    read = limited("one", "<display-message><exit>")
    flagged = limited("two", "<set-flag>!")
    mutt(quarantine, f"{read}{flagged}<sync-mailbox><quit>")
    assert flags(quarantine) == {"one": "S", "two": "F", "three": ""}
    assert states(config) == {"one": "reviewed", "two": "unreviewed", "three": "unreviewed"}


def test_what_mutt_only_marks_deleted_can_be_had_back(quarantine: Path, config: Path) -> None:
    one, _ = held(quarantine, "one", "two")
    mutt(quarantine, f"<enter-command>set maildir_trash<enter>{limited('one', '<delete-message>')}<sync-mailbox><quit>")
    assert flags(quarantine) == {"one": "T", "two": ""}
    assert states(config) == {"one": "deleted", "two": "unreviewed"}
    assert turfctl(config, "undelete", one, "--yes").returncode == 0
    assert states(config) == {"one": "unreviewed", "two": "unreviewed"}


def test_what_mutt_deletes_is_gone_and_verify_says_so(quarantine: Path, config: Path) -> None:
    one, _ = held(quarantine, "one", "two")
    turfctl(config, "show", "--mark", one)
    mutt(quarantine, f"{limited('one', '<delete-message>')}<sync-mailbox><quit>")
    assert flags(quarantine) == {"two": ""}
    assert states(config) == {"two": "unreviewed"}
    assert "it is gone, and the ledger has no line about its expiry" in turfctl(config, "verify").stdout


def test_what_turfctl_does_is_seen_in_mutt_and_stays(quarantine: Path, config: Path) -> None:
    one, two, _ = held(quarantine, "one", "two", "three")
    turfctl(config, "show", "--mark", one)
    turfctl(config, "delete", two, "--yes")
    mutt(quarantine, f"<enter-command>set maildir_trash<enter>{limited('three', '<set-flag>!')}<sync-mailbox><quit>")
    assert flags(quarantine) == {"one": "S", "two": "T", "three": "F"}
    assert states(config) == {"one": "reviewed", "two": "deleted", "three": "unreviewed"}
