"""Security updates that nobody installs.

Why it matters
    Most break-ins use faults for which an update was there for weeks. A machine that waits for a
    person waits too long.

How it is found
    The settings of unattended-upgrades (Debian, Ubuntu) or dnf-automatic (Fedora and relatives),
    and whether the timer that runs them starts.

Remedy
    Install and switch on the tool of the distribution.

False positives
    A fleet that is updated from outside (a configuration manager, new images): suppress the
    finding with that reason.
"""

from collections.abc import Iterator

from portward.advice.undecided import unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity, Undecided
from portward.model.unknown import Unknown

ID = "automatic-updates"

_PERIODIC = (
    """'APT::Periodic::Update-Package-Lists "1";' 'APT::Periodic::Unattended-Upgrade "1";'"""
)

_REMEDIES = {
    "apt": Remedy(
        summary="Install unattended-upgrades and switch it on.",
        commands=(
            "apt install unattended-upgrades",
            f"printf '%s\\n' {_PERIODIC} > /etc/apt/apt.conf.d/20auto-upgrades",
            "systemctl enable --now apt-daily.timer apt-daily-upgrade.timer",
        ),
    ),
    "dnf": Remedy(
        summary='Install dnf-automatic, write "apply_updates = yes" in /etc/dnf/automatic.conf, and'
        " start its timer.",
        commands=("dnf install dnf-automatic", "systemctl enable --now dnf-automatic.timer"),
    ),
}


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
            evidence=(Evidence(updates.automatic_reason),),
            remedy=_REMEDIES.get(
                updates.manager, Remedy(summary="Switch on automatic security updates.")
            ),
        )
