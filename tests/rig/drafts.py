"""What a configuration made by `turfctl import` decides, without a file or a daemon."""

from __future__ import annotations

from pathlib import Path

from turfmilter.config.loader import load
from turfmilter.config.schema import Config
from turfmilter.importers.draft import CONFIGURATION, Draft
from turfmilter.policies import build_policy
from turfmilter.rules.relay import Relay


def loaded(draft: Draft) -> Config:
    """The configuration as the daemon loads it.  Raises ConfigError."""
    folder = Path("/nowhere")
    return load(folder / CONFIGURATION, kept={str(folder / name): text for name, text in draft.files().items()})


def relay_rule(draft: Draft) -> Relay:
    """The relay rule of the draft."""
    [rule] = [clause.rule for clause in build_policy(loaded(draft)).clauses if isinstance(clause.rule, Relay)]
    return rule
