"""The way of a packet through a machine: hook after hook, with the routing decision between.

The order is the one of Netfilter (include/uapi/linux/netfilter_ipv4.h; nft(8), "Hooks"): ingress,
prerouting with connection tracking at priority -200 and translation of the destination at -100,
the routing decision, then input, or forward and postrouting. A drop is final; an accept ends only
the base chain that said it. All questions are about the first packet of a connection: what
follows is let through by "established" or not at all.
"""

from functools import cached_property
from typing import NamedTuple

from portward.model.net import MAX_PORT, Protocol
from portward.model.unknown import Unknown
from portward.reach.cuts import cuts, representatives, targets
from portward.reach.host import (
    BROADCAST,
    LOCAL,
    LOOPBACK,
    MULTICAST,
    UNICAST,
    UNREACHABLE,
    Host,
    Way,
)
from portward.reach.packets import CONNTRACK, EPHEMERAL, NEW, NFPROTO, NUMBERS, SYN, packet
from portward.reach.replies import Replies
from portward.reach.ruleset import (
    IPV4_BITS,
    MANY_TARGETS,
    Assign,
    Base,
    Bits,
    Chain,
    Dispatch,
    Kind,
    Names,
    Opaque,
    Part,
    Ruleset,
    Step,
    Table,
    Target,
    Test,
    Translate,
)
from portward.reach.sources import Sources
from portward.reach.walk import (
    INVALID,
    UNTRACKED,
    Fields,
    Packet,
    Spread,
    Undecided,
    Value,
    Walk,
    merged,
)

NAT = -100
"""NF_IP_PRI_NAT_DST."""

_DNAT = 32
"""IPS_DST_NAT."""

_DESTINATION = ("daddr", "original daddr")
_ANSWERED = frozenset(NUMBERS.values())
"""Transport protocols with ports."""
_BRIDGED = frozenset({"bridge"})
_FAMILIES = {32: frozenset({"ip", "inet"}), 128: frozenset({"ip6", "inet"})}


WHICH_DEVICE = "which interface an ingress chain is for"
PAST_BRIDGE = "what br_netfilter does with a packet before a chain of its bridge sees it"
"""br_nf_pre_routing() of net/bridge/br_netfilter_hooks.c, at priority 0."""
QUEUED = "what the program behind a queue decides"


class Ending(NamedTuple):
    """Where some sources' packets end."""

    kind: Kind
    live: int
    hook: str
    address: int
    """The destination as it is there, after translation."""
    port: int | None
    device: str | None = None
    """The interface by which it is passed on; None where it is for this machine."""


class Journey(NamedTuple):
    """Everything that may happen to a packet, source by source."""

    walk: Walk
    endings: list[Ending]


class Hooked(NamedTuple):
    """A base chain on its hook."""

    table: Table
    chain: Chain
    base: Base


def arrive(ruleset: Ruleset, machine: Host, sources: Sources, packet: Packet) -> Journey:
    """Follow a packet that comes in by its field "iifname" to all its endings."""
    return Paths(ruleset, machine, sources).follow(packet)


