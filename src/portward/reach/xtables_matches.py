"""What the matches of iptables ask, as steps of a rule (iptables-extensions(8)).

The semantics are those of the kernel's net/netfilter/xt_*.c. The question is always about the
first packet of a connection that comes in from outside, whole and without IPv6 extension headers:
it has no socket, is not bridged, and no connection expected it. What nobody can say of it by its
headers is a Chance where it changes from packet to packet, else Opaque by the name of the match.
"""

from collections.abc import Callable, Iterable

from portward.reach import names
from portward.reach.ruleset import (
    Bits,
    Chance,
    Field,
    Kind,
    Names,
    Opaque,
    Range,
    Step,
    Test,
    Verdict,
)
from portward.reach.xtables_conntrack import TRACKED, conntrack, state
from portward.reach.xtables_values import (
    ANY,
    MAX_PORT,
    addresses,
    bits_of,
    masked,
    network_test,
    number,
    one_of,
    ports,
    protocol,
    ranges_test,
    rate,
)
from portward.reach.xtables_words import Extension, Option

Reader = Callable[[Option, int], list[Step]]
"""Reads one option for the family whose addresses have so many bits."""

NEVER = Verdict(Kind.CONTINUE)
"""A condition that does not hold: the next rule goes on."""

_TCP_FLAGS = {"NONE": 0, "ALL": 63} | {
    name.upper(): bit
    for name, bit in names.TCP_FLAGS.items()
    if bit < 64  # noqa: PLR2004
}
_V6_NAMES = {
    "router-solicitation": 133,
    "router-advertisement": 134,
    "neighbor-solicitation": 135,
    "neighbour-solicitation": 135,
    "neighbor-advertisement": 136,
    "neighbour-advertisement": 136,
    "redirect": 137,
}
_PINGS = {"ping": "echo-request", "pong": "echo-reply", "ttl-exceeded": "time-exceeded"}
_ANY_ICMP = 255
_PACKET_TYPES = {"unicast": 0, "broadcast": 1, "multicast": 2}
_IPV6_HEADERS = {
    "hop-by-hop": 128,
    "hop": 128,
    "ipv6-opts": 64,
    "dst": 64,
    "ipv6-route": 32,
    "route": 32,
    "ipv6-frag": 16,
    "frag": 16,
    "auth": 8,
    "ah": 8,
    "esp": 4,
    "none": 2,
    "ipv6-nonxt": 2,
    "prot": 1,
    "protocol": 1,
}
"""MASK_* of include/uapi/linux/netfilter_ipv6/ip6t_ipv6header.h."""
_PLAIN = 1
"""The headers of a packet that has no extension header: MASK_PROTO."""
_MULTICAST6: Range = (0xFF << 120, (1 << 128) - 1)
_NO_UNICAST6: tuple[Range, ...] = (
    (0, 0),
    (0xFFFF << 32, (0xFFFF << 32) | 0xFFFF_FFFF),
    _MULTICAST6,
)
"""::, ::ffff:0:0/96 and ff00::/8, which __ipv6_addr_type() of the kernel does not call unicast."""


def header(options: Iterable[Option], bits: int) -> list[Step]:
    """Read -p, -s, -d, -i, -o and -f."""
    steps: list[Step] = []
    for option in options:
        name, negated = option.name, option.negated
        if name == "-p":
            found = protocol(option.value)
            if found is None:
                steps.append(Opaque(f"-p {option.value}"))
            elif option.value not in {"0", "all"}:
                steps.append(one_of("l4proto", ((found, found),), negated=negated))
        elif name in {"-s", "-d"}:
            field = "saddr" if name == "-s" else "daddr"
            steps.append(network_test(field, option.value, bits, negated=negated))
        elif name in {"-i", "-o"}:
            field = "iifname" if name == "-i" else "oifname"
            # iptables writes "eth+" for what nft writes "eth*".
            device = option.value[:-1] + "*" if option.value.endswith("+") else option.value
            steps.append(Test((Field(field),), ((Names((device,)),),), negated))
        elif not negated:  # -f: a later fragment, which never begins a connection
            steps.append(NEVER)
    return steps


