"""Which check an exposure is the matter of, so that one fault is reported once."""

from portward.model.host import HOST, Listener, Process, Snapshot
from portward.model.net import is_wildcard
from portward.model.service import Audience
from portward.model.status import Exposure, Scope
from portward.model.unknown import Unknown

_PROXIES = {"docker-proxy", "rootlessport", "slirp4netns", "pasta", "pasta.avx2"}
"""Programs with which container engines hold a published port on the host."""


def is_published(listener: Listener, snapshot: Snapshot) -> bool:
    """Say whether the port is one that a container engine passes on to a container."""
    if listener.namespace != HOST:
        return False
    process = listener.process
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


def is_needless_wildcard(exposure: Exposure) -> bool:
    """Say whether it listens on all addresses although only this host has a use for it."""
    if exposure.listener.namespace != HOST or not is_wildcard(exposure.listener.address):
        return False
    if exposure.reach.scope in {Scope.NOBODY, Scope.HOST}:
        return False
    if exposure.allowance:
        return exposure.allowance.sources.audience == Audience.HOST
    service = exposure.recognition.service if exposure.recognition else None
    return service is not None and service.audience == Audience.HOST and not service.essential