class Paths:
    """The ways through one family of a machine; what was found for a packet serves the next."""

    def __init__(self, ruleset: Ruleset, machine: Host, sources: Sources) -> None:
        """Know nothing yet."""
        self.ruleset = ruleset
        self.machine = machine
        self.sources = sources
        self._saddr = Spread(sources)
        self._hooked: dict[str, list[Hooked]] = {}
        self._routes: dict[int, Way | None] = {}
        self._spreads: dict[tuple[str, str], Spread] = {}
        self._refused: dict[str, int] = {}
        self.tracks = any(
            table.family in _FAMILIES[machine.bits] and _tracks(table, machine.bits)
            for table in ruleset.tables
        )
        """Connections are tracked for certain: some rule needs it (nf_ct_netns_get())."""

    @property
    def nfproto(self) -> int:
        """NFPROTO_IPV4 or NFPROTO_IPV6."""
        return NFPROTO[self.machine.bits]

    @cached_property
    def replies(self) -> Replies:
        """What becomes of answers."""
        return Replies(self)

    @cached_property
    def reply_ports(self) -> list[int]:
        """Where the ranges of ports begin that rules tell apart as those of a sender."""
        return representatives(cuts(self.ruleset, "sport"), MAX_PORT)

    def follow(self, packet: Packet) -> Journey:
        """Follow a packet that comes in by its field "iifname" to all its endings."""
        walk = self.walk()
        return Journey(walk, follow(self, walk, packet))

    def walk(self) -> Walk:
        """Return what executes the chains for one packet."""
        walk = Walk(self.sources)
        walk.told_apart = self.told_apart
        return walk

    @cached_property
    def told_apart(self) -> list[int]:
        """Where the ranges of destinations begin that fare alike, if any is a range of targets."""
        if not any(_is_wide(target) for target in targets(self.ruleset)):
            return []
        spans = {span for field in _DESTINATION for span in cuts(self.ruleset, field)}
        own = {(address, address) for address in self.machine.own}
        ways = {*self.machine.cuts()}
        return representatives(spans | own | ways, (1 << self.machine.bits) - 1)

    def first(
        self, device: str, protocol: Protocol, address: int, port: int, sport: int = EPHEMERAL
    ) -> Packet:
        """Return the first packet of a connection to a port, from all sources.

        All packets share what is known of the sources, so that an index knows them as alike.
        """
        return packet(
            self.machine,
            self.sources,
            device=device,
            protocol=NUMBERS[protocol],
            daddr=address,
            dport=port,
            sport=sport,
            saddr=self._saddr,
            tcp_flags=SYN if protocol == Protocol.TCP else None,
        )

    def hooked(self, hook: str, *, bridged: bool = False) -> list[Hooked]:
        """Return the base chains of a hook as the kernel runs them.

        Of equal priority the one that was registered last runs first. Bridges have hooks of their
        own, of the same names.
        """
        key = f"bridge {hook}" if bridged else hook
        if key not in self._hooked:
            families = _FAMILIES[self.machine.bits] | ({"netdev"} if hook == "ingress" else set())
            if bridged:
                families = _BRIDGED
            found = [
                Hooked(table, chain, chain.base)
                for table in self.ruleset.tables
                if table.family in families
                for chain in table.chains
                if chain.base is not None and chain.base.hook == hook
            ]
            found.reverse()
            self._hooked[key] = sorted(found, key=lambda one: _turn(one.base))
        return self._hooked[key]

    def bridged(self, device: str, hooks: tuple[str, str]) -> list[Hooked]:
        """Return the chains that a packet meets inside of a bridge; none if it is no bridge."""
        ports = self.machine.ports.get(device, ())
        if not ports:
            return []
        stages = [one for hook in hooks for one in self.hooked(hook, bridged=True)]
        if "input" in hooks:
            ingress = self.hooked("ingress")
            stages[:0] = [one for one in ingress if _may_be_for(one, ports)]
        return stages

    def route(self, address: int) -> Way | None:
        """Return the route that decides for an address."""
        if address not in self._routes:
            self._routes[address] = self.machine.route(address)
        return self._routes[address]

    def kind(self, address: int) -> int:
        """Return what the routing decision does with an address."""
        way = self.route(address)
        return UNREACHABLE if way is None else way.kind

    def fib_type(self, kind: int) -> int:
        """Return what "fib ... type" has for addresses of a kind.

        For IPv4 it looks at the local table alone, where whatever is not found is unicast
        (inet_addr_type() of the kernel).
        """
        seen = self.machine.bits != IPV4_BITS or kind in {LOCAL, BROADCAST, MULTICAST}
        return kind if seen else UNICAST

    def spread(self, result: str, device: str) -> Spread:
        """Return what a fib lookup of the source yields, source by source."""
        key = (result, device if result == "iif oif" else "")
        if key not in self._spreads:
            values: dict[int | str, int] = {}
            left = self.sources.all
            for way in self.machine.ways:
                bits = self.sources.bits(way.first, way.last) & left
                left &= ~bits
                if bits:
                    kind = self.fib_type(way.kind) if result == "type" else way.kind
                    found = self._fib(result, kind, way.device, device)
                    values[found] = values.get(found, 0) | bits
            if left:
                missing: int | str = self.fib_type(UNREACHABLE) if result == "type" else ""
                values[missing] = values.get(missing, 0) | left
            self._spreads[key] = Spread(self.sources, values)
        return self._spreads[key]

    @staticmethod
    def _fib(result: str, kind: int, way: str | None, device: str) -> int | str:
        """Return the result as nft_fib(4|6)_eval() does; "" stands for "no interface"."""
        if result == "type":
            return kind
        if (
            way is None
            or (result == "iif oif" and way != device)
            or kind not in {UNICAST, BROADCAST}
        ):
            return ""
        return way

    def martians(self, device: str) -> int:
        """Return the sources that the routing decision refuses."""
        if device not in self._refused:
            self._refused[device] = self._martians(device)
        return self._refused[device]

    def _martians(self, device: str) -> int:
        refused = 0
        sources = self.sources
        if self.machine.bits == 32:  # noqa: PLR2004 - IPv4
            refused |= sources.bits(0, 0)  # ipv4_is_zeronet(), 0.0.0.0 alone since Linux 5.3
            refused |= sources.bits(0xE0000000, 0xEFFFFFFF)  # ipv4_is_multicast()
            refused |= sources.bits(0xFFFFFFFF, 0xFFFFFFFF)
            if device != LOOPBACK and device not in self.machine.localnet:
                refused |= sources.bits(0x7F000000, 0x7FFFFFFF)
        else:
            refused |= sources.bits(0xFF << 120, (1 << 128) - 1)
            if device != LOOPBACK:
                refused |= sources.bits(1, 1)
        if self.machine.bits == 32 and device != LOOPBACK:  # noqa: PLR2004 - IPv4
            refused |= self.spread("type", device).bits(((LOCAL, LOCAL),))
        strict = self.machine.strict.get(device, 0)
        if strict:
            left = sources.all
            good = 0
            for way in self.machine.ways:
                bits = sources.bits(way.first, way.last) & left
                left &= ~bits
                if way.kind == UNICAST and (strict > 1 or way.device == device):
                    good |= bits
            refused |= sources.all & ~good
        return refused


