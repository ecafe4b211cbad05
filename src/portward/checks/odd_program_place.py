"""Open port of a program that no package brought, or in an odd place.

Why it matters
    Programs from packages are updated and can be checked against their checksums. A program that
    someone put there by hand has neither, and one in /tmp or a hidden directory is where
    intruders put theirs, since every user may write there.

How it is found
    The path of the program behind each open port is looked up in the package database. Places
    that every user may write to (/tmp, /var/tmp, /dev/shm), home directories and names that start
    with a dot are judged worse, what few can reach less. Snap, Flatpak and Nix count as packages.

Remedy
    Find out who put it there. If it belongs there, name it in the policy with its path; better,
    install it from a package under /usr or /opt.

False positives
    Software built or downloaded on purpose: a policy entry with its path settles it.
"""

from collections.abc import Iterator

from portward.advice.groups import Group, grouped_by_program
from portward.advice.places import is_hidden, is_managed, is_writable_by_others
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.host import HOST, Listener, Process
from portward.model.status import Exposure, Scope

ID = "odd-program-place"

_REMOTENESS = {Scope.NETWORKS: 1, Scope.HOST: 2, Scope.NOBODY: 2}
"""How much less a place counts, in steps from everyone and unknown."""


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each owner whose program no package brought or that lies oddly."""
    for group in grouped_by_program(one for one in case.exposures if _is_mine(one)):
        exe = _exe(group.first)
        severity, confidence, what = _judge(group, exe)
        yield Finding(
            check=ID,
            subject=group.subject if group.owner == exe else f"{group.subject} {exe}",
            severity=severity,
            confidence=confidence,
            title=f"{', '.join(group.ports)} is held by {exe}, {what}",
            why="Nothing keeps this program updated, and nothing tells whether it was changed.",
            evidence=(*group.evidence, Evidence("no installed package has this file", exe)),
            remedy=Remedy(
                summary="Find out who put it there and what starts it. If it belongs there, write"
                f' an [[allow]] with program = "{exe}" and a reason into the policy.'
            ),
            listener=group.first,
        )


def _exe(listener: Listener) -> str:
    process = listener.process
    exe = process.exe if isinstance(process, Process) else None
    return exe if isinstance(exe, str) else ""


def _is_mine(exposure: Exposure) -> bool:
    exe = _exe(exposure.listener)
    if not exe.startswith("/") or exposure.listener.container is not None:
        return False
    if exposure.listener.namespace != HOST or is_managed(exe):
        return False
    if exposure.allowance and exposure.allowance.program:
        return False  # a person knows this program
    return exposure.listener.package is None or is_writable_by_others(exe) or is_hidden(exe)


def _judge(group: Group, exe: str) -> tuple[Severity, Confidence, str]:
    """Judge by the place, and less where fewer than everyone can reach it."""
    if is_writable_by_others(exe):
        by_width = Severity.HIGH, Severity.MEDIUM, Severity.MEDIUM
        confidence, what = Confidence.LIKELY, "where every user may write"
    elif is_hidden(exe):
        by_width = Severity.HIGH, Severity.MEDIUM, Severity.LOW
        confidence, what = Confidence.POSSIBLE, "in a hidden place"
    elif exe.startswith(("/home/", "/root/")):
        by_width = Severity.MEDIUM, Severity.LOW, Severity.INFO
        confidence, what = Confidence.CERTAIN, "in a home directory"
    else:
        by_width = Severity.LOW, Severity.LOW, Severity.INFO
        confidence, what = Confidence.CERTAIN, "which no package brought"
    return by_width[_REMOTENESS.get(group.scope, 0)], confidence, what
