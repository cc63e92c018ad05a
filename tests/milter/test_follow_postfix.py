"""A daemon whose domains are those of main.cf follows its changes, and keeps the old ones when it cannot."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.filter import Filter, Filters, rewrite
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

    @property
    def settings(self) -> str:
        return f'domains = ["postfix:{self.path}"]\n'


@pytest.fixture
def main_cf() -> Iterator[MainCf]:
    with workplace() as directory:
        yield MainCf(directory)


def accepts(running: Filter, domain: str) -> bool:
    with running.session() as client:
        return str(client.message("<a@out.test>", [f"<b@{domain}>"]).end) == "accept"


def test_a_domain_that_is_added_to_main_cf_is_accepted(own_filter: Filters, main_cf: MainCf) -> None:
    running = own_filter(main_cf.settings)
    assert (accepts(running, "rig.test"), accepts(running, "new.test")) == (True, False)
    main_cf.write("mydestination = rig.test\nvirtual_mailbox_domains = new.test\n")
    assert running.wait_for_generation(2) == "domains +1 -0"
    assert (accepts(running, "rig.test"), accepts(running, "new.test")) == (True, True)


def test_a_table_that_main_cf_names_is_followed(own_filter: Filters, main_cf: MainCf) -> None:
    table = main_cf.directory / "relay"

    def postmap(text: str) -> None:
        table.write_text(text)
        subprocess.run(["postmap", "-c", main_cf.directory, f"hash:{table}"], check=True)

    postmap("one.test x\n")
    main_cf.write(f"mydestination = rig.test\nrelay_domains = hash:{table}\n")
    running = own_filter(main_cf.settings)
    assert (accepts(running, "one.test"), accepts(running, "two.test")) == (True, False)
    postmap("two.test x\n")
    assert running.wait_for_generation(2) == "domains +1 -1"
    assert (accepts(running, "one.test"), accepts(running, "two.test")) == (False, True)


def test_a_list_that_main_cf_names_is_followed(own_filter: Filters, main_cf: MainCf) -> None:
    domains = main_cf.directory / "domains"
    rewrite(domains, "rig.test\n")
    main_cf.write(f"mydestination = {domains}\n")
    running = own_filter(main_cf.settings)
    rewrite(domains, "rig.test\nmore.test\n")
    assert running.wait_for_generation(2) == "domains +1 -0"
    assert accepts(running, "more.test")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("nonsense\n", "missing '=' after attribute name"),
        ("mydestination = hash:/nonexistent/table\n", "/nonexistent/table"),
        ("mydestination = /nonexistent/list\n", "/nonexistent/list: cannot be read"),
        ("mydestination = rig.test\nvirtual_mailbox_domains = mysql:/x\n", "the domains in mysql:/x cannot be listed"),
    ],
)
def test_what_cannot_be_followed_keeps_the_old_domains(
    own_filter: Filters, main_cf: MainCf, broken: str, reason: str
) -> None:
    running = own_filter(main_cf.settings)
    main_cf.write(broken)
    running.daemon.wait_for_log(f"generation 1 stays in force: domains\\[0\\]: .*{reason}")
    assert accepts(running, "rig.test")
    main_cf.write("mydestination = rig.test, fixed.test\n")
    running.wait_for_generation(2)
    assert accepts(running, "fixed.test")


def test_a_postfix_that_does_not_answer_keeps_the_old_domains(own_filter: Filters, main_cf: MainCf) -> None:
    running = own_filter(main_cf.settings)
    main_cf.path.unlink()
    os.mkfifo(main_cf.path, 0o644)  # opening it blocks, as a file on a dead server does
    running.reload()
    running.daemon.wait_for_log(
        r"generation 1 stays in force: domains\[0\]: .*postconf did not answer within 5 seconds"
    )
    assert accepts(running, "rig.test")
