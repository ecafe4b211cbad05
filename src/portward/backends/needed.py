"""What networks cannot do without: errors, neighbours, groups, DHCP; in each direction."""

from portward.backends import nft_words as nft
from portward.backends.doors import HEADERS
from portward.backends.nft_words import ACCEPT, COUNTER, DROP, Chain, Parts, Rule, Set, Words
from portward.backends.sides import Sides

ICMP_IN, ICMP_OUT = "icmp_in", "icmp_out"
_ERRORS = ("destination-unreachable", "time-exceeded", "parameter-problem")
_ERRORS6 = ("destination-unreachable", "packet-too-big", *_ERRORS[1:])
"""Path MTU discovery hangs on the first of IPv4's, the second of IPv6's (RFC 1191, RFC 8201)."""
_GROUPS = ("mld-listener-query", "mld-listener-report", "mld-listener-done", "mld2-listener-report")
_NEIGHBOURS = ("nd-neighbor-solicit", "nd-neighbor-advert")
_PING, _BURST = 10, 20
"""Echo requests a second from one source."""
_PER_SOURCE, _REMEMBERED = 65_535, 60
LINK_LOCAL = "fe80::/10"


def icmp_in(around: Sides) -> Parts:
    """Return the chain for ICMP, ICMPv6 and IGMP that come in.

    What is about neighbours has a hop limit of 255, which no router passes on (RFC 4861).
    """
    near = nft.payload("ip6", "hoplimit", nft.value(255))
    linked = nft.payload("ip6", "saddr", nft.prefix(LINK_LOCAL))
    discovery = ["nd-router-solicit"] if around.advertises else []
    discovery += ["nd-router-advert"] if around.autoconf else []
    discovery += _NEIGHBOURS
    ping = [
        nft.over(f"ping_v{one}", nft.field(header, "saddr"), _PING, "second", _BURST)
        for one, header in HEADERS.items()
    ]
    rules = (
        Rule((_type("icmp", *_ERRORS), ACCEPT), "errors, path MTU"),
        Rule((_type("icmpv6", *_ERRORS6), ACCEPT), "errors, path MTU"),
        Rule((_type("icmpv6", *discovery), near, ACCEPT), "neighbours"),
        Rule((_type("icmpv6", *_GROUPS), linked, ACCEPT), "multicast groups"),
        Rule((*_igmp(), ACCEPT), "multicast groups"),
        Rule((_type("icmp", "echo-request"), ping[0], COUNTER, DROP), "too fast"),
        Rule((_type("icmpv6", "echo-request"), ping[1], COUNTER, DROP), "too fast"),
        Rule((_type("icmp", "echo-request"), ACCEPT), "ping"),
        Rule((_type("icmpv6", "echo-request"), ACCEPT), "ping"),
    )
    return Parts(tuple(map(_meter, HEADERS)), (Chain(ICMP_IN, rules),))


def icmp_out(around: Sides) -> Parts:
    """Return the chain for what this host has to say to its neighbours, and its errors."""
    near = nft.payload("ip6", "hoplimit", nft.value(255))
    discovery = ["nd-router-solicit"]
    discovery += ["nd-router-advert"] if around.advertises else []
    discovery += _NEIGHBOURS
    rules = (
        Rule((_type("icmp", *_ERRORS), ACCEPT), "errors, path MTU"),
        Rule((_type("icmpv6", *_ERRORS6), ACCEPT), "errors, path MTU"),
        Rule((_type("icmpv6", *discovery), near, ACCEPT), "neighbours"),
        Rule((_type("icmpv6", *_GROUPS), ACCEPT), "multicast groups"),
        Rule((*_igmp(), ACCEPT), "multicast groups"),
    )
    return Parts(chains=(Chain(ICMP_OUT, rules),))


def control(chain: str) -> Rule:
    """Return the rule that sends ICMP, ICMPv6 and IGMP to a chain."""
    names = map(nft.protocol, ("icmp", "igmp", "ipv6-icmp"))
    return Rule((nft.meta("l4proto", nft.one_of(names)), nft.jump(chain)))


def dhcp_in(around: Sides) -> tuple[Rule, ...]:
    """Let in the answers to a DHCP client, which come from addresses that it has not asked."""
    found = []
    if "dhcp-client" in around.clients:
        four = nft.meta("nfproto", nft.value("ipv4"))
        found.append(Rule((four, *ports(67, 68), ACCEPT), "answers of DHCP servers"))
    if "dhcpv6-client" in around.clients:
        # From whatever port: RFC 8415 tells servers where to listen, not what to send from.
        linked = nft.payload("ip6", "saddr", nft.prefix(LINK_LOCAL))
        found.append(Rule((linked, _port("dport", 546), ACCEPT), "answers of DHCPv6 servers"))
    return tuple(found)


def dhcp_out(around: Sides) -> tuple[Rule, ...]:
    """Let a DHCP client ask."""
    found = []
    if "dhcp-client" in around.clients:
        found.append(Rule((*ports(68, 67), ACCEPT), "DHCP"))
    if "dhcpv6-client" in around.clients:
        found.append(Rule((*ports(546, 547), ACCEPT), "DHCPv6"))
    return tuple(found)


def ports(source: int, destination: int) -> tuple[Words, Words]:
    """Ask for both ports of UDP."""
    return _port("sport", source), _port("dport", destination)


def _port(field: str, number: int) -> Words:
    return nft.payload("udp", field, nft.value(number))


def _igmp() -> tuple[Words, ...]:
    """Ask for IGMP of the link: it has a time to live of 1, and goes to a group (RFC 3376)."""
    return (
        nft.meta("l4proto", nft.protocol("igmp")),
        nft.payload("ip", "ttl", nft.value(1)),
        nft.payload("ip", "daddr", nft.prefix("224.0.0.0/4")),
    )


def _type(protocol: str, *types: str) -> Words:
    return nft.payload(protocol, "type", nft.one_of(map(nft.value, types)))


def _meter(version: int) -> Set:
    return Set(
        f"ping_v{version}",
        f"ipv{version}_addr",
        flags=("dynamic", "timeout"),
        size=_PER_SOURCE,
        timeout=_REMEMBERED,
    )
