"""What a plan changes for the world: who reaches each port before it, and who afterwards."""

from collections.abc import Iterator

from msgspec.structs import replace

from portward.advice.groups import owner
from portward.advice.matters import is_port
from portward.advice.openness import excess, reached_from, whom
from portward.model.case import Case
from portward.model.host import HOST, Listener, Process, Snapshot
from portward.model.net import Ports
from portward.model.plan import Cut, Effect
from portward.model.status import Exposure, Scope
from portward.model.unknown import Unknown
from portward.policy.resolve import PRIVATE
from portward.reach.exposure import Exposer

STOPPED, FILTERED = "stopped", "firewall"
NOBODY = "nobody"


def effects(case: Case, later: Snapshot) -> tuple[Effect, ...]:
    """Return every port whose answer changes, the same ports of several addresses once."""
    found = dict.fromkeys(_effects(case, later))
    return tuple(sorted(found, key=lambda one: (one.port, one.protocol, one.address)))


def _effects(case: Case, later: Snapshot) -> Iterator[Effect]:
    exposer = Exposer(later)
    left = _sockets(later)
    for exposure in case.exposures:
        if not is_port(exposure):
            continue
        listener = exposure.listener
        before = said(exposure)
        stopped = bool(listener.inodes) and _socket(listener) not in left
        after = NOBODY if stopped else said(replace(exposure, reach=exposer.reach(listener)))
        if before != after:
            yield Effect(
                protocol=listener.protocol,
                port=listener.port,
                address=listener.address,
                service=exposure.recognition.service.name if exposure.recognition else None,
                program=_program(listener),
                before=before,
                after=after,
                by=STOPPED if stopped else FILTERED,
            )


def said(exposure: Exposure) -> str:
    """Say in a few words who reaches a port: as the policy calls them, where it is just those."""
    reach, allowance = exposure.reach, exposure.allowance
    if reach.scope == Scope.NETWORKS and allowance is not None and not excess(exposure):
        label = allowance.sources.label
        return f"{label} networks" if label == PRIVATE else label
    match reach.scope:
        case Scope.NOBODY:
            return NOBODY
        case Scope.HOST:
            return "this host"
        case Scope.UNKNOWN:
            return f"unknown ({reach.reason})"
        case _:
            return whom([reach], reached_from(reach))


def cuts(case: Case, later: Snapshot) -> tuple[Cut, ...] | None:
    """Say who is connected now to what would be stopped; None where that is not known."""
    peers = case.snapshot.peers
    if isinstance(peers, Unknown):
        return None
    left = _sockets(later)
    stopped: dict[tuple[str, int], str] = {
        (one.protocol, one.port): _program(one)
        for one in _listeners(case.snapshot)
        if one.namespace == HOST and _socket(one) not in left
    }
    return tuple(
        Cut(
            protocol=peer.protocol,
            port=peer.port,
            peer=peer.address,
            connections=peer.connections,
            program=stopped[peer.protocol, peer.port],
        )
        for peer in peers
        if (peer.protocol, peer.port) in stopped
    )


def narrowed(case: Case, later: Snapshot) -> tuple[Exposure, ...]:
    """Return allowed ports that somebody reaches now and nobody would for certain afterwards."""
    exposer = Exposer(later)
    reached = {Scope.EVERYONE, Scope.NETWORKS}
    return tuple(
        one
        for one in case.exposures
        if is_port(one)
        and one.allowance is not None
        and one.allowance.sources.audience not in {"nobody", "host"}
        and one.reach.scope in reached
        and exposer.reach(one.listener).scope not in reached
    )


def left_open(case: Case, later: Snapshot) -> Iterator[tuple[Ports, str, str]]:
    """Yield what more could reach than the policy says: the port, who, and the rule that decides.

    Who reaches a port because it cannot be told who does, counts as well.
    """
    exposer = Exposer(later)
    left = _sockets(later)
    for one in case.exposures:
        listener = one.listener
        if not is_port(one) or (listener.inodes and _socket(listener) not in left):
            continue
        reach = exposer.reach(listener)
        if reach.scope in {Scope.NOBODY, Scope.HOST}:
            continue
        outside = tuple(text for text in reach.networks if "(" not in text)  # not by inner ones
        beyond = excess(replace(one, reach=replace(reach, networks=outside)))
        if beyond or reach.scope == Scope.UNKNOWN:
            who = whom([reach], beyond) if beyond else f"nobody knows whom ({reach.reason})"
            rule = reach.decided_by[0].rule.words if reach.decided_by else ""
            yield Ports(listener.protocol, listener.port, listener.port), who, rule


def unlike(promised: tuple[Effect, ...], case: Case) -> str | None:
    """Say which port is reached by others than a plan promised; None where all is as it said."""
    found = {
        (one.listener.protocol, one.listener.port, one.listener.address): said(one)
        for one in case.exposures
        if is_port(one)
    }
    for one in promised:
        now = found.get((one.protocol, one.port, one.address), NOBODY)
        if now != one.after:
            return f"{one.port}/{one.protocol} is open to {now}, promised was {one.after}"
    return None


def _listeners(snapshot: Snapshot) -> tuple[Listener, ...]:
    return () if isinstance(snapshot.listeners, Unknown) else snapshot.listeners


def _sockets(snapshot: Snapshot) -> set[object]:
    return {_socket(one) for one in _listeners(snapshot)}


def _socket(listener: Listener) -> object:
    return listener.namespace, listener.inodes


def _program(listener: Listener) -> str:
    process = listener.process
    if isinstance(process, Process) and isinstance(process.exe, str):
        return process.exe.rpartition("/")[2]
    return owner(listener)
