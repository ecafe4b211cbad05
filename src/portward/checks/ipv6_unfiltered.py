"""IPv6 open where IPv4 is closed.

Why it matters
    Most services listen on IPv6 as well. Rules for IPv4 do not see those packets, so every port
    that they close stands open to whoever has an IPv6 route, which often means the internet.

How it is found
    The way in is read for both families. It is a finding where IPv4 denies by default and nothing
    can drop an IPv6 packet, on a machine with an IPv6 address beyond its own links.

Remedy
    Give IPv6 the same rules: a table of the family inet filters both.

False positives
    A network that never routes IPv6 to the machine; a later one may.
"""

from collections.abc import Iterator

from portward.advice.input_path import Way, way_in
from portward.model.case import Case
from portward.model.finding import Confidence, Evidence, Finding, Remedy, Severity
from portward.model.host import Facing, Interface
from portward.model.net import Family
from portward.model.unknown import Unknown

ID = "ipv6-unfiltered"


def check(case: Case) -> Iterator[Finding]:
    """Yield a finding where only IPv4 is filtered and IPv6 is in use."""
    firewall, interfaces = case.snapshot.firewall, case.snapshot.interfaces
    if isinstance(firewall, Unknown) or isinstance(interfaces, Unknown):
        return
    if case.snapshot.sight.root != "/":
        return
    addresses = [
        Evidence(f"{one.name} has {address}")
        for one in interfaces
        for address in one.addresses
        if _is_routed(one, address)
    ]
    closed = way_in(firewall, Family.IPV4) == Way.DENIED
    if addresses and closed and way_in(firewall, Family.IPV6) == Way.OPEN:
        yield Finding(
            check=ID,
            subject="incoming IPv6 packets",
            severity=Severity.HIGH,
            confidence=Confidence.CERTAIN,
            title="The firewall closes IPv4, but lets all of IPv6 in",
            why="Every service that listens on [::] is reached past the firewall.",
            evidence=(
                Evidence("IPv4 packets that no rule names are dropped", "nft list ruleset"),
                Evidence("no rule and no policy can drop an IPv6 packet", "nft list ruleset"),
                *addresses,
            ),
            remedy=Remedy(
                summary="Filter IPv6 with the same rules: with nftables use a table of the family"
                " inet, with ufw IPV6=yes in /etc/default/ufw, with iptables ip6tables as well.",
                caution="Let ICMPv6 (neighbour discovery, packet too big) pass, or IPv6 breaks.",
            ),
        )


def _is_routed(interface: Interface, address: str) -> bool:
    """Say whether others may send to the address: it is IPv6, and not only of this link or host."""
    beyond = ":" in address and not address.startswith("fe80:")
    return beyond and interface.up and interface.facing not in {Facing.HOST, Facing.BRIDGE}
