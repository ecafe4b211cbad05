"""Whom an interface connects the machine to, judged from its own settings (pure, no I/O).

The ranges are those of the IANA registries of special-purpose addresses (RFC 6890 and its
updates) and of IPv6 address space. The ipaddress module is not asked: its is_global holds for
addresses that embed a private one (NAT64, 6to4) and for multicast.
"""

from collections.abc import Collection
from typing import NamedTuple

from portward.model.host import Facing
from portward.survey.rtnetlink import IFF_LOOPBACK, IFF_UP, Link

IPV4_BYTES = 4


class _Range(NamedTuple):
    first: int
    bits: int
    """Length of the prefix."""
    what: str


def _v4(dotted: str, bits: int, what: str) -> _Range:
    parts = [int(part) for part in dotted.split(".")]
    return _Range(int.from_bytes(bytes(parts)), bits, what)


def _v6(start: int, bits: int, what: str) -> _Range:
    """Make a range from the first 48 bits of its prefix."""
    return _Range(start << 80, bits, what)


_PRIVATE = "a private address"
_LINK_LOCAL = "a link-local address"
_LOOPBACK = "a loopback address"
_DOCUMENTATION = "an address for documentation"
_MULTICAST = "a multicast address"
_RESERVED = "a reserved address"
_BENCHMARK = "an address for benchmarks"

_IPV4 = (
    _v4("0.0.0.0", 8, "an unspecified address"),  # noqa: S104 - a range, nothing binds to it
    _v4("10.0.0.0", 8, _PRIVATE),
    _v4("100.64.0.0", 10, "an address shared behind a carrier's NAT"),
    _v4("127.0.0.0", 8, _LOOPBACK),
    _v4("169.254.0.0", 16, _LINK_LOCAL),
    _v4("172.16.0.0", 12, _PRIVATE),
    _v4("192.0.0.0", 24, _RESERVED),
    _v4("192.0.2.0", 24, _DOCUMENTATION),
    _v4("192.168.0.0", 16, _PRIVATE),
    _v4("198.18.0.0", 15, _BENCHMARK),
    _v4("198.51.100.0", 24, _DOCUMENTATION),
    _v4("203.0.113.0", 24, _DOCUMENTATION),
    _v4("224.0.0.0", 4, _MULTICAST),
    _v4("240.0.0.0", 4, _RESERVED),
)
_IPV6 = (
    _v6(0xFC00_0000_0000, 7, _PRIVATE),
    _v6(0xFE80_0000_0000, 10, _LINK_LOCAL),
    _v6(0xFEC0_0000_0000, 10, _PRIVATE),  # site-local, deprecated by RFC 3879
    _v6(0xFF00_0000_0000, 8, _MULTICAST),
    _v6(0x2001_0002_0000, 48, _BENCHMARK),
    _v6(0x2001_0DB8_0000, 32, _DOCUMENTATION),
    _v6(0x3FFF_0000_0000, 20, _DOCUMENTATION),
)
_IPV6_GLOBAL = _v6(0x2000_0000_0000, 3, "")
"""IANA has given out global unicast addresses from here alone."""

# An IPv4 address inside an IPv6 one: the prefix, and the byte where it begins.
_EMBEDDED = (
    (_v6(0x2002_0000_0000, 16, "6to4"), 2),
    (_v6(0x0064_FF9B_0000, 96, "NAT64"), 12),
    (_Range(0xFFFF << 32, 96, "IPv4-mapped"), 12),
)

_HOST_KINDS = frozenset({"loopback", "dummy"})
_TUNNEL_KINDS = frozenset(
    {"wireguard", "amneziawg", "ovpn", "tun", "ppp", "xfrm", "vti", "vti6"}
    | {"ipip", "sit", "ip6tnl", "gre", "gretap", "ip6gre", "ip6gretap", "erspan", "ip6erspan"}
    | {"vxlan", "geneve", "gtp"}
)
_BRIDGE_KINDS = frozenset({"bridge", "openvswitch"})
_INNER_KINDS = frozenset({"veth", "netkit"})
_GUEST_KINDS = frozenset({"tun", "dummy"})


def special(address: bytes) -> str | None:
    """Say why the internet does not route to an address; None: it is a global unicast address."""
    number = int.from_bytes(address)
    if len(address) == IPV4_BYTES:
        return next((found.what for found in _IPV4 if _within(number, found, 32)), None)
    if address == bytes(15) + b"\x01":
        return _LOOPBACK
    for found, start in _EMBEDDED:
        if _within(number, found, 128):
            return special(address[start : start + IPV4_BYTES])
    for found in _IPV6:
        if _within(number, found, 128):
            return found.what
    return None if _within(number, _IPV6_GLOBAL, 128) else _RESERVED


def _within(number: int, found: _Range, width: int) -> bool:
    return (number ^ found.first) >> (width - found.bits) == 0


class View(NamedTuple):
    """What facing() looks at: a device with its neighbours in the machine."""

    link: Link
    addresses: tuple[tuple[str, bytes], ...]
    """Each as text and in bytes."""
    default_families: Collection[int]
    """Lengths in bytes (4, 16) of the addresses for which a default route leaves by it."""
    master: str | None
    ports: tuple[Link, ...]
    """The devices that it joins, where it is a bridge or a bond."""


def facing(view: View) -> tuple[Facing, str]:
    """Judge a device, and say why in a clause."""
    link = view.link
    if not link.flags & IFF_UP:
        return Facing.DOWN, "it is switched off"
    if link.flags & IFF_LOOPBACK or link.kind in _HOST_KINDS:
        return Facing.HOST, f"a {link.kind} device leads nowhere but to this host"
    world = [each for each in view.addresses if special(each[1]) is None]
    routed = [text for text, packed in world if len(packed) in view.default_families]
    if routed:
        return Facing.INTERNET, f"{routed[0]} is a global address and the default route is here"
    return _unrouted(view, world)


def _unrouted(view: View, world: list[tuple[str, bytes]]) -> tuple[Facing, str]:
    """Judge a device that has no global address with a default route."""
    if view.link.kind in _TUNNEL_KINDS and not _serves_a_guest(view):
        return Facing.VPN, f"a {view.link.kind} device is one end of a tunnel"
    if not view.default_families and (inner := _inner(view)):
        return Facing.BRIDGE, inner
    if world:
        return Facing.INTERNET, f"{world[0][0]} is a global address, which a router may serve"
    return Facing.PRIVATE, _private(view)


def _serves_a_guest(view: View) -> bool:
    """Say whether a tap device is a virtual machine's: it is then a port of a bridge."""
    return view.link.kind == "tun" and view.master is not None


def _inner(view: View) -> str | None:
    """Say why only containers or virtual machines of this host are behind it; None: others are."""
    link = view.link
    if link.kind in _INNER_KINDS:
        return f"a {link.kind} device leads to a namespace of this host"
    if _serves_a_guest(view):
        return f"a tap device in {view.master} leads to a virtual machine of this host"
    if link.kind not in _BRIDGE_KINDS:
        return None
    if all(port.kind in _INNER_KINDS | _GUEST_KINDS for port in view.ports):
        return "a bridge that joins nothing but containers and virtual machines of this host"
    return None


def _private(view: View) -> str:
    """Say why it is not the internet."""
    ranked = sorted(view.addresses, key=lambda each: special(each[1]) == _LINK_LOCAL)
    if not ranked:
        return "it has no address"
    text, packed = ranked[0]
    what = f"{text} is {special(packed)}"
    if view.default_families:
        return f"{what}; a router stands between, and decides who comes through"
    return f"{what} and no default route is here"
