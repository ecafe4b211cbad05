"""Container port published to everyone.

Why it matters
    Container engines pass published ports on with rules of their own (address translation), which
    come before the rules for incoming packets. ufw and a hand-written input chain never see such
    a packet: the port is open although the firewall seems to close it.

How it is found
    The engine's own files name the published ports, and the programs that hold them on the host
    are known by name. Ports on a wildcard address that the policy does not allow for anyone are
    findings.

Remedy
    Publish the port on 127.0.0.1, or on the address of the network that needs it; or filter it in
    the forward path (for Docker: the chain DOCKER-USER).

False positives
    An engine that was told not to touch the firewall passes ports on through a program, which the
    input chain does see.
"""

from collections.abc import Iterable, Iterator

from portward.advice.closing import republish
from portward.advice.matters import is_published
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Severity
from portward.model.host import Container, FirewallManager
from portward.model.net import Protocol, is_wildcard
from portward.model.service import Audience
from portward.model.status import Exposure, Scope
from portward.model.unknown import Unknown

ID = "published-port"

_INPUT_ONLY = frozenset({"ufw", "nftables", "netfilter-persistent", "firewalld"})
"""Managers whose rules for incoming packets a published port goes around."""


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding for each container, or forwarding program, with ports open to all."""
    containers = case.snapshot.containers
    engine_knows: set[tuple[Protocol, int]] = set()
    for container in () if isinstance(containers, Unknown) else containers:
        if isinstance(container.published, Unknown):
            continue
        engine_knows |= {(one.protocol, one.port) for one in container.published}
        wide = [
            (one.protocol, one.port, one.container_port)
            for one in container.published
            if is_wildcard(one.address) and not _allowed(case, one.protocol, one.port)
        ]
        if wide:
            yield _of_container(container, sorted(set(wide)), case)
    for exposure in case.exposures:
        if _is_only_seen_here(exposure, engine_knows, case):
            yield _of_forwarder(exposure, case)


def _of_container(
    container: Container, wide: list[tuple[Protocol, int, int]], case: Case
) -> Finding:
    ports = ", ".join(f"{port}/{protocol}" for protocol, port, _ in wide)
    held = [
        one.listener
        for one in case.exposures
        if is_published(one.listener, case.snapshot)
        and (one.listener.protocol, one.listener.port) in {key[:2] for key in wide}
    ]
    evidence = [
        Evidence(
            f"{port}/{protocol} on all addresses goes to port {inner} of the container"
            f" (image {container.image or 'unknown'})",
            f"{container.engine} container {container.name}",
        )
        for protocol, port, inner in wide
    ]
    return Finding(
        check=ID,
        subject=f"{ports} (container {container.name})",
        severity=Severity.HIGH if _bypassed(case) else Severity.MEDIUM,
        confidence=Confidence.LIKELY,
        title=f"Container {container.name} publishes {ports} to everyone{_around(case)}",
        why="The engine's address translation comes before the rules for incoming packets, so"
        " those do not protect the port.",
        evidence=(*evidence, *_managers_evidence(case)),
        remedy=republish(container.name),
        listener=held[0] if held else None,
    )


def _of_forwarder(exposure: Exposure, case: Case) -> Finding:
    listener = exposure.listener
    port = f"{listener.port}/{listener.protocol}"
    container = listener.container if isinstance(listener.container, str) else "(unknown)"
    return Finding(
        check=ID,
        subject=f"{port} (container {container})",
        severity=Severity.HIGH if _bypassed(case) else Severity.MEDIUM,
        confidence=Confidence.POSSIBLE,
        title=f"{port} is passed on to a container and open to everyone{_around(case)}",
        why="The engine's address translation comes before the rules for incoming packets, so"
        " those may not protect the port.",
        evidence=(Evidence(exposure.reach.reason, "sock_diag"), *_managers_evidence(case)),
        remedy=republish(container),
        listener=listener,
    )


def _is_only_seen_here(
    exposure: Exposure, engine_knows: set[tuple[Protocol, int]], case: Case
) -> bool:
    listener = exposure.listener
    return (
        is_published(listener, case.snapshot)
        and (listener.protocol, listener.port) not in engine_knows
        and exposure.reach.scope not in {Scope.NOBODY, Scope.HOST}
        and is_wildcard(listener.address)
        and ":" not in listener.address  # the IPv4 twin stands for both
        and not _allowed(case, listener.protocol, listener.port)
    )


def _allowed(case: Case, protocol: Protocol, port: int) -> bool:
    """Say whether the policy lets anyone reach the port."""
    return any(
        (protocol, port) in ports
        for one in case.policy.allowances
        if one.sources.audience == Audience.ANYONE and (one.until is None or case.day <= one.until)
        for ports in one.ports
    )


def _bypassed(case: Case) -> list[FirewallManager]:
    firewall = case.snapshot.firewall
    managers: Iterable[FirewallManager] = ()
    if not isinstance(firewall, Unknown) and not isinstance(firewall.managers, Unknown):
        managers = firewall.managers
    return [one for one in managers if one.name in _INPUT_ONLY and one.active is True]


def _around(case: Case) -> str:
    names = ", ".join(one.name for one in _bypassed(case))
    return f", past {names}" if names else ""


def _managers_evidence(case: Case) -> tuple[Evidence, ...]:
    return tuple(Evidence(f"{one.name} is active: {one.evidence}") for one in _bypassed(case))
