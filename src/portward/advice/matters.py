"""Which check an exposure is the matter of, so that one fault is reported once."""

from portward.model.case import Case
from portward.model.host import HOST, Listener, Process, Snapshot
from portward.model.net import Protocol, is_wildcard
from portward.model.policy import Allowance
from portward.model.service import Audience
from portward.model.status import Basis, Exposure, Scope
from portward.model.unknown import Unknown
from portward.reach.published import NETFILTER

_PROXIES = {"docker-proxy", "rootlessport", "slirp4netns", "pasta", "pasta.avx2"}
"""Programs with which container engines hold a published port on the host."""


def is_port(exposure: Exposure) -> bool:
    """Say whether it is a port of the host's own network, not a raw socket or a container's."""
    portless = {Protocol.RAW, Protocol.PACKET}
    return exposure.listener.namespace == HOST and exposure.listener.protocol not in portless


def is_exposed(exposure: Exposure) -> bool:
    """Say whether others than this host may reach a port of the host's own network."""
    return is_port(exposure) and exposure.reach.scope not in {Scope.NOBODY, Scope.HOST}


def is_housekeeping(exposure: Exposure) -> bool:
    """Say whether it surely is a service that every machine has, such as the DHCP client."""
    known = exposure.recognition
    return known is not None and known.service.essential and known.basis != Basis.PORT


def is_published(listener: Listener, snapshot: Snapshot) -> bool:
    """Say whether the port is one that a container engine passes on to a container."""
    if listener.namespace != HOST:
        return False
    process = listener.process
    if process == NETFILTER:
        return True
    exe = process.exe if isinstance(process, Process) else None
    if isinstance(exe, str) and exe.rpartition("/")[2] in _PROXIES:
        return True
    containers = () if isinstance(snapshot.containers, Unknown) else snapshot.containers
    return any(
        (listener.protocol, listener.port) == (published.protocol, published.port)
        for container in containers
        if not isinstance(container.published, Unknown) and container.name == listener.container
        for published in container.published
    )


def is_firewalled(exposure: Exposure) -> bool:
    """Say whether rules keep everyone out of a port that would otherwise be reached."""
    return (
        is_port(exposure)
        and exposure.reach.scope == Scope.NOBODY
        and bool(exposure.reach.decided_by)
    )


def is_needless_wildcard(exposure: Exposure) -> bool:
    """Say whether it listens on all addresses although the policy means this host only."""
    return (
        is_exposed(exposure)
        and is_wildcard(exposure.listener.address)
        and exposure.allowance is not None
        and exposure.allowance.sources.audience == Audience.HOST
    )


def meant_for_another(exposure: Exposure, case: Case) -> Allowance | None:
    """Return the allowance that opens the port for a program that surely is not its holder."""
    process = exposure.listener.process
    if exposure.allowance or not isinstance(process, Process) or not isinstance(process.exe, str):
        return None
    key = (exposure.listener.protocol, exposure.listener.port)
    named = (one for one in case.policy.allowances if any(key in ports for ports in one.ports))
    running = (one for one in named if one.program and (one.until is None or case.day <= one.until))
    return next(running, None)
