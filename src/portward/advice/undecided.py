"""How a check says that it could not tell."""

from collections.abc import Iterator

from portward.model.finding import Undecided
from portward.model.host import Snapshot
from portward.model.unknown import NOT_RUNNING, Unknown


def unless_known(check: str, subject: str, fact: object, snapshot: Snapshot) -> Iterator[Undecided]:
    """Yield an Undecided where a fact is not known, unless no image has it before it runs."""
    if isinstance(fact, Unknown) and fact != NOT_RUNNING:
        yield Undecided(check=check, subject=subject, reason=fact.reason, mend=mend(snapshot))


def mend(snapshot: Snapshot) -> str:
    """Say how to see more: as root, where portward was not."""
    return "run portward as root" if snapshot.sight.euid != 0 else ""