def match(extension: Extension, bits: int) -> list[Step]:
    """Read a match with its options; ValueError where a value makes no sense."""
    whole = _WHOLE.get(extension.name)
    if whole is not None:
        return whole(extension, bits)
    readers = _OPTIONS.get(extension.name)
    if readers is None:
        return [Opaque(f"-m {extension.name}")]
    steps: list[Step] = []
    for option in extension.options:
        reader = readers.get(option.name)
        steps += reader(option, bits) if reader else [Opaque(f"-m {extension.name} {option.name}")]
    return steps


# --- options that stand alone ----------------------------------------------------------------


def _ports(field: str) -> Reader:
    return lambda option, _: [one_of(field, ports(option.value), negated=option.negated)]


def _either_port(option: Option, _bits: int) -> list[Step]:
    wanted = ports(option.value)
    parts = (Field("sport"), Field("dport"))
    return [Test(parts, ((wanted, ANY), (ANY, wanted)), option.negated)]


def _tcp_flags(option: Option, _bits: int) -> list[Step]:
    if len(option.values) != 2:  # noqa: PLR2004 - a mask and a comparison
        raise ValueError(f"{option.name} needs a mask and flags")
    mask, flags = (bits_of(one, _TCP_FLAGS) for one in option.values)
    return [one_of(Bits(Field("tcp flags"), mask), ((flags, flags),), negated=option.negated)]


def _syn(option: Option, _bits: int) -> list[Step]:
    return _tcp_flags(option._replace(values=("FIN,SYN,RST,ACK", "SYN")), _bits)


def _icmp(option: Option, bits: int) -> list[Step]:
    version, known = (
        ("icmp", names.ICMP_TYPES) if bits == 32 else ("icmpv6", names.ICMPV6_TYPES | _V6_NAMES)  # noqa: PLR2004
    )
    kind_text, slash, code_text = _PINGS.get(option.value, option.value).partition("/")
    if kind_text == "any":
        return [NEVER] if option.negated else []
    kind = known[kind_text] if kind_text in known else number(kind_text, 255)
    if kind == _ANY_ICMP and bits == 32:  # noqa: PLR2004 - icmp_type_code_match(): for IPv4 alone
        return [NEVER] if option.negated else []
    parts = (Field(f"{version} type"), Field(f"{version} code"))
    code = number(code_text, 255) if slash else None
    if code is None:
        return [one_of(parts[0], ((kind, kind),), negated=option.negated)]
    return [Test(parts, ((((kind, kind),), ((code, code),)),), option.negated)]


def _mark(option: Option, _bits: int) -> list[Step]:
    value, mask = masked(option.value)
    return [one_of(Bits(Field("mark"), mask), ((value, value),), negated=option.negated)]


def _connmark(option: Option, _bits: int) -> list[Step]:
    value, mask = masked(option.value)
    found = one_of(Bits(Field("ct mark"), mask), ((value, value),), negated=option.negated)
    return [TRACKED, found]


def _range(field: str) -> Reader:
    return lambda option, bits: [
        one_of(field, (addresses(option.value, bits),), negated=option.negated)
    ]


def _mac(option: Option, _bits: int) -> list[Step]:
    digits = option.value.replace(":", "")
    if len(digits) != 12:  # noqa: PLR2004 - six bytes
        raise ValueError(f"{option.value!r} is no hardware address")
    value = number("0x" + digits, (1 << 48) - 1)
    return [one_of("ether saddr", ((value, value),), negated=option.negated)]


def _spans(field: str, largest: int) -> Reader:
    return lambda option, _: [ranges_test(field, option, ":", largest)]


def _less(field: str) -> Reader:
    def read(option: Option, _bits: int) -> list[Step]:
        limit = number(option.value, 255)
        return [one_of(field, ((0, limit - 1),) if limit else (), negated=option.negated)]

    return read


def _more(field: str) -> Reader:
    def read(option: Option, _bits: int) -> list[Step]:
        return [one_of(field, ((number(option.value, 255) + 1, 255),), negated=option.negated)]

    return read


