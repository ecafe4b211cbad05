"""Joins what was read of sockets, holders, cgroups and units to listeners: pure, no I/O."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from portward.model.host import Container, ExeState, InetdLine, Kernel, Listener, Process
from portward.model.net import is_wildcard
from portward.model.unknown import Maybe, Unknown
from portward.survey.cgroups import Place
from portward.survey.containers import Containers, unnamed
from portward.survey.processes import Seen
from portward.survey.socket_units import SocketUnit, SocketUnits
from portward.survey.sockets import Socket

NO_SOCKET_UNIT = Unknown("systemd holds the port, but no socket unit that can be read names it")
IN_IMAGE = Unknown("it is part of the container's image")
OTHER_TREE = Unknown("its program lies in another file tree")
OTHER_ENGINE = Unknown("the files of its container engine lie in another file tree")
_SUPER_SERVERS = frozenset({"inetd", "inetutils-inetd", "openbsd-inetd", "rlinetd", "xinetd"})
_DOCKER_PROXY = "docker-proxy"


Manager = tuple[int | None, str | None, int | None]
"""A systemd: uid of the user it is for, id of the container, and a process in its file tree where
that is not ours; each None for the machine's own."""


class Held(NamedTuple):
    """A socket with everything that was read about it."""

    socket: Socket
    namespace: str
    device: str | None
    holders: tuple[int, ...]
    """The one to name first; a systemd manager that holds it too comes last."""
    process: Maybe[Seen] | Kernel | None
    place: Maybe[Place]
    """Where the socket was made, or its holder lives where that is not known."""
    holder_place: Place | None
    """Where the first holder lives, where it was looked up."""
    tree: int | None = None
    """The manager's process, where paths mean something else to it than to us."""


class Known(NamedTuple):
    """What is known of the machine besides its sockets."""

    containers: Containers
    managers: Mapping[Manager, SocketUnits]
    """Socket units by the manager that opens them."""
    inetd: tuple[InetdLine, ...]
    package: Callable[[str], Maybe[str | None]]
    user: Callable[[int], str | None]


def join(sockets: list[Held], known: Known) -> tuple[Listener, ...]:
    """Make listeners of sockets; twins of one program become one listener."""
    twins: dict[tuple[object, ...], list[Held]] = {}
    for held in sockets:
        twins.setdefault(_likeness(held), []).append(held)
    return tuple(_listener(group, known) for group in twins.values())


def _likeness(held: Held) -> tuple[object, ...]:
    """Return what twins have in common: the port, and whose it is."""
    socket, process = held.socket, held.process
    whose: object = process
    if isinstance(process, Seen):
        exe = process.process.exe
        whose = exe if isinstance(exe, str) else process.process.pid
    return (
        held.namespace,
        socket.protocol,
        socket.family,
        socket.address,
        socket.port,
        socket.device,
        socket.uid,
        whose,
        held.place,
    )


def _listener(twins: list[Held], known: Known) -> Listener:
    first = min(twins, key=lambda held: held.holders[:1]) if len(twins) > 1 else twins[0]
    socket = first.socket
    process = _process(first, twins)
    socket_unit = _socket_unit(first, known)
    container = _container(first, known)
    listener_inetd = _inetd(first, known)
    unit, unit_user = _unit(first, socket_unit)
    return Listener(
        protocol=socket.protocol,
        family=socket.family,
        address=socket.address,
        port=socket.port,
        device=first.device,
        namespace=first.namespace,
        backlog=socket.backlog,
        mptcp=socket.mptcp,
        filtered=any(held.socket.filtered for held in twins),
        uid=socket.uid,
        inodes=tuple(held.socket.inode for held in twins),
        process=process,
        unit=unit,
        unit_user=None if unit_user is None else known.user(unit_user) or str(unit_user),
        activates=socket_unit.activates if socket_unit else None,
        inetd=listener_inetd,
        package=_package(first, socket_unit, known),
        container=container.name if isinstance(container, Container) else container,
    )


def _process(first: Held, twins: list[Held]) -> Process | Kernel | Maybe[None]:
    if not isinstance(first.process, Seen):
        return first.process
    process = first.process.process
    others = {pid for held in twins for pid in held.holders} - {process.pid}
    if not others:
        return process
    return Process(
        pid=process.pid,
        name=process.name,
        exe=process.exe,
        exe_state=process.exe_state,
        cmdline=process.cmdline,
        uid=process.uid,
        user=process.user,
        started=process.started,
        sharers=tuple(sorted(others)),
    )


def _socket_unit(held: Held, known: Known) -> SocketUnit | None:
    place = held.place
    if isinstance(place, Unknown) or not place.activates:
        return None
    units = known.managers.get((place.user, place.container, held.tree))
    if units is None:
        return None
    if place.unit and not place.manager:
        return units.named(place.unit)
    socket = held.socket
    return units.find(socket.protocol, socket.address, socket.port)


def _unit(held: Held, socket_unit: SocketUnit | None) -> tuple[Maybe[str | None], int | None]:
    place = held.place
    if isinstance(place, Unknown):
        return (None if isinstance(held.process, Kernel) else place), None
    if socket_unit:
        return socket_unit.name, place.user
    if place.manager:
        holder = held.holder_place
        if holder and not holder.manager and holder.unit:
            return holder.unit, holder.user
        return NO_SOCKET_UNIT, None
    return place.unit, place.user


def _container(held: Held, known: Known) -> Maybe[Container | None]:
    place = held.place
    if isinstance(place, Unknown):
        return None if isinstance(held.process, Kernel) else place
    if place.container and place.engine:
        found = known.containers.find(place.engine, place.container)
        return found or unnamed(place.engine, place.container)
    if isinstance(held.process, Seen) and _program(held.process.process) == _DOCKER_PROXY:
        return _published_by(held.socket, known.containers) if held.process.ours else OTHER_ENGINE
    return None


def _published_by(socket: Socket, containers: Containers) -> Maybe[Container | None]:
    """Find the container that a docker-proxy opens a port of the host for."""
    for container in containers.known:
        if container.engine != "docker" or isinstance(container.published, Unknown):
            continue
        for port in container.published:
            same = (port.protocol, port.port) == (socket.protocol, socket.port)
            if same and (is_wildcard(port.address) or port.address == socket.address):
                return container
    return Unknown("docker's files do not say for which container")


def _program(process: Process) -> str:
    exe = process.exe if isinstance(process.exe, str) else process.name
    return exe.rpartition("/")[2]


def _inetd(held: Held, known: Known) -> InetdLine | None:
    if not known.inetd or not isinstance(held.process, Seen) or not held.process.ours:
        return None
    process = held.process.process
    called = process.cmdline[0].rpartition("/")[2] if process.cmdline else ""
    if _program(process) not in _SUPER_SERVERS and called not in _SUPER_SERVERS:
        return None
    for line in known.inetd:
        if (line.protocol, line.port) == (held.socket.protocol, held.socket.port):
            return line
    return None


def _package(
    held: Held,
    socket_unit: SocketUnit | None,
    known: Known,
) -> Maybe[str | None]:
    process = held.process
    if not isinstance(process, Seen):
        return process if isinstance(process, Unknown) else None
    if isinstance(held.place, Place) and held.place.container:
        return IN_IMAGE
    path = process.process.exe
    if socket_unit and socket_unit.file and _program(process.process) == "systemd":
        path = socket_unit.file
    if isinstance(path, Unknown) or process.process.exe_state == ExeState.MEMORY:
        return path if isinstance(path, Unknown) else None
    return known.package(path) if process.ours else OTHER_TREE
