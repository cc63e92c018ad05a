"""The pages that are made from the code are as the code says, and the sample is a file to start from."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from generate import PAGES, formats, programs, write
from generate.site import write_site
from turfmilter.config.loader import ConfigError, load
from turfmilter.config.sample import PACKAGED, sample
from turfmilter.config.schema import Config
from turfmilter.config.setting import keys, sections
from turfmilter.core.policy import Mode
from turfmilter.core.reply import REPLIES

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(("name", "page"), PAGES.items(), ids=PAGES)
def test_a_page_is_as_the_code_says(name: str, page: Callable[[], str]) -> None:
    assert (PROJECT / name).read_text(encoding="utf-8") == page(), "run: make docs"


@pytest.mark.parametrize("name", [*programs.PAGES, *formats.PAGES])
def test_nothing_in_a_man_page_is_taken_for_a_command_by_mistake(name: str) -> None:
    requests = re.findall(r"(?m)^[.'](\S+)", (PROJECT / name).read_text())
    assert set(requests) <= {'\\"', "TH", "SH", "SS", "TP", "PP", "BR", "RS", "RE", "nf", "fi"}


def test_an_option_that_names_a_directory_says_so() -> None:
    page = (PROJECT / "docs/man/turfctl.8").read_text()
    assert set(re.findall(r"\\-\\-directory\\fR\s+\\fI(\w+)", page)) == {"DIR"}


def test_the_page_about_tables_shows_entries_that_a_table_accepts(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text('domains = ["example.org"]\n[turf]\ntables = ["file:a", "file:b"]\ndirectory = "/held"\n')
    (tmp_path / "a").write_text("\n".join(formats.ENTRIES))
    (tmp_path / "b").write_text(formats.EXAMPLE)
    load(path)


def test_all_pages_are_written_below_a_folder(tmp_path: Path) -> None:
    for name in PAGES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    write(tmp_path)
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in PAGES} == {n: p() for n, p in PAGES.items()}


def test_the_manual_as_a_site_has_every_page_and_no_link_that_leads_nowhere(tmp_path: Path) -> None:
    write_site(PROJECT, tmp_path / "manual")  # ends the program at the first warning
    pages = {str(path.relative_to(PROJECT / "docs").with_suffix(".html")) for path in (PROJECT / "docs").rglob("*.md")}
    written = {str(path.relative_to(tmp_path / "manual")) for path in (tmp_path / "manual").rglob("*.html")}
    assert written == pages | {
        "404.html",
        "search.html",
        "readme.html",
        "changelog.html",
        "contributing.html",
        "security-policy.html",
    }


def test_the_sample_lacks_nothing_but_domains(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(sample(), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [said.partition(":")[0] for said in caught.value.problems] == ["domains"]


def test_the_sample_with_domains_loads_in_trial_and_without_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text(sample().replace("domains = []", 'domains = ["example.org"]'), encoding="utf-8")
    config = load(path)
    assert (config.mode, config.warnings) == (Mode.TRIAL, ())


def test_the_file_of_the_package_differs_from_the_sample_in_what_a_host_with_postfix_needs() -> None:
    packaged, general = (tomllib.loads(sample(given)) for given in (PACKAGED, None))
    turf = {**general["turf"], "tables": PACKAGED["turf.tables"]}
    journal = {"directory": PACKAGED["journal.directory"]}
    top = {key: value for key, value in PACKAGED.items() if "." not in key}
    assert packaged == {**general, **top, "turf": turf, "journal": journal}


def test_a_commented_key_of_the_sample_is_its_default() -> None:
    everything = tomllib.loads(re.sub(r"(?m)^#(?=[a-z_]+ = )", "", sample()))
    top = {key: value for key, value in everything.items() if not isinstance(value, dict)}
    nested = {f"{section}.{key}": v for section in everything.keys() - top for key, v in everything[section].items()}
    once = {path: this for path, this in keys(Config) if not re.search(r"\[N\]|\bNAME\b", path)}
    assert top | nested == {path: t.default if t.sample is None else t.sample for path, t in once.items()}


def test_the_sample_tells_what_0_means() -> None:
    meanings = re.findall(r"(?m)^#\w+ = 0(?!\.)(.*)$", sample())
    assert len(meanings) == 6
    assert all(meaning.startswith(("  # no limit", "  # one for each core")) for meaning in meanings)


def test_the_examples_of_the_sample_are_whole_sections() -> None:
    shown = "\n".join(re.findall(r"(?m)^#(?:   (.*)|)$", sample()))
    assert tomllib.loads(shown) == tomllib.loads("\n".join(this.example for this in sections(Config).values()))


def test_the_reference_explains_every_key_once() -> None:
    page = PAGES["docs/reference/configuration.md"]()
    assert re.findall(r"(?m)^### `(.*)`$", page) == [path for path, _ in keys(Config)]


def test_every_reply_is_on_its_page() -> None:
    page = PAGES["docs/reference/replies.md"]()
    assert all(f"`{reply}`" in page for reply in REPLIES.values())
