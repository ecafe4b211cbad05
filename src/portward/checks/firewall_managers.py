"""Two firewall managers that fight.

Why it matters
    Each of them takes itself for the only one. Whichever starts last wipes or overrules the other
    one's rules, so after a reboot or a reload the machine may be open, or locked.

How it is found
    Tools that manage the host's own input (ufw, firewalld, the nftables service, saved iptables
    rules) of which more than one has its rules in the kernel, or would load them at boot.

Remedy
    Keep one, disable the others.

False positives
    Tools that only add rules of their own (Docker, libvirt, fail2ban) are not counted.
"""

from collections.abc import Iterator

from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.host import FirewallManager
from portward.model.unknown import Unknown

ID = "firewall-managers"


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding where more than one exclusive manager is at work."""
    firewall = case.snapshot.firewall
    if isinstance(firewall, Unknown) or isinstance(firewall.managers, Unknown):
        return  # the check firewall-open says that the firewall is not known
    own = [one for one in firewall.managers if one.exclusive]
    active = [one for one in own if one.active is True]
    enabled = [one for one in own if one.enabled is True]
    if len(active) > 1:
        yield _finding(active, "have rules in the kernel", Severity.MEDIUM)
    elif len(enabled) > 1:
        yield _finding(enabled, "would load their rules at boot", Severity.MEDIUM)


def _finding(managers: list[FirewallManager], what: str, severity: Severity) -> Finding:
    names = sorted(one.name for one in managers)
    return Finding(
        check=ID,
        subject=", ".join(names),
        severity=severity,
        confidence=Confidence.CERTAIN,
        title=f"{' and '.join(names)} both {what}"
        if len(names) == 2  # noqa: PLR2004 - "both" is for two
        else f"{', '.join(names)} all {what}",
        why="Each takes itself for the only one; the last to start decides what is open.",
        evidence=tuple(Evidence(f"{one.name}: {one.evidence}") for one in managers),
        remedy=Remedy(
            summary=f"Decide for one of {', '.join(names)} and disable the others for the next"
            " boot.",
            caution="Make sure that the one you keep allows your own SSH connection.",
        ),
    )
