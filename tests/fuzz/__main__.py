"""`make fuzz`: every target for MINUTES, on seeds that are printed, so that what failed can be played again."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from fuzz import engines as protocol
from fuzz.readers import TARGETS
from fuzz.recipients import HOSTS, Comparison, generate
from rig.workplace import workplace

_TESTS = Path(__file__).parents[1]
_MESSAGES = 100  # between two looks at what was delivered


def recipients(name: str, seed: int, deadline: float) -> int:
    """Play random messages through the mail host `name` until `deadline`; how many went wrong."""
    generator, wrong, played = random.Random(seed), 0, 0
    with workplace() as place, HOSTS[name](place / name) as host:
        comparison = Comparison(host)
        while not played or time.monotonic() < deadline:
            found = comparison.play([generate(generator) for _ in range(_MESSAGES)])
            click.echo("\n".join(found), nl=bool(found))
            wrong, played = wrong + len(found), played + _MESSAGES
        comparison.close()
    click.echo(f"{name}: {played} messages, {wrong} wrong")
    return wrong


def engines(seed: int, deadline: float) -> int:
    """Play random frames to both protocol engines until `deadline`; how many plays differed."""
    wrong, played = 0, 0
    share = (deadline - time.monotonic()) / len(protocol.SETTINGS)
    with workplace() as place:
        for name, settings in protocol.SETTINGS.items():
            end = time.monotonic() + share
            with protocol.Comparison(place / name.replace(" ", "-"), settings) as comparison:
                while played == 0 or time.monotonic() < end:
                    difference = comparison.difference(protocol.generate(random.Random(seed + played)))
                    if difference:
                        click.echo(f"seed {seed + played}, {name}: {difference}")
                    wrong, played = wrong + bool(difference), played + 1
    click.echo(f"engines: {played} plays, {wrong} differ")
    return wrong


def properties(seed: int, deadline: float) -> int:
    """Run the property tests on new examples until `deadline`; 1 as soon as one fails, else 0."""
    runs = 0
    while not runs or time.monotonic() < deadline:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--hypothesis-seed={seed + runs}"]
        done = subprocess.run([*command, _TESTS / "property"], capture_output=True, text=True, check=False)
        runs += 1
        if done.returncode:
            click.echo(done.stdout + done.stderr)
            break
    click.echo(f"properties: {runs} runs, {'one failed' if done.returncode else 'none failed'}")
    return int(done.returncode != 0)


def guided(name: str, seed: int, deadline: float) -> int:
    """Let atheris look for bytes at which the reader `name` fails, until `deadline`; 1 as soon as it does, else 0.

    What fails is kept in tests/fuzz/found, where a test reads it from then on.
    """
    found, corpus = _TESTS / "fuzz/found" / name, _TESTS.parent / "build/fuzz" / name
    for directory in (found, corpus):
        directory.mkdir(parents=True, exist_ok=True)
    seconds = max(1, round(deadline - time.monotonic()))
    options = [f"-max_total_time={seconds}", f"-seed={seed or 1}", f"-artifact_prefix={found}/", "-max_len=4096"]
    directories = map(str, (corpus, found, _TESTS / "fuzz/seeds"))
    command = [sys.executable, "-m", "fuzz.guided", name, *options, "-timeout=20", *directories]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        click.echo("\n".join(done.stdout.splitlines()[-30:]))
    click.echo(f"{name}: {'one input failed' if done.returncode else 'no input failed'}")
    return int(done.returncode != 0)


@click.command()
@click.option("--minutes", default=1.0, show_default=True, help="For each target.")
@click.option("--seed", type=int, help="Play these again; by default every run is another one.")
@click.argument("names", nargs=-1)
def main(minutes: float, seed: int | None, names: tuple[str, ...]) -> None:
    """Fuzz the targets NAMES, or all of them."""
    targets: dict[str, Callable[[int, float], int]] = {"properties": properties, "engines": engines}
    targets |= {name: partial(recipients, name) for name in HOSTS}
    targets |= {name: partial(guided, name) for name in TARGETS}
    unknown = set(names) - targets.keys()
    if unknown:
        raise click.UsageError(f"no target {', '.join(sorted(unknown))}; there are {', '.join(targets)}")
    chosen = random.randrange(1 << 31) if seed is None else seed
    wrong = 0
    for name in names or targets:
        click.echo(f"{name}: seed {chosen}")
        wrong += targets[name](chosen, time.monotonic() + 60 * minutes)
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
