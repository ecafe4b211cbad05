"""Gathers what the survey's modules see into one Snapshot."""

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from portward import __version__
from portward.knowledge import port_names
from portward.model.errors import UsageError
from portward.model.host import Listener, Sight, Snapshot
from portward.model.unknown import NOT_RUNNING, NOT_SURVEYED, Maybe, Unknown
from portward.survey import firewall, inetd, packages, sysctls
from portward.survey.interfaces import interfaces, packet_programs, routes
from portward.survey.listeners import listeners
from portward.survey.machine import machine
from portward.survey.packages import PackageIndex
from portward.survey.running import running

RUNNING = Path("/")


def ports() -> Snapshot:
    """Survey the open ports of this machine, whose they are, and what stands before them.

    What ``portward status`` does not show stays Unknown("not surveyed by this command").
    """
    return _ports(packages.index(RUNNING))


def everything() -> Snapshot:
    """Survey all of this machine."""
    from portward.survey.antivirus import antivirus  # noqa: PLC0415 - status does not need it
    from portward.survey.edited import edited  # noqa: PLC0415 - the same
    from portward.survey.peers import peers  # noqa: PLC0415 - the same
    from portward.survey.units import active_units  # noqa: PLC0415 - the same
    from portward.survey.updates import updates  # noqa: PLC0415 - the same

    index = packages.index(RUNNING)
    seen = _ports(index)
    listening = () if isinstance(seen.listeners, Unknown) else seen.listeners
    lines = () if isinstance(seen.inetd, Unknown) else seen.inetd
    return replace(
        seen,
        units=active_units(index.owner),
        firewall=firewall.firewall(RUNNING),
        sysctls=sysctls.sysctls(RUNNING),
        packages=packages.installed(RUNNING),
        updates=updates(RUNNING),
        antivirus=antivirus(RUNNING),
        peers=peers({one.port for one in listening}),
        files=edited(RUNNING, (line.file for line in lines)),
    )


def image(root: Path) -> Snapshot:
    """Survey a file tree that does not run: what is installed, and what would start at boot."""
    from portward.survey.antivirus import antivirus  # noqa: PLC0415 - status does not need it
    from portward.survey.edited import edited  # noqa: PLC0415 - the same
    from portward.survey.units import units  # noqa: PLC0415 - the same
    from portward.survey.updates import updates  # noqa: PLC0415 - the same

    index = packages.index(root)
    lines = inetd.inetd(root, index.owner)
    gaps = () if isinstance(lines, Unknown) else lines.gaps
    return Snapshot(
        portward=__version__,
        taken=datetime.now(UTC),
        machine=machine(root),
        sight=Sight(root=str(root.resolve()), euid=os.geteuid(), owners_by="none", gaps=gaps),
        listeners=NOT_RUNNING,
        namespaces=NOT_RUNNING,
        containers=NOT_RUNNING,
        inetd=lines if isinstance(lines, Unknown) else lines.lines,
        units=units(root, index.owner),
        running=NOT_RUNNING,
        interfaces=NOT_RUNNING,
        routes=NOT_RUNNING,
        firewall=firewall.firewall(root),
        sysctls=sysctls.sysctls(root),
        packages=packages.installed(root),
        updates=updates(root),
        antivirus=antivirus(root),
        peers=NOT_RUNNING,
        files=edited(root),
    )


def _ports(index: PackageIndex) -> Snapshot:
    # Half a survey would look like a quiet machine: in a chroot this is easily forgotten.
    if not os.path.exists("/proc/self"):  # noqa: PTH110 - pathlib is slow
        raise UsageError("/proc is not mounted", mend="mount -t proc proc /proc")
    seen = listeners(index)
    return Snapshot(
        portward=__version__,
        taken=datetime.now(UTC),
        machine=machine(RUNNING),
        sight=Sight(
            root=str(RUNNING),
            euid=os.geteuid(),
            owners_by=seen.owners_by,
            gaps=(*seen.gaps, *packet_programs()),
        ),
        listeners=seen.listeners,
        namespaces=seen.namespaces,
        containers=seen.containers,
        inetd=seen.inetd,
        units=NOT_SURVEYED,
        running=running(),
        interfaces=interfaces(),
        routes=routes(),
        firewall=firewall.rulesets(),
        sysctls=sysctls.routing(),
        packages=NOT_SURVEYED,
        updates=NOT_SURVEYED,
        antivirus=NOT_SURVEYED,
        port_names=_names(seen.listeners),
    )


def _names(found: Maybe[Iterable[Listener]]) -> dict[str, str]:
    """Return the registered names of the ports that are open."""
    wanted = [] if isinstance(found, Unknown) else [f"{one.port}/{one.protocol}" for one in found]
    names = port_names.read(RUNNING)
    return {port: names[port] for port in wanted if port in names}
