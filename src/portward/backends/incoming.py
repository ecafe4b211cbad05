"""The chain for what comes in to this machine: nothing but what the policy allows."""

from portward.backends import needed, refused
from portward.backends import nft_words as nft
from portward.backends.doors import Doors
from portward.backends.nft_words import ACCEPT, COUNTER, DROP, Chain, Element, Parts, Rule, Set
from portward.backends.sides import Sides, inner
from portward.model.net import Protocol

LOOPBACK = "lo"
PUBLISHED = "published"
_INNER, _WINDOWS = "from_inner", "windows_sharing"
WINDOWS = ((137, 139), (445, 445))
"""NetBIOS and SMB, which have no business on the internet."""

_ALL = ("fin", "syn", "rst", "psh", "ack", "urg")
_IMPOSSIBLE = (
    (_ALL, ()),
    (("fin", "syn"), ("fin", "syn")),
    (("syn", "rst"), ("syn", "rst")),
    (("fin", "rst"), ("fin", "rst")),
    (("fin", "ack"), ("fin",)),
    (("psh", "ack"), ("psh",)),
    (("ack", "urg"), ("urg",)),
)
"""TCP flags of which no sender that keeps to RFC 9293 sets just these; scanners do."""


def incoming(doors: Doors, around: Sides) -> Parts:
    """Return the chain of the hook, and those that it leads to."""
    rules = (
        Rule((nft.meta("iifname", nft.quoted(LOOPBACK)), ACCEPT)),
        *windows_sharing(around, "iifname"),
        *_spoofed(),
        Rule((nft.ct_state("established", "related"), ACCEPT)),
        Rule((nft.ct_state("invalid"), COUNTER, DROP)),
        *(Rule((nft.tcp_flags(mask, flags), COUNTER, DROP)) for mask, flags in _IMPOSSIBLE),
        needed.control(needed.ICMP_IN),
        *needed.dhcp_in(around),
        *(Rule((*by, nft.jump(_INNER))) for by in inner("iifname", around)),
        Rule((nft.ct_status("dnat"), nft.goto(PUBLISHED))),
        *_without_address(doors, around),
        *doors.by_port("dport"),
        Rule((nft.jump(refused.IN),)),
    )
    own_networks = (Chain(_INNER, _of_inner(doors)),) if around.inner else ()
    chains = (_published(doors, around), *own_networks)
    base = Chain("input", rules, "filter", "input", 0, "drop")
    sharing = Set(_WINDOWS, "inet_service", tuple(Element(nft.span(*one)) for one in WINDOWS))
    sets = (sharing,) if around.internet else ()
    return needed.icmp_in(around) + Parts(sets, (*chains, base))


def windows_sharing(around: Sides, interface: str) -> tuple[Rule, ...]:
    """Keep NetBIOS and SMB off the internet, whatever the policy allows."""
    if not around.internet:
        return ()
    by = nft.meta(interface, nft.one_of(map(nft.quoted, around.internet)))
    return tuple(
        Rule(
            (by, nft.is_in(nft.field(protocol, "dport"), _WINDOWS), nft.goto(refused.IN)),
            "NetBIOS and SMB never cross the internet",
        )
        for protocol in ("tcp", "udp")
    )


def _spoofed() -> tuple[Rule, ...]:
    """Drop what says that it comes from this host and comes from elsewhere."""
    outside = nft.meta("iifname", nft.quoted(LOOPBACK), "!=")
    return tuple(
        Rule((outside, nft.payload(header, "saddr", nft.prefix(network)), COUNTER, DROP))
        for header, network in (("ip", "127.0.0.0/8"), ("ip6", "::1"))
    )


def _without_address(doors: Doors, around: Sides) -> tuple[Rule, ...]:
    """Let clients of a DHCP server here ask for the address that they do not have yet."""
    if not doors.serves_dhcp:
        return ()
    outside = around.internet
    inside = (nft.meta("iifname", nft.one_of(map(nft.quoted, outside)), "!="),) if outside else ()
    nowhere = (
        nft.payload("ip", "saddr", nft.prefix("0.0.0.0")),  # noqa: S104 - a source, nothing binds
        nft.payload("ip", "daddr", nft.prefix("255.255.255.255")),
    )
    return (Rule((*inside, *nowhere, *needed.ports(68, 67), ACCEPT), "clients without an address"),)


def _of_inner(doors: Doors) -> tuple[Rule, ...]:
    """Give containers and virtual machines their addresses and names, and what the policy allows.

    What was translated on its way from them is asked about as it arrives: a cluster's services
    have addresses and ports of their own.
    """
    names = nft.payload("udp", "dport", nft.one_of(map(nft.value, (53, 67, 547))))
    said = "DHCP and DNS of inner networks"
    return (
        Rule((names, ACCEPT), said),
        Rule((nft.payload("tcp", "dport", nft.value(53)), ACCEPT), said),
        *doors.by_port("dport"),
    )


def _published(doors: Doors, around: Sides) -> Chain:
    """Ask the policy about the port that a translated packet was sent to at first."""
    never: tuple[Rule, ...] = ()
    if around.internet:
        by = nft.meta("iifname", nft.one_of(map(nft.quoted, around.internet)))
        port = nft.is_in(nft.FIRST_PORT, _WINDOWS)
        transport = nft.meta("l4proto", nft.one_of(map(nft.value, (Protocol.TCP, Protocol.UDP))))
        never = (Rule((by, transport, port, nft.goto(refused.IN))),)
    return Chain(PUBLISHED, (*never, *doors.by_first_port(), Rule((nft.goto(refused.IN),))))
