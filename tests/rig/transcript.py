"""What each step of one transaction was answered."""

from __future__ import annotations

from rig.answer import Answer, Changes


class Transcript:
    """The answers of one transaction in their order.

    `steps` holds (event name, Answer); `end` is the last answer that was not "go on" to a single recipient:
    accept, discard, a refusal, or the answer at eom.  A step that was never reached is None.
    """

    def __init__(self) -> None:
        self.steps: list[tuple[str, Answer]] = []
        self.end: Answer | None = None

    def note(self, event: str, answer: Answer) -> bool:
        """Record one answer; True if the filter wants to receive more."""
        self.steps.append((event, answer))
        self.end = answer
        return answer.goes_on

    def all(self, event: str) -> list[Answer]:
        """Every answer to one kind of event."""
        return [answer for name, answer in self.steps if name == event]

    @property
    def rcpts(self) -> list[Answer]:
        """The answer to each recipient that was shown."""
        return self.all("rcpt")

    @property
    def mail(self) -> Answer | None:
        """The answer to the sender."""
        return next(iter(self.all("mail")), None)

    @property
    def eom(self) -> Answer | None:
        """The answer at the end of the message."""
        return next(iter(self.all("eom")), None)

    @property
    def changes(self) -> Changes:
        """The changes asked for at the end of the message; none when it was not reached."""
        return Changes() if self.eom is None else self.eom.changes

    def __str__(self) -> str:
        return ", ".join(f"{name}: {answer!s}" for name, answer in self.steps)
