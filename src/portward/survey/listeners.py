"""Every open port of the running machine, and whose it is."""

import os
import socket
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from portward.model.host import HOST, Container, InetdLine, Kernel, Listener, Namespace
from portward.model.unknown import NEEDS_ROOT, Maybe, Unknown
from portward.survey import cgroups, containers, inetd, kernel_sockets, unit_tree
from portward.survey.cgroups import Place
from portward.survey.containers import Containers, unnamed
from portward.survey.join import Held, Known, Manager, join
from portward.survey.namespaces import NetworkNamespace, inside, namespaces
from portward.survey.owners import Owners, owners
from portward.survey.packages import PackageIndex
from portward.survey.processes import Processes, Seen
from portward.survey.socket_units import SocketUnits, socket_units
from portward.survey.sockets import Socket, sockets
from portward.survey.users import Users

HERE = Path("/")
HIDDEN = Unknown("its process is hidden, even from root")


class Ports(NamedTuple):
    """What listeners() found: parts of a Snapshot, ready to be put into it."""

    listeners: Maybe[tuple[Listener, ...]]
    namespaces: Maybe[tuple[Namespace, ...]]
    containers: Maybe[tuple[Container, ...]]
    inetd: Maybe[tuple[InetdLine, ...]]
    owners_by: str
    gaps: tuple[str, ...]


class Inhabited(NamedTuple):
    """A network namespace with its listening sockets and the names of its interfaces."""

    namespace: NetworkNamespace
    name: str
    container: str | None
    sockets: Maybe[list[Socket]]
    devices: dict[int, str]


def listeners(packages: PackageIndex) -> Ports:
    """Survey the open ports of every network namespace of the running machine."""
    users = Users()
    mounts = cgroups.mounts()
    running = containers.containers()
    spaces, gaps = _spaces(running)
    found = [(space, one) for space in spaces for one in _known(space.sockets)]
    owned = owners({one.inode for _, one in found})
    holders = _Holders(owned, mounts, users, [one for _, one in found])
    kernel = _kernel(spaces, owned)
    lines = inetd.inetd(HERE, packages.owner)
    held = [holders.held(space, one, kernel) for space, one in found]
    known = Known(
        containers=running,
        managers=_managers(held),
        inetd=() if isinstance(lines, Unknown) else lines.lines,
        package=cache(packages.owner),
        user=users.name,
    )
    return Ports(
        listeners=_unless_blind(join(held, known), spaces),
        namespaces=tuple(_namespace(space) for space in spaces),
        containers=_containers(running, held),
        inetd=lines if isinstance(lines, Unknown) else lines.lines,
        owners_by=owned.by,
        gaps=(
            *gaps,
            *owned.gaps,
            *running.gaps,
            *(() if isinstance(lines, Unknown) else lines.gaps),
        ),
    )


# --- sockets of each namespace --------------------------------------------------------------


def _spaces(running: Containers) -> tuple[list[Inhabited], list[str]]:
    """Read the sockets of every namespace, our own first."""
    found, sentences = namespaces()
    gaps = list(sentences)
    spaces: list[Inhabited] = []
    taken: set[str] = set()
    for index, namespace in enumerate(found):
        container = _inhabitant(namespace, running) if index else None
        name = (container or namespace.mounted or f"net:[{namespace.inode}]") if index else HOST
        if name in taken:
            name = f"{name} (net:[{namespace.inode}])"
        taken.add(name)
        listening: Maybe[list[Socket]]
        try:
            if index:
                (listening, sentences), devices = inside(namespace, _look)
            else:
                (listening, sentences), devices = _look()
            gaps += sentences
        except OSError as error:
            reason = NEEDS_ROOT if isinstance(error, PermissionError) else Unknown(str(error))
            listening, devices = reason, {}
            gaps.append(f"The network namespace {name} was not entered: {reason.reason}.")
        spaces.append(Inhabited(namespace, name, container, listening, devices))
    return spaces, gaps


def _look() -> tuple[tuple[list[Socket], tuple[str, ...]], dict[int, str]]:
    found = sockets()
    bound = any(one.device for one in found[0])
    return found, dict(socket.if_nameindex()) if bound else {}


def _inhabitant(namespace: NetworkNamespace, running: Containers) -> str | None:
    """Name the container that lives in a namespace: what its first processes belong to."""
    for pid in namespace.pids[:4]:
        place = cgroups.of_process(pid)
        if isinstance(place, Place) and place.engine and place.container:
            found = running.find(place.engine, place.container)
            return (found or unnamed(place.engine, place.container)).name
    return None


def _known(listening: Maybe[list[Socket]]) -> list[Socket]:
    return [] if isinstance(listening, Unknown) else listening


def _unless_blind(
    found: tuple[Listener, ...], spaces: Iterable[Inhabited]
) -> Maybe[tuple[Listener, ...]]:
    """Return what was found, unless not even the host's own sockets could be read."""
    for space in spaces:
        if isinstance(space.sockets, Unknown) and space.name == HOST:
            return space.sockets
    return found


