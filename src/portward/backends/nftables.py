"""A policy as one table of nftables: default deny for what comes in and what is passed on.

The table stands beside those of others and never touches them. A packet has to pass all of them,
so what is dropped here is closed, whatever another tool accepts.
"""

import json
from datetime import date
from itertools import count
from typing import NamedTuple

from msgspec.structs import replace

from portward.backends import nft_words as nft
from portward.backends.allowed import From, Opening, openings
from portward.backends.nft_words import ACCEPT, COUNTER, DROP, Chain, Element, Rule, Set, Words
from portward.backends.sides import Sides, matches, sides
from portward.model.host import Firewall, Snapshot
from portward.model.net import IPV4_ANY, Protocol
from portward.model.plan import TABLE
from portward.model.policy import Policy

LOG_GROUP = 5
"""The group of NFLOG on which blocked packets are told (nfnetlink_log(8))."""
_LOG_BYTES = 80
"""Enough for the headers of both families."""
_LOG_RATE = 500
_SEEN = 65_536
_SEEN_SECONDS = 300

_REFUSED, _ICMP = "refused", "needed_icmp"
_DHCP = 67
_HEADERS = {4: "ip", 6: "ip6"}
_SEEN_SET = "seen"
_MOST_NAME = 60
_MOST_CHAIN = 200
"""The kernel takes 255 bytes (NFT_NAME_MAXLEN)."""


class OwnTable(NamedTuple):
    """portward's table, to be loaded and to be followed."""

    text: str
    """For ``nft -f``: it takes the place of a former one in one transaction."""
    listing: tuple[nft.Json, ...]
    """As ``nft -j list ruleset`` shows it."""


class _Doors(NamedTuple):
    """What the policy opens: maps from ports to verdicts, and the chains that ask who comes."""

    sets: tuple[Set, ...]
    chains: tuple[Chain, ...]
    protocols: tuple[Protocol, ...]
    """Those that have a map."""
    raw: tuple[Rule, ...]
    """Rules for IP protocols without ports."""
    gives_addresses: bool
    """Somebody may ask this machine for an address by DHCP."""


def table(policy: Policy, snapshot: Snapshot, day: date) -> OwnTable:
    """Return the table that lets in exactly what the policy allows on a machine."""
    doors = _doors(openings(policy, day))
    around = sides(policy, snapshot)
    sets = (*doors.sets, *_seen())
    chains = (
        *doors.chains,
        _icmp(around),
        _refused(),
        _input(doors, around),
        _forward(doors, around),
        *_translation(around),
    )
    return OwnTable(nft.table_text(TABLE, sets, chains), nft.listing(TABLE, sets, chains))


def with_table(firewall: Firewall, own: OwnTable) -> Firewall:
    """Return a ruleset as it is once the table is loaded."""
    items = json.loads(firewall.nft)["nftables"] if isinstance(firewall.nft, str) else []
    kept = [item for item in items if not _is_own(item)]
    return replace(firewall, nft=json.dumps({"nftables": [*kept, *own.listing]}))


def _is_own(item: nft.Json) -> bool:
    ((kind, body),) = item.items()
    name = body.get("name") if kind == "table" else body.get("table")
    return bool(name == TABLE and body.get("family") == nft.FAMILY)


# --- what the policy opens ---------------------------------------------------------------------


