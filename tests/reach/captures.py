"""Captures: a machine as real tools set it up, and what really answered knocks at its ports."""

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from typing import NamedTuple

from msgspec import Struct

from portward.model.host import HOST, Listener, Snapshot
from portward.model.net import Family, Protocol, is_wildcard
from portward.model.status import Entrance, Reach, Scope
from portward.model.unknown import Unknown
from portward.reach import load
from portward.reach.answer import Machine
from portward.reach.exposure import Exposer, is_passed_on
from portward.reach.host import Host, host, number
from portward.reach.packets import EPHEMERAL, NUMBERS, SYN, packet
from portward.reach.path import Ending, arrive
from portward.reach.ruleset import Kind
from portward.reach.sources import Sources

PROXY = "a proxy"
"""Stands for whatever a program reaches that passes a container's connections on."""


class Knock(Struct, frozen=True, kw_only=True):
    """A first packet that was sent for real, and what came of it."""

    device: str
    """The interface of the machine by which it came in."""
    source: str
    protocol: Protocol
    address: str
    port: int
    reached: tuple[str | None, ...]
    """"address port" of the server that answered, None for silence or refusal.

    Two where a limit let some through and others not.
    """
    limited: bool
    """It was repeated, since a limit may decide."""

    def __str__(self) -> str:
        """Return who knocked where."""
        return f"{self.source} via {self.device} to {self.address} {self.port}/{self.protocol}"


class Capture(Struct, frozen=True, kw_only=True):
    """A machine and the knocks at it."""

    tools: dict[str, str]
    """What wrote the rules, by package, with versions."""
    snapshot: Snapshot
    knocks: tuple[Knock, ...]


class Prediction(NamedTuple):
    """What the model says of a knock."""

    reached: set[str | None]
    doubts: tuple[str, ...]


