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

from portward.advice.closing import package_names
from portward.advice.undecided import unless_known
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity, Undecided
from portward.model.host import Updates
from portward.model.unknown import Unknown

ID = "automatic-updates"

_PERIODIC = (
    """'APT::Periodic::Update-Package-Lists "1";' 'APT::Periodic::Unattended-Upgrade "1";'"""
)

_TIMERS = "apt-daily.timer apt-daily-upgrade.timer"
_APT_FILE = "/etc/apt/apt.conf.d/20auto-upgrades"


def _remedy(updates: Updates, installed: frozenset[str]) -> Remedy:
    """Say what is missing and nothing else; the reason names the first obstacle there is."""
    if updates.manager == "dnf":
        missing = () if "dnf-automatic" in installed else ("dnf install dnf-automatic",)
        return Remedy(
            summary="Switch on the timer of dnf-automatic that installs what it finds.",
            commands=(*missing, "systemctl enable --now dnf-automatic-install.timer"),
        )
    if updates.manager != "apt":
        return Remedy(summary="Switch on automatic security updates.")
    reason = updates.automatic_reason
    settings = f"printf '%s\\n' {_PERIODIC} > {_APT_FILE}"
    if "unattended-upgrades" not in installed or "not installed" in reason:
        return Remedy(
            summary="Install unattended-upgrades and switch it on.",
            commands=(
                "apt install unattended-upgrades",
                settings,
                f"systemctl enable --now {_TIMERS}",
            ),
        )
    if "masked" in reason or "not enabled" in reason:
        unmask = (f"systemctl unmask {_TIMERS}",) if "masked" in reason else ()
        return Remedy(
            summary="unattended-upgrades is installed; start the timers that run it.",
            commands=(*unmask, f"systemctl enable --now {_TIMERS}"),
        )
    if "origin" in reason:
        return Remedy(
            summary="Name the security archive under Unattended-Upgrade::Origins-Pattern in"
            " /etc/apt/apt.conf.d/50unattended-upgrades."
        )
    return Remedy(
        summary=f"unattended-upgrades is installed; switch it on ({reason}).", commands=(settings,)
    )


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
            remedy=_remedy(updates, package_names(case)),
        )
