"""Who can reach each listener of a snapshot, through its live ruleset.

The question is asked of every interface that a packet may come in by. "Everyone" means whoever
the routing decision lets in by an interface with a default route; what comes in by another one
comes from the networks behind it.
"""

from collections.abc import Container, Iterable
from functools import cached_property
from ipaddress import ip_interface
from itertools import product

from msgspec.structs import replace

from portward.model.host import HOST, Interface, Listener, Snapshot
from portward.model.net import Family, Protocol, is_loopback, is_wildcard
from portward.model.status import Decider, Default, Entrance, Reach, Scope
from portward.model.unknown import Unknown
from portward.reach import published
from portward.reach.answer import Door, Machine, networks
from portward.reach.host import host
from portward.reach.load import ruleset
from portward.reach.ruleset import Kind, Ruleset
from portward.reach.wording import deciding, words

LOOPBACK = "lo"
_LINKS = {"fe80:": "fe80::/10", "169.254.": "169.254.0.0/16"}
"""Link-local networks by how their addresses begin (the kernel gives none but fe80::/64)."""

RATE_LIMIT = "a limit of "
"""How the names of rate limits begin, whichever tool wrote them."""
_FAMILIES = {
    Family.IPV4: (Family.IPV4,),
    Family.IPV6: (Family.IPV6,),
    Family.DUAL: (Family.IPV4, Family.IPV6),
    Family.LINK: (),
}


