"""Every rule in rules/ declares its stages and facts correctly."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest

from turfmilter import rules
from turfmilter.core.finding import Action
from turfmilter.core.policy import Clause, Policy
from turfmilter.core.rule import Rule, Stage

METHODS = {
    Stage.CONNECT: "at_connect",
    Stage.MAIL: "at_mail",
    Stage.RCPT: "at_rcpt",
    Stage.HEADERS: "at_headers",
    Stage.END: "at_end",
}


def below(kind: type[Rule]) -> Iterator[type[Rule]]:
    for one in kind.__subclasses__():
        yield from (one, *below(one))


def every_rule() -> list[type[Rule]]:
    """The rules in rules/, without the base classes that several of them share."""
    for module in pkgutil.iter_modules(rules.__path__, f"{rules.__name__}."):
        importlib.import_module(module.name)
    ours = (rule for rule in below(Rule) if rule.__module__.startswith(f"{rules.__name__}."))
    return sorted((rule for rule in ours if not rule.__name__.startswith("_")), key=lambda rule: rule.__name__)


def overridden(rule: type[Rule]) -> set[Stage]:
    return {stage for stage, method in METHODS.items() if getattr(rule, method) is not getattr(Rule, method)}


@pytest.mark.parametrize("rule", every_rule())
def test_a_rule_declares_the_stages_whose_methods_it_has(rule: type[Rule]) -> None:
    """A method whose stage is not declared would never be called, and the rule would accept everything."""
    assert rule.stages == overridden(rule)


def test_every_stage_has_a_method() -> None:
    assert list(METHODS) == list(Stage)
    assert {name for name in vars(Rule) if name.startswith("at_")} == set(METHODS.values())


def test_a_rule_that_declares_no_stages_fails_when_it_is_first_looked_for() -> None:
    with pytest.raises(AttributeError, match="stages"):
        _ = Policy((Clause(Rule(), Action.REJECT),)).at_rcpt
