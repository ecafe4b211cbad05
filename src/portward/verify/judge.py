"""What two views of one port come to: a table, in words."""

from typing import NamedTuple

from portward.model.reaching import Answer
from portward.model.scan import PortState
from portward.model.verification import Outcome

SHUT = frozenset({PortState.CLOSED, PortState.REFUSED, PortState.FILTERED})
"""Ways in which nobody answered, for certain."""


class Sides(NamedTuple):
    """What is known of one port and one source, from both sides."""

    seen: frozenset[PortState]
    """From outside; several where it is only counted, none where it was not asked."""
    listens: bool | None
    """Something on the machine takes packets for it; None: not known."""
    reach: Answer
    """Whether the rules let the source in."""
    intended: bool | None
    """Whether the policy does; None: not known."""


def judge(port: Sides) -> tuple[Outcome, str]:
    """Return the outcome for one port, and the sentence that says why."""
    if not port.seen:
        return Outcome.UNTOLD, "The scan did not ask for it."
    if port.seen == {PortState.OPEN}:
        return _opened(port)
    if port.seen <= SHUT:
        return _shut(port)
    if port.seen <= SHUT | {PortState.SILENT}:
        if port.listens is False:
            return Outcome.CLOSED, "Nothing listens, and nobody answered."
        rules = "as the rules say" if port.reach == Answer.NO else "though the rules let it in"
        return (
            Outcome.UNTOLD,
            f"It was silent, {rules}; a UDP program with nothing to say is silent too.",
        )
    return Outcome.UNTOLD, "Its answer may have been lost, so silence proves nothing."


def _opened(port: Sides) -> tuple[Outcome, str]:
    if port.listens is False:
        why = "Something answers, and nothing on the machine listens: it is answered elsewhere, "
        return Outcome.HIDDEN, f"{why}or the socket is hidden."
    if port.reach == Answer.NO:
        why = "It answers, and the machine's rules let no packet from there in: something in "
        why += "between answers for it or changes the source, or the model is wrong."
        return Outcome.BYPASSED, why
    if port.listens is None:
        return Outcome.UNTOLD, "It answers, and it is not known what listens on the machine."
    if port.intended:
        return Outcome.EXPOSED, "It answers, and the policy wants it."
    if port.intended is None:
        return Outcome.UNTOLD, "It answers, and it is not known whether the policy wants that."
    return Outcome.UNINTENDED, "It answers, and no allowance of the policy is for this source."


def _shut(port: Sides) -> tuple[Outcome, str]:
    if port.listens is False:
        return Outcome.CLOSED, "Nothing listens, and nobody answered."
    if port.listens is None:
        return Outcome.UNTOLD, "Nobody answered, and it is not known what listens on the machine."
    if port.reach == Answer.YES:
        why = "It listens and the rules let this source in, but nobody answered: something before "
        return Outcome.UPSTREAM, f"{why}the machine stops it, or the program does not answer."
    if port.reach == Answer.NO:
        if port.intended:
            return Outcome.BLOCKED, "The policy lets this source in, and the rules do not."
        return Outcome.CLOSED, "It listens, and the rules keep this source out."
    outcome = Outcome.UNTOLD if port.intended else Outcome.CLOSED
    return outcome, "Nobody answered, and what the rules say is not certain."
