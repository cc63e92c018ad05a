"""Broken configurations, each with the messages that it must cause, in their order."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.golden import Golden
from turfmilter.config.loader import ConfigError, load
from turfmilter.config.schema import Config
from turfmilter.config.setting import keys, sections

FOLDER = Path(__file__).parent / "broken"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
# Lists of sections, which a new section would change, and what the golden file has instead.
HIDDEN = {
    str(FOLDER): "FOLDER",
    " or in ".join(
        f"[{path.removesuffix('.reply')}]" for path, _ in keys(Config) if path.endswith(".reply")
    ): "SECTIONS",
    ", ".join(sections(Config)): "SECTIONS",
}


def problems(path: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).splitlines() == list(caught.value.problems)
    return caught.value.problems


@pytest.mark.parametrize("name", NAMES)
def test_every_problem_of_a_broken_configuration_is_reported(golden: Golden, name: str) -> None:
    golden("config", "\n".join(problems(FOLDER / f"{name}.toml")), HIDDEN)


def test_a_missing_configuration_is_reported(golden: Golden, tmp_path: Path) -> None:
    golden("config", "\n".join(problems(tmp_path / "turfmilter.toml")), {str(tmp_path): "FOLDER"})


def test_a_number_that_cannot_be_printed_is_described(golden: Golden, tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(
        f'domains = ["example.org"]\nsocket_mode = 0x{"f" * 6000}\nrelay.routing = 0x{"f" * 6000}\n'
        f"limits.message_size = 0x{'f' * 6000}\nlimits.session_size = 0x8000000000000000\n"
    )
    golden("config", "\n".join(problems(path)))


def test_a_listener_is_not_blamed_for_the_general_section(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(
        'domains = ["example.org"]\n[relay]\non_error = "continue"\n[limits]\nsession_size = 5\n'
        '[listener.office]\nport = 26\n[listener.office.relay]\nmode = "trial"\n'
        '[listener.office.limits]\nmode = "trial"\n[[cap]]\nauthenticated = true\nsession_size = 6\n'
    )
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [said.partition(":")[0] for said in caught.value.problems] == ["relay.on_error", "limits.session_size"]


LONG = 1_000_000  # characters
DISCARD = 'domains = ["example.org"]\n[turf]\ntables = ["file:turf.table"]\ndiscard = true\n'


@pytest.mark.parametrize(
    "line",
    [
        "x" * LONG,
        "@spam.example " + "x" * LONG,
        f"@spam.example {'x' * LONG}=1",
        f"@spam.example expires={'x' * LONG}",
        f"@spam.example why={'x' * LONG}",
        "@spam.example why=" + '"' * (LONG + 1),
        f"@{'x' * LONG}.example",
        f"{'x' * LONG}@spam.example {'x' * LONG}",
        "\0" * LONG,
    ],
    ids=lambda line: line[:20].replace("\0", "NUL"),
)
def test_the_message_about_a_long_line_is_short(tmp_path: Path, line: str) -> None:
    (tmp_path / "turf.table").write_text(f"{line}\nbad\n")
    (tmp_path / "turfmilter.toml").write_text(DISCARD)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "turfmilter.toml")
    assert all(said.startswith("turf.table:") and len(said) < 5000 for said in caught.value.problems)
    assert caught.value.problems[-1].startswith('turf.table:2: "bad": ')


@pytest.mark.parametrize(
    "settings",
    [
        f"{'x' * LONG} = 1",
        f'mode = "{"x" * LONG}"',
        f'domains = ["file:{"x" * LONG}"]',
        f'domains = ["postfix:{"x" * LONG}"]',
        f'domains = ["{"x" * LONG}:y"]',
        f"[{'x' * LONG}]\n[{'x' * LONG}]",
        f"[listener.{'x' * LONG}]\nport = 0",
        f'[turf]\ntables = ["{"x" * LONG}"]',
    ],
    ids=lambda settings: settings[:20],
)
def test_the_message_about_a_long_value_is_short(tmp_path: Path, settings: str) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(f"{settings}\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert all(len(said) < 5000 for said in caught.value.problems)


def test_a_file_name_that_is_too_long_is_reported_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(DISCARD.replace("turf.table", "x" * 5000))
    with pytest.raises(ConfigError) as caught:
        load(path)
    (said,) = caught.value.problems
    assert said.startswith("turf.tables[0]: ") and said.endswith("xxx: cannot be read: File name too long")


def test_the_warnings_about_long_entries_are_short(tmp_path: Path) -> None:
    local = "x" * LONG
    (tmp_path / "turf.table").write_text(f"{local}@spam.example\n{local}@spam.example\n@spam.example\n")
    (tmp_path / "turfmilter.toml").write_text(DISCARD)
    warnings = load(tmp_path / "turfmilter.toml").warnings
    assert any("a duplicate of" in said for said in warnings)
    assert all(len(said) < 2000 for said in warnings)


def test_a_long_table_names_its_one_broken_line(tmp_path: Path) -> None:
    lines = [f"@host{number}.example" for number in range(100_000)]
    lines[76_542] = "spam.example"
    (tmp_path / "turf.table").write_text("\n".join(lines))
    (tmp_path / "turfmilter.toml").write_text(
        'domains = ["example.org"]\n[turf]\ntables = ["file:turf.table"]\ndiscard = true'
    )
    assert [problem.partition('": ')[0] for problem in problems(tmp_path / "turfmilter.toml")] == [
        'turf.table:76543: "spam.example'
    ]
