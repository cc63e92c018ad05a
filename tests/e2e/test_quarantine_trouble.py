"""When nothing can be held: the message stays with its sender, and nothing half-written is left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from e2e.attached import AttachedFilter
from e2e.mailhost import MESSAGE
from e2e.postfixhost import PostfixHost
from rig.filesystem import tmpfs
from rig.filter import make_quarantine

CONFIG = """\
domains = ["rig.test"]
[turf]
directory = "$quarantine"
tables = ["@turf.test"]
"""
TAKEN = "250 2.1.5 Ok"
FULL = "452 4.3.1 insufficient storage, try again later"
TROUBLE = "451 4.3.0 cannot take the message at the moment, try again later"
BIG = MESSAGE + b"0123456789abcdef\r\n" * 120_000  # 2 MB, twice what the quarantine can take
Breaking = Callable[[Path], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def host(module_place: Path) -> Iterator[PostfixHost]:
    made = PostfixHost(module_place, {"inbound": CONFIG, "reject": CONFIG + 'answer = "reject"\n'})
    with mounted(made.filters["inbound"]), mounted(made.filters["reject"]), made as running:
        yield running


@contextmanager
def mounted(one: AttachedFilter) -> Iterator[None]:
    """A tiny file system for the quarantine, so tiny that the floor of 5 % is one of its inodes."""
    with tmpfs(one.quarantine, size="1m", inodes=20):
        make_quarantine(one.quarantine)
        yield


@contextmanager
def no_bytes(quarantine: Path) -> Iterator[None]:
    filler = quarantine / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    yield
    filler.unlink()


@contextmanager
def below_the_floor(quarantine: Path) -> Iterator[None]:
    filler = quarantine / "filler"
    filler.write_bytes(bytes((1 << 20) * 97 // 100 - 4096))
    yield
    filler.unlink()


def inodes_left(left: int) -> Breaking:
    @contextmanager
    def breaking(quarantine: Path) -> Iterator[None]:
        fillers = [quarantine / f"filler{number}" for number in range(os.statvfs(quarantine).f_ffree - left)]
        for filler in fillers:
            filler.touch()
        yield
        for filler in fillers:
            filler.unlink()

    return breaking


def without(part: str) -> Breaking:
    @contextmanager
    def breaking(quarantine: Path) -> Iterator[None]:
        (quarantine / part).rename(quarantine / "away")
        yield
        (quarantine / "away").rename(quarantine / part)

    return breaking


BROKEN = {
    "no bytes": (no_bytes, FULL),
    "too few bytes": (below_the_floor, FULL),
    "no inodes": (inodes_left(0), FULL),
    "one inode, where writing and linking need two": (inodes_left(1), FULL),
    "no tmp": (without("tmp"), TROUBLE),
    "no new": (without("new"), TROUBLE),
}


@pytest.mark.parametrize(("breaking", "reply"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("listener", ["inbound", "reject"])
def test_the_client_keeps_the_message_until_it_can_be_held(
    host: PostfixHost, breaking: Breaking, reply: str, listener: str
) -> None:
    one = host.filters[listener]
    with host.client(listener) as client:
        with breaking(one.quarantine):
            *_, refused = client.transaction("<x@turf.test>", "<bob@rig.test>", message=MESSAGE)
            assert str(refused) == reply
            client.transaction("<anna@out.test>", "<carol@rig.test>", message=MESSAGE)
            assert host.reached() == ["carol@rig.test"]
        assert (one.held(), one.half_written()) == ([], [])
        *_, taken = client.transaction("<x@turf.test>", "<bob@rig.test>", message=MESSAGE)
    assert taken.code == (250 if listener == "inbound" else 550)
    assert [(held.recipients, held.message) for held in one.held()] == [(["bob@rig.test"], MESSAGE)]
    assert host.reached() == ["carol@rig.test"]


def test_a_message_that_is_larger_than_the_room_is_left_with_the_client(host: PostfixHost) -> None:
    assert host.send("<bob@rig.test>", sender="<x@turf.test>", message=BIG) == [TAKEN, FULL]
    assert (host.filter.held(), host.filter.half_written()) == ([], [])
    host.send("<bob@rig.test>", sender="<x@turf.test>")
    assert [held.message for held in host.filter.held()] == [MESSAGE]
    assert host.reached() == []


def test_exempt_recipients_do_not_receive_what_cannot_be_held_from_the_others(host: PostfixHost) -> None:
    recipients = ("<postmaster>", "<bob@rig.test>")
    with no_bytes(host.filter.quarantine):
        assert host.send(*recipients, sender="<x@turf.test>") == [TAKEN, TAKEN, FULL]
    assert host.reached() == []
    host.send(*recipients, sender="<x@turf.test>")
    assert host.reached() == ["postmaster@rig.test"]
    assert [held.recipients for held in host.filter.held()] == [["bob@rig.test"]]


def test_what_a_program_submits_waits_in_the_maildrop(host: PostfixHost) -> None:
    with no_bytes(host.filter.quarantine):
        host.postfix.run("sendmail", "-f", "x@turf.test", "bob", stdin=b"Subject: nightly\n\nall is well\n")
        host.filter.said("client=127.0.0.1 .* verdict=tempfail ")
    host.postfix.run("postqueue", "-f")
    assert host.reached() == []
    assert [held.recipients for held in host.filter.held()] == [["bob@rig.test"]]


def test_the_log_shows_what_the_trouble_is(host: PostfixHost) -> None:
    with no_bytes(host.filter.quarantine):
        host.send("<bob@rig.test>", sender="<trouble@turf.test>")
    assert f' verdict=tempfail rule=turf entry="@turf.test turf.tables[0]" saw=sender reply="{FULL}" ' in (
        host.filter.said("sender=trouble@turf.test")
    )
    host.filter.said(f"^error: quarantine: {host.filter.quarantine}: less than 5% of the bytes is free$")
