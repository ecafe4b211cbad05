"""Machine that must restart to run what was updated.

Why it matters
    A new kernel on the disk protects nothing until it runs.

How it is found
    The note that Debian's packages leave (/run/reboot-required), or an installed kernel that is
    newer than the running one.

Remedy
    Restart the machine when it suits.

False positives
    A kernel that is patched while it runs.
"""

from collections.abc import Iterator

from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.unknown import Unknown

ID = "reboot-required"


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding where an update waits for a restart."""
    updates = case.snapshot.updates
    if isinstance(updates, Unknown) or updates.reboot_required is not True:
        return
    yield Finding(
        check=ID,
        subject="machine",
        severity=Severity.LOW,
        confidence=Confidence.CERTAIN,
        title="The machine must restart to run what was updated",
        why="Until then the old kernel, or another part that cannot be replaced while it runs,"
        " keeps its known faults.",
        evidence=(Evidence(updates.reboot_reason or "an update asks for it"),),
        remedy=Remedy(
            summary="Restart the machine when it suits.",
            commands=("systemctl reboot",),
            caution="Everyone is logged out, and services stop for a while.",
        ),
    )