def follow(paths: Paths, walk: Walk, packet: Packet) -> list[Ending]:
    """Follow a packet to all its endings, with a walk that executes the chains."""
    return _Way(paths, walk).follow(packet)


def before_routing(paths: Paths, walk: Walk, packet: Packet) -> list[Packet]:
    """Follow a packet to the routing decision, and return what comes there."""
    return _Way(paths, walk).before_routing(packet)


class _Way:
    """One packet's way; it holds what all its steps need."""

    def __init__(self, paths: Paths, walk: Walk) -> None:
        self.paths = paths
        self.machine = paths.machine
        self.walk = walk
        self.endings: list[Ending] = []

    def follow(self, packet: Packet) -> list[Ending]:
        for one in self.before_routing(packet):
            self._route(one)
        return self.endings

    def before_routing(self, packet: Packet) -> list[Packet]:
        daddr = packet.fields["daddr"]
        spread = isinstance(daddr, int) and self.paths.kind(daddr) in {BROADCAST, MULTICAST}
        # PACKET_HOST is 0; to a broadcast address one may as well send a frame for this host.
        kind: Value = Undecided("meta pkttype of a broadcast") if spread else 0
        packets = self._derived([packet.changed({"pkttype": kind})])
        return merged(self._prerouting(packets))

    def _arrived(self, packets: list[Packet]) -> list[Packet]:
        """Bring packets that come in by a port of a bridge to the bridge itself (br_input.c).

        By which of several ports they come nobody asked, so that is undecided.
        """
        device = str(packets[0].fields["iifname"])
        stages = self.paths.bridged(device, ("prerouting", "input"))
        if not stages:
            return packets
        before = {name: packets[0].fields[name] for name in ("iifname", "ct state", "pkttype")}
        inside = {
            "iifname": self._port(device),
            "ibrname": device,
            "ct state": Undecided("connection tracking inside of a bridge"),
            "pkttype": Undecided("whose hardware address a frame has"),
        }
        packets = [one.changed(inside) for one in packets]
        for stage in stages:
            packets = self._inside(stage, packets, "ingress")
        return [one.changed(before) for one in packets]

    def _left(self, packets: list[Packet], device: str) -> list[Packet]:
        """Send packets out by the ports of a bridge, if it is one (br_device.c)."""
        stages = self.paths.bridged(device, ("output", "postrouting"))
        if not stages:
            return packets
        outside = {"iifname": "", "oifname": self._port(device), "obrname": device}
        sent = [one.changed(outside) for one in packets]
        for stage in stages:
            sent = self._inside(stage, sent, "postrouting")
        before = {name: one.fields[name] for one in packets for name in ("iifname", "oifname")}
        return [one.changed(before) for one in sent]

    def _port(self, bridge: str) -> Value:
        ports = self.machine.ports[bridge]
        return ports[0] if len(ports) == 1 else Undecided(f"which port of {bridge} it takes")

    def _inside(self, stage: Hooked, packets: list[Packet], hook: str) -> list[Packet]:
        """Run packets through a chain of a bridge, or of one of its ports."""
        past: list[Packet] = []
        if stage.base.hook == "ingress" and not stage.base.devices:
            past = packets
            self._doubt(WHICH_DEVICE, packets)
        elif hook == "ingress" and self._is_late(stage):
            past = packets
            self._doubt(PAST_BRIDGE, packets)
        outcome = self.walk.base(stage.table, stage.chain, packets)
        for kind, one in outcome.ended:
            self._end(kind, one, hook)
        queued = [one for kind, one in outcome.ended if kind == Kind.QUEUE]
        self._doubt(QUEUED, queued)
        return merged([*past, *outcome.accepted, *queued])

    def _is_late(self, stage: Hooked) -> bool:
        """Say whether hooks of IP may have seen a packet before this chain of a bridge."""
        late = stage.base.hook == "input" or stage.base.priority >= 0
        return late and self.machine.bridges_call and bool(self.paths.hooked("prerouting"))

    def _prerouting(self, packets: list[Packet]) -> list[Packet]:
        packets = self._arrived(packets)
        for stage in self.paths.hooked("ingress"):
            packets = self._stage(stage, packets)
        packets = self._received(packets)
        tracked = False
        for stage in self.paths.hooked("prerouting"):
            if not tracked and stage.base.priority >= CONNTRACK:
                packets, tracked = [_tracked(one) for one in packets], True
            packets = self._stage(stage, packets)
        return packets if tracked else [_tracked(one) for one in packets]

    def _received(self, packets: list[Packet]) -> list[Packet]:
        """Drop what ipv6_rcv() drops before the hook; IPv4 looks later, when it routes."""
        if self.machine.bits == IPV4_BITS:
            return packets
        return [left for one in packets if (left := self._foreign(one)).live]

    def _foreign(self, packet: Packet) -> Packet:
        """Drop those whose source no packet from outside may have."""
        device = packet.fields["iifname"]
        assert isinstance(device, str)  # noqa: S101 - packet() made it
        refused = packet.live & self.paths.martians(device)
        if self.machine.bits != IPV4_BITS and packet.fields["daddr"] == 1 and device != LOOPBACK:
            refused = packet.live
        if refused:
            self._end(Kind.DROP, packet.part(refused), "routing")
        return packet.part(packet.live & ~refused)

    def _route(self, packet: Packet) -> None:
        """Decide as fib_validate_source() and ip_route_input_slow() of the kernel do."""
        fields = packet.fields
        device, daddr = fields["iifname"], fields["daddr"]
        assert isinstance(device, str)  # noqa: S101 - packet() made it
        assert isinstance(daddr, int)  # noqa: S101 - packet() made it
        packet = self._foreign(packet)
        if not packet.live:
            return
        kind = self.paths.kind(daddr)
        looping = kind == LOCAL and self._is_loopback(daddr) and device != LOOPBACK
        if looping and device not in self.machine.localnet:
            self._end(Kind.DROP, packet, "routing")
        elif kind in {LOCAL, BROADCAST, MULTICAST}:
            self._local(packet)
        elif kind == UNICAST:
            self._forward(packet, daddr)
        else:
            self._end(Kind.REJECT, packet, "routing")

    def _local(self, packet: Packet) -> None:
        passed = [packet]
        for stage in self.paths.hooked("input"):
            passed = self._stage(stage, passed)
        for one in passed:
            self._end(Kind.ACCEPT, one, "input")
            self._answer(one, None)

    def _forward(self, packet: Packet, daddr: int) -> None:
        way = self.paths.route(daddr)
        forwards = self.machine.forwards
        device = way.device if way else None
        if forwards is False or device is None:
            self._end(Kind.DROP, packet, "routing")
            return
        if isinstance(forwards, Unknown):
            self.walk.doubts[forwards.reason] = packet.live
        passed = [packet.changed({"oifname": device})]
        for hook in ("forward", "postrouting"):
            for stage in self.paths.hooked(hook):
                passed = self._stage(stage, passed)
        for one in self._left(passed, device):
            self._end(Kind.ACCEPT, one, "forward", device)
            self._answer(one, device)

    def _answer(self, packet: Packet, device: str | None) -> None:
        """Let it end another way for sources whose answers may not leave."""
        port = packet.fields["dport"]
        if not isinstance(port, int) or packet.fields["l4proto"] not in _ANSWERED:
            return
        stopped, why = self.paths.replies.stopped(packet, device)
        if why:
            self.walk.keep_to(packet, self.paths.replies.alike(port))
        if stopped:
            self._doubt(why, [packet.part(stopped)])
            self._end(Kind.DROP, packet.part(stopped), "output", device)

    def _stage(self, stage: Hooked, packets: list[Packet]) -> list[Packet]:
        """Run packets through a base chain and return those that go on."""
        if not packets:
            return []
        device = packets[0].fields["iifname"]
        past: list[Packet] = []
        if stage.base.hook == "ingress" and stage.base.devices:
            if not Names(stage.base.devices).has(str(device)):
                return packets
        elif stage.base.hook == "ingress":
            past = packets
            self._doubt(WHICH_DEVICE, packets)
        elif stage.base.type == "nat":
            before = stage.base.hook == "prerouting"
            past = [one for one in packets if not _translatable(one, before=before)]
            packets = [one for one in packets if _translatable(one, before=before)]
            if not self.paths.tracks:
                past = [*past, *packets]
                self._doubt("whether connections are tracked", packets)
        outcome = self.walk.base(stage.table, stage.chain, packets)
        for kind, one in outcome.ended:
            self._end(kind, one, stage.base.hook)
        # The program behind a queue may drop a packet or let it go on as an accept does.
        queued = [one for kind, one in outcome.ended if kind == Kind.QUEUE]
        self._doubt(QUEUED, queued)
        accepted = [self._translated(one) for one in (*outcome.accepted, *queued)]
        return self._derived(merged([*past, *accepted]))

    def _doubt(self, why: str, packets: list[Packet]) -> None:
        doubts = self.walk.doubts
        for one in packets:
            doubts[why] = doubts.get(why, 0) | one.live

    def _translated(self, packet: Packet) -> Packet:
        """Give a packet the status that its translation, if there was one, results in."""
        fields = packet.fields
        if fields["ct status"] != 0 or "translated" not in fields:
            return packet
        if fields["translated"] == "redirect":
            # The first address of the interface it came by (nf_nat_redirect.c).
            own = self.machine.own.items()
            first = next((each for each, name in own if name == fields["iifname"]), 0)
            packet = packet.changed({"daddr": first})
        now = (packet.fields["daddr"], packet.fields["dport"])
        if now == (fields["original daddr"], fields["original dport"]):
            return packet
        return packet.changed({"ct status": _DNAT})

    def _end(self, kind: Kind, packet: Packet, hook: str, device: str | None = None) -> None:
        daddr, dport = packet.fields["daddr"], packet.fields["dport"]
        self.endings.append(
            Ending(
                kind,
                packet.live,
                hook,
                daddr if isinstance(daddr, int) else 0,
                dport if isinstance(dport, int) else None,
                device,
            )
        )

    # --- what depends on addresses -----------------------------------------------------------

    def _derived(self, packets: list[Packet]) -> list[Packet]:
        """Give packets the fields that follow from their addresses ("fib daddr type")."""
        return [self._derive(one) for one in packets]

    def _derive(self, packet: Packet) -> Packet:
        daddr, device = packet.fields["daddr"], packet.fields["iifname"]
        assert isinstance(daddr, int)  # noqa: S101 - packet() and Translate make it a number
        assert isinstance(device, str)  # noqa: S101 - packet() made it
        kind = self.paths.fib_type(self.paths.kind(daddr))
        here = self._type_here(daddr, device)
        known = packet.fields.get("fib daddr type"), packet.fields.get("fib daddr . iif type")
        if known == (kind, here):
            return packet
        return packet.changed(
            {
                "fib daddr type": kind,
                "fib daddr . iif type": here,
                "fib saddr type": self.paths.spread("type", device),
                "fib saddr oif": self.paths.spread("oif", device),
                "fib saddr . iif oif": self.paths.spread("iif oif", device),
            }
        )

    def _type_here(self, daddr: int, device: str) -> int:
        """Return the type of an address as seen by one interface (inet_dev_addr_type())."""
        way = self.paths.route(daddr)
        return UNICAST if way is None or way.device not in {device, None} else way.kind

    def _is_loopback(self, address: int) -> bool:
        return address >> 24 == 127 if self.machine.bits == 32 else address == 1  # noqa: PLR2004


