"""Virus scanner with old signatures.

Why it matters
    A scanner that does not know what is new gives a feeling of safety and little else.

How it is found
    The age of the signatures of scanners that are installed, against seven days. A machine
    without a scanner is not judged: most servers need none.

Remedy
    Start the updater, and look in its log why it stopped.

False positives
    A machine without access to the internet whose signatures are brought by hand.
"""

from collections.abc import Iterator
from datetime import timedelta

from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.unknown import Unknown

ID = "antivirus-signatures"

_OLDEST = timedelta(days=7)
_UPDATERS = {"clamav": ("systemctl enable --now clamav-freshclam.service",)}


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each scanner whose signatures are old or missing."""
    scanners = case.snapshot.antivirus
    for scanner in () if isinstance(scanners, Unknown) else scanners:
        updated = scanner.signatures_updated
        if isinstance(updated, Unknown):
            continue
        if updated is not None and case.snapshot.taken - updated <= _OLDEST:
            continue
        age = f"{(case.snapshot.taken - updated).days} days old" if updated else "missing"
        yield Finding(
            check=ID,
            subject=scanner.name,
            severity=Severity.LOW,
            confidence=Confidence.CERTAIN,
            title=f"The signatures of {scanner.name} are {age}",
            why="What has come up since then passes unseen.",
            evidence=(Evidence(f"updated {updated:%Y-%m-%d}" if updated else "never updated"),),
            remedy=Remedy(
                summary="Start the updater of the signatures.",
                commands=_UPDATERS.get(scanner.name.lower(), ()),
            ),
        )