class Exposer:
    """Answers for all listeners of one snapshot; listeners on the same port share the work."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Take the snapshot; its ruleset is read when the first question needs it."""
        self._snapshot = snapshot
        self._asked: dict[tuple[object, ...], Reach] = {}

    def reach(self, listener: Listener) -> Reach:
        """Say who can reach a listener, and why."""
        key = (
            listener.protocol,
            listener.family,
            listener.address,
            listener.port,
            listener.device,
            listener.namespace,
            isinstance(listener.container, str),
            is_passed_on(listener),
        )
        if key not in self._asked:
            self._asked[key] = self._bound(listener) or _on_link(listener, self._through(listener))
        return self._asked[key]

    @property
    def follows(self) -> bool:
        """All is known that decides the way of a packet."""
        return self._unknown is None

    def doors(self, listener: Listener) -> tuple[Door, ...] | None:
        """Say by which interfaces, in which family, from where exactly a listener is reached.

        None where that is not known; empty where no packet from outside can be for it.
        """
        bound = self._bound(listener)
        if bound is not None:
            return None if bound.scope == Scope.UNKNOWN else ()
        if self._unknown:
            return None
        return tuple(_unlimited(door) for _, door in self._doors(listener))

    def unforwarded(self, listener: Listener) -> Reach | None:
        """Say whom the rules for incoming packets would let in to a port that is passed on.

        None where the port is not passed on, or that cannot be told.
        """
        held = isinstance(listener.container, str) or is_passed_on(listener)
        if listener.namespace != HOST or not held or isinstance(self._rules, Unknown):
            return None
        return self._sum(
            [
                (machine, machine.door(device, listener.protocol, listener.port, ""))
                for family in _FAMILIES[listener.family]
                for machine in (self._untranslated[family],)
                for device in machine.host.devices
            ]
        )

    def defaults(self) -> tuple[Default, ...]:
        """Say what becomes of packets from outside for a port that no rule names."""
        found = []
        for family, protocol in product((Family.IPV4, Family.IPV6), (Protocol.TCP, Protocol.UDP)):
            if why := self._unknown:
                reach = why
            elif self._machines[family].is_routed:
                machine = self._machines[family]
                port = machine.unnamed
                outer = [device for device in machine.host.devices if device in self._outer]
                reach = self._sum(
                    [(machine, machine.door(device, protocol, port, "")) for device in outer]
                )
            else:
                continue
            found.append(Default(family=family, protocol=protocol, reach=reach))
        return tuple(found)

    def passed_on(self) -> tuple[Listener, ...]:
        """Return the ports that no socket stands for, as rules alone pass them on."""
        if self._unknown or isinstance(self._snapshot.listeners, Unknown):
            return ()
        return published.listeners(
            self._snapshot.listeners,
            self._snapshot.containers,
            self._machines.values(),
            self._outer,
        )

    def _bound(self, listener: Listener) -> Reach | None:
        """Answer from the listener alone where that is enough."""
        if listener.protocol == Protocol.PACKET:
            return Reach(scope=Scope.UNKNOWN, reason="it sees frames before any firewall does")
        if is_loopback(listener.address):
            return Reach(scope=Scope.HOST, reason=f"bound to {listener.address}")
        if listener.device == LOOPBACK:
            return Reach(scope=Scope.HOST, reason=f"bound to the interface {LOOPBACK}")
        if listener.namespace != HOST:
            return Reach(
                scope=Scope.UNKNOWN,
                reason=f"it lives in the network of {listener.namespace}, not judged yet",
            )
        if listener.protocol == Protocol.RAW:
            return Reach(scope=Scope.UNKNOWN, reason="raw sockets have no port to ask about")
        return None

    def _through(self, listener: Listener) -> Reach:
        """Follow packets through the ruleset, by every interface."""
        return self._unknown or self._sum(self._doors(listener))

    def _doors(self, listener: Listener) -> list[tuple[Machine, Door]]:
        return [
            (machine, door)
            for family in _FAMILIES[listener.family]
            for machine in (self._machines[family],)
            for device in machine.host.devices
            if listener.device in {None, device}
            for door in (_door(machine, device, listener, family),)
        ]

    def _sum(self, doors: list[tuple[Machine, Door]]) -> Reach:
        """Join the answers of all interfaces to one, the widest first."""
        if not doors:
            return Reach(scope=Scope.HOST, reason="no interface is up that it could be reached by")
        doors = [(machine, _unlimited(door)) for machine, door in doors]
        perhaps = [(machine, door) for machine, door in doors if door.perhaps]
        full = [
            (machine, door)
            for machine, door in doors
            if door.device in self._outer and _is_everyone(machine, door)
        ]
        if full:
            return Reach(
                scope=Scope.EVERYONE,
                reason=_because(full[0][1], self._filters),
                decided_by=_deciders([full[0][1]]),
                entrances=_entrances(door for _, door in full),
            )
        if perhaps:
            door = perhaps[0][1]
            named = ", ".join(door.doubts) or "the ruleset"
            return Reach(scope=Scope.UNKNOWN, reason=f"by {door.device} it hangs on {named}")
        found: dict[str, None] = {}
        reasons: dict[str, None] = {}
        for machine, door in doors:
            if door.yes:
                found |= dict.fromkeys(self._named(machine, door))
                reasons[_because(door, self._filters)] = None
        if found:
            return Reach(
                scope=Scope.NETWORKS,
                networks=tuple(one for one in found if not _is_said(one, found)),
                reason="; ".join(list(reasons)[:3]),
                decided_by=_deciders(door for _, door in doors if door.yes),
                entrances=_entrances(door for _, door in doors if door.yes),
            )
        return Reach(
            scope=Scope.NOBODY,
            reason=_kept_out(doors),
            decided_by=_deciders(door for _, door in doors),
        )

    def _named(self, machine: Machine, door: Door) -> tuple[str, ...]:
        """Write a door's sources; of an inner interface that lets all in, its own networks."""
        if not _lets_all_in(machine, door):
            inner = "" if door.device in self._outer else f" ({door.device})"
            prefixes = networks(machine.simplest(door.yes, door.device), door.family)
            return tuple(f"{prefix}{inner}" for prefix in prefixes)
        interface = self._interfaces.get(door.device)
        own = tuple(
            address
            for address in (interface.addresses if interface else ())
            if (":" in address) == (door.family == Family.IPV6)
        )
        return tuple(f"{_network(address)} ({door.device})" for address in own)

    # --- what all questions share ------------------------------------------------------------

    @cached_property
    def _rules(self) -> Ruleset | Unknown:
        firewall = self._snapshot.firewall
        return firewall if isinstance(firewall, Unknown) else ruleset(firewall)

    @cached_property
    def _unknown(self) -> Reach | None:
        """Why no packet can be followed; None where all is known that decides its way."""
        if isinstance(self._rules, Unknown):
            return Reach(
                scope=Scope.UNKNOWN, reason=f"the firewall is not known: {self._rules.reason}"
            )
        if isinstance(self._snapshot.interfaces, Unknown):
            why = self._snapshot.interfaces.reason
            return Reach(scope=Scope.UNKNOWN, reason=f"the interfaces are not known: {why}")
        return None

    @cached_property
    def _filters(self) -> bool:
        return isinstance(self._rules, Ruleset) and bool(self._rules.tables)

    @cached_property
    def _machines(self) -> dict[Family, Machine]:
        assert isinstance(self._rules, Ruleset)  # noqa: S101 - _through() has looked
        return {
            family: Machine(self._rules, host(self._snapshot, family))
            for family in (Family.IPV4, Family.IPV6)
        }

    @cached_property
    def _untranslated(self) -> dict[Family, Machine]:
        """The same machines as if they passed no port on."""
        assert isinstance(self._rules, Ruleset)  # noqa: S101 - unforwarded() has looked
        rules = published.without_translation(self._rules)
        return {family: Machine(rules, machine.host) for family, machine in self._machines.items()}

    @cached_property
    def _interfaces(self) -> dict[str, Interface]:
        known = self._snapshot.interfaces
        return {} if isinstance(known, Unknown) else {one.name: one for one in known}

    @cached_property
    def _outer(self) -> frozenset[str]:
        """Interfaces with a default route; all of them where there is none."""
        outer = frozenset(name for name, one in self._interfaces.items() if one.default_route)
        return outer or frozenset(self._interfaces)


