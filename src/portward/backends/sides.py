"""The sides of a machine: interfaces towards the internet, towards inner networks, and others."""

from typing import NamedTuple

from portward.model.host import Facing, Interface, Snapshot
from portward.model.policy import Policy
from portward.model.unknown import Unknown

ROUTER = "router"
_INNER = (
    *("docker0", "br-*", "podman*", "cni-*", "cni0", "virbr*", "vnet*", "veth*"),
    *("lxcbr*", "lxdbr*", "incusbr*", "cali*", "flannel*"),
)
"""What engines call the networks of containers and virtual machines; new ones are met by name."""


class Sides(NamedTuple):
    """What a firewall has to know of the places a machine connects."""

    internet: tuple[str, ...]
    """Interfaces with an address that the whole internet may send to."""
    outer: tuple[str, ...]
    """Interfaces by which the internet is reached: those with a default route."""
    inner: tuple[str, ...]
    """Names, a ``*`` for any ending, of interfaces whose networks this machine serves."""
    served: tuple[str, ...]
    """Those of them whose containers and virtual machines get addresses and names from here."""
    others: tuple[str, ...]
    """Interfaces that are not inner, whatever they are called: an uplink may be named br-ex."""
    unserved: tuple[str, ...]
    """Interfaces that get neither, such as a router's own network that is called br-lan."""
    routes: bool
    """It is a router: it passes packets on for whole networks."""
    autoconf: bool
    """Its interfaces may take IPv6 router advertisements."""


def sides(policy: Policy, snapshot: Snapshot) -> Sides:
    """Say how a machine of these roles is placed."""
    interfaces = () if isinstance(snapshot.interfaces, Unknown) else snapshot.interfaces
    routes = any(role.name == ROUTER for role in policy.roles)
    outer = tuple(one.name for one in interfaces if one.default_route)
    forwards = any(role.forwards for role in policy.roles)
    facing = {Facing.BRIDGE}
    facing |= {Facing.VPN} if forwards else set()
    facing |= {Facing.PRIVATE} if routes else set()
    # The own cable of a container looks like one that leads to a container.
    ends = snapshot.machine.inside == "container"
    found = [
        one
        for one in interfaces
        if one.facing in facing and _may_be_inner(one) and not (ends and one.kind == "veth")
    ]
    inner = [one.name for one in found]
    served = [one.name for one in found if one.facing == Facing.BRIDGE]
    known = [one.name for one in interfaces if not one.master]
    others = tuple(name for name in known if name not in inner)
    unserved = tuple(name for name in known if name not in served)
    containers = () if isinstance(snapshot.containers, Unknown) else snapshot.containers
    if (
        (forwards and not routes)
        or containers
        or any(one.facing == Facing.BRIDGE for one in interfaces)
    ):
        inner = [*_INNER, *(name for name in inner if not _is_named(name))]
        served = [*_INNER, *(name for name in served if not _is_named(name))]
    return Sides(
        internet=tuple(one.name for one in interfaces if one.facing == Facing.INTERNET),
        outer=outer,
        inner=tuple(inner),
        served=tuple(served),
        others=others,
        unserved=unserved,
        routes=routes,
        autoconf=not policy.roles or any(role.autoconf for role in policy.roles),
    )


def _may_be_inner(interface: Interface) -> bool:
    """Say whether it may lead to networks that this machine serves: containers, a router's own."""
    return not (interface.default_route or interface.kind == "loopback" or interface.master)


def _is_named(name: str) -> bool:
    return any(matches(one, name) for one in _INNER)


def matches(pattern: str, name: str) -> bool:
    """Say whether a name is what a pattern stands for, as nft has it: a ``*`` at the end."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