def _packet_type(option: Option, _bits: int) -> list[Step]:
    if option.value not in _PACKET_TYPES:
        return [Opaque(f"-m pkttype {option.value}")]
    kind = _PACKET_TYPES[option.value]
    return [one_of("pkttype", ((kind, kind),), negated=option.negated)]


def _dscp(option: Option, bits: int) -> list[Step]:
    value = number(option.value, 63)
    field = "ip dscp" if bits == 32 else "ip6 dscp"  # noqa: PLR2004 - IPv4
    return [one_of(field, ((value, value),), negated=option.negated)]


def _hops(field: str, name: str) -> dict[str, Reader]:
    return {
        f"--{name}-eq": _spans(field, 255),
        f"--{name}": _spans(field, 255),
        f"--{name}-lt": _less(field),
        f"--{name}-gt": _more(field),
    }


_TRANSPORT: dict[str, Reader] = {
    "--sport": _ports("sport"),
    "--source-port": _ports("sport"),
    "--dport": _ports("dport"),
    "--destination-port": _ports("dport"),
}
_OPTIONS: dict[str, dict[str, Reader]] = {
    "tcp": _TRANSPORT | {"--tcp-flags": _tcp_flags, "--syn": _syn},
    "udp": _TRANSPORT,
    "udplite": _TRANSPORT,
    "sctp": _TRANSPORT,
    "dccp": _TRANSPORT,
    "multiport": {
        "--sports": _ports("sport"),
        "--source-ports": _ports("sport"),
        "--dports": _ports("dport"),
        "--destination-ports": _ports("dport"),
        "--ports": _either_port,
    },
    "icmp": {"--icmp-type": _icmp},
    "icmp6": {"--icmpv6-type": _icmp},
    "icmpv6": {"--icmpv6-type": _icmp},
    "ipv6-icmp": {"--icmpv6-type": _icmp},
    "state": {"--state": state},
    "mark": {"--mark": _mark},
    "connmark": {"--mark": _connmark},
    "iprange": {"--src-range": _range("saddr"), "--dst-range": _range("daddr")},
    "mac": {"--mac-source": _mac},
    "length": {"--length": _spans("length", MAX_PORT)},
    "ttl": _hops("ip ttl", "ttl"),
    "hl": _hops("ip6 hoplimit", "hl"),
    "pkttype": {"--pkt-type": _packet_type},
    "dscp": {"--dscp": _dscp},
    "comment": {"--comment": lambda _option, _bits: []},
}


# --- matches whose options belong together ---------------------------------------------------


def _absent(_match: Extension, _bits: int) -> list[Step]:
    """Ask for an extension header that the packet does not have: not even "!" matches."""
    return [NEVER]


def _without_socket(extension: Extension, _bits: int) -> list[Step]:
    """Match what comes in, which no local program sent: negated options alone hold."""
    return [] if all(option.negated for option in extension.options) else [NEVER]


def _physdev(extension: Extension, _bits: int) -> list[Step]:
    steps: list[Step] = []
    for option in extension.options:
        if option.name != "--physdev-is-bridged":
            steps.append(Opaque(f"-m physdev {option.name}"))
        elif not option.negated:  # what is routed or delivered here is not being bridged
            steps.append(NEVER)
    return steps


def _helper(extension: Extension, _bits: int) -> list[Step]:
    """Match a connection that a helper expected, which a new one is not."""
    return [] if all(option.negated for option in extension.options) else [NEVER]


def _ipv6_header(extension: Extension, _bits: int) -> list[Step]:
    option = extension.option("--header")
    if option is None:
        raise ValueError("ipv6header needs --header")
    wanted = bits_of(option.value, _IPV6_HEADERS)
    if extension.option("--soft") is None:
        return [] if (wanted == _PLAIN) != option.negated else [NEVER]
    inverted = wanted if option.negated else 0
    return [NEVER] if (_PLAIN ^ wanted ^ inverted) & wanted else []


def _address_type(extension: Extension, bits: int) -> list[Step]:
    limits = {"--limit-iface-in": " . iif", "--limit-iface-out": " . oif"}
    limit = next((by for name, by in limits.items() if extension.option(name)), "")
    steps: list[Step] = []
    for option in extension.options:
        if option.name in limits:
            continue
        side = {"--src-type": "saddr", "--dst-type": "daddr"}.get(option.name)
        if side is None:
            steps.append(Opaque(f"-m addrtype {option.name}"))
        else:
            steps.append(_kind_of_address(option, side, f"fib {side}{limit} type", bits))
    return steps


