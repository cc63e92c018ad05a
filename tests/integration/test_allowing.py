"""The process that adds exceptions with the rights that turfctl was started with."""

from __future__ import annotations

import os
import signal

from rig.child import become, in_child
from rig.filter import USER
from turfmilter.cli.allowing import Allowing, Answer


def test_it_answers_each_request_with_the_rights_of_the_start() -> None:
    def add(listener: str, entry: str, why: str) -> Answer:
        return Answer(os.geteuid() == 0, f"{listener} {entry} {why}")

    def check() -> None:
        with Allowing(add) as allowing:
            become(USER)
            assert allowing.allow("mx", "!a@b.test", "x" * 100_000) == Answer(True, f"mx !a@b.test {'x' * 100_000}")
            assert allowing.allow("", "!é@b.test", "again") == Answer(True, " !é@b.test again")

    in_child(check)


def test_an_entry_is_not_promised_if_the_process_has_ended() -> None:
    def add(_listener: str, _entry: str, _why: str) -> Answer:
        raise OSError("no disk")

    with Allowing(add) as allowing:
        for _ in range(2):
            answer = allowing.allow("", "!a\x1b@b.test", "")
            assert answer == Answer(False, "!a\\x1b@b.test was not added: see above")


def test_what_a_terminal_sends_to_all_processes_does_not_end_it() -> None:
    parent = os.getpid()

    def add(_listener: str, _entry: str, _why: str) -> Answer:
        assert os.getpid() != parent
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTSTP):
            os.kill(os.getpid(), number)
        return Answer(True, "added")

    with Allowing(add) as allowing:
        assert allowing.allow("", "!a@b.test", "") == Answer(True, "added")
