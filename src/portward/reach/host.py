"""What decides a packet's way besides the ruleset: addresses, routes, and the kernel's settings."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address, ip_interface, ip_network

from msgspec import Struct

from portward.model.host import Facing, Interface, Route, Snapshot, Sysctl
from portward.model.net import Family
from portward.model.unknown import Unknown
from portward.reach.ruleset import IPV4_BITS, IPV6_BITS, Range

LOCAL, UNICAST, BROADCAST, MULTICAST, UNREACHABLE = 2, 1, 3, 5, 7
"""RTN_LOCAL and the like (include/uapi/linux/rtnetlink.h), as "fib ... type" sees them."""

LOOPBACK = "lo"
_JOINING = frozenset({"bridge", "bond", "team"})
"""Kinds of interfaces in whose name their members' packets go on."""


class Way(Struct, frozen=True):
    """A route: which addresses leave by which device, or are the machine's own."""

    first: int
    last: int
    device: str | None
    kind: int = UNICAST

    @property
    def span(self) -> int:
        """How many addresses it covers; the narrowest route decides."""
        return self.last - self.first


class Host(Struct, frozen=True, kw_only=True):
    """One address family of a machine, as the routing decision sees it."""

    bits: int
    """32 or 128."""
    devices: tuple[str, ...]
    """Interfaces that packets may come in by, without the loopback."""
    own: dict[int, str]
    """The machine's addresses, with the interface that has each."""
    ways: tuple[Way, ...]
    """All routes, the narrowest first."""
    forwards: bool | Unknown
    strict: dict[str, int] = {}
    """rp_filter in effect by interface: 0 none, 1 strict, 2 loose; IPv4 alone has it."""
    localnet: frozenset[str] = frozenset()
    """Interfaces by which 127.0.0.0/8 may come in (route_localnet)."""
    ports: dict[str, tuple[str, ...]] = {}
    """For each bridge the interfaces that are its ports."""
    bridges_call: bool = False
    """Bridges may call the hooks of IP themselves (br_netfilter), before their own later ones."""

    def route(self, address: int) -> Way | None:
        """Return the route that decides for an address."""
        return next((way for way in self.ways if way.first <= address <= way.last), None)

    def kind(self, address: int) -> int:
        """Return what "fib daddr type" has for an address."""
        way = self.route(address)
        return UNREACHABLE if way is None else way.kind

    def cuts(self) -> Iterator[Range]:
        """Yield the ranges that the routing decision tells apart."""
        for way in self.ways:
            yield way.first, way.last


def host(snapshot: Snapshot, family: Family) -> Host:
    """Take one family's addresses, routes and settings out of a snapshot."""
    interfaces = () if isinstance(snapshot.interfaces, Unknown) else snapshot.interfaces
    routes = () if isinstance(snapshot.routes, Unknown) else snapshot.routes
    sysctls = {} if isinstance(snapshot.sysctls, Unknown) else _live(snapshot.sysctls)
    bits = IPV4_BITS if family == Family.IPV4 else IPV6_BITS
    version = "ipv4" if family == Family.IPV4 else "ipv6"
    names = [one.name for one in interfaces]
    joined = {one.name for one in interfaces if one.kind in _JOINING}
    ways = [*_own_ways(interfaces, bits), *_routed(routes, family), *_special(bits)]
    forwarding = "net.ipv4.ip_forward" if bits == IPV4_BITS else "net.ipv6.conf.all.forwarding"
    value = sysctls.get(forwarding)
    return Host(
        bits=bits,
        devices=tuple(
            one.name
            for one in interfaces
            if one.kind != "loopback"
            and one.facing != Facing.DOWN
            # What comes in by a port of a bridge or a bond comes in by that (br_input.c).
            and one.master not in joined
        ),
        own=dict(_addresses(interfaces, bits)),
        ways=tuple(sorted(ways, key=lambda way: (way.span, way.kind != LOCAL))),
        forwards=value != "0" if value is not None else Unknown("ip_forward is not known"),
        strict={name: _both(sysctls, version, name, "rp_filter") for name in names},
        bridges_call=_may_call(snapshot, bits),
        ports={
            bridge.name: tuple(one.name for one in interfaces if one.master == bridge.name)
            for bridge in interfaces
            if bridge.kind == "bridge"
        },
        localnet=frozenset(
            name for name in names if _both(sysctls, version, name, "route_localnet")
        ),
    )


def _may_call(snapshot: Snapshot, bits: int) -> bool:
    """Say whether bridge-nf-call-iptables may be on; a kernel without br_netfilter has it not."""
    if isinstance(snapshot.sysctls, Unknown):
        return True
    key = f"net.bridge.bridge-nf-call-ip{'6' if bits == IPV6_BITS else ''}tables"
    found = [one.live for one in snapshot.sysctls if one.key == key]
    return not all(live in {None, "0"} for live in found) if found else True


def _live(sysctls: Iterable[Sysctl]) -> dict[str, str]:
    return {one.key: one.live for one in sysctls if isinstance(one.live, str)}


def _both(sysctls: dict[str, str], version: str, name: str, key: str) -> int:
    """Return the larger of what all interfaces and this one have (ip-sysctl.rst of the kernel)."""
    found = (sysctls.get(f"net.{version}.conf.{one}.{key}", "0") for one in ("all", name))
    return max(int(text) if text.isdigit() else 0 for text in found)


def _addresses(interfaces: Iterable[Interface], bits: int) -> Iterator[tuple[int, str]]:
    for interface in interfaces:
        for text in interface.addresses:
            address = ip_interface(text.partition("%")[0]).ip
            if address.max_prefixlen == bits:
                yield int(address), interface.name


def _own_ways(interfaces: Iterable[Interface], bits: int) -> Iterator[Way]:
    """Yield what the kernel puts into its local table for every address."""
    for interface in interfaces:
        for text in interface.addresses:
            own = ip_interface(text.partition("%")[0])
            if own.max_prefixlen != bits:
                continue
            yield Way(int(own.ip), int(own.ip), interface.name, LOCAL)
            network = own.network
            first, last = int(network.network_address), int(network.broadcast_address)
            yield Way(first, last, interface.name)
            if bits == IPV4_BITS and network.prefixlen < IPV4_BITS - 1:
                yield Way(last, last, interface.name, BROADCAST)
    if bits == IPV4_BITS:
        yield _way("127.0.0.0/8", LOOPBACK, LOCAL)
    else:
        yield _way("::1/128", LOOPBACK, LOCAL)


def _routed(routes: Iterable[Route], family: Family) -> Iterator[Way]:
    for route in routes:
        if route.family != family:
            continue
        everything = "0.0.0.0/0" if family == Family.IPV4 else "::/0"
        text = everything if route.destination == "default" else route.destination
        yield _way(text, route.device, UNICAST if route.device else UNREACHABLE)


def _special(bits: int) -> Iterator[Way]:
    if bits == IPV4_BITS:
        yield _way("224.0.0.0/4", None, MULTICAST)
        yield _way("255.255.255.255/32", None, BROADCAST)
    else:
        yield _way("ff00::/8", None, MULTICAST)


def _way(text: str, device: str | None, kind: int = UNICAST) -> Way:
    network = ip_network(text, strict=False)
    return Way(int(network.network_address), int(network.broadcast_address), device, kind)


def number(text: str) -> int:
    """Return an address as a number."""
    return int(ip_address(text.partition("%")[0]))
