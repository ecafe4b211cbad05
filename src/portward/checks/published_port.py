"""Container port published to those it is not for.

Why it matters
    Container engines pass published ports on with rules of their own (address translation), which
    come before the rules for incoming packets. ufw and a hand-written input chain never see such
    a packet: the port is open although the firewall seems to close it.

How it is found
    Packets for each published port are followed through the engine's translation and the forward
    path. Programs that hold such ports are known by name; ports that rules alone pass on are found
    in the rules. It is a finding where more get through than the policy allows. That the port goes
    past the firewall is said only where the rules for incoming packets would have kept them out.

Remedy
    Publish the port on 127.0.0.1, or on the address of the network that needs it; or filter it in
    the forward path (for Docker: the chain DOCKER-USER).

False positives
    A port that is meant to be public: a role or an exception of the policy should say so.
"""

from collections.abc import Iterator

from portward.advice.closing import republish
from portward.advice.groups import Group, deciding
from portward.advice.matters import is_exposed, is_published
from portward.advice.openness import excess, whom
from portward.model import words
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.host import Container
from portward.model.status import Exposure, Scope
from portward.model.unknown import Unknown
from portward.reach.published import NETFILTER

ID = "published-port"

_WIDTH = (Scope.NOBODY, Scope.HOST, Scope.NETWORKS, Scope.EVERYONE)


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each container, or other target, with ports open to too many."""
    groups: dict[str, list[Exposure]] = {}
    for exposure in case.exposures:
        if _is_mine(exposure, case):
            groups.setdefault(_target(exposure), []).append(exposure)
    for target, members in groups.items():
        yield _finding(target, Group(members), case)


def _is_mine(exposure: Exposure, case: Case) -> bool:
    return (
        is_published(exposure.listener, case.snapshot)
        and is_exposed(exposure)
        and (exposure.reach.scope == Scope.UNKNOWN or bool(excess(exposure)))
        and not (exposure.reach.scope == Scope.UNKNOWN and exposure.allowance is not None)
    )


def _target(exposure: Exposure) -> str:
    """Name where the port is passed on to; each port alone where nobody says."""
    listener = exposure.listener
    if isinstance(listener.container, str):
        return f"container {listener.container}"
    if listener.process == NETFILTER:
        return f"passed on by rules, {words.port(listener)}"
    return "container (unknown)"


def _finding(target: str, group: Group, case: Case) -> Finding:
    listener = group.first
    past = [one for one in group.exposures if _is_past(one)]
    around = f", past {_managers(case)}" if past else ""
    ports = ", ".join(group.ports)
    level = Severity.HIGH if past else Severity.MEDIUM
    to = "to everyone"
    if group.scope == Scope.NETWORKS:
        level = Severity.MEDIUM if past else Severity.LOW
        reached = [one.reach for one in group.exposures]
        to = f"to {whom(reached, (net for one in reached for net in one.networks))}"
    elif group.scope == Scope.UNKNOWN:
        to = "(whether the rules let others through is not known)"
    if isinstance(listener.container, str):
        title = f"Container {listener.container} publishes {ports} {to}{around}"
        remedy = republish(listener.container)
    elif listener.process == NETFILTER:
        title = f"Rules pass {ports} on and open it {to}{around}"
        remedy = Remedy(
            summary=f"Find out what the rule for {ports} is there for; delete it, or let it pass"
            " only the networks that need it, in the forward path.",
            caution="Rules for incoming packets (the input path, ufw) do not see these packets.",
        )
    else:
        title = f"{ports} is passed on to a container and open {to}{around}"
        remedy = republish("(unknown)")
    return Finding(
        check=ID,
        subject=f"{ports} ({target.partition(',')[0]})",
        severity=level,
        confidence=Confidence.LIKELY if group.scope == Scope.UNKNOWN else Confidence.CERTAIN,
        title=title,
        why="The engine's address translation comes before the rules for incoming packets, so"
        " those do not protect the port.",
        evidence=(
            *dict.fromkeys(_engine_says(group, case)),
            *group.evidence,
            *dict.fromkeys(fact for one in past for fact in _would_be(one)),
        ),
        remedy=remedy,
        listener=listener,
    )


def _is_past(exposure: Exposure) -> bool:
    """Say whether the rules for incoming packets would have let fewer in."""
    reach, other = exposure.reach, exposure.unforwarded
    if other is None or Scope.UNKNOWN in {reach.scope, other.scope}:
        return False
    return _WIDTH.index(other.scope) < _WIDTH.index(reach.scope)


def _would_be(exposure: Exposure) -> tuple[Evidence, ...]:
    """Say what the rules for incoming packets would do with the port."""
    found = () if exposure.unforwarded is None else deciding(exposure.unforwarded)
    return tuple(Evidence(f"as an incoming packet: {fact.text}", fact.where) for fact in found)


def _managers(case: Case) -> str:
    firewall = case.snapshot.firewall
    known = () if isinstance(firewall, Unknown) else firewall.managers
    own = [
        one.name
        for one in (() if isinstance(known, Unknown) else known)
        if one.exclusive and one.active is True
    ]
    return ", ".join(own) or "the rules for incoming packets"


def _engine_says(group: Group, case: Case) -> Iterator[Evidence]:
    """Yield what the engine's files tell of the ports."""
    known = case.snapshot.containers
    containers: tuple[Container, ...] = () if isinstance(known, Unknown) else known
    ports = {(one.listener.protocol, one.listener.port) for one in group.exposures}
    for container in containers:
        published = () if isinstance(container.published, Unknown) else container.published
        for one in published:
            if container.name == group.first.container and (one.protocol, one.port) in ports:
                yield Evidence(
                    f"{one.port}/{one.protocol} goes to port {one.container_port} of the container"
                    f" (image {container.image or 'unknown'})",
                    f"{container.engine} container {container.name}",
                )