def _doors(opened: tuple[Opening, ...]) -> _Doors:
    names = _names(opened)
    sets = [
        Set(
            f"{name}_v{version}",
            f"ipv{version}_addr",
            tuple(Element(nft.prefix(one)) for one in networks),
        )
        for source, name in names.items()
        for version, networks in _by_version(source)
        if networks
    ]
    chains: dict[tuple[From, ...], Chain] = {}
    taken: set[str] = set()
    maps: dict[Protocol, list[Element]] = {}
    raw = []
    for one in opened:
        verdict = ACCEPT
        if one.sources[0].networks:
            if one.sources not in chains:
                chains[one.sources] = _from_chain(one.sources, names, taken)
            verdict = nft.jump(chains[one.sources].name)
        said = nft.comment(", ".join(one.origins))
        if one.protocol == Protocol.RAW:
            raw.append(Rule((nft.meta("l4proto", nft.value(one.first)), verdict), said))
        else:
            element = Element(nft.span(one.first, one.last), verdict, said)
            maps.setdefault(one.protocol, []).append(element)
    ports = [Set(f"{name}_ports", "inet_service", tuple(held)) for name, held in maps.items()]
    dhcp = any(one.protocol == Protocol.UDP and one.first <= _DHCP <= one.last for one in opened)
    return _Doors((*sets, *ports), tuple(chains.values()), tuple(maps), tuple(raw), dhcp)


def _names(opened: tuple[Opening, ...]) -> dict[From, str]:
    """Name the sets of sources after the policy's own words, each once."""
    names: dict[From, str] = {}
    taken = {_SEEN_SET}
    for source in dict.fromkeys(source for one in opened for source in one.sources):
        if not source.networks:
            continue
        plain = source.label.isascii() and source.label.replace("_", "").replace("-", "").isalnum()
        fit = plain and source.label[0].isalpha()
        name = source.label.replace("-", "_")[:_MOST_NAME] if fit else "networks"
        names[source] = _free(name, taken)
    return names


def _free(name: str, taken: set[str]) -> str:
    """Take a name, with the first number behind it that makes it nobody else's."""
    free = name
    for number in count(2):
        if free not in taken:
            break
        free = f"{name}_n{number}"
    taken.add(free)
    return free


def _by_version(source: From) -> tuple[tuple[int, list[str]], tuple[int, list[str]]]:
    six = [one for one in source.networks if ":" in one]
    return (4, [one for one in source.networks if ":" not in one]), (6, six)


def _from_chain(sources: tuple[From, ...], names: dict[From, str], taken: set[str]) -> Chain:
    """Accept who comes from one of several groups of networks."""
    rules = [
        Rule(
            (
                nft.payload(_HEADERS[version], "saddr", nft.named(f"{name}_v{version}")),
                ACCEPT,
            )
        )
        for source in sources
        for name in (names[source],)
        for version, networks in _by_version(source)
        if networks
    ]
    name = "from_" + "_or_".join(names[source] for source in sources)
    return Chain(_free(name if len(name) <= _MOST_CHAIN else "from_several", taken), tuple(rules))


# --- what comes in -----------------------------------------------------------------------------


def _input(doors: _Doors, around: Sides) -> Chain:
    rules = [
        Rule((nft.meta("iifname", nft.quoted("lo")), ACCEPT)),
        Rule((nft.ct_state("established", "related"), ACCEPT)),
        *_malformed(),
        Rule(
            (
                nft.meta("l4proto", nft.one_of(map(nft.value, ("icmp", "ipv6-icmp")))),
                nft.jump(_ICMP),
            )
        ),
        *_dhcp(),
        *_dhcp_server(doors),
        *_windows_sharing(around),
        *_inner_services(around),
        *(
            Rule((nft.dispatch(_port(protocol), f"{protocol}_ports"),))
            for protocol in doors.protocols
        ),
        *doors.raw,
        Rule((nft.jump(_REFUSED),)),
    ]
    return Chain("input", tuple(rules), "filter", "input", 0, "drop")


def _malformed() -> tuple[Rule, ...]:
    """Drop what no honest sender sends: impossible flags, and loopback addresses from outside."""
    everything = ("fin", "syn", "rst", "psh", "ack", "urg")
    outside = nft.meta("iifname", nft.quoted("lo"), "!=")
    loopback = nft.prefix("127.0.0.0/8"), nft.prefix("::1")
    return (
        Rule((nft.ct_state("invalid"), COUNTER, DROP)),
        Rule((nft.tcp_flags(everything, ()), COUNTER, DROP)),
        Rule((nft.tcp_flags(("fin", "syn"), ("fin", "syn")), COUNTER, DROP)),
        Rule((nft.tcp_flags(("syn", "rst"), ("syn", "rst")), COUNTER, DROP)),
        Rule((outside, nft.payload("ip", "saddr", loopback[0]), COUNTER, DROP)),
        Rule((outside, nft.payload("ip6", "saddr", loopback[1]), COUNTER, DROP)),
    )


