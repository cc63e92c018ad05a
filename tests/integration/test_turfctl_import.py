"""turfctl import: configurations of other programs, the files that are made from them, and what is reported."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

from rig.child import in_child
from rig.filter import USER, make_quarantine, make_state
from rig.golden import Golden
from rig.program import run
from rig.quarantine import turfctl
from rig.registry import export
from rig.sendmailcf import CF
from turfmilter.cli.placing import place as write_files

IMPORT = Path(__file__).parents[1] / "fixtures/import"
STOCK_POSTFIX = Path("/usr/share/postfix")


def imported(place: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """What turfctl prints; the new files are in `place`/new."""
    return turfctl(place / "none.toml", "import", *map(str, arguments), "--output", str(place / "new"))


def transcript(place: Path, done: subprocess.CompletedProcess[str]) -> str:
    """What was printed, and every file that was made."""
    files = [*sorted((place / "new").iterdir())] if (place / "new").exists() else []
    shown = [f"--- {path.name}\n{path.read_text()}" for path in files]
    return "\n".join([f"{done.stdout}{done.stderr}exit status {done.returncode}", *shown])


def checked(place: Path) -> str:
    """What `turfmilter -t` reports as an error about the new configuration, on a host that has its user."""
    path = place / "new/turfmilter.toml"
    quarantine, state = make_quarantine(place / "quarantine"), make_state(place / "state")
    text = path.read_text().replace("/var/lib/turfmilter/quarantine", str(quarantine))
    path.write_text(f'user = "{USER}"\nsocket = "unix:{place}/s"\nstate = "{state}"\nstatus = ""\n{text}')
    done = run("-t", "-c", path)
    return "" if done.returncode == 0 else done.stderr


def copied(place: Path, kind: str, name: str) -> Path:
    """A copy of one of the configurations, old enough for Postfix to read it at once."""
    copy = shutil.copytree(IMPORT / kind / name, place / name)
    for path in copy.iterdir():
        os.utime(path, (0, 0))
    return copy


@pytest.mark.parametrize("name", sorted(path.stem for path in (IMPORT / "exchange").iterdir()))
def test_an_export_of_exchange_becomes_a_configuration(place: Path, golden: Golden, name: str) -> None:
    done = imported(place, "exchange", IMPORT / "exchange" / f"{name}.reg", "--domain", "ours.example,=here.example")
    golden("import", transcript(place, done), {str(place): "DIR"})
    assert checked(place) == ""


@pytest.mark.parametrize("name", sorted(path.name for path in (IMPORT / "postfix").iterdir()))
def test_a_postfix_becomes_a_configuration(place: Path, golden: Golden, name: str) -> None:
    directory = copied(place, "postfix", name)
    done = imported(place, "postfix", "-c", directory)
    golden("import", transcript(place, done), {str(place): "DIR"})
    assert checked(place) == ""


@pytest.mark.parametrize("name", sorted(path.name for path in (IMPORT / "sendmail").iterdir()))
def test_a_sendmail_becomes_a_configuration(place: Path, golden: Golden, name: str) -> None:
    done = imported(place, "sendmail", copied(place, "sendmail", name))
    golden("import", transcript(place, done), {str(place): "DIR"})
    assert checked(place) == ""


@pytest.mark.parametrize("sample", ["main.cf.debian", "main.cf.dist"])
def test_the_samples_of_debians_postfix_become_configurations(place: Path, sample: str) -> None:
    directory = place / "postfix"
    directory.mkdir()
    text = (STOCK_POSTFIX / sample).read_text()
    (directory / "main.cf").write_text(f"{text}\nmyhostname = mx.ours.example\nmynetworks = 127.0.0.0/8\n")
    shutil.copy(STOCK_POSTFIX / "master.cf.dist", directory / "master.cf")
    for path in directory.iterdir():
        os.utime(path, (0, 0))
    done = imported(place, "postfix", "-c", directory)
    assert (done.stderr, done.returncode) == ("", 0), done.stdout
    assert "=mx.ours.example" in (place / "new/domains").read_text()
    assert checked(place) == ""


def test_the_sample_of_debians_sendmail_becomes_a_configuration(place: Path, golden: Golden) -> None:
    directory = place / "mail"
    directory.mkdir()
    shutil.copy(CF / "debian/sendmail.mc", directory)
    (directory / "local-host-names").write_text("localhost\nours.example\n")
    done = imported(place, "sendmail", directory)
    golden("import", transcript(place, done), {str(place): "DIR"})
    assert checked(place) == ""


def test_no_file_is_overwritten_and_none_is_added_beside_it(place: Path, golden: Golden) -> None:
    (place / "new").mkdir()
    (place / "new/relay.allow").write_text("mine\n")
    done = imported(place, "exchange", IMPORT / "exchange/closed.reg", "--domain", "ours.example")
    golden("import", f"{done.stdout}{done.stderr}", {str(place): "DIR"})
    assert done.returncode == 1
    assert [path.name for path in (place / "new").iterdir()] == ["relay.allow"]
    assert (place / "new/relay.allow").read_text() == "mine\n"


@pytest.mark.parametrize("exists", [True, False])
def test_if_one_file_cannot_be_written_none_is_left(place: Path, exists: bool) -> None:
    new = place / "new"
    if exists:
        new.mkdir()

    def without_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(OSError, match="File too large"):
            write_files(new, {"small": "x\n", "large": "x" * 10_000})

    in_child(without_room)
    assert new.exists() == exists
    assert not exists or [*new.iterdir()] == []


def test_a_directory_that_cannot_be_written_is_left_without_files(place: Path) -> None:
    done = imported(place / "missing", "exchange", IMPORT / "exchange/closed.reg", "--domain", "ours.example")
    assert done.returncode == 1
    assert done.stderr.endswith("No such file or directory; nothing was written\n")


@pytest.mark.parametrize(
    "arguments",
    [
        ["exchange", "{place}/missing.reg", "--domain", "ours.example"],
        ["exchange", "{place}/other.reg", "--domain", "ours.example"],
        ["exchange", "{place}/other.reg", "--domain", "not a domain"],
        ["postfix", "-c", "{place}/missing"],
        ["sendmail", "{place}/missing"],
        ["sendmail", "{place}/latin"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_read_is_named_and_nothing_is_written(place: Path, golden: Golden, arguments: list[str]) -> None:
    (place / "other.reg").write_bytes(export({"Path": "x"}, key="HKEY_CURRENT_USER\\Software\\Other"))
    (place / "latin").mkdir()
    (place / "latin/access").write_bytes(b"# f\xfcr uns\n")
    done = imported(place, *(argument.format(place=place) for argument in arguments))
    # Which of the two click names depends on its version.
    golden("import", transcript(place, done), {str(place): "DIR", "exchange -h' for": "exchange --help' for"})
    assert not (place / "new").exists()


@pytest.mark.usefixtures("planted")
def test_root_reads_nothing_through_a_link_of_another_user(place: Path) -> None:
    done = imported(place, "exchange", place / "theirs/x.reg", "--domain", "ours.example")
    assert done.returncode == 1
    assert "a symbolic link in a directory that other users can change" in done.stderr


@pytest.fixture
def planted(place: Path) -> None:
    """A link of the filter's user to a file that only root can read."""
    directory = place / "theirs"
    directory.mkdir()
    shutil.chown(directory, USER)
    secret = shutil.copy(IMPORT / "exchange/closed.reg", place / "secret.reg")
    in_child(lambda: (directory / "x.reg").symlink_to(secret), user=USER)
