"""A daemon whose domains are those of main.cf follows its changes, and keeps the old ones when it cannot.

All daemons run side by side: a daemon looks at its files every few seconds only.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from rig.filter import Filter, rewrite
from rig.workplace import workplace


class MainCf:
    """A main.cf in a directory that belongs to root: elsewhere it is not used."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "main.cf"
        (directory / "master.cf").write_text("smtp inet n - n - - smtpd\n")
        self.write("mydestination = rig.test\n")

    def write(self, text: str) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(f"compatibility_level = 3.6\nmyhostname = mx.rig.test\n{text}")
        os.utime(new, (0, 0))  # Postfix waits until it is two seconds old
        new.rename(self.path)


def accepts(running: Filter, domain: str) -> bool:
    with running.session() as client:
        return str(client.message("<a@out.test>", [f"<b@{domain}>"]).end) == "accept"


def postmap(main_cf: MainCf, text: str) -> str:
    """Write a table, and return how main.cf names it."""
    table = main_cf.directory / "relay"
    table.write_text(text)
    subprocess.run(["postmap", "-c", main_cf.directory, f"hash:{table}"], check=True)
    return f"hash:{table}"


def use_table(main_cf: MainCf) -> None:
    table = postmap(main_cf, "one.test x\n")
    main_cf.write(f"mydestination = rig.test\nrelay_domains = {table}\n")


def write_list(main_cf: MainCf, text: str = "rig.test\n") -> Path:
    domains = main_cf.directory / "domains"
    rewrite(domains, text)
    return domains


@dataclass(frozen=True)
class Change:
    """What is changed, what the log then says, and the domains that are accepted and rejected before and after."""

    change: Callable[[MainCf], object]
    said: str
    before: tuple[set[str], set[str]]
    after: tuple[set[str], set[str]]
    prepare: Callable[[MainCf], object] = lambda _: None


def broken(text: str, reason: str) -> Change:
    both = ({"rig.test"}, {"fixed.test"})
    return Change(lambda main_cf: main_cf.write(text), f"generation 1 stays.*: domains\\[0\\]: .*{reason}", both, both)


FOLLOWED = {
    "a domain is added to main.cf": Change(
        lambda main_cf: main_cf.write("mydestination = rig.test\nvirtual_mailbox_domains = new.test\n"),
        "generation 2: domains \\+1 -0",
        ({"rig.test"}, {"new.test"}),
        ({"rig.test", "new.test"}, set()),
    ),
    "a table that main.cf names is changed": Change(
        lambda main_cf: postmap(main_cf, "two.test x\n"),
        "generation 2: domains \\+1 -1",
        ({"one.test"}, {"two.test"}),
        ({"two.test"}, {"one.test"}),
        use_table,
    ),
    "a list that main.cf names is changed": Change(
        lambda main_cf: write_list(main_cf, "rig.test\nmore.test\n"),
        "generation 2: domains \\+1 -0",
        ({"rig.test"}, {"more.test"}),
        ({"rig.test", "more.test"}, set()),
        lambda main_cf: main_cf.write(f"mydestination = {write_list(main_cf)}\n"),
    ),
}
BROKEN = {
    "nonsense": broken("nonsense\n", "missing '=' after attribute name"),
    "no such table": broken("mydestination = hash:/nonexistent/table\n", "/nonexistent/table"),
    "no such list": broken("mydestination = /nonexistent/list\n", "/nonexistent/list: cannot be read"),
    "mysql": broken(
        "mydestination = rig.test\nvirtual_mailbox_domains = mysql:/x\n", "the domains in mysql:/x cannot be listed"
    ),
}
CHANGES = FOLLOWED | BROKEN
Daemons = Mapping[str, tuple[MainCf, Filter]]


@pytest.fixture(scope="module")
def started() -> Iterator[Daemons]:
    """A daemon for each change, which has not yet been made, by its name; and "silent"."""
    with ExitStack() as running:
        found = {}
        for name in [*CHANGES, "silent"]:
            main_cf = MainCf(running.enter_context(workplace()))
            if name in CHANGES:
                CHANGES[name].prepare(main_cf)
            place = running.enter_context(workplace())
            found[name] = (main_cf, running.enter_context(Filter(place, f'domains = ["postfix:{main_cf.path}"]\n')))
        yield found


def check(running: Filter, domains: tuple[set[str], set[str]]) -> None:
    accepted, rejected = domains
    assert {domain for domain in accepted | rejected if accepts(running, domain)} == accepted


@pytest.fixture(scope="module")
def changed(started: Daemons) -> Daemons:
    """The same, once all the changes have been made; the Postfix of "silent" does not answer."""
    for name, one in CHANGES.items():
        check(started[name][1], one.before)
    for name, one in CHANGES.items():
        one.change(started[name][0])
    main_cf, running = started["silent"]
    main_cf.path.unlink()
    os.mkfifo(main_cf.path, 0o644)  # opening it blocks, as a file on a dead server does
    running.reload()
    return started


@pytest.fixture(scope="module")
def fixed(changed: Daemons) -> Daemons:
    """The same, once every main.cf that cannot be followed has been noticed, and fixed."""
    for name, one in BROKEN.items():
        changed[name][1].daemon.wait_for_log(one.said)
    for name in BROKEN:
        changed[name][0].write("mydestination = rig.test, fixed.test\n")
    return changed


@pytest.mark.parametrize("name", FOLLOWED)
def test_what_changes_in_main_cf_and_its_tables_is_followed(changed: Daemons, name: str) -> None:
    _, running = changed[name]
    running.daemon.wait_for_log(FOLLOWED[name].said)
    running.wait_for_generation(2)
    check(running, FOLLOWED[name].after)


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_followed_keeps_the_old_domains(changed: Daemons, name: str) -> None:
    _, running = changed[name]
    running.daemon.wait_for_log(BROKEN[name].said)
    check(running, BROKEN[name].after)


@pytest.mark.parametrize("name", BROKEN)
def test_it_is_followed_again_once_it_is_fixed(fixed: Daemons, name: str) -> None:
    _, running = fixed[name]
    running.wait_for_generation(2)
    check(running, ({"rig.test", "fixed.test"}, set()))


def test_a_postfix_that_does_not_answer_keeps_the_old_domains(changed: Daemons) -> None:
    _, running = changed["silent"]
    running.daemon.wait_for_log(r"generation 1 stays.*: domains\[0\]: .*postconf did not answer within 5 seconds")
    assert accepts(running, "rig.test")
