"""Allowed port that the firewall keeps people out of.

Why it matters
    The service listens, the policy means it for somebody, and a rule drops their packets. Either
    the service is out of order for those who need it, or nobody needs it and the policy is wrong.

How it is found
    Packets for each allowed port that listens are followed through the ruleset in the kernel. It
    is a finding where a rule keeps everyone out, and where fewer get through than the allowance
    names. A needed service that does not listen is not judged: no rule is what stops it.

Remedy
    Let the firewall pass the port from those who need it, or take the allowance back.

False positives
    A service that is closed on purpose for a while. A service that a program on this machine
    passes connections on to, such as a web server behind a proxy: allow it for "host" then.
"""

from collections.abc import Iterator
from ipaddress import ip_network

from portward.advice.groups import Group, grouped
from portward.advice.matters import is_firewalled, is_housekeeping, is_port
from portward.advice.openness import allowed_networks, is_open, reached_from, whom
from portward.model.case import Case
from portward.model.finding import Confidence, Finding, Remedy, Severity
from portward.model.host import FirewallManager
from portward.model.net import Family
from portward.model.policy import Allowance
from portward.model.service import Audience
from portward.model.status import Exposure, Scope
from portward.model.unknown import Unknown
from portward.policy.networks import beyond

ID = "allowed-but-blocked"


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each owner of allowed ports that the firewall shuts."""
    allowed = [one for one in case.exposures if _is_for_others(one)]
    for group in grouped(one for one in allowed if _missing(one)):
        yield _finding(group, allowed, case)


def _is_for_others(exposure: Exposure) -> bool:
    return (
        is_port(exposure)
        and exposure.allowance is not None
        and exposure.allowance.sources.audience not in {Audience.NOBODY, Audience.HOST}
        and exposure.listener.device is None
        and not is_housekeeping(exposure)
    )


def _missing(exposure: Exposure) -> tuple[str, ...]:
    """Return the networks that the policy means and the firewall shuts out."""
    allowance, reach = exposure.allowance, exposure.reach
    if allowance is None:
        return ()
    meant = _of_family(allowed_networks(allowance), exposure.listener.family)
    if is_firewalled(exposure):
        return meant
    if reach.scope != Scope.NETWORKS or not reach.decided_by:
        return ()
    reached = reached_from(reach)
    if allowance.sources.networks:
        return tuple(network for network in meant if _is_shut(network, reached))
    if allowance.sources.audience == Audience.ANYONE:
        return () if is_open(reach) else meant
    # Of all private networks the one that gets through may be all that there is.
    return meant if beyond(meant, reached) == beyond(meant, ()) else ()


def _is_shut(network: str, reached: tuple[str, ...]) -> bool:
    """Say whether most of a network does not get through; a few banned addresses are no fault."""
    missing = sum(ip_network(one).num_addresses for one in beyond((network,), reached))
    return missing * 2 > ip_network(network).num_addresses


def _of_family(networks: tuple[str, ...], family: Family) -> tuple[str, ...]:
    if family == Family.DUAL:
        return networks
    return tuple(one for one in networks if (":" in one) == (family == Family.IPV6))


def _finding(group: Group, allowed: list[Exposure], case: Case) -> Finding:
    ports = {(one.listener.protocol, one.listener.port) for one in group.exposures}
    ids = set(map(id, group.exposures))
    twins = [
        one
        for one in allowed
        if (one.listener.protocol, one.listener.port) in ports
        and id(one) not in ids
        and one.reach.scope not in {Scope.NOBODY, Scope.HOST}
    ]
    families = {one.listener.family for one in group.exposures}
    over = ""
    if twins and len(families) == 1 and Family.DUAL not in families:
        over = " over IPv6" if Family.IPV6 in families else " over IPv4"
    allowance = group.exposures[0].allowance
    who = _who(allowance) if allowance else ""
    if group.scope == Scope.NOBODY:
        title = f"{group.name} is allowed for {who}, but the firewall keeps everyone out{over}"
    else:
        known = [one.reach for one in group.exposures]
        reached = whom(known, (net for one in known for net in one.networks))
        title = f"{group.name} is allowed for {who}, but the firewall passes only {reached}{over}"
    required = any(one.allowance and one.allowance.required for one in group.exposures)
    return Finding(
        check=ID,
        subject=group.subject,
        severity=Severity.LOW if required and not over else Severity.INFO,
        confidence=Confidence.CERTAIN,
        title=title,
        why="Those who are meant to use the service cannot reach it.",
        evidence=group.evidence,
        remedy=Remedy(
            summary=f"If {who} shall reach it, let the firewall pass {', '.join(group.ports)} from"
            " there; if not, narrow the allowance in the policy.",
            commands=_commands(group, allowance, case),
        ),
        listener=group.first,
    )


def _who(allowance: Allowance) -> str:
    networks = ", ".join(allowance.sources.networks)
    if networks:
        return f"{allowance.sources.label} ({networks})"
    return "anyone" if allowance.sources.audience == Audience.ANYONE else "private networks"


def _commands(group: Group, allowance: Allowance | None, case: Case) -> tuple[str, ...]:
    """Return the commands of ufw, where it alone is at work."""
    firewall = case.snapshot.firewall
    managers: tuple[FirewallManager, ...] = ()
    if not isinstance(firewall, Unknown) and not isinstance(firewall.managers, Unknown):
        managers = firewall.managers
    own = [one.name for one in managers if one.exclusive and one.active is True]
    if own != ["ufw"] or allowance is None:
        return ()
    ports = dict.fromkeys((one.listener.port, one.listener.protocol) for one in group.exposures)
    if not allowance.sources.networks and allowance.sources.audience == Audience.ANYONE:
        return tuple(f"ufw allow {port}/{protocol}" for port, protocol in ports)
    return tuple(
        f"ufw allow from {network} to any port {port} proto {protocol}"
        for port, protocol in ports
        for network in allowance.sources.networks
    )
