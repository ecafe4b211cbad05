"""Security updates that nobody installs.

Why it matters
    Most break-ins use faults for which an update was there for weeks. A machine that waits for a
    person waits too long.

How it is found
    The settings of unattended-upgrades (Debian, Ubuntu) or dnf-automatic (Fedora and relatives),
    and whether the timer that runs them starts.

Remedy
    Whatever of it is missing: the tool, a setting, or the timer that starts it.

False positives
    A fleet that is updated from outside (a configuration manager, new images): suppress the
    finding with that reason.
"""

from collections.abc import Iterator

from portward.advice.undecided import unless_known
from portward.advice.updating import switch_on
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Severity, Undecided
from portward.model.unknown import Unknown

ID = "automatic-updates"


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding where no tool installs updates."""
    updates = case.snapshot.updates
    yield from unless_known(ID, "updates", updates, case.snapshot)
    if isinstance(updates, Unknown) or updates.manager is None:
        return
    yield from unless_known(ID, "automatic updates", updates.automatic, case.snapshot)
    if updates.automatic is False:
        yield Finding(
            check=ID,
            subject=updates.manager,
            severity=Severity.MEDIUM,
            confidence=Confidence.CERTAIN,
            title="Security updates are not installed automatically",
            why="A fault that everyone knows stays open until someone thinks of it.",
            evidence=tuple(Evidence(one.text, one.file or "") for one in updates.obstacles)
            or (Evidence(updates.automatic_reason),),
            remedy=switch_on(updates),
        )
