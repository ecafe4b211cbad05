"""Random rulesets over the grammar that portward claims to understand, as text for nft."""

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

PORTS = (22, 23, 53, 80, 81, 443, 8080, 8443)
MARKS = (0, 1, 2, 3, 5, 16, 17, 255, 256, 0x4000)
NETWORKS = {
    "ip": (
        "10.0.0.0/24",
        "10.0.0.128/25",
        "10.8.0.0/16",
        "198.51.100.0/25",
        "203.0.113.7",
        "127.0.0.0/8",
        "0.0.0.0/1",
        "10.0.0.0/8",
        "192.0.2.0/28",
    ),
    "ip6": (
        "fd00::/64",
        "fd00::80/121",
        "fd08::/16",
        "2001:db8::/33",
        "2001:db8::7",
        "::/1",
        "2000::/3",
        "fe80::/10",
    ),
}
SPANS = {
    "ip": ("10.0.0.5-10.0.0.200", "198.51.100.3-203.0.113.9", "9.0.0.0-11.0.0.0"),
    "ip6": ("fd00::5-fd00::c8", "2001:db8::3-2001:db8:ffff::9", "2000::-fd00::7"),
}
MASKS = {
    "ip": ("255.255.255.0 == 10.0.0.0", "0.0.0.1 == 0.0.0.1", "255.0.0.255 != 10.0.0.1"),
    "ip6": ("ffff:: == fd00::", "::1 == ::1", "ffff::ff != fd00::7"),
}
OWN = {
    "ip": ("10.0.0.1", "10.8.0.1", "192.0.2.5", "172.16.0.9", "10.0.0.0/8", "10.0.0.255"),
    "ip6": ("fd00::1", "fd08::1", "fd16::9", "fd00::/8"),
}
TARGETS = {
    "ip": ("10.0.0.1", "10.8.0.1", "172.16.0.9", "172.16.0.10", "10.8.0.77", "192.0.2.5"),
    "ip6": ("fd00::1", "fd08::1", "fd16::9", "fd16::10", "fd08::77"),
}
GOALS = {
    "ip": ("10.0.0.1-10.0.0.3", "172.16.0.8-172.16.0.10", "10.8.0.1-10.8.0.2", "10.0.0.0-10.8.1.0"),
    "ip6": ("fd00::1-fd00::3", "fd16::8-fd16::a", "fd08::1-fd08::2", "fd00::1-fd16::9"),
}


class Chain(NamedTuple):
    """Rules, each as its statements from left to right."""

    name: str
    base: str
    """The line that ties it to a hook; empty for a chain that is jumped to."""
    rules: tuple[tuple[str, ...], ...]


class Table(NamedTuple):
    """A table as text for nft has it."""

    family: str
    name: str
    sets: tuple[str, ...]
    chains: tuple[Chain, ...]


Tables = tuple[Table, ...]


def text(tables: Tables) -> str:
    """Write a ruleset."""
    return "".join(_lines(tables))


def without(tables: Tables, lines: set[int]) -> Tables:
    """Return a ruleset without some lines of its text, counted from 1."""
    at, left = 0, []
    for table in tables:
        at += 1
        sets = []
        for one in table.sets:
            at += 1
            if at not in lines:
                sets.append(one)
        chains = []
        for chain in table.chains:
            at += 1 + bool(chain.base)
            gone = at in lines
            rules = []
            for rule in chain.rules:
                at += 1
                if at not in lines:
                    rules.append(rule)
            at += 1
            if not gone:
                chains.append(chain._replace(rules=tuple(rules)))
        at += 1
        left.append(table._replace(sets=tuple(sets), chains=tuple(chains)))
    return tuple(left)


def _lines(tables: Tables) -> Iterator[str]:
    for table in tables:
        yield f"table {table.family} {table.name} {{\n"
        for one in table.sets:
            yield f"  {one}\n"
        for chain in table.chains:
            yield f"  chain {chain.name} {{\n"
            if chain.base:
                yield f"    {chain.base}\n"
            for rule in chain.rules:
                yield f"    {' '.join(rule)}\n"
            yield "  }\n"
        yield "}\n"


