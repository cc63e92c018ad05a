"""One connection, one policy: which of its rules has the last word, and that no other policy comes in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from rig.filter import make_quarantine
from rig.ownworker import OwnWorker, service
from rig.rules import RuleAt
from turfmilter.core.finding import Action, Finding
from turfmilter.core.policy import Clause, Generation, Policy
from turfmilter.core.reply import REPLIES, Reply
from turfmilter.core.rule import Rule, Stage
from turfmilter.stores.maildir import Maildir

REFUSED = Reply(550, "5.7.0", "refused by the other rule")


def finding_at(stage: Stage, *, unavailable: bool = False) -> Rule:
    """A rule with a finding about everything at `stage`."""
    return RuleAt(stage, sees=lambda: Finding(RuleAt.name, "everything", unavailable=unavailable))


@pytest.mark.parametrize("stage", [Stage.MAIL, Stage.RCPT, Stage.HEADERS, Stage.END])
@pytest.mark.parametrize(
    ("clause", "answer"),
    [
        ({"action": Action.REJECT, "reply": REFUSED}, str(REFUSED)),
        ({"action": Action.REJECT, "reply": REPLIES["relay-unavailable"]}, str(REPLIES["relay-unavailable"])),
    ],
)
@pytest.mark.parametrize("held_first", [True, False])
def test_a_refusal_at_any_stage_wins_over_a_hold(
    place: Path, stage: Stage, clause: dict[str, object], answer: str, held_first: bool
) -> None:
    quarantine = make_quarantine(place / "quarantine")
    clauses = [Clause(finding_at(Stage.MAIL), Action.HOLD), Clause(finding_at(stage), **clause)]  # type: ignore[arg-type]
    policy = Policy(tuple(clauses if held_first else reversed(clauses)), quarantine=Maildir(quarantine))
    with OwnWorker(place, lambda log: service(log, lambda: Generation(policy))) as worker:
        with worker.client() as client:
            told = client.message("<a@out.test>", ["<b@rig.test>"])
            assert str(told.end) == answer
            client.quit()
        assert worker.stop() == 0
    assert list((quarantine / "new").iterdir()) == list((quarantine / "tmp").iterdir()) == []
    assert worker.log().count("verdict=") == 1


@pytest.mark.parametrize(
    ("on_error", "end"), [(None, "accept"), (REPLIES["relay-unavailable"], str(REPLIES["relay-unavailable"]))]
)
def test_what_a_rule_cannot_find_out_is_answered_as_configured(place: Path, on_error: Reply | None, end: str) -> None:
    clause = Clause(finding_at(Stage.RCPT, unavailable=True), Action.REJECT, REFUSED, on_error=on_error)
    generation = Generation(Policy((clause,)))
    with OwnWorker(place, lambda log: service(log, lambda: generation)) as worker, worker.client() as client:
        assert str(client.message("<a@out.test>", ["<b@rig.test>"]).end) == end
        client.quit()


def test_a_connection_keeps_the_policy_that_it_began_with(place: Path) -> None:
    strict = Generation(Policy((Clause(finding_at(Stage.RCPT), Action.REJECT, REFUSED),)), number=1)
    lax = Generation(Policy(()), number=2)
    changed = place / "changed"
    with OwnWorker(place, lambda log: service(log, lambda: lax if changed.exists() else strict)) as worker:
        with worker.client() as before:
            changed.touch()
            with worker.client() as after:
                for _ in range(2):
                    assert str(before.message("<a@out.test>", ["<b@rig.test>"]).end) == str(REFUSED)
                    assert str(after.message("<a@out.test>", ["<b@rig.test>"]).end) == "accept"
                after.quit()
            before.quit()
        assert worker.stop() == 0
    assert worker.log().count("gen=1") == 2