def is_passed_on(listener: Listener) -> bool:
    """Say whether rules alone stand for the port, and no socket."""
    return listener.process == published.NETFILTER


def _door(machine: Machine, device: str, listener: Listener, family: Family) -> Door:
    if is_passed_on(listener):
        return machine.forwarded(device, listener.protocol, listener.port)
    if isinstance(listener.container, str):
        # Held for a container by its engine, whose rules pass most packets on before they come
        # to the socket.
        return machine.published(device, listener.protocol, listener.port)
    return machine.door(device, listener.protocol, listener.port, _address(listener, family))


def _address(listener: Listener, family: Family) -> str:
    """Return the bind address as the family has it."""
    if listener.family == Family.DUAL or is_wildcard(listener.address):
        return ""
    return listener.address.removeprefix("::ffff:") if family == Family.IPV4 else listener.address


def _on_link(listener: Listener, reach: Reach) -> Reach:
    """Take everyone for the neighbours where routers pass no packet on (RFC 4291, RFC 3927)."""
    link = next((net for start, net in _LINKS.items() if listener.address.startswith(start)), None)
    if reach.scope != Scope.EVERYONE or link is None:
        return reach
    devices = dict.fromkeys(one.device for one in reach.entrances)
    return replace(
        reach,
        scope=Scope.NETWORKS,
        networks=tuple(f"{link} ({device})" for device in devices),
        reason=f"only neighbours can send to {listener.address}; {reach.reason}",
    )


def _is_said(network: str, found: Container[str]) -> bool:
    """Say whether what comes in by an inner interface may come in by any."""
    prefix, _, inner = network.partition(" ")
    return bool(inner) and prefix in found


def _unlimited(door: Door) -> Door:
    """Take those whom nothing but a rate limit may stop for those who get through: some do."""
    if not door.perhaps or not all(doubt.startswith(RATE_LIMIT) for doubt in door.doubts):
        return door
    return replace(door, yes=tuple(sorted(door.yes + door.perhaps)), perhaps=())


def _is_everyone(machine: Machine, door: Door) -> bool:
    """Say whether a door lets all in, and not only neighbours on the link can send to it."""
    return machine.is_routed and _lets_all_in(machine, door)


def _lets_all_in(machine: Machine, door: Door) -> bool:
    return bool(door.yes) and machine.is_everyone(door.yes, door.device)


def _because(door: Door, filters: bool) -> str:  # noqa: FBT001 - a fact of the machine
    """Name the rule that lets sources in, or say that nothing stops them."""
    if not filters:
        return "this host filters nothing"
    limited = "".join(f"; rate-limited: {doubt}" for doubt in door.doubts)
    rules = dict.fromkeys(
        words(one.place, one.kind)
        for one in door.decided_by
        if one.kind == Kind.ACCEPT and one.place.rule is not None
    )
    return (f"by {', '.join(list(rules)[:3])}" if rules else "no rule stops it") + limited


def _kept_out(doors: Iterable[tuple[Machine, Door]]) -> str:
    """Name what drops everyone."""
    rules = dict.fromkeys(
        f"{one.kind} by {words(one.place, one.kind)}"
        for _, door in doors
        for one in door.decided_by
        if one.kind != Kind.ACCEPT
    )
    return "; ".join(list(rules)[:3]) or "the routing decision takes no packet for it"


def _entrances(doors: Iterable[Door]) -> tuple[Entrance, ...]:
    return tuple(Entrance(device=door.device, family=door.family) for door in doors)


def _deciders(doors: Iterable[Door]) -> tuple[Decider, ...]:
    """Name the rules that let somebody in; else the rules and policies that keep everyone out."""
    found: dict[Decider, None] = {}
    for door in doors:
        for one in door.decided_by:
            lets_in = one.kind == Kind.ACCEPT
            if lets_in == bool(door.yes) and not (lets_in and one.place.rule is None):
                found[Decider(device=door.device, rule=deciding(one))] = None
    return tuple(found)


def _network(address: str) -> str:
    return str(ip_interface(address.partition("%")[0]).network)