def _is_wide(target: Target) -> bool:
    return target.address is not None and target.address[1] - target.address[0] >= MANY_TARGETS


def _may_be_for(stage: Hooked, ports: tuple[str, ...]) -> bool:
    """Say whether a chain of ingress is for one of these interfaces, as far as is known."""
    return not stage.base.devices or any(map(Names(stage.base.devices).has, ports))


def _turn(base: Base) -> tuple[int, int]:
    """Return when a chain has its turn: those of translation at one moment, however numbered.

    nf_nat_ipv4_ops (net/netfilter/nf_nat_proto.c) fixes it; their priorities order them alone.
    """
    if base.type != "nat":
        return base.priority, base.priority
    return NAT if base.hook in {"prerouting", "output"} else -NAT, base.priority


def _tracks(table: Table, bits: int) -> bool:
    """Say whether a rule of a table needs connection tracking, which makes the kernel begin it.

    Chains of translation alone do not, and are passed by without it (nf_nat_inet_fn()).
    """
    return any(
        (isinstance(step, Translate) and step.family in {None, 4 if bits == IPV4_BITS else 6})
        or (isinstance(step, Assign) and step.field.name == "ct mark")
        or any(_of_connection(part) for part in _parts(step))
        for chain in table.chains
        for rule in chain.rules
        for step in rule.steps
    )


