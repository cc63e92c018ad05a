"""What a reload logs about the difference between two configurations."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from rig.golden import Golden, report
from turfmilter.config.changes import difference, shrunken
from turfmilter.config.loader import configure, load
from turfmilter.config.schema import Config

BASE = """
domains = ["example.org"]
[turf]
tables = ["@a.test", "@b.test"]
discard = true
[relay]
allow = ["10.0.0.0/8"]
[listener.submission]
port = [587]
[listener.submission.turf]
mode = "trial"
"""


def config(text: str) -> Config:
    return configure(tomllib.loads(text), Path("/nowhere"))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("", "", "no change"),
        ('"@a.test", "@b.test"', '"@b.test", "@a.test"', "no change"),
        ('"@a.test", "@b.test"', '"@c.test", "@b.test", "@d.test"', "turf +2 -1"),
        ('"@a.test", "@b.test"', '"@a.test", "!@b.test"', "turf +1 -1"),
        ('"10.0.0.0/8"', '"10.0.0.0/8", "192.0.2.1"', "relay.allow +1 -0"),
        ('domains = ["example.org"]', 'mode = "trial"\ndomains = ["example.org", "b.test"]', "domains +1 -0, mode"),
        ("[relay]", '[connect]\ndeny = ["192.0.2.1"]\n[relay]', "connect +1 -0"),
        (
            'mode = "trial"',
            'spare_clients = ["192.0.2.1"]\nmode = "trial"',
            "listener.submission.turf.spare_clients +1 -0",
        ),
        ("port = [587]", "port = [587, 465]", "listener.submission.port"),
        ('mode = "trial"\n', 'tables = ["@a.test"]\n', "listener.submission.turf +1 -0, listener.submission.turf.mode"),
        ("[relay]", '[[cap]]\nclient = ["192.0.2.1", "192.0.2.2"]\nmessage_size = 5\n[relay]', "cap[0].client +2 -0, "),
    ],
)
def test_entries_are_counted_and_other_keys_are_named(old: str, new: str, said: str) -> None:
    sentence = difference(config(BASE), config(BASE.replace(old, new) if old else BASE))
    assert sentence == said or (said.endswith(", ") and sentence.startswith(said))


def test_going_back_is_the_opposite() -> None:
    more = config(BASE.replace('"@b.test"', '"@b.test", "@c.test"'))
    assert difference(more, config(BASE)) == "turf +0 -1"


FILES = """
domains = ["example.org"]
[turf]
tables = ["file:first", "file:second"]
discard = true
[connect]
deny = ["postfix:clients"]
[listener.submission]
port = [587]
[listener.submission.turf]
mode = "trial"
"""


def of_files(folder: Path, *, first: int = 100, second: int = 100, clients: int = 100, text: str = FILES) -> Config:
    """The configuration with files of this number of entries."""
    for name, number, entry in (("first", first, "@f{}.test"), ("second", second, "@s{}.test")):
        (folder / name).write_text("# ours\n" + "".join(f"{entry.format(one)}\n" for one in range(number)))
    (folder / "clients").write_text("".join(f"192.0.2.{one}\n" for one in range(clients)))
    (folder / "turfmilter.toml").write_text(text)
    return load(folder / "turfmilter.toml")


# The arguments of `of_files` before and after.
SHRUNKEN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "nothing changes": ({}, {}),
    "half of the entries": ({}, {"first": 50}),
    "more than half": ({}, {"first": 49}),
    "all entries": ({}, {"first": 0}),
    "two files": ({}, {"first": 1, "second": 0}),
    "all of a file of Postfix": ({}, {"clients": 0}),
    "most of a file of Postfix": ({}, {"clients": 3}),
    "the only entry": ({"first": 1}, {"first": 0}),
    "most of few entries": ({"first": 19}, {"first": 1}),
    "most of just enough entries": ({"first": 20}, {"first": 9}),
    "a file that was empty already": ({"first": 0}, {"first": 0}),
    "a file that was empty before": ({"first": 0}, {}),
    "a file that is no longer named": (
        {},
        {"text": FILES.replace("file:first", "file:second")},
    ),
    "both files are no longer named": ({}, {"text": FILES.replace('"file:first", "file:second"', "")}),
    "the larger file is no longer named": ({"first": 300}, {"text": FILES.replace('"file:first", ', "")}),
}


def test_a_table_that_is_suddenly_empty_or_small_is_named(golden: Golden, tmp_path: Path) -> None:
    def said(name: str) -> tuple[str, ...]:
        before, after = SHRUNKEN[name]
        old = of_files(tmp_path, **before)
        return shrunken(old, of_files(tmp_path, **after))

    golden("config", report(SHRUNKEN, said))


def test_entries_that_others_take_the_place_of_are_not_lost(tmp_path: Path) -> None:
    old = of_files(tmp_path)
    of_files(tmp_path)
    (tmp_path / "first").write_text("".join(f"@other{one}.test\n" for one in range(100)))
    assert shrunken(old, load(tmp_path / "turfmilter.toml")) == ()


def test_what_only_one_listener_loses_is_named(tmp_path: Path) -> None:
    own = FILES.replace('mode = "trial"\n', 'tables = ["file:first"]\n')
    old = of_files(tmp_path, text=own.replace('"file:first", "file:second"', '"file:second"'))
    new = of_files(tmp_path, first=0, text=own.replace('"file:first", "file:second"', '"file:second"'))
    (loss,) = shrunken(old, new)
    assert loss.startswith("listener.submission.turf.tables: first ")
