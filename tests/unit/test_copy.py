"""From a configuration to its copy and back: every text as it was loaded."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from turfmilter.compose import keep_copy
from turfmilter.config.changes import difference
from turfmilter.config.loader import ConfigError, load
from turfmilter.config.textfile import TextFileError, Texts
from turfmilter.desk import SystemClock, load_copy
from turfmilter.stores.lastgood import Copy, LastGood

BROKEN = ConfigError(("the files are broken",))


def test_what_is_kept_is_what_was_loaded_and_not_what_the_files_hold_since(tmp_path: Path) -> None:
    path, table = tmp_path / "turfmilter.toml", tmp_path / "turf.table"
    table.write_bytes(b"@old.test\r\n# j\xc3\xbcrgen")
    path.write_text(
        f'state = "{tmp_path}"\ndomains = ["rig.test", "postfix:relayed"]\n[turf]\ntables = ["file:turf.table"]\n'
        "discard = true\n"
    )
    (tmp_path / "relayed").write_text("relayed.test\n")
    before = {str(one): one.read_bytes() for one in (path, table, tmp_path / "relayed")}
    config = load(path)
    for one in before:
        Path(one).write_text("nonsense")
    assert keep_copy(config) == []
    copy = LastGood(tmp_path).read(path)
    assert {name: text.encode() for name, text in copy.texts.items()} == before
    copied, _ = load_copy(path, tmp_path, BROKEN)
    assert difference(config, copied) == "no change"
    assert copied.files == config.files


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    path, table = tmp_path / "turfmilter.toml", tmp_path / "relayed"
    os.mkfifo(table)
    texts = Texts()
    with pytest.raises(TextFileError, match="not a regular file"):
        texts.file(table)
    table.unlink()
    table.write_text("first.test\n")
    assert texts.file(table) == "first.test\n"
    table.write_text("second.test\n")
    assert texts.file(table) == "first.test\n"
    path.write_text('domains = ["postfix:relayed"]\n[relay]\nalways = ["postfix:relayed"]\n')
    assert list(load(path).texts) == [str(path), str(table)]


def test_a_copy_that_lacks_a_text_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text('domains = ["postfix:relayed"]\n')
    (tmp_path / "relayed").write_text("relayed.test\n")
    LastGood(tmp_path).keep(path, Copy(SystemClock().now(), {str(path): path.read_text()}))
    with pytest.raises(ConfigError, match="relayed: not in the copy"):
        load_copy(path, tmp_path, BROKEN)


class Answers:
    """What a Postfix says that receives mail for two domains, one of them in a table."""

    def parameters(self, names: Iterable[str], _directory: Path | None) -> dict[str, str]:
        said = {"mydestination": "a.test", "relay_domains": "hash:/etc/relayed", "config_directory": "/etc/postfix"}
        return {name: said.get(name, "") for name in names}

    def keys(self, _table: str, _directory: Path | None) -> list[str]:
        return ["b.test"]


def test_what_postfix_said_is_kept_and_not_asked_for_again(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(f'state = "{tmp_path}"\ndomains = ["postfix:main.cf"]\n')
    config = load(path, postfix=Answers())
    assert len(config.domains) == 2
    assert keep_copy(config) == []
    copied, _ = load_copy(path, tmp_path, BROKEN)
    assert difference(config, copied) == "no change"
    assert copied.files == config.files


def test_a_copy_without_what_postfix_said_is_not_used(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text('domains = ["postfix:main.cf"]\n')
    LastGood(tmp_path).keep(path, Copy(SystemClock().now(), {str(path): path.read_text()}))
    with pytest.raises(ConfigError, match=r"postconf .*: not in the copy"):
        load_copy(path, tmp_path, BROKEN)