def _namespace(space: Inhabited) -> Namespace:
    return Namespace(
        name=space.name,
        inode=space.namespace.inode,
        container=space.container,
        sockets=space.sockets if isinstance(space.sockets, Unknown) else len(space.sockets),
    )


# --- whose they are -------------------------------------------------------------------------


class _Holders:
    """Looks up each process and each cgroup once, however many sockets it has."""

    def __init__(
        self,
        owned: Owners,
        mounts: cgroups.Mounts,
        users: Users,
        found: list[Socket],
    ) -> None:
        self._owned = owned
        self._hybrid = mounts.hybrid
        self._unplaced = cgroups.root_members(mounts) if mounts.hybrid else frozenset()
        self._processes = Processes(users, owned.tasks)
        self._homes: dict[int, Maybe[Place]] = {}
        ids = {one.cgroup for one in found if one.cgroup}
        self._places = {
            number: path if isinstance(path, Unknown) else cgroups.parse(path)
            for number, path in cgroups.paths(ids, mounts.unified).items()
        }
        if not mounts.hybrid:
            self._places[cgroups.ROOT_ID] = Place()
        self._nobody = None if owned.complete else HIDDEN if os.geteuid() == 0 else NEEDS_ROOT

    def held(
        self, space: Inhabited, one: Socket, kernel: dict[str, dict[kernel_sockets.Port, str]]
    ) -> Held:
        """Say everything about the holder of one socket."""
        if one.inode in self._owned.filtered:
            one = one._replace(filtered=True)
        pids = self._owned.holders.get(one.inode, ())
        place = self._places.get(one.cgroup or 0)
        activates = isinstance(place, Place) and place.activates
        if activates and len(pids) > 1:
            # A systemd manager keeps the port it has passed on: name the service that got it.
            pids = (*pids[1:], pids[0])
        if not pids:
            name = kernel.get(space.name, {}).get((one.protocol, one.port))
            made = place or self._nobody or Place()
            who = Kernel(name=name) if name else self._nobody
            return Held(one, space.name, self._device(space, one), (), who, made, None)
        home = None
        if not isinstance(place, Place) or activates or (self._hybrid and not place.container):
            home = self._home(pids[0])
        if not isinstance(place, Place) or (isinstance(home, Place) and home.container):
            place = home or place or NEEDS_ROOT
        return Held(
            socket=one,
            namespace=space.name,
            device=self._device(space, one),
            holders=pids,
            process=self._processes.find(pids[0]),
            place=place,
            holder_place=home if isinstance(home, Place) else None,
            tree=self._foreign_tree(pids[-1]) if activates else None,
        )

    def _foreign_tree(self, pid: int) -> int | None:
        manager = self._processes.find(pid)
        return None if isinstance(manager, Seen) and manager.ours else pid

    def _device(self, space: Inhabited, one: Socket) -> str | None:
        return space.devices.get(one.device, f"#{one.device}") if one.device else None

    def _home(self, pid: int) -> Maybe[Place]:
        if pid not in self._homes:
            self._homes[pid] = Place() if pid in self._unplaced else cgroups.of_process(pid)
        return self._homes[pid]


def _kernel(spaces: list[Inhabited], owned: Owners) -> dict[str, dict[kernel_sockets.Port, str]]:
    """Ask the kernel for its own ports in each namespace that has a socket without holder."""
    found = {}
    for space in spaces:
        if all(one.inode in owned.holders for one in _known(space.sockets)):
            continue
        if space.name == HOST:
            found[space.name] = kernel_sockets.kernel_sockets()
        else:
            try:
                found[space.name] = inside(space.namespace, kernel_sockets.kernel_sockets)
            except OSError:
                continue
    return found


def _managers(held: list[Held]) -> dict[Manager, SocketUnits]:
    """Read the socket units of each systemd manager that holds a port; usually one or none."""
    found: dict[Manager, SocketUnits] = {}
    for one in held:
        place = one.place
        if isinstance(place, Unknown) or not place.activates:
            continue
        key = (place.user, place.container, one.tree)
        if key in found:
            continue
        root = HERE if one.tree is None else Path(f"/proc/{one.tree}/root")
        try:
            tree = unit_tree.system(root) if place.user is None else _user_tree(root, place.user)
            found[key] = socket_units(tree)
        except OSError:
            found[key] = SocketUnits(())
    return found


def _user_tree(root: Path, uid: int) -> unit_tree.UnitTree:
    homes = [user.home for user in Users(root).all if user.uid == uid]
    return unit_tree.user(root, homes[0] if homes else None)


def _containers(running: Containers, held: list[Held]) -> Maybe[tuple[Container, ...]]:
    """List the containers: those the engines' files name, and those only a cgroup tells of."""
    found = {(one.engine, one.id): one for one in running.known}
    for one in held:
        place = one.place
        if isinstance(place, Unknown) or not place.engine or not place.container:
            continue
        if running.find(place.engine, place.container) is None:
            found[place.engine, place.container] = unnamed(place.engine, place.container)
    if not found and running.gaps:
        return NEEDS_ROOT if os.geteuid() else Unknown("files of the container engines are closed")
    return tuple(found.values())
