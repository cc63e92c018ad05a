"""Postfix's own programs, asked about a main.cf of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rig.child import in_child
from rig.filter import USER
from turfmilter.config.loader import ConfigError, configure, load
from turfmilter.config.received import PostfixError, received
from turfmilter.mta.postconf import Postconf

MASTER = """\
smtp inet n - n - - smtpd
[::1]:10025 inet n - n - - smtpd
  -o content_filter=
  -o { smtpd_milters = unix:/x, $other }
cleanup unix n - n - 0 cleanup
"""


@pytest.fixture
def etc(place: Path) -> Path:
    """A directory with a main.cf and a master.cf."""
    directory = place / "postfix"
    directory.mkdir()
    configure_main(directory, "mydestination = a.test\n")
    written(directory / "master.cf", MASTER)
    return directory


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    os.utime(path, (0, 0))  # Postfix waits until a file is two seconds old
    return path


def configure_main(directory: Path, text: str) -> None:
    written(directory / "main.cf", f"compatibility_level = 3.6\nmyhostname = mx.a.test\n{text}")


def domains(directory: Path) -> list[str]:
    """The entries that "postfix:DIRECTORY/main.cf" means, as they are written there."""
    return [entry.text for entry in received(Postconf(), directory, []).entries]


def test_variables_and_lines_that_go_on_are_expanded(etc: Path) -> None:
    configure_main(
        etc, "mydestination = $myhostname,\n  localhost.$mydomain\n\tb.test\nvirtual_mailbox_domains = c.test\n"
    )
    assert domains(etc) == ["mx.a.test", "localhost.a.test", "b.test", "c.test"]


def test_a_value_of_another_parameter_is_not_mistaken_for_one(etc: Path) -> None:
    main = Postconf().parameters(["mydestination", "always_bcc", "virtual_alias_domains"], etc)
    assert main == {"mydestination": "a.test", "always_bcc": "", "virtual_alias_domains": ""}


def test_services_are_shown_with_their_options(etc: Path) -> None:
    configure_main(etc, "other = inet:localhost:1\n")
    smtp, again, _ = Postconf().services(etc)
    assert (smtp.name, smtp.kind, smtp.program, smtp.options) == ("smtp", "inet", "smtpd", {})
    assert again.options == {"content_filter": "", "smtpd_milters": "unix:/x, inet:localhost:1"}
    assert again.loopback


@pytest.mark.parametrize("kind", ["hash", "btree", "texthash", "proxy:hash"])
def test_the_keys_of_tables_are_listed_and_their_files_are_watched(etc: Path, kind: str) -> None:
    source = written(etc / "relay", "B.test x\n# c.test y\nd.test\n  z\n@e.test x\n")
    bare = kind.removeprefix("proxy:")
    if bare != "texthash":
        subprocess.run(["postmap", "-c", etc, f"{bare}:{source}"], check=True)
        written(source, "other.test x\n")  # what Postfix uses is the index
    configure_main(etc, f"mydestination =\nrelay_domains = {kind}:{source}\n")
    files: list[Path] = []
    found = received(Postconf(), etc, files)
    assert sorted(entry.text for entry in found.entries) == ["b.test", "d.test"]
    assert files == [etc / "main.cf", source if bare == "texthash" else source.with_suffix(".db")]


def test_the_source_is_read_where_the_index_cannot_be_listed(etc: Path) -> None:
    source = written(etc / "relay", "# a table\nB.test x\n\nd.test y\n  and more\n")
    configure_main(etc, f"mydestination =\nrelay_domains = cdb:{source}\n")  # a type that is not installed here
    files: list[Path] = []
    assert [entry.text for entry in received(Postconf(), etc, files).entries] == ["b.test", "d.test"]
    assert source in files


def test_the_default_of_virtual_alias_domains_is_the_table_of_aliases(etc: Path) -> None:
    source = written(etc / "virtual", "v.test anything\ninfo@v.test x\n@w.test y\nroot z\n")
    configure_main(etc, f"mydestination = a.test\nvirtual_alias_maps = texthash:{source}\n")
    assert domains(etc) == ["a.test", "v.test"]


def test_a_table_that_is_missing_is_an_error_that_names_it(etc: Path) -> None:
    configure_main(etc, f"relay_domains = hash:{etc}/missing\n")
    with pytest.raises(PostfixError, match="missing"):
        domains(etc)


def test_a_broken_main_cf_is_an_error_in_postfixs_words(etc: Path) -> None:
    configure_main(etc, "this is nonsense\n")
    with pytest.raises(PostfixError, match=r'missing .=. after attribute name: "this is nonsense"'):
        domains(etc)


def test_what_does_not_answer_is_not_waited_for(etc: Path) -> None:
    (etc / "main.cf").unlink()
    os.mkfifo(etc / "main.cf", 0o644)  # opening it blocks, as a file on a dead server does
    with pytest.raises(PostfixError, match=r"postconf did not answer within 0\.5 seconds"):
        Postconf(0.5).parameters(["mydestination"], etc)


def test_the_time_is_for_all_questions_together(etc: Path) -> None:
    with pytest.raises(PostfixError, match="did not answer within 0 seconds"):
        Postconf(0).parameters(["mydestination"], etc)


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o1755])
def test_a_main_cf_that_others_may_replace_is_not_used(etc: Path, mode: int) -> None:
    etc.chmod(mode)
    if mode == 0o1755:
        shutil.chown(etc, "nobody")
    with pytest.raises(PostfixError, match=f"main.cf is not used, because other users can change {etc}$"):
        domains(etc)


def test_a_main_cf_that_another_user_owns_is_not_used(etc: Path) -> None:
    shutil.chown(etc / "main.cf", "nobody")
    with pytest.raises(PostfixError, match=f"because other users can change {etc}/main.cf$"):
        domains(etc)


def test_a_link_to_what_others_may_change_is_not_followed(etc: Path, place: Path) -> None:
    other = place / "other"
    other.mkdir(mode=0o777)
    other.chmod(0o777)
    (etc / "main.cf").rename(other / "main.cf")
    (etc / "main.cf").symlink_to(other / "main.cf")
    with pytest.raises(PostfixError, match=f"because other users can change {other}$"):
        domains(etc)


@pytest.mark.parametrize("link", ["main.cf", "directory", "above", "hop"])
def test_a_link_that_others_may_change_is_not_followed(etc: Path, place: Path, link: str) -> None:
    """It leads to a good file only while it is looked at."""
    theirs = place / "theirs"
    theirs.mkdir()
    asked = theirs
    if link == "main.cf":
        (theirs / "main.cf").symlink_to(etc / "main.cf")
    elif link == "directory":
        asked = theirs / "postfix"
        asked.symlink_to(etc)
    elif link == "above":
        (theirs / "above").symlink_to(place)
        asked = theirs / "above" / "postfix"
    else:
        (theirs / "hop").symlink_to(etc)
        asked = place / "link"
        asked.symlink_to(theirs / "hop")
    assert domains(asked) == ["a.test"]
    shutil.chown(theirs, "nobody")
    said = f"{asked}/main.cf is not used, because other users can change {theirs}"
    with pytest.raises(PostfixError, match=f"^{said}$"):
        domains(asked)


def test_the_filters_user_may_ask_as_well(etc: Path) -> None:
    def check() -> None:
        assert domains(etc) == ["a.test"]

    in_child(check, user=USER)


def test_the_environment_of_whoever_starts_it_changes_nothing(etc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_CONFIG", "/nonexistent")
    monkeypatch.setenv("PATH", str(etc))
    assert domains(etc) == ["a.test"]


def test_the_source_stands_in_domains_beside_others(etc: Path, tmp_path: Path) -> None:
    configure_main(etc, "mydestination = a.test\nrelay_domains = b.test\n")
    table = {"domains": ["c.test", f"postfix:{etc}/main.cf", "a.test"]}
    config = configure(table, tmp_path, postfix=Postconf())
    assert len(config.domains) == 4
    assert config.files == (etc / "main.cf",)
    assert config.warnings == ()  # what both list need not be taken out of one of them


@pytest.mark.parametrize("item", ["postfix:main.cf", "postfix: main.cf", "POSTFIX:main.cf"])
def test_without_a_directory_it_is_the_main_cf_of_postfixs_programs(item: str, tmp_path: Path) -> None:
    # No Postfix is configured on a host that only tests.
    with pytest.raises(ConfigError) as caught:
        configure({"domains": [item]}, tmp_path, postfix=Postconf())
    said = f'domains[0]: "{item}": /etc/postfix/main.cf: No such file or directory'
    assert caught.value.problems == (said,)


def test_who_needs_other_keys_alone_does_not_ask_postfix(tmp_path: Path) -> None:
    path = tmp_path / "turfmilter.toml"
    path.write_text('domains = ["postfix:main.cf"]\n')
    config = load(path)
    assert (len(config.domains), config.warnings) == (0, ())


@pytest.mark.parametrize("key", ["relay.allow", "relay.always", "relay.interfaces", "turf.tables", "connect.deny"])
def test_no_other_key_has_this_source(key: str, etc: Path, tmp_path: Path) -> None:
    section, name = key.split(".")
    own = {name: [f"postfix:{etc}/main.cf"]} | ({"discard": True} if section == "turf" else {})
    with pytest.raises(ConfigError) as caught:
        configure({"domains": ["x.test"], section: own}, tmp_path, postfix=Postconf())
    (problem,) = caught.value.problems
    assert problem.startswith(f'{key}[0]: "postfix:{etc}/main.cf": allowed only in `domains`')


def test_a_table_that_cannot_be_listed_is_an_error_unless_another_file_may_hold_its_domains(
    etc: Path, tmp_path: Path
) -> None:
    configure_main(etc, "virtual_mailbox_domains = mysql:/etc/postfix/domains.cf\n")
    source = f"postfix:{etc}/main.cf"
    for items in ([source], ["b.test", source]):
        with pytest.raises(ConfigError) as caught:
            configure({"domains": items}, tmp_path, postfix=Postconf())
        (problem,) = caught.value.problems
        assert (
            "main.cf: virtual_mailbox_domains: the domains in mysql:/etc/postfix/domains.cf cannot be listed" in problem
        )
        assert 'add "file:PATH" to domains' in problem
    (tmp_path / "mysql-domains").write_text("m.test\n")
    config = configure({"domains": [source, "file:mysql-domains"]}, tmp_path, postfix=Postconf())
    assert [warning.split(" cannot")[0] for warning in config.warnings] == [
        "main.cf: virtual_mailbox_domains: the domains in mysql:/etc/postfix/domains.cf"
    ]
    assert len(config.domains) == 4


def test_an_exclusion_that_postfix_does_not_reach_is_an_error(etc: Path, tmp_path: Path) -> None:
    configure_main(etc, "relay_domains = b.test, !x.b.test\n")
    with pytest.raises(ConfigError) as caught:
        configure({"domains": [f"postfix:{etc}/main.cf"]}, tmp_path, postfix=Postconf())
    assert "decides first in Postfix" in caught.value.problems[0]
