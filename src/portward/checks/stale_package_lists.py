"""Package lists that are too old to tell of updates.

Why it matters
    Updates are only known from these lists. With old ones "nothing to update" means nothing.

How it is found
    The time when the lists were last fetched, against seven days before the survey.

Remedy
    Fetch the lists, and let a timer do it from now on.

False positives
    A machine that was switched off for a while, or whose image is new and the lists were left out
    on purpose.
"""

from collections.abc import Iterator

from portward.advice.age import evidence, too_old
from portward.advice.undecided import unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Remedy, Severity, Undecided
from portward.model.unknown import Unknown

ID = "stale-package-lists"

_COMMANDS = {"apt": ("apt update",), "dnf": ("dnf makecache --refresh",)}


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding where the lists are older than a week, or were never fetched."""
    updates = case.snapshot.updates
    if isinstance(updates, Unknown) or updates.manager is None:
        return
    fetched = updates.lists_updated
    yield from unless_known(ID, "age of the package lists", fetched, case.snapshot)
    if not isinstance(fetched, Unknown) and (age := too_old(fetched, case.snapshot.taken)):
        yield Finding(
            check=ID,
            subject=updates.manager,
            severity=Severity.LOW,
            confidence=Confidence.CERTAIN,
            title=f"The package lists are {age}",
            why="Security updates that came since then are not known to this machine.",
            evidence=(evidence(fetched),),
            remedy=Remedy(summary="Fetch the lists.", commands=_COMMANDS.get(updates.manager, ())),
        )
