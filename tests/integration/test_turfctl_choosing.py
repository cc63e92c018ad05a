"""How messages are named and chosen, what is asked about them, and where the answers go."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from rig import wait
from rig.program import ENVIRONMENT
from rig.quarantine import command, hold, reviewed, turfctl
from rig.terminal import until_closed


@pytest.fixture
def config(place: Path) -> Path:
    return reviewed(place)[1]


@pytest.fixture
def quarantine(config: Path) -> Path:
    return config.parent / "quarantine"


def deleted(quarantine: Path) -> set[str]:
    """The ids of the messages that are marked as deleted."""
    return {path.name.partition(":2,")[0] for path in (quarantine / "cur").iterdir() if path.name.endswith("T")}


def fed(config: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What turfctl does with `text` on its standard input, and no terminal anywhere."""
    return subprocess.run(
        command(config, *arguments),
        input=text,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=wait.AMPLE,
        check=False,
        start_new_session=True,
    )


@pytest.mark.parametrize("columns", ["20", "80", "120"])
def test_a_list_can_be_piped_into_a_command(quarantine: Path, config: Path, columns: str) -> None:
    """No line that contains what a sender wrote begins with an id, even if the sender knows one."""
    other = hold(quarantine)
    text = f"Subject: {other}\r\n\r\n".encode()
    mine = {hold(quarantine, text, sender="a@x.example", recipients=(other,)) for _ in range(2)}
    listed = subprocess.run(
        command(config, "list", "--sender", "@x.example"),
        env=ENVIRONMENT | {"COLUMNS": columns},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert other in listed
    done = fed(config, listed, "delete", "--yes", "-")
    assert (done.returncode, deleted(quarantine)) == (0, mine), done.stderr


@pytest.mark.parametrize(
    ("text", "status", "said"),
    [
        ("", 1, "turfctl: no message matches: standard input contains no ids\n"),
        ("ID  HELD\n\n   \n  indented\n", 1, "turfctl: no message matches: standard input contains no ids\n"),
        ("zz\n", 1, 'turfctl: no message has the id "zz"\n'),
        ("\x1b[2J\udce9\n", 1, 'turfctl: no message has the id "\\x1b[2J\\xe9"\n'),
    ],
)
def test_standard_input_without_ids_does_nothing(config: Path, text: str, status: int, said: str) -> None:
    hold(config.parent / "quarantine")
    done = subprocess.run(
        command(config, "delete", "--yes", "-"),
        input=text.encode("utf-8", "surrogateescape"),
        env=ENVIRONMENT,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr.decode()) == (status, said)
    assert deleted(config.parent / "quarantine") == set()


def test_ids_from_standard_input_need_yes_without_a_terminal(quarantine: Path, config: Path) -> None:
    text = "\n".join(hold(quarantine).upper().replace("-", "") for _ in range(2))
    done = fed(config, text, "delete", "-")
    assert (done.returncode, "no terminal to ask for confirmation; use --yes" in done.stderr) == (2, True)
    assert deleted(quarantine) == set()


@pytest.mark.parametrize(("answer", "status"), [(b"y\n", 0), (b"n\n", 1)])
def test_whoever_pipes_ids_is_asked_on_the_terminal(quarantine: Path, config: Path, answer: bytes, status: int) -> None:
    ids = {hold(quarantine) for _ in range(2)}
    given = Path(config.parent / "ids")
    given.write_text("\n".join(ids))
    pid, ours = pty.fork()
    if pid == 0:
        os.dup2(os.open(given, os.O_RDONLY), 0)
        line = command(config, "delete", "-")
        os.execvpe(line[0], line, ENVIRONMENT)
    os.write(ours, answer)
    seen = until_closed(ours)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status, seen
    assert all(id.encode() in seen for id in ids), "the question shows the messages"
    assert b"2 messages will be deleted. Go on? [y/N]" in seen
    assert deleted(quarantine) == (ids if status == 0 else set())


def test_one_message_is_deleted_and_restored_without_a_question(quarantine: Path, config: Path) -> None:
    id = hold(quarantine)
    done = turfctl(config, "delete", id)
    said, _, undo = done.stderr.partition("; undo it with: turfctl ")
    assert (done.returncode, said, deleted(quarantine)) == (0, "1 message deleted", {id})
    again = turfctl(config, *undo.split())
    assert (again.returncode, again.stderr) == (0, f"1 message restored; undo it with: turfctl delete {id}\n")
    assert deleted(quarantine) == set()


@pytest.mark.parametrize(("file", "id"), [("!it's $HOME", "!it"), ("--dry-run", r"\x2d-dry-run"), ("-", r"\x2d")])
def test_the_command_that_undoes_an_act_can_be_pasted_into_a_shell(
    quarantine: Path, config: Path, file: str, id: str
) -> None:
    hold(quarantine, file=f"new/{file}")
    done = turfctl(config, "delete", id)
    undo = done.stderr.partition("undo it with: turfctl ")[2]
    pasted = subprocess.run(["bash", "-ic", f"printf '%s\\n' {undo}"], capture_output=True, text=True, check=True)
    assert turfctl(config, *pasted.stdout.splitlines()).returncode == 0
    assert deleted(quarantine) == set()


@pytest.mark.parametrize(
    "arguments", [["list"], ["list", "--json"], ["export", "--rule", "turf"], ["--help"], ["stats"]]
)
def test_a_full_disk_is_said_in_one_line(quarantine: Path, config: Path, arguments: list[str]) -> None:
    hold(quarantine)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(config, *arguments), env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    last = done.stderr.splitlines()[-1:]
    assert (done.returncode, last) == (1, ["turfctl: standard output: No space left on device"])
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["list", "--help"]])
def test_help_without_standard_output_is_missed_as_well(config: Path, arguments: list[str]) -> None:
    line = ["sh", "-c", 'exec "$@" >&-', "sh", *command(config, *arguments)]
    done = subprocess.run(line, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True, check=False)
    said = "turfctl: standard output is closed, so that nothing can be shown; nothing was done\n"
    assert (done.returncode, done.stderr) == (1, said)
