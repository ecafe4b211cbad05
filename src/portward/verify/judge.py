"""What two views of one port come to: a table, in words."""

from collections.abc import Iterable

from portward.model.net import Protocol
from portward.model.reaching import Answer
from portward.model.scan import PortState
from portward.model.verification import Outcome

SHUT = frozenset({PortState.CLOSED, PortState.REFUSED, PortState.FILTERED})
"""Ways in which nobody answered, for certain."""


def judge(
    seen: Iterable[PortState],
    listens: bool | None,  # noqa: FBT001 - facts of one port, in the order of the table below
    reach: Answer,
    intended: bool | None,  # noqa: FBT001 - as above
    protocol: Protocol = Protocol.TCP,
) -> tuple[Outcome, str]:
    """Return the outcome for one port, and the sentence that says why."""
    states = frozenset(seen)
    if not states:
        return Outcome.UNTOLD, "The scan did not ask for it."
    if states == {PortState.OPEN}:
        return _opened(listens, reach, intended)
    if states <= SHUT:
        return _shut(listens, reach, intended)
    if PortState.SILENT in states and listens is False:
        return Outcome.CLOSED, "Nothing listens, and nobody answered."
    if PortState.SILENT in states and protocol == Protocol.UDP:
        rules = "as the rules say" if reach == Answer.NO else "though the rules let it in"
        return (
            Outcome.UNTOLD,
            f"It was silent, {rules}; a UDP program with nothing to say is silent too.",
        )
    return Outcome.UNTOLD, "Its answer may have been lost, so silence proves nothing."


def _opened(
    listens: bool | None,  # noqa: FBT001 - as in judge()
    reach: Answer,
    intended: bool | None,  # noqa: FBT001
) -> tuple[Outcome, str]:
    if listens is False:
        why = "Something answers, and nothing on the machine listens: it is answered elsewhere, "
        return Outcome.HIDDEN, f"{why}or the socket is hidden."
    if reach == Answer.NO:
        why = (
            "It answers, and the machine's rules let no packet from there in: something in between "
        )
        return (
            Outcome.BYPASSED,
            f"{why}answers for it or changes the source, or the model is wrong.",
        )
    if listens is None:
        return Outcome.UNTOLD, "It answers, and it is not known what listens on the machine."
    if intended:
        return Outcome.EXPOSED, "It answers, and the policy wants it."
    if intended is None:
        return Outcome.UNTOLD, "It answers, and it is not known whether the policy wants that."
    return Outcome.UNINTENDED, "It answers, and no allowance of the policy is for this source."


def _shut(
    listens: bool | None,  # noqa: FBT001 - as in judge()
    reach: Answer,
    intended: bool | None,  # noqa: FBT001
) -> tuple[Outcome, str]:
    if listens is False:
        return Outcome.CLOSED, "Nothing listens, and nobody answered."
    if listens is None:
        return Outcome.UNTOLD, "Nobody answered, and it is not known what listens on the machine."
    if reach == Answer.NO and intended:
        return Outcome.BLOCKED, "The policy lets this source in, and the rules do not."
    if reach == Answer.PERHAPS and intended:
        return Outcome.UNTOLD, "Nobody answered, and what the rules say is not certain."
    if reach != Answer.YES:
        return Outcome.CLOSED, "It listens, and the rules keep this source out."
    why = "It listens and the rules let this source in, but nobody answered: something before the "
    return Outcome.UPSTREAM, f"{why}machine stops it, or the program does not answer."