class Model:
    """The model of a captured machine, ready for many knocks."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Read the ruleset and the listeners; both have to be known."""
        assert not isinstance(snapshot.firewall, Unknown), snapshot.firewall
        assert not isinstance(snapshot.listeners, Unknown), snapshot.listeners
        ruleset = load.ruleset(snapshot.firewall)
        assert not isinstance(ruleset, Unknown), ruleset
        self.ruleset = ruleset
        self.listeners = [one for one in snapshot.listeners if one.namespace == HOST]
        self.machines = {
            family: Machine(ruleset, host(snapshot, family))
            for family in (Family.IPV4, Family.IPV6)
        }

    def predict(self, knock: Knock) -> Prediction:
        """Follow the knock as a single packet."""
        machine = self.machines[_family(knock.source)]
        sources = Sources.of_points([number(knock.source)])
        first = packet(
            machine.host,
            sources,
            device=knock.device,
            protocol=NUMBERS[knock.protocol],
            daddr=number(knock.address),
            dport=knock.port,
            sport=EPHEMERAL,
            tcp_flags=SYN if knock.protocol == Protocol.TCP else None,
        )
        journey = arrive(self.ruleset, machine.host, sources, first)
        reached = {
            self._reached(ending, machine.host, knock.protocol)
            for ending in journey.endings
            if ending.live
        }
        return Prediction(reached, tuple(journey.walk.doubts))

    def admits(self, knock: Knock, server: str) -> str:
        """Say "yes", "perhaps" or "no" of the source, by the set of those that get to a server.

        The server is one of the machine's own, or the machine passes the port on to it.
        """
        machine = self.machines[_family(knock.source)]
        here = f"{knock.address} {knock.port}" if server == PROXY else server
        address, port = here.split()
        if number(address) in machine.host.own:
            door = machine.door(knock.device, knock.protocol, int(port), address)
        else:
            door = machine.forwarded(knock.device, knock.protocol, knock.port)
        source = number(knock.source)
        for word, ranges in (("yes", door.yes), ("perhaps", door.perhaps)):
            if any(first <= source <= last for first, last in ranges):
                return word
        return "no"

    def is_own(self, knock: Knock) -> bool:
        """Say whether the knock is at an address of the machine itself."""
        return number(knock.address) in self.machines[_family(knock.source)].host.own

    def _reached(self, ending: Ending, machine: Host, protocol: Protocol) -> str | None:
        """Return the server that a packet comes to."""
        if ending.kind != Kind.ACCEPT or ending.port is None:
            return None
        kind = ip_address(b"\0" * (machine.bits // 8)).__class__
        address = str(kind(ending.address))
        if ending.hook == "input":
            listener = next(self._hearing(protocol, address, ending.port), None)
            if listener is None:
                return None
            if listener.container is not None:
                return PROXY
        return f"{address} {ending.port}"

    def _hearing(self, protocol: Protocol, address: str, port: int) -> Iterator[Listener]:
        for one in self.listeners:
            fits = one.address == address or (
                is_wildcard(one.address) and one.family in {_family(address), Family.DUAL}
            )
            if one.protocol == protocol and one.port == port and fits:
                yield one


def _family(address: str) -> Family:
    return Family.IPV6 if ":" in address else Family.IPV4


def disagreements(capture: Capture) -> list[str]:
    """Return every knock of which the model does not say what the kernel did."""
    model = Model(capture.snapshot)
    found = []
    for knock in capture.knocks:
        predicted = model.predict(knock)
        reached = set(knock.reached)
        if predicted.reached == {PROXY}:
            right = None not in reached
        elif knock.limited:  # the limit may be used up by others, or too large for this test
            right = reached <= predicted.reached
        else:
            right = reached == predicted.reached
        if not right:
            found.append(f"{knock}: {knock.reached}, not {predicted}")
        for server in (predicted.reached - {None}) if model.is_own(knock) else ():
            word = model.admits(knock, str(server))
            if word != ("yes" if len(predicted.reached) == 1 else "perhaps"):
                found.append(f"{knock}: {predicted}, but the set of sources says {word!r}")
    return found


def misstatements(capture: Capture) -> list[str]:
    """Return every knock that contradicts what status says of the port it was at."""
    exposer, model = Exposer(capture.snapshot), Model(capture.snapshot)
    listeners = capture.snapshot.listeners
    assert not isinstance(listeners, Unknown)
    found = []
    for listener in (*listeners, *exposer.passed_on()):
        reach = exposer.reach(listener)
        for knock in filter(model.is_own, capture.knocks):
            if not _is_at(knock, listener):
                continue
            if reach.scope == Scope.UNKNOWN or "rate-limited" in reach.reason:
                right = knock.limited  # whether this knock came through is the limit's matter
            elif reach.scope == Scope.EVERYONE and not _is_entrance(knock, reach):
                right = True  # of other interfaces it says nothing
            else:
                right = _is_named(knock, reach) in _outcomes(capture, knock, listener)
            if not right:
                found.append(f"{knock}: {knock.reached}, but {reach.scope}: {reach.networks}")
    return found


def _is_at(knock: Knock, listener: Listener) -> bool:
    return (
        (knock.protocol, knock.port) == (listener.protocol, listener.port)
        and _family(knock.address) == listener.family
        and (is_wildcard(listener.address) or listener.address == knock.address)
    )


def _outcomes(capture: Capture, knock: Knock, listener: Listener) -> set[bool]:
    """Say whether that source came to the listener, or to that which it stands for."""
    if listener.container is not None or is_passed_on(listener):
        return {answer is not None for answer in knock.reached}
    by_another_port = {
        True
        for other in capture.knocks
        if (other.device, other.source, other.protocol)
        == (knock.device, knock.source, knock.protocol)
        and f"{knock.address} {knock.port}" in other.reached
    }
    return by_another_port or {False}


def _is_named(knock: Knock, reach: Reach) -> bool:
    """Say whether a statement names the source of a knock."""
    return _is_entrance(knock, reach) and (
        reach.scope == Scope.EVERYONE
        or any(
            ip_address(knock.source) in ip_network(network)
            for network, _, device in (one.partition(" ") for one in reach.networks)
            if device in {"", f"({knock.device})"}
        )
    )


def _is_entrance(knock: Knock, reach: Reach) -> bool:
    return Entrance(device=knock.device, family=_family(knock.source)) in reach.entrances
