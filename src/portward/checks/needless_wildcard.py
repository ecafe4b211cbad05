"""Service for this host that listens on all addresses.

Why it matters
    The service is only used by programs on this machine. On all addresses it is one forgotten
    firewall rule away from the whole network, and such services (databases, caches, metrics)
    often trust whoever reaches them.

How it is found
    Listeners on a wildcard address (0.0.0.0 or ::) that the policy allows for this host only,
    where something outside may reach them. One that the policy does not allow at all is a matter
    of the check open-not-allowed, which names the same setting.

Remedy
    Write the setting that binds it to the loopback address, and restart it. If nothing uses it,
    stop it.

False positives
    A service that other machines do use: then a role or an exception of the policy should say so.
"""

from collections.abc import Iterator

from portward.advice.closing import bind_hint, close
from portward.advice.groups import Group, grouped
from portward.advice.matters import is_needless_wildcard, is_published
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Remedy, Severity
from portward.model.status import Scope

ID = "needless-wildcard"


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each owner that listens wider than anyone needs."""
    mine = (
        one
        for one in case.exposures
        if is_needless_wildcard(one) and not is_published(one.listener, case.snapshot)
    )
    for group in grouped(mine):
        unsure = group.scope == Scope.UNKNOWN
        reached = "; whether the firewall lets others in is not known" if unsure else ""
        yield Finding(
            check=ID,
            subject=group.subject,
            severity=Severity.MEDIUM if group.scope == Scope.NETWORKS else Severity.HIGH,
            confidence=Confidence.LIKELY if unsure else Confidence.CERTAIN,
            title=f"{group.name} listens on all addresses, but only this host needs it{reached}",
            why=group.service.risk if group.service else "Others reach what only this host needs.",
            evidence=group.evidence,
            remedy=_remedy(group, case),
            listener=group.first,
        )


def _remedy(group: Group, case: Case) -> Remedy:
    hint = bind_hint(group.service, group.first.package, case)
    stopped = close(group, case)
    if not hint:
        return stopped
    unit = group.first.activates or group.first.unit
    restart = (f"systemctl restart {unit}",) if isinstance(unit, str) else ()
    stop = f" If nothing uses it: {stopped.commands[0]}" if stopped.commands else ""
    return Remedy(
        summary=f"Bind it to this host: {hint}{stop}",
        commands=restart,
        caution="The commands help only after the setting is written.",
    )
