"""The sides of a machine: interfaces towards the internet, towards inner networks, and others."""

from typing import NamedTuple

from portward.backends import nft_words as nft
from portward.backends.allowed import CLIENTS
from portward.backends.nft_words import Words
from portward.model.host import Facing, Interface, Snapshot
from portward.model.policy import Policy
from portward.model.service import Role
from portward.model.unknown import Unknown
from portward.policy.resolve import EVERY_ROLE

_TUNNELS = "vpn-gateway"
_HOSTS = frozenset({"container-host", "hypervisor", "kubernetes-node"})
"""Roles that forward for containers and virtual machines here. A gateway of tunnels forwards
for those, and any other role that forwards, an administrator's own as well, is a router's."""

ENGINES = (
    *("docker0", "docker_gwbridge", "br-*"),  # Docker's networks
    *("podman*", "cni*", "nerdctl*"),
    *("virbr*", "vnet*"),  # libvirt
    *("lxcbr*", "lxdbr*", "incusbr*", "ve-*", "vz-*", "veth*"),  # LXC, LXD, Incus, nspawn
    *("cali*", "vxlan.calico", "tunl0", "flannel*", "cilium_*", "lxc*", "weave*", "kube-*"),
)
"""What engines call the interfaces of containers and virtual machines; new ones are met by name."""


class Sides(NamedTuple):
    """What a firewall has to know of the places that a machine connects."""

    internet: tuple[str, ...]
    """Interfaces with an address that the whole internet may send to."""
    outer: tuple[str, ...]
    """Interfaces by which the internet is reached: those with a default route."""
    inner: tuple[str, ...]
    """Networks of containers and virtual machines of this host: names, a ``*`` for any ending."""
    others: tuple[str, ...]
    """Interfaces that are none of them, whatever they are called: an uplink may be named br-ex."""
    behind: tuple[str, ...]
    """Networks that a router, or a gateway of tunnels, passes packets on for."""
    bridged: tuple[str, ...]
    """Bridges to the outside, by which virtual machines are part of the network there."""
    routes: bool
    """It is a router: it passes packets on for whole networks."""
    autoconf: bool
    """Its interfaces may take IPv6 router advertisements."""
    advertises: bool
    """It tells networks that it is their IPv6 router."""
    clients: frozenset[str]
    """Which of the DHCP clients are part of its housekeeping."""
    notes: tuple[str, ...]
    """What could not be told, and what was made of it, each a sentence."""

    def has_inner(self, name: str) -> bool:
        """Say whether an interface of this name leads to containers or virtual machines here."""
        return name not in self.others and any(_stands_for(one, name) for one in self.inner)


def sides(policy: Policy, snapshot: Snapshot) -> Sides:
    """Say how a machine of these roles is placed."""
    unknown = isinstance(snapshot.interfaces, Unknown)
    interfaces = () if isinstance(snapshot.interfaces, Unknown) else snapshot.interfaces
    forwarding = [role for role in policy.roles if role.forwards]
    routes = any(map(_is_router, forwarding))
    behind = {Facing.PRIVATE, Facing.VPN} if routes else set()
    behind |= {Facing.VPN} if any(role.name == _TUNNELS for role in forwarding) else set()
    # The own cable of a container looks like one that leads to a container.
    ends = snapshot.machine.inside == "container"
    found = [one for one in interfaces if _may_be_inner(one) and not (ends and one.kind == "veth")]
    bridges = [one.name for one in found if one.facing == Facing.BRIDGE]
    hosting = unknown or bool(bridges) or _hosts(forwarding, snapshot)
    named = [name for name in bridges if not _is_named(name)]
    return Sides(
        internet=tuple(one.name for one in interfaces if one.facing == Facing.INTERNET),
        outer=tuple(one.name for one in interfaces if one.default_route),
        inner=(*ENGINES, *named) if hosting else (),
        others=tuple(one.name for one in interfaces if one.name not in bridges and not one.master),
        behind=tuple(one.name for one in found if one.facing in behind),
        bridged=tuple(
            one.name for one in interfaces if one.kind == "bridge" and one.facing != Facing.BRIDGE
        )
        if hosting
        else (),
        routes=routes,
        autoconf=not policy.roles or any(role.autoconf for role in policy.roles),
        advertises=routes
        or any(one.service == "router-advertisement" for one in policy.allowances),
        clients=frozenset(
            one.service
            for one in policy.allowances
            if one.origin == EVERY_ROLE and one.service in CLIENTS
        ),
        notes=("The interfaces are not known, so none is taken for one that faces the internet.",)
        if unknown
        else (),
    )


def _is_router(role: Role) -> bool:
    return role.name not in _HOSTS and role.name != _TUNNELS


def _hosts(forwarding: list[Role], snapshot: Snapshot) -> bool:
    """Say whether containers or virtual machines run here, or may; not known counts as yes.

    What is let pass by the names of interfaces is nothing where no interface has such a name.
    """
    containers = isinstance(snapshot.containers, Unknown) or bool(snapshot.containers)
    return containers or any(role.name in _HOSTS for role in forwarding)


def _may_be_inner(interface: Interface) -> bool:
    """Say whether it may lead to networks that this machine serves: containers, a router's own."""
    return not (interface.default_route or interface.kind == "loopback" or interface.master)


def _is_named(name: str) -> bool:
    return any(_stands_for(one, name) for one in ENGINES)


def _stands_for(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def present(around: Sides, snapshot: Snapshot) -> tuple[Interface, ...]:
    """Return the inner interfaces that are there now, for tools that have no names to come."""
    found = () if isinstance(snapshot.interfaces, Unknown) else snapshot.interfaces
    return tuple(one for one in found if around.has_inner(one.name) and not one.master)


def inner(key: str, around: Sides) -> tuple[tuple[Words, ...], ...]:
    """Return what to ask, one or the other, for an inner interface; key: "iifname" or "oifname"."""
    return tuple(_named(key, name, around.others) for name in around.inner)


def _named(key: str, pattern: str, others: tuple[str, ...]) -> tuple[Words, ...]:
    alike = [nft.quoted(one) for one in others if _stands_for(pattern, one)]
    by = nft.meta(key, nft.quoted(pattern))
    return (by, nft.meta(key, nft.one_of(alike), "!=")) if alike else (by,)