def _dhcp() -> tuple[Rule, ...]:
    """Let in the answers to a DHCP client, which come from addresses it has not asked yet."""
    linked = nft.payload("ip6", "saddr", nft.prefix("fe80::/10"))
    return (
        Rule((nft.meta("nfproto", nft.value("ipv4")), *_udp(67, 68), ACCEPT), "DHCP"),
        Rule((linked, *_udp(547, 546), ACCEPT), "DHCPv6"),
    )


def _dhcp_server(doors: _Doors) -> tuple[Rule, ...]:
    """Let in who has no address yet, where the policy lets anybody ask for one."""
    if not doors.gives_addresses:
        return ()
    nobody = nft.payload("ip", "saddr", nft.prefix(IPV4_ANY))
    return (Rule((nobody, *_udp(68, 67), ACCEPT), "DHCP"),)


def _udp(source: int, destination: int) -> tuple[Words, Words]:
    return (
        nft.payload("udp", "sport", nft.value(source)),
        nft.payload("udp", "dport", nft.value(destination)),
    )


def _windows_sharing(around: Sides) -> tuple[Rule, ...]:
    """Keep NetBIOS and SMB off the internet, whatever the policy allows."""
    if not around.internet:
        return ()
    by = nft.meta("iifname", nft.one_of(map(nft.quoted, around.internet)))
    ports = nft.one_of((nft.span(137, 139), nft.value(445)))
    return tuple(
        Rule(
            (by, nft.payload(protocol, "dport", ports), nft.jump(_REFUSED)), "never to the internet"
        )
        for protocol in ("tcp", "udp")
    )


def _inner_services(around: Sides) -> tuple[Rule, ...]:
    """Give containers and virtual machines their addresses and names."""
    udp = nft.payload("udp", "dport", nft.one_of(map(nft.value, (53, 67, 547))))
    tcp = nft.payload("tcp", "dport", nft.value(53))
    return tuple(
        Rule((*_by(name, around.unserved), what, ACCEPT), "DHCP and DNS of inner networks")
        for name in around.served
        for what in (udp, tcp)
    )


def _by(name: str, but: tuple[str, ...]) -> tuple[Words, ...]:
    """Ask for an interface by its name, but not for others that are called like it."""
    others = [nft.quoted(one) for one in but if matches(name, one)]
    by = nft.meta("iifname", nft.quoted(name))
    return (by, nft.meta("iifname", nft.one_of(others), "!=")) if others else (by,)


def _port(protocol: Protocol) -> Words:
    return Words(f"{protocol} dport", {"payload": {"protocol": str(protocol), "field": "dport"}})


def _icmp(around: Sides) -> Chain:
    """Let in what networks cannot do without (RFC 4890, RFC 1191), and a measured ping."""
    errors = ("destination-unreachable", "time-exceeded", "parameter-problem")
    near = nft.payload("ip6", "hoplimit", nft.value(255))
    discovery = ["nd-neighbor-solicit", "nd-neighbor-advert"]
    discovery += ["nd-router-advert"] if around.autoconf else []
    discovery += ["nd-router-solicit"] if around.routes else []
    groups = (
        "mld-listener-query",
        "mld-listener-report",
        "mld-listener-done",
        "mld2-listener-report",
    )
    echo = nft.limit(20, "second", 50)
    rules = (
        Rule((_type("icmp", *errors), ACCEPT), "path MTU and errors"),
        Rule((_type("icmpv6", "packet-too-big", *errors), ACCEPT), "path MTU and errors"),
        Rule((_type("icmpv6", *discovery), near, ACCEPT), "neighbours on the link"),
        Rule(
            (_type("icmpv6", *groups), nft.payload("ip6", "saddr", nft.prefix("fe80::/10")), ACCEPT)
        ),
        Rule((_type("icmp", "echo-request"), echo, ACCEPT), "ping"),
        Rule((_type("icmpv6", "echo-request"), echo, ACCEPT), "ping"),
        Rule((nft.jump(_REFUSED),)),
    )
    return Chain(_ICMP, rules)