def _kind_of_address(option: Option, side: str, field: str, bits: int) -> Step:
    kinds = option.value.split(",")
    if bits == 32:  # noqa: PLR2004 - IPv4
        spans = []
        for kind in kinds:
            value = bits_of(kind.lower(), names.FIB_TYPES)
            spans.append((value, value))
        return one_of(field, spans, negated=option.negated)
    # match_type6() of xt_addrtype.c: some kinds come from the address, and all have to hold.
    if kinds == ["MULTICAST"]:
        return one_of(side, (_MULTICAST6,), negated=option.negated)
    if kinds == ["UNICAST"]:
        return one_of(side, _NO_UNICAST6, negated=not option.negated)
    if kinds == ["UNSPEC"]:
        return one_of(side, ((0, 0),), negated=option.negated)
    routed = {"LOCAL", "ANYCAST", "UNREACHABLE"}
    if not set(kinds) <= routed:
        return Opaque(f"-m addrtype {option.name} {option.value}")
    spans = [(names.FIB_TYPES[kind.lower()],) * 2 for kind in kinds]
    return one_of(field, spans, negated=option.negated)


def _reverse_path(extension: Extension, _bits: int) -> list[Step]:
    """Match a source that an answer would go back to (ipt_rpfilter.c)."""
    given = {option.name for option in extension.options}
    if given - {"--loose", "--validmark", "--invert"}:
        return [Opaque("-m rpfilter --accept-local")]
    field = "fib saddr oif" if "--loose" in given else "fib saddr . iif oif"
    return [Test((Field(field),), ((Names(("",)),),), "--invert" not in given)]


def _recent(extension: Extension, _bits: int) -> list[Step]:
    added = extension.option("--set")
    if added is not None:
        return [NEVER] if added.negated else []
    name = extension.option("--name")
    return [Chance(f"the list {name.value if name else 'DEFAULT'} of recent addresses")]


def _limit(extension: Extension, _bits: int) -> list[Step]:
    option = extension.option("--limit")
    return [Chance(f"a limit of {rate(option.value) if option else '3/hour'}")]


def _hash_limit(extension: Extension, _bits: int) -> list[Step]:
    over = extension.option("--hashlimit-above")
    option = over or extension.option("--hashlimit-upto") or extension.option("--hashlimit")
    if option is None:
        raise ValueError("hashlimit needs a rate")
    mode = extension.option("--hashlimit-mode")
    each = f" for each {mode.value}" if mode else ""
    is_over = "over " if over or option.negated else ""
    return [Chance(f"a limit of {is_over}{rate(option.value)}{each}")]


def _connection_limit(extension: Extension, _bits: int) -> list[Step]:
    over = extension.option("--connlimit-above")
    option = over or extension.option("--connlimit-upto")
    if option is None:
        raise ValueError("connlimit needs a number")
    is_over = "over " if bool(over) != option.negated else ""
    return [Chance(f"a limit of {is_over}{option.value} connections")]


def _chance(name: str) -> Callable[[Extension, int], list[Step]]:
    return lambda _extension, _bits: [Chance(name)]


_WHOLE: dict[str, Callable[[Extension, int], list[Step]]] = {
    "conntrack": conntrack,
    "addrtype": _address_type,
    "owner": _without_socket,
    "physdev": _physdev,
    "helper": _helper,
    "rpfilter": _reverse_path,
    "recent": _recent,
    "limit": _limit,
    "hashlimit": _hash_limit,
    "connlimit": _connection_limit,
    "quota": _chance("a quota of bytes"),
    "statistic": _chance("a share of the packets"),
    "time": _chance("the time of day"),
    "cpu": _chance("the processor that takes the packet"),
    "ipv6header": _ipv6_header,
    "rt": _absent,
    "frag": _absent,
    "hbh": _absent,
    "dst": _absent,
    "srh": _absent,
}
