"""Exception in the policy whose time is over.

Why it matters
    An exception with an end date is a promise to look again. When the date has passed, nobody
    has looked, and what it allowed is either no longer needed or needs a new decision.

How it is found
    The `until` of every allowance and of every suppression is compared with today. On its last
    day an exception still holds.

Remedy
    Remove the entry from the policy, or give it a new date and a reason that is still true.

False positives
    None, as long as the clock of the machine is right.
"""

from collections.abc import Iterator
from datetime import date

from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity

ID = "expired-exception"


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each allowance and suppression that ended before today."""
    for allowed in case.policy.allowances:
        if allowed.until and allowed.until < case.day:
            what = allowed.service or ", ".join(map(str, allowed.ports))
            yield _finding(f"allowance of {what}", allowed.until, allowed.reason, allowed.origin)
    for accepted in case.policy.suppressions:
        if accepted.until < case.day:
            what = f"suppression of {accepted.finding}"
            yield _finding(what, accepted.until, accepted.reason, accepted.origin)


def _finding(what: str, until: date, reason: str, origin: str) -> Finding:
    return Finding(
        check=ID,
        subject=f"{what} until {until}",
        severity=Severity.LOW,
        confidence=Confidence.CERTAIN,
        title=f"The {what} ended on {until}",
        why="Since that day it has no effect, and what it was for is judged like everything else.",
        evidence=(Evidence(f"until {until}, because: {reason}", origin),),
        remedy=Remedy(
            summary=f"Remove the entry ({origin}), or give it a new date with a reason of today."
        ),
    )
