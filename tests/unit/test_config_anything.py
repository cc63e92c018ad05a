"""Whatever the file contains, the loader returns a Config or raises ConfigError."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from turfmilter.config.given import written
from turfmilter.config.loader import ConfigError, configure, load
from turfmilter.config.schema import Config
from turfmilter.config.sections.listener import ListenerConfig
from turfmilter.config.setting import keys, sections

NAMES = sorted({path.rpartition(".")[2] for path, _ in keys(Config)} | sections(Config).keys())
OVERRIDING = sorted(sections(ListenerConfig))
TEXTS = st.one_of(
    st.text(),
    st.sampled_from(
        ["file:", "file:.", "file:\0", "!", "!file:x", "enforce", "0660", "root", "@a", "::/0", "1.2.3.4/8", "1 MiB"]
    ),
    st.from_regex(r"!?[a-z*=.]{0,4}@?[a-z0-9./:\[\]-]{0,12}", fullmatch=True),
    st.from_regex(r"(unix|local|inet6?|fd|file)?:?[/a-z0-9@:.\[\]]{0,12}", fullmatch=True),
    st.from_regex(r"[45]\d\d [45]\.\d\.\d [a-z%]{0,5}", fullmatch=True),
)
SCALARS = st.one_of(TEXTS, st.booleans(), st.integers(), st.floats(), st.dates(), st.times(), st.datetimes())
KEYS = st.one_of(st.sampled_from(NAMES), st.text(max_size=8))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6), max_leaves=20
)


# Deep enough to reach into [[cap]] and [listener.NAME.limits].
SECTIONS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6)
TABLES = st.one_of(
    st.dictionaries(KEYS, VALUES, max_size=8),
    st.fixed_dictionaries(
        {
            "cap": st.lists(SECTIONS, max_size=3),
            "listener": st.dictionaries(
                st.sampled_from(["office", "home", "a b"]),
                st.fixed_dictionaries({"port": st.integers(0, 3)}, optional=dict.fromkeys(OVERRIDING, SECTIONS)),
                max_size=3,
            ),
        }
    ),
)


@settings(deadline=None)
@given(TABLES)
@example({"relay": {"deny": [[]], "allow": [{}]}, "turf": [], "log": [{}]})
def test_no_table_makes_the_loader_raise_anything_but_config_error(table: dict[str, object]) -> None:
    try:
        config = configure(table, Path("/nonexistent"))
    except ConfigError as error:
        assert error.problems
        assert all(said and said.isprintable() for said in error.problems)
    else:
        assert isinstance(config, Config)


@settings(deadline=None)
@given(st.binary() | st.text().map(str.encode))
def test_no_file_makes_the_loader_raise_anything_but_config_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "turfmilter.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        load(path)


@settings(deadline=None)
@given(st.recursive(st.text() | st.booleans() | st.integers() | st.dates(), st.lists))
def test_a_value_written_as_toml_is_read_as_the_same_value(value: object) -> None:
    assert tomllib.loads(f"key = {written(value)}") == {"key": value}
