"""What is different between two configurations, in one line."""

from __future__ import annotations

from collections.abc import Sized

from turfmilter.config.schema import Config
from turfmilter.config.setting import keys


def changes(old: Config, new: Config) -> str:
    return "TODO"