def _parts(step: Step) -> tuple[Part, ...]:
    if isinstance(step, Test | Dispatch):
        return step.parts
    return (step.source,) if isinstance(step, Assign) else ()


def _of_connection(part: Part) -> bool:
    name = part.of.name if isinstance(part, Bits) else part.name
    return name.startswith("ct ") and not isinstance(part, Opaque)


def _tracked(packet: Packet) -> Packet:
    """Let connection tracking look at a packet, unless a rule said no."""
    fields = packet.fields
    state = fields.get("first state", NEW)
    if fields["ct state"] != INVALID or state != NEW:
        return packet.changed({"ct state": state}) if state == UNTRACKED else packet
    dport = fields["dport"]
    connection: Fields = {
        "ct state": NEW,
        "ct mark": 0,
        "ct status": 0,
        "ct direction": 0,
        "original saddr": fields["saddr"],
        "original sport": fields.get("sport", Undecided("sport")),
        "original daddr": fields["daddr"],
        "original dport": dport,
    }
    return packet.changed(connection)


def _translatable(packet: Packet, *, before: bool) -> bool:
    """Say whether chains of translation see a packet: the first of a connection, till one did."""
    done = "translated" if before else "source translated"
    return packet.fields["ct state"] == NEW and done not in packet.fields