def _type(protocol: str, *types: str) -> Words:
    return nft.payload(protocol, "type", nft.one_of(map(nft.value, types)))


def _refused() -> Chain:
    """Count, tell each kind of packet once in a while, and drop; the drop hangs on nothing."""
    tell = (nft.limit(_LOG_RATE, "second", 100), nft.log("portward ", LOG_GROUP, _LOG_BYTES))
    rules = [Rule((COUNTER,))]
    for version in _HEADERS:
        key = _seen_key(version)
        known = Words(
            f"{key.text} @seen_v{version}",
            {"match": {"op": "==", "left": key.json, "right": f"@seen_v{version}"}},
        )
        add = Words(
            f"add @seen_v{version} {{ {key.text} }}",
            {"set": {"op": "add", "elem": key.json, "set": f"@seen_v{version}"}},
        )
        rules += [Rule((known, DROP)), Rule((add, *tell))]
    return Chain(_REFUSED, (*rules, Rule((DROP,))))


def _seen_key(version: int) -> Words:
    family = _HEADERS[version]
    return Words(
        f"{family} saddr . meta l4proto . th dport",
        {
            "concat": [
                {"payload": {"protocol": family, "field": "saddr"}},
                {"meta": {"key": "l4proto"}},
                {"payload": {"protocol": "th", "field": "dport"}},
            ]
        },
    )


def _seen() -> tuple[Set, ...]:
    return tuple(
        Set(
            f"seen_v{version}",
            f"ipv{version}_addr . inet_proto . inet_service",
            flags=("dynamic", "timeout"),
            size=_SEEN,
            timeout=_SEEN_SECONDS,
        )
        for version in _HEADERS
    )


# --- what is passed on -------------------------------------------------------------------------


def _forward(doors: _Doors, around: Sides) -> Chain:
    """Drop what this host has no reason to pass on; narrow what is published to the policy."""
    rules = []
    if around.inner or around.routes:
        rules += [
            Rule((nft.ct_state("established", "related"), ACCEPT)),
            Rule((nft.ct_state("invalid"), COUNTER, DROP)),
            *(
                Rule((*_by(name, around.others), ACCEPT), "from inner networks")
                for name in around.inner
            ),
            *_published(doors),
        ]
    rules.append(Rule((nft.jump(_REFUSED),)))
    return Chain("forward", tuple(rules), "filter", "forward", 0, "drop")


def _published(doors: _Doors) -> tuple[Rule, ...]:
    """Ask the policy about the port that a translated packet was sent to at first."""
    port = Words("ct original proto-dst", {"ct": {"key": "proto-dst", "dir": "original"}})
    return tuple(
        Rule(
            (
                nft.meta("l4proto", nft.value(str(protocol))),
                nft.ct_status("dnat"),
                nft.dispatch(port, f"{protocol}_ports"),
            )
        )
        for protocol in doors.protocols
    )


def _translation(around: Sides) -> tuple[Chain, ...]:
    """Hide the inner IPv4 networks of a router behind its address on the internet."""
    if not around.routes or not around.outer:
        return ()
    by = nft.meta("oifname", nft.one_of(map(nft.quoted, around.outer)))
    inner = tuple(map(nft.prefix, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
    rule = Rule((by, nft.payload("ip", "saddr", nft.one_of(inner)), nft.MASQUERADE), "NAT")
    return (Chain("postrouting", (rule,), "nat", "postrouting", 100, "accept"),)
