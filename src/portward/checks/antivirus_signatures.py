"""Virus scanner with old signatures.

Why it matters
    A scanner that does not know what is new gives a feeling of safety and little else.

How it is found
    The age of the signatures of scanners that are installed, against seven days. A machine
    without a scanner is not judged: most servers need none. Nor is a scanner that keeps the age
    to itself, as it then updates itself too; but only while it runs.

Remedy
    Start the updater, and look in its log why it stopped.

False positives
    A machine without access to the internet whose signatures are brought by hand.
"""

from collections.abc import Iterator

from portward.advice.age import evidence, too_old
from portward.advice.undecided import unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Remedy, Severity, Undecided
from portward.model.unknown import NO_DAEMON, NOT_RUNNING, NOT_TOLD, Unknown

ID = "antivirus-signatures"

_UPDATES_ITSELF = (True, NO_DAEMON, NOT_RUNNING)
"""Where a scanner that tells no age is none of our business; an idle one is."""
_UPDATERS = {"clamav": ("systemctl enable --now clamav-freshclam.service",)}


def check(case: Case) -> Iterator[Finding | Undecided]:
    """Yield a finding for each scanner whose signatures are old or missing."""
    snapshot = case.snapshot
    yield from unless_known(ID, "virus scanners", snapshot.antivirus, snapshot)
    for scanner in () if isinstance(snapshot.antivirus, Unknown) else snapshot.antivirus:
        fetched = scanner.signatures_updated
        if fetched == NOT_TOLD and scanner.running in _UPDATES_ITSELF:
            continue
        yield from unless_known(ID, f"signatures of {scanner.name}", fetched, snapshot)
        if isinstance(fetched, Unknown) or not (age := too_old(fetched, snapshot.taken)):
            continue
        yield Finding(
            check=ID,
            subject=scanner.name,
            severity=Severity.LOW,
            confidence=Confidence.CERTAIN,
            title=f"The signatures of {scanner.name} are {age}",
            why="What has come up since then passes unseen.",
            evidence=(evidence(fetched),),
            remedy=Remedy(
                summary="Start the updater of the signatures.",
                commands=_UPDATERS.get(scanner.name.lower(), ()),
            ),
        )
