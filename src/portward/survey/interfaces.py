"""Network interfaces and routes of the namespace that the calling thread is in."""

import socket
from collections.abc import Iterable

from portward.model.host import Facing, Interface, Route
from portward.model.net import Family
from portward.model.unknown import Maybe, Unknown
from portward.survey import rtnetlink
from portward.survey.facing import IPV4_BYTES, View, facing
from portward.survey.netlink import NETLINK_ROUTE, Netlink, NetlinkError
from portward.survey.rtnetlink import AF_INET, AF_INET6, IFF_UP, Address, Hop, Link

MAX_ROUTES = 10_000
"""More belong to a router of the internet; a snapshot does not carry its whole table."""


def interfaces() -> Maybe[tuple[Interface, ...]]:
    """Read every interface with its addresses, and judge whom it faces."""
    try:
        with Netlink(NETLINK_ROUTE) as kernel:
            links = list(
                rtnetlink.links(kernel.dump(rtnetlink.RTM_GETLINK, rtnetlink.LINKS)),
            )
            addresses = list(
                rtnetlink.addresses(kernel.dump(rtnetlink.RTM_GETADDR, rtnetlink.ADDRESSES)),
            )
            hops = list(rtnetlink.hops(kernel.dump(rtnetlink.RTM_GETROUTE, rtnetlink.ROUTES)))
    except (OSError, NetlinkError) as error:
        return Unknown(f"rtnetlink: {error}")
    return join(links, addresses, hops)


def join(
    links: Iterable[Link], addresses: Iterable[Address], hops: Iterable[Hop]
) -> tuple[Interface, ...]:
    """Join what the kernel lists apart (pure).

    A default route of any table counts: policy routing is how machines with two uplinks and
    most VPNs have theirs.
    """
    by_index = {link.ifindex: link for link in links}
    ports: dict[int, list[Link]] = {}
    for link in by_index.values():
        if link.master is not None:
            ports.setdefault(link.master, []).append(link)
    own: dict[int, list[Address]] = {}
    for address in addresses:
        own.setdefault(address.ifindex, []).append(address)
    defaults: dict[int, set[int]] = {}
    for hop in hops:
        if hop.prefix == 0 and hop.ifindex is not None:
            defaults.setdefault(hop.ifindex, set()).add(_length(hop.family))

    def view(link: Link) -> View:
        master = None if link.master is None else by_index.get(link.master)
        return View(
            link=link,
            addresses=tuple((_text(one.address), one.address) for one in own.get(link.ifindex, ())),
            default_families=defaults.get(link.ifindex, ()),
            master=master.name if master else None,
            ports=tuple(ports.get(link.ifindex, ())),
        )

    def interface(link: Link) -> Interface:
        seen = view(link)
        whom, reason = facing(seen)
        if whom == Facing.PRIVATE and link.master in by_index and not seen.addresses:
            # A port has no address of its own: what it carries is its bridge's or bond's.
            whom, reason = facing(view(by_index[link.master]))
            reason = f"a port of {seen.master}: {reason}"
        return Interface(
            name=link.name,
            index=link.ifindex,
            kind=link.kind,
            up=bool(link.flags & IFF_UP),
            addresses=tuple(
                f"{_text(one.address)}/{one.prefix}" for one in own.get(link.ifindex, ())
            ),
            facing=whom,
            facing_reason=reason,
            default_route=link.ifindex in defaults,
            promiscuous=link.promiscuous,
            master=seen.master,
        )

    return tuple(interface(link) for link in by_index.values())


def routes() -> Maybe[tuple[Route, ...]]:
    """Read the unicast routes of the main table; each way of a multipath route is one."""
    try:
        with Netlink(NETLINK_ROUTE) as kernel:
            hops = [
                hop
                for hop in rtnetlink.hops(kernel.dump(rtnetlink.RTM_GETROUTE, rtnetlink.ROUTES))
                if hop.table == rtnetlink.MAIN_TABLE
            ]
        if len(hops) > MAX_ROUTES:
            return Unknown(f"{len(hops)} routes are more than a snapshot carries")
        devices = names()
    except (OSError, NetlinkError) as error:
        return Unknown(f"rtnetlink: {error}")
    return tuple(_route(hop, devices) for hop in hops)


def _route(hop: Hop, devices: dict[int, str]) -> Route:
    network = _text(hop.destination.ljust(_length(hop.family), b"\0"))
    return Route(
        destination=f"{network}/{hop.prefix}" if hop.prefix else "default",
        family=Family.IPV4 if hop.family == AF_INET else Family.IPV6,
        gateway=_text(hop.gateway) if hop.gateway else None,
        device=None if hop.ifindex is None else devices.get(hop.ifindex, f"#{hop.ifindex}"),
        metric=hop.metric,
    )


def names() -> dict[int, str]:
    """Map interface numbers to names, in the network namespace of the calling thread."""
    return dict(socket.if_nameindex())


def packet_programs() -> tuple[str, ...]:
    """Name what filters packets before any firewall and cannot be read, as sentences."""
    try:
        with Netlink(NETLINK_ROUTE) as kernel:
            links = rtnetlink.links(kernel.dump(rtnetlink.RTM_GETLINK, rtnetlink.LINKS))
            return tuple(
                f"{link.name} has an XDP program, whose verdicts portward cannot read."
                for link in links
                if link.xdp
            )
    except (OSError, NetlinkError) as error:
        return (f"Whether XDP programs filter packets is not known: {error}.",)


def _text(packed: bytes) -> str:
    return socket.inet_ntop(AF_INET if len(packed) == IPV4_BYTES else AF_INET6, packed)


def _length(family: int) -> int:
    """Return how many bytes an address of the family has."""
    return IPV4_BYTES if family == AF_INET else 16