class Coverage:
    """Counts the statements of the rulesets that the kernel took, by their kind."""

    def __init__(self) -> None:
        self.kinds: dict[str, int] = {}

    def add(self, name: str) -> None:
        self.kinds[name] = self.kinds.get(name, 0) + 1


class Generator:
    """Makes rulesets from one seed."""

    def __init__(self, seed: int, coverage: Coverage, *, bridged: bool = False) -> None:
        self.random = Random(seed)  # noqa: S311 - tests, no secrets
        self._families = ("inet", "inet", "inet", "ip", "ip6", "netdev") + ("bridge",) * 6 * bridged
        self.coverage = coverage

    def ruleset(self) -> Tables:
        """Return one to four tables."""
        return tuple(self._table(index) for index in range(self.random.choice((1, 1, 2, 2, 3, 4))))

    def _table(self, index: int) -> Table:
        family = self.random.choice(self._families)
        maker = _TableMaker(self, family)
        return Table(family, f"t{index}", *maker.parts())


class _TableMaker:
    """Makes one table: its sets first, then chains whose rules ask them."""

    def __init__(self, generator: Generator, family: str) -> None:
        self.random = generator.random
        self.seen = generator.coverage.add
        self.family = family
        self.hook = ""
        self.nat = False
        self._transport = "tcp"

    def parts(self) -> tuple[tuple[str, ...], tuple[Chain, ...]]:
        network = self._network
        regular = [f"c{index}" for index in range(self.random.randrange(4))]

        def goal() -> str:
            return self._verdict(regular)

        kind = self._type()
        sets = [
            f"set addr {{ type {kind}; flags interval; elements = {{ {self._networks(3)} }} }}",
            f"set seen {{ type {kind}; size 9; flags dynamic, timeout; timeout 1m; }}",
            f"set port {{ type inet_service; elements = {{ {self._some(PORTS, 3)} }} }}",
            "set pair { type "
            f"{self._type()} . inet_service; flags interval; elements = {{ "
            + ", ".join(f"{network()} . {self._ports()}" for _ in range(1))
            + " } }",
            "map vport { type inet_service : verdict; elements = { "
            + ", ".join(f"{port} : {goal()}" for port in self.random.sample(PORTS, 3))
            + " } }",
            "map vdev { type ifname : verdict; elements = { "
            + ", ".join(f'"{name}" : {goal()}' for name in ("eth0", "wg0"))
            + " } }",
        ]
        if self.family not in {"netdev", "bridge"}:
            goals = self._ip_goals()
            sets += [
                f"map mport {{ type inet_service : {kind}; elements = {{ "
                + ", ".join(
                    f"{port} : {self.random.choice(goals)}" for port in self.random.sample(PORTS, 3)
                )
                + " } }",
                f"map mspan {{ type inet_service : interval {kind}; elements = {{ "
                + ", ".join(
                    f"{port} : {self._goal_span()}" for port in self.random.sample(PORTS, 2)
                )
                + " } }",
                f"map mboth {{ type {kind} . inet_service : {kind} . inet_service; elements = {{ "
                + ", ".join(
                    f"{self.random.choice(goals)} . {port} : {self.random.choice(goals)} . 8080"
                    for port in self.random.sample(PORTS, 3)
                )
                + " } }",
            ]
        self._regular = regular
        chains = []
        hook, base = "", ""
        bases = [self._base() for _ in range(self.random.choice((1, 2, 2, 3, 4)))]
        self.hook = self._common(bases)
        self.nat = False
        for index, name in enumerate(regular):
            chains.append(Chain(name, "", self._rules(regular[index + 1 :])))
        for index, (hook, kind, base) in enumerate(bases):
            self.hook, self.nat = hook, kind == "nat"
            chains.append(Chain(f"b{index}", base, self._rules(regular)))
        return tuple(sets), tuple(chains)

    @staticmethod
    def _common(bases: list[tuple[str, str, str]]) -> str:
        """Return a hook whose statements every base chain's hook allows."""
        hooks = {hook for hook, _, _ in bases}
        if "ingress" in hooks:
            return "ingress"
        return hooks.pop() if len(hooks) == 1 else "any"

    def _base(self) -> tuple[str, str, str]:
        policy = self.random.choice(("accept", "accept", "drop"))
        if self.family == "netdev" or (self.family == "inet" and self.random.random() < 0.07):
            device = self.random.choice(("eth0", "wg0"))
            priority = self.random.choice((-10, 0, 0, 5))
            self.seen("chain ingress")
            return (
                "ingress",
                "filter",
                f'type filter hook ingress device "{device}" priority {priority}; policy accept;',
            )
        if self.family == "bridge":
            return self._bridge_base(policy)
        roll = self.random.random()
        if roll < 0.2:
            hook, priority = self.random.choice(
                (
                    ("prerouting", -100),
                    ("prerouting", -100),
                    ("prerouting", -90),
                    ("prerouting", -150),
                    ("input", 100),
                    ("postrouting", 100),
                )
            )
            self.seen(f"chain nat {hook}")
            return hook, "nat", f"type nat hook {hook} priority {priority}; policy accept;"
        hook = self.random.choice(("input", "input", "input", "forward", "forward", "prerouting"))
        if roll > 0.96:
            hook = "postrouting"
        elif roll > 0.92:
            hook = "output"
        priority = self.random.choice((-310, -300, -199, -150, -99, 0, 0, 0, 10, 50))
        self.seen(f"chain {hook}")
        if hook == "prerouting":
            policy = "accept"
        return hook, "filter", f"type filter hook {hook} priority {priority}; policy {policy};"

    def _bridge_base(self, policy: str) -> tuple[str, str, str]:
        """Return a chain of a bridge, where rules may say what they may at ingress."""
        hook = self.random.choice(("prerouting", "input", "input", "forward", "output"))
        priority = self.random.choice((-300, -200, 0, 0, 10, 300))
        self.seen(f"chain bridge {hook}")
        base = f"type filter hook {hook} priority {priority}; policy {policy};"
        return "ingress", "filter", base

    def _rules(self, below: list[str]) -> tuple[tuple[str, ...], ...]:
        return tuple(self._rule(below) for _ in range(self.random.choice((1, 2, 3, 5, 8))))

    def _rule(self, below: list[str]) -> tuple[str, ...]:
        self._transport = self.random.choice(("tcp", "tcp", "udp"))
        matches = [self._match() for _ in range(self.random.choice((0, 1, 1, 1, 2, 2, 3)))]
        if self.family == "inet" and self.random.random() < 0.05:
            # Alone: beside other matches nft 1.0.6 leaves it out of its listing.
            self.seen("nfproto")
            kind = self._nfproto()
            return (f"meta nfproto {self._not()}{kind}", self._verdict(below))
        if self.family != "netdev" and self.hook != "ingress" and self.random.random() < 0.02:
            # Alone for the same reason: the protocol of a header makes nft forget it.
            self.seen("ct original protocol")
            asked = f"ct original protocol {self._not()}{self._protocol()}"
            return (asked, self._verdict(below))
        # nft 1.0.6 lists "< 53" followed by "> 80", which nothing is, as "!= 53-80".
        compared = [one for one in matches if "dport <" in one or "dport >" in one]
        matches = [one for one in matches if one and one not in compared[1:]]
        return (*matches, self._last(below))

    def _verdict(self, below: list[str]) -> str:
        """Return a verdict that a map may hold."""
        if below and self.random.random() < 0.4:
            return f"{self.random.choice(('jump', 'goto'))} {self.random.choice(below)}"
        return self.random.choice(("accept", "drop", "return", "continue"))

    def _last(self, below: list[str]) -> str:
        roll = self.random.random()
        if self.nat and roll < 0.55:
            return self._translation()
        if self.random.random() < 0.04:
            return self._side_effect()
        return self._deciding(below, roll)

    def _side_effect(self) -> str:
        """Return a statement that copies, takes away or remembers the packet."""
        choices = [f"{way} @seen {{ {self._l3()} saddr }} accept" for way in ("add", "update")]
        choices += [f"{self._l3()} saddr @seen {kind}" for kind in ("accept", "drop")]
        if self.hook == "ingress":
            # To dmz0: what comes out there with its time to live is no answer.
            choices += ['dup to "dmz0"', 'dup to "dmz0" accept', 'fwd to "dmz0"'] * 2
        chosen = self.random.choice(choices)
        self.seen(f"{chosen.split()[0]} statement" if "@seen" not in chosen else "changing set")
        return chosen

    def _deciding(self, below: list[str], roll: float) -> str:
        if below and roll < 0.3:
            kind = self.random.choice(("jump", "jump", "goto"))
            self.seen(kind)
            return f"{kind} {self.random.choice(below)}"
        if roll < 0.4:
            return self._mark()
        if roll < 0.46 and self.hook == "prerouting":
            self.seen("notrack")
            return "notrack"
        if roll < 0.54:
            return self._map_verdict()
        if roll < 0.6 and self.hook != "any" and not self.nat:
            return self._reject()
        kind = self.random.choice(("accept", "drop", "accept", "drop", "return", "continue"))
        self.seen(kind)
        return kind

    def _reject(self) -> str:
        self.seen("reject")
        kinds = ["reject", "reject with tcp reset", "reject with icmpx admin-prohibited"]
        if self.family in {"ip", "inet"}:
            kinds.append("reject with icmp type host-unreachable")
        if self.family in {"ip6", "inet"}:
            kinds.append("reject with icmpv6 type no-route")
        return self.random.choice(kinds)

    def _mark(self) -> str:
        kinds = ["meta mark set {a}", "meta mark set meta mark and {a}"]
        kinds += ["meta mark set meta mark or {a}", "meta mark set meta mark xor {a}"]
        kinds += ["meta mark set meta mark & {a} | {b}"]
        if self.family != "netdev" and self.hook != "ingress":
            kinds += ["ct mark set {a}", "ct mark set meta mark", "meta mark set ct mark"]
            kinds += ["ct mark set meta mark and {a}", "meta mark set ct mark and {a}"]
        self.seen("mark set")
        chosen = self.random.choice(kinds)
        return chosen.format(a=hex(self.random.choice(MARKS)), b=hex(self.random.choice(MARKS)))

    def _map_verdict(self) -> str:
        below = self._verdict([])
        other = self._verdict([])
        port, next_port = self.random.sample(PORTS, 2)
        choices = [
            "tcp dport vmap @vport",
            "udp dport vmap @vport",
            f"tcp dport vmap {{ {port} : {below}, {next_port} : {other} }}",
            f"meta l4proto . th dport vmap {{ tcp . {port} : {below}, udp . 53 : {other} }}",
            f"th dport vmap {{ 1-{port} : {below}, * : {other} }}",
            f"{self._l3()} saddr vmap {{ {self._network()} : {below} }}",
            f"{self._l3()} saddr . tcp dport vmap {{ {self._network()} . {port}-9000 : {below} }}",
            f"meta mark vmap {{ 1 : {below}, 2-17 : {other} }}",
        ]
        if self.hook != "postrouting":
            choices += ["iifname vmap @vdev", 'meta iifname vmap { "wg0" : ' + below + " }"]
        if self.family != "netdev" and self.hook != "ingress":
            choices += [f"ct state vmap {{ new : {below}, invalid : {other}, untracked : accept }}"]
        self.seen("vmap")
        return self.random.choice(choices)

    def _translation(self) -> str:
        if self.hook == "postrouting":
            self.seen("masquerade")
            return self.random.choice(("masquerade", f"snat {self._nat_family()} to {self._own()}"))
        if self.hook == "input":
            self.seen("snat")
            return f"snat {self._nat_family()} to {self._own()}"
        goal, goals = self._goal(), self._nat_family()
        port, other = self.random.sample(PORTS, 2)
        with_port = f"[{goal}]:{port}" if ":" in goal else f"{goal}:{port}"
        choices = [
            f"dnat {goals} to {goal}",
            f"meta l4proto {{ tcp, udp }} dnat {goals} to {with_port}",
            f"tcp dport {other} dnat {goals} to {with_port}",
            f"tcp dport {other} redirect to :{port}",
            "redirect",
            f"dnat {goals} to tcp dport map @mport",
            f"dnat {goals} to {self._l3()} daddr . tcp dport map @mboth",
            f"tcp dport {other} dnat {goals} to {goal}-{goal}",
            f"udp dport {other} redirect to :{port}-{port + 3}",
            f"tcp dport {other} dnat to :{port}",
            f"dnat {goals} to {self._goal_span()}",
            f"udp dport {other} dnat {goals} to {self._goal_span()}",
            f"dnat {goals} to tcp dport map @mspan",
        ]
        chosen = self.random.choice(choices)
        ranged = "mspan" in chosen or any(one in chosen for one in GOALS[self._l3()])
        self.seen("redirect" if "redirect" in chosen else "dnat range" if ranged else "dnat")
        return chosen

    # --- what is matched --------------------------------------------------------------------

    def _match(self) -> str:
        makers: list[tuple[str, Callable[[], str]]] = [
            ("saddr", lambda: f"{self._l3()} saddr {self._not()}{self._network()}"),
            ("saddr span", lambda: f"{self._l3()} saddr {self._not()}{self._span()}"),
            ("saddr set", lambda: f"{self._l3()} saddr {self._not()}{{ {self._networks(2)} }}"),
            ("saddr @set", lambda: f"{self._l3()} saddr {self._not()}@addr"),
            ("saddr mask", lambda: f"{self._l3()} saddr & {self._mask()}"),
            ("daddr", lambda: f"{self._l3()} daddr {self._not()}{self._own()}"),
            ("dport", lambda: f"{self._l4()} dport {self._not()}{self._ports()}"),
            ("dport set", lambda: f"{self._l4()} dport {self._not()}{{ {self._some(PORTS, 3)} }}"),
            ("dport @set", lambda: f"{self._l4()} dport {self._not()}@port"),
            ("dport compare", lambda: f"{self._l4()} dport {self._compare()}"),
            ("sport", lambda: f"{self._l4()} sport {self._not()}1024-{self._number(65535)}"),
            ("th", lambda: f"meta l4proto {{ tcp, udp }} th dport {self._not()}{self._ports()}"),
            ("concat @set", lambda: f"{self._l3()} saddr . {self._l4()} dport {self._not()}@pair"),
            ("concat", self._concatenation),
            ("l4proto", lambda: f"meta l4proto {self._not()}{self._protocol()}"),
            ("header", self._header),
            ("mark", lambda: f"meta mark {self._not()}{self._marks()}"),
            (
                "mark mask",
                lambda: f"meta mark & {self._one_mark()} {self._is()} {self._one_mark()}",
            ),
            ("pkttype", lambda: f"meta pkttype {self._not()}{self._type_of_packet()}"),
            ("tcp flags", self._flags),
            ("icmp", self._icmp),
            ("iifname", lambda: f"iifname {self._not()}{self._device()}"),
            ("chance", self._chance),
        ]
        if self.family != "netdev" and self.hook != "ingress":
            makers += [
                ("ct state", self._ct_state),
                ("ct state", self._ct_state),
                ("ct status", self._ct_status),
                ("ct mark", lambda: f"ct mark {self._not()}{self._one_mark()}"),
                ("ct mark mask", lambda: f"ct mark & {self._one_mark()} {self._is()} 0"),
                ("ct original", self._ct_original),
                ("ct direction", lambda: f"ct direction {self._not()}original"),
                ("skuid", lambda: f"meta skuid {self._not()}0"),
                ("iif", lambda: f"iif {self._not()}{self.random.choice(('eth0', 'wg0', 'lo'))}"),
                ("oifname", lambda: f"oifname {self._not()}{self._device()}"),
            ]
        if self.family != "netdev" and self.hook in {"prerouting", "input", "forward"}:
            makers.append(("fib type", self._fib_type))
        if self.family != "netdev" and self.hook == "prerouting":
            makers += [("fib saddr", self._fib)] * 2
        name, make = self.random.choice(makers)
        self.seen(name)
        return make()

    def _concatenation(self) -> str:
        choices = [
            f"{self._l3()} saddr . {self._l4()} dport {{ {self._network()} . {self._ports()} }}",
            f'iifname . tcp dport {{ "eth0" . {self._number(9000)}, "wg0" . 80 }}',
            f"tcp sport . tcp dport {{ 1024-{self._number(65535)} . {self._ports()} }}",
            f"meta l4proto . th dport {{ tcp . {self._ports()}, udp . 53 }}",
            f"{self._l3()} saddr . {self._l3()} daddr {{ {self._network()} . {self._own()} }}",
        ]
        return self.random.choice(choices)

    def _header(self) -> str:
        choices = []
        if self.family != "ip6":
            choices += [f"ip protocol {self._not()}{self._protocol()}", "ip ttl < 50"]
        if self.family != "ip":
            choices += [f"ip6 nexthdr {self._not()}{self._protocol()}", "ip6 hoplimit 40-50"]
        return self.random.choice(choices)

    def _flags(self) -> str:
        return self.random.choice(
            (
                "tcp flags syn",
                "tcp flags != syn",
                "tcp flags & (fin|syn|rst|ack) == syn",
                "tcp flags & (fin | syn | rst | ack) != syn",
                "tcp flags syn,ack",
                "tcp flags & (syn|ack) == 0",
                "tcp flags & fin != 0",
                "tcp flags { syn, syn|ack }",
                "tcp flags syn / fin,syn,rst,ack",
                "tcp flags & (syn|ack) == syn|ack",
            )
        )

    def _icmp(self) -> str:
        choices = []
        if self.family != "ip6":
            choices += ["icmp type echo-request", "icmp type { echo-request, timestamp-request }"]
            choices += ["icmp type != echo-reply", "icmp code 0"]
        if self.family != "ip":
            choices += ["icmpv6 type echo-request", "icmpv6 type { 1-130 }"]
            choices += ["icmpv6 type != nd-neighbor-solicit"]
        return self.random.choice(choices)

    def _chance(self) -> str:
        kinds = ["limit rate 5/second burst 5 packets", "limit rate over 10/minute"]
        kinds += ["quota 1 kbytes", "quota over 400 bytes", "numgen random mod 2 == 0"]
        return self.random.choice(kinds) if self.random.random() < 0.25 else ""

    def _ct_state(self) -> str:
        return self.random.choice(
            (
                "ct state new",
                "ct state established,related",
                "ct state invalid",
                "ct state { established, related }",
                "ct state != new",
                "ct state new,untracked",
                "ct state untracked",
                "ct state != { established, related }",
                "ct state invalid,untracked",
            )
        )

    def _ct_status(self) -> str:
        return self.random.choice(
            (
                "ct status dnat",
                "ct status & dnat == 0",
                "ct status & dnat == dnat",
                "ct status snat",
            )
        )

    def _ct_original(self) -> str:
        choices = []
        if self.family != "ip6":
            choices.append(f"ct original ip daddr {self._not()}{self._own('ip')}")
            choices.append(f"ct original ip saddr {self._not()}{self._network('ip')}")
        if self.family != "ip":
            choices.append(f"ct original ip6 daddr {self._not()}{self._own('ip6')}")
        choices.append(f"meta l4proto tcp ct original proto-dst {self._not()}{self._ports()}")
        return self.random.choice(choices)

    def _fib_type(self) -> str:
        return self.random.choice(
            (
                "fib daddr type local",
                "fib daddr type != local",
                "fib daddr type { local, broadcast }",
                "fib daddr type broadcast",
                "fib saddr type local",
                "fib saddr type != unicast",
            )
        )

    def _fib(self) -> str:
        return self.random.choice(
            (
                "fib saddr . iif oif missing",
                "fib saddr . iif oif exists",
                "fib saddr . iif oif 0",
                "fib saddr oif missing",
                'fib saddr oifname "eth0"',
                'fib saddr oifname != "wg0"',
                "fib saddr . mark . iif oif missing",
                "fib daddr . iif type local",
                "fib daddr . iif type != local",
            )
        )

    # --- values ------------------------------------------------------------------------------

    def _l3(self) -> str:
        if self.family in {"ip", "ip6"}:
            return self.family
        return self._fixed

    @property
    def _fixed(self) -> str:
        """Return the protocol that the sets of the table are about."""
        if not hasattr(self, "_protocol_of_sets"):
            self._protocol_of_sets = self.random.choice(("ip", "ip6"))
        return self._protocol_of_sets

    def _l4(self) -> str:
        return self._transport

    def _type(self) -> str:
        return "ipv4_addr" if self._l3() == "ip" else "ipv6_addr"

    def _nat_family(self) -> str:
        return "" if self.family in {"ip", "ip6"} else self._l3()

    def _not(self) -> str:
        return self.random.choice(("", "", "", "!= "))

    def _is(self) -> str:
        return self.random.choice(("==", "!="))

    def _number(self, end: int) -> int:
        return self.random.randrange(1025, end)

    def _network(self, family: str = "") -> str:
        return self.random.choice(NETWORKS[family or self._l3()])

    def _networks(self, count: int) -> str:
        """Return networks that do not overlap, as the elements of an interval set must not."""
        del count
        apart = {
            "ip": ("10.0.0.0/25", "10.8.0.0/16", "198.51.100.0-203.0.113.7", "9.0.0.0/8"),
            "ip6": ("fd00::/120", "fd08::/16", "2001:db8::/33", "2001:dc8::-2fff::"),
        }[self._l3()]
        return ", ".join(self.random.sample(apart, 3))

    def _span(self) -> str:
        return self.random.choice(SPANS[self._l3()])

    def _mask(self) -> str:
        return self.random.choice(MASKS[self._l3()])

    def _own(self, family: str = "") -> str:
        found = self.random.choice(OWN[family or self._l3()])
        return found.partition("/")[0] if self.nat and self.hook != "prerouting" else found

    def _goal(self) -> str:
        return self.random.choice(TARGETS[self._l3()])

    def _goal_span(self) -> str:
        return self.random.choice(GOALS[self._l3()])

    def _ip_goals(self) -> tuple[str, ...]:
        return TARGETS[self._l3()]

    def _ports(self) -> str:
        port = self.random.choice(PORTS)
        return f"{port}-{port + 400}" if self.random.random() < 0.4 else str(port)

    def _some(self, among: tuple[int, ...], count: int) -> str:
        return ", ".join(map(str, self.random.sample(among, count)))

    def _compare(self) -> str:
        return f"{self.random.choice(('<', '>', '<=', '>='))} {self.random.choice(PORTS)}"

    def _protocol(self) -> str:
        return self.random.choice(("tcp", "udp", "icmp", "{ tcp, udp }", "{ tcp, icmpv6 }"))

    def _nfproto(self) -> str:
        return self.random.choice(("ipv4", "ipv6"))

    def _one_mark(self) -> str:
        return hex(self.random.choice(MARKS))

    def _marks(self) -> str:
        return self.random.choice((self._one_mark(), "{ 1, 2, 5-17 }", "1-16"))

    def _type_of_packet(self) -> str:
        return self.random.choice(("host", "broadcast", "{ host, multicast }"))

    def _device(self) -> str:
        names = ('"eth0"', '"wg0"', '"wg*"', '"dmz*"', '{ "eth0", "dmz0" }', '{ "eth*", "lo" }')
        return self.random.choice(names)
