"""A quarantine that fails while the filter runs: the message stays with the MTA, and nothing half-written is left.

File systems are mounted for it: these tests need root.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from rig import wire
from rig.filesystem import tmpfs
from rig.filter import Filter, Filters
from rig.milterclient import MilterClient

Trouble = Callable[[Path], None]

HELD = """
domains = ["rig.test"]
[turf]
tables = ["@turf.test"]
directory = "{quarantine}"
"""
FULL = "452 4.3.1 insufficient storage, try again later"
BROKEN = "451 4.3.0 cannot take the message at the moment, try again later"


@pytest.fixture(autouse=True)
def root() -> None:
    assert os.geteuid() == 0, "these tests mount file systems and take rights away: run them as root"


@pytest.fixture
def mounted(place: Path) -> Iterator[Path]:
    """The quarantine as a file system of 1 MB and 40 inodes."""
    (place / "quarantine").mkdir()
    with tmpfs(place / "quarantine", size="1m", inodes=40) as directory:
        yield directory


def spam(client: MilterClient, size: int = 100) -> str:
    """The end of a turf message with a body of `size` bytes."""
    return str(client.message("<spam@turf.test>", ["<b@rig.test>"], body=b"x" * size).end)


def good(client: MilterClient) -> str:
    """The end of a message that is not held."""
    return str(client.message("<a@out.test>", ["<b@rig.test>"]).end)


def fill(directory: Path) -> None:
    """Leave no byte free."""
    with suppress(OSError), (directory / "filling").open("wb") as file:
        while file.write(b"x" * 4096):
            file.flush()


def use_up_inodes(directory: Path) -> None:
    """Leave no inode free."""
    with suppress(OSError):
        for number in range(1000):
            (directory / f"filling{number}").touch()


def assert_refused(turf: Filter, why: str) -> None:
    """One message was left with the MTA: it is logged in one line, after a line with the reason."""
    lines = turf.lines()
    assert sum(why in line for line in lines) == 1, lines
    assert sum('"verdict": "tempfail", "rule": "turf"' in line for line in lines) == 1, lines
    assert turf.held() == []
    assert turf.unfinished() == []


@pytest.mark.usefixtures("mounted")
def test_a_message_that_is_larger_than_the_free_space_is_answered_452(own_filter: Filters) -> None:
    turf = own_filter(HELD)
    with turf.session() as client:
        told = client.message("<spam@turf.test>", ["<b@rig.test>"], body=b"x" * 3_000_000)
        assert str(told.end) == FULL
        assert "skip" in [str(answer) for answer in told.all("body")]
        assert client.sent_bytes["body"] < 2_000_000
        assert_refused(turf, "No space left on device")
        assert spam(client) == "discard"
    assert len(turf.held()) == 1


@pytest.mark.parametrize(
    ("trouble", "why"), [(fill, "less than 5% of the bytes is free"), (use_up_inodes, "less than 5% of the inodes")]
)
def test_a_full_quarantine_is_answered_452_until_there_is_room_again(
    own_filter: Filters, mounted: Path, trouble: Trouble, why: str
) -> None:
    turf = own_filter(HELD)
    trouble(mounted)
    with turf.session() as client:
        assert spam(client) == FULL
        assert_refused(turf, why)
        assert good(client) == "accept"
        for path in mounted.glob("filling*"):
            path.unlink()
        assert spam(client) == "discard"


def test_messages_that_arrive_at_the_same_time_share_what_room_there_is(own_filter: Filters, mounted: Path) -> None:
    turf = own_filter(HELD)
    with ExitStack() as ending:
        clients = [ending.enter_context(turf.session()) for _ in range(12)]
        for client in clients:  # each finds enough room, because none has been written yet
            client.mail("<spam@turf.test>")
            client.rcpt("<b@rig.test>")
            client.data()
            client.eoh()
            assert str(client.body(b"x" * 200_000)) == "continue"
        assert turf.unfinished() == []
        for client in clients:
            client.send_frame(b"E")
        ends = [str(client.read_answer(wire.ALL_ACTIONS)) for client in clients]
        held = turf.held()
        assert Counter(ends) == {"discard": len(held), FULL: len(clients) - len(held)}
        assert held
        assert {len(one.message) for one in held} == {200_002}
        assert turf.unfinished() == []
        for path in (mounted / "new").iterdir():
            path.unlink()
        assert {spam(client) for client in clients} == {"discard"}


def test_the_floor_is_that_of_the_configuration(own_filter: Filters, mounted: Path) -> None:
    turf = own_filter(f'{HELD}[quarantine]\nfloor = "60%"\n')
    (mounted / "filling").write_bytes(b"x" * 500_000)
    with turf.session() as client:
        assert spam(client) == FULL
        assert_refused(turf, "less than 60% of the bytes is free")
        (mounted / "filling").unlink()
        assert spam(client) == "discard"


def read_only(directory: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", directory], check=True)


def writable(directory: Path) -> None:
    subprocess.run(["mount", "-o", "remount,rw", directory], check=True)


def away(directory: Path) -> None:
    (directory / "tmp").rename(directory / "away")


def back(directory: Path) -> None:
    (directory / "away").rename(directory / "tmp")


def closed(directory: Path) -> None:
    (directory / "new").chmod(0o500)


def opened(directory: Path) -> None:
    (directory / "new").chmod(0o750)


def replaced(directory: Path) -> None:
    (directory / "new").rmdir()
    (directory / "new").touch()


def restored(directory: Path) -> None:
    (directory / "new").unlink()
    (directory / "new").mkdir()
    (directory / "new").chmod(0o777)


@pytest.mark.parametrize(
    ("trouble", "mend", "why"),
    [
        (read_only, writable, "Read-only file system"),
        (away, back, "No such file or directory"),
        (closed, opened, "Permission denied"),
        (replaced, restored, "Not a directory"),
    ],
)
@pytest.mark.parametrize("size", [100, 700_000])
def test_a_quarantine_that_cannot_be_written_is_answered_451_until_it_is_fixed(
    own_filter: Filters, mounted: Path, trouble: Trouble, mend: Trouble, why: str, size: int
) -> None:
    turf = own_filter(HELD)
    with turf.session() as client:
        trouble(mounted)
        assert spam(client, size) == BROKEN
        assert good(client) == "accept"
        mend(mounted)
        assert_refused(turf, why)
        assert spam(client) == "discard"
    assert len(turf.held()) == 1


def test_a_quarantine_that_disappears_in_mid_message_is_answered_451(own_filter: Filters, mounted: Path) -> None:
    turf = own_filter(HELD)
    with turf.session() as client:
        client.mail("<spam@turf.test>")
        client.rcpt("<b@rig.test>")
        client.data()
        client.eoh()
        client.body(b"x" * 300_000)
        away(mounted)
        assert str(client.eom()) == BROKEN
        assert good(client) == "accept"
    assert turf.held() == []


def test_exempt_recipients_do_not_get_a_message_whose_copy_cannot_be_kept(own_filter: Filters, mounted: Path) -> None:
    turf = own_filter(HELD)
    away(mounted)
    with turf.session() as client:
        told = client.message("<spam@turf.test>", ["<b@rig.test>", "<postmaster@rig.test>"])
        assert str(told.end) == BROKEN
        assert told.changes.delrcpt == []
        # All of them exempt: nothing would be kept, so nothing can be missing.
        assert str(client.message("<spam@turf.test>", ["<postmaster@rig.test>"]).end) == "accept"


def test_the_sender_is_not_told_of_a_rejection_before_the_copy_is_kept(own_filter: Filters, mounted: Path) -> None:
    turf = own_filter(HELD + 'answer = "reject"\n')
    away(mounted)
    with turf.session() as client:
        assert spam(client) == BROKEN
        back(mounted)
        assert spam(client) == "550 5.7.1 message refused by local policy"
