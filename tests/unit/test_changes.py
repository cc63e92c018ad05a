"""What a reload says of the difference between two configurations."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from turfmilter.config.changes import difference
from turfmilter.config.loader import configure
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
