"""Who can reach each listener before and after a change of rules, and what that means."""

from collections.abc import Iterable
from enum import StrEnum

from msgspec import Struct

from portward.model.host import Listener, Snapshot
from portward.model.net import Family
from portward.model.status import Entrance, Reach, Scope
from portward.model.unknown import Unknown
from portward.reach.answer import Door
from portward.reach.exposure import Exposer, is_passed_on
from portward.reach.ruleset import IPV4_BITS, IPV6_BITS, Range
from portward.reach.sources import Sources

_FAMILIES = {Family.IPV4: "IPv4", Family.IPV6: "IPv6"}
_BITS = {Family.IPV4: IPV4_BITS, Family.IPV6: IPV6_BITS}


class Direction(StrEnum):
    """What a change does to those who can reach a port."""

    WIDER = "wider"
    """More can, and nobody less; "perhaps" is more than not at all."""
    NARROWER = "narrower"
    BOTH = "both"
    """Some can who could not, and others no longer."""
    UNKNOWN = "unknown"
    """One side is not known, so nothing is said of it, and least of all that it is safe."""


class Change(Struct, frozen=True, kw_only=True):
    """A listener whose reach changes."""

    listener: Listener
    """As it is after; as it was where it is gone."""
    before: Reach | None
    """None: nothing listened."""
    after: Reach | None
    """None: nothing listens."""
    direction: Direction

    @property
    def words(self) -> str:
        """The change in a line: "5432/tcp: everyone -> nobody"."""
        before, after = _who(self.before), _who(self.after)
        if before == after and self.before and self.after:
            before += _by(self.before.entrances)
            after += _by(self.after.entrances)
        return f"{self.listener.port}/{self.listener.protocol}: {before} -> {after}"


def changes(before: Snapshot, after: Snapshot) -> tuple[Change, ...]:
    """Compare the reach of every listener of either snapshot, and of the ports passed on by rules.

    Both are of one machine; they differ in its firewall and its listeners. Only what differs in
    who gets through is a change, not what differs in the rules that decide. Sockets that no rule
    is asked about (raw ones, those of frames, and those in other networks) change only where they
    come or go.
    """
    old, new = _Side(before), _Side(after)
    return tuple(
        Change(
            listener=new.listeners.get(key) or old.listeners[key],
            before=old.reach(key),
            after=new.reach(key),
            direction=direction,
        )
        for key in dict.fromkeys([*old.listeners, *new.listeners])
        if not (old.is_beside(key) and new.is_beside(key))
        if (direction := _direction(old.doors(key), new.doors(key)))
    )


_Key = tuple[object, ...]


class _Side:
    """One of the two snapshots."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._exposer = Exposer(snapshot)
        sockets = () if isinstance(snapshot.listeners, Unknown) else snapshot.listeners
        found = (*sockets, *self._exposer.passed_on())
        self.listeners: dict[_Key, Listener] = {_key(one): one for one in found}
        self._is_known = not isinstance(snapshot.listeners, Unknown)

    def reach(self, key: _Key) -> Reach | None:
        """Say who can reach a listener; None where nothing listens."""
        listener = self.listeners.get(key)
        if listener is not None:
            return self._exposer.reach(listener)
        if self._is_known:
            return None
        return Reach(scope=Scope.UNKNOWN, reason="the listeners are not known")

    def doors(self, key: _Key) -> tuple[Door, ...] | None:
        """Return who comes in, exactly; None where that is not known."""
        listener = self.listeners.get(key)
        if listener is None:
            return () if self._is_known else None
        return self._exposer.doors(listener)

    def is_beside(self, key: _Key) -> bool:
        """Say whether a socket is there that no rule is asked about, though all rules are known."""
        there = key in self.listeners
        return there and self._exposer.follows and self.doors(key) is None


def _key(listener: Listener) -> _Key:
    """Return what stays the same of a listener when its process starts again."""
    return (
        listener.protocol,
        listener.family,
        listener.address,
        listener.port,
        listener.device,
        listener.namespace,
        is_passed_on(listener),
    )


def _direction(before: tuple[Door, ...] | None, after: tuple[Door, ...] | None) -> Direction | None:
    """Say what a change does; None where nobody comes in who did not before, or the reverse."""
    if before is None or after is None:
        return Direction.UNKNOWN
    was, now = _by_entrance(before), _by_entrance(after)
    wider = narrower = False
    for entrance in dict.fromkeys([*was, *now]):
        old, new = was.get(entrance), now.get(entrance)
        old_yes, old_any = (old.yes, old.yes + old.perhaps) if old else ((), ())
        new_yes, new_any = (new.yes, new.yes + new.perhaps) if new else ((), ())
        bits = _BITS[entrance[1]]
        wider |= _exceeds(new_yes, old_yes, bits) or _exceeds(new_any, old_any, bits)
        narrower |= _exceeds(old_yes, new_yes, bits) or _exceeds(old_any, new_any, bits)
    if wider and narrower:
        return Direction.BOTH
    return (Direction.WIDER if wider else Direction.NARROWER) if wider or narrower else None


def _by_entrance(doors: Iterable[Door]) -> dict[tuple[str, Family], Door]:
    return {(door.device, door.family): door for door in doors}


def _exceeds(ours: tuple[Range, ...], theirs: tuple[Range, ...], bits: int) -> bool:
    """Say whether ranges have an address that others do not."""
    if ours == theirs:
        return False
    sources = Sources(bits, [*ours, *theirs])
    return bool(sources.union(ours) & ~sources.union(theirs))


def _who(reach: Reach | None) -> str:
    """Name those who can reach a port."""
    if reach is None:
        return "nothing listens"
    if reach.scope == Scope.NETWORKS:
        return ", ".join(reach.networks)
    if reach.scope == Scope.UNKNOWN:
        return f"unknown ({reach.reason})"
    return "this host only" if reach.scope == Scope.HOST else str(reach.scope)


def _by(entrances: Iterable[Entrance]) -> str:
    by = dict.fromkeys(f"{one.device} ({_FAMILIES[one.family]})" for one in entrances)
    return f" by {', '.join(by)}" if by else ""
