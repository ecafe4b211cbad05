"""Executes chains on packets as the kernel would, for all sources at once.

A packet stands for many: each of its fields has one value, only its source is a set, as bits of
``Sources``. What a rule cannot decide for a source sends that source both ways, and the name of
what was not decided is kept. So after the walk a source with one ending gets it for certain, and
one with several may get any of them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from portward.reach.ruleset import (
    MANY_TARGETS,
    Assign,
    Chain,
    Chance,
    Dispatch,
    Elements,
    Field,
    Kind,
    Names,
    Opaque,
    Part,
    Place,
    Range,
    Row,
    Rule,
    SetName,
    Table,
    Target,
    Test,
    Translate,
    Untrack,
    Values,
    Verdict,
)
from portward.reach.sources import Sources

MAX_DEPTH = 16
"""NFT_JUMP_STACK_SIZE of the kernel, which loads no deeper nesting."""

T = TypeVar("T")

OF_SOURCE = frozenset({"snat", "masquerade"})
"""Translations that change where a packet comes from."""

INVALID, UNTRACKED = 1, 64
"""Bits of the state (include/uapi/linux/netfilter/nf_conntrack_common.h)."""


class Undecided(NamedTuple):
    """The value of a field that nobody knows, and why."""

    why: str


class Spread:
    """The value of a field that differs from source to source: which sources have which."""

    def __init__(self, sources: Sources, values: dict[int | str, int] | None = None) -> None:
        """Take the sources of each value; without values it is the source address itself."""
        self._sources = sources
        self._values = values
        self._known: dict[int, tuple[Values, int]] = {}

    def bits(self, values: Values) -> int:
        """Return the sources that have one of the values."""
        # Known by its id, as hashing a long list takes longer; what is kept keeps its id.
        known = self._known.get(id(values))
        if known is None:
            known = self._known[id(values)] = (values, self._bits(values))
        return known[1]

    def _bits(self, values: Values) -> int:
        if self._values is None:
            return 0 if isinstance(values, Names) else self._sources.union(values)
        found = 0
        for value, bits in self._values.items():
            if has(values, value):
                found |= bits
        return found

    def masked(self, mask: int, flip: int) -> "Spread | Undecided":
        """Return the field seen through a mask, where every source is a single address."""
        if self._values is not None or not self._sources.exact:
            return Undecided("a mask on the source address")
        seen: dict[int | str, int] = {}
        for index, start in enumerate(self._sources.starts):
            value = (start & mask) ^ flip
            seen[value] = seen.get(value, 0) | 1 << index
        return Spread(self._sources, seen)


_NFPROTO = {4: 2, 6: 10}
"""Address families as numbers of NFPROTO_IPV4 and NFPROTO_IPV6 (linux/netfilter.h)."""

Value = int | str | Spread | Undecided | None
"""None: the packet has no such field, so that no test of it holds."""
Fields = dict[str, Value]


class Packet(NamedTuple):
    """A packet on its way: its fields, which rules may change, and its sources."""

    fields: Fields
    live: int

    def part(self, live: int) -> "Packet":
        """Return the same packet for some of its sources."""
        return Packet(self.fields, live)

    def changed(self, changes: Fields) -> "Packet":
        """Return a packet with other values in some fields."""
        return Packet({**self.fields, **changes}, self.live)


class Decision(NamedTuple):
    """A rule, or a policy, that decided about some sources."""

    place: Place
    kind: Kind
    live: int


class Outcome(NamedTuple):
    """Where the packets of one base chain ended."""

    accepted: list[Packet]
    ended: list[tuple[Kind, Packet]]
    """Dropped, rejected or queued."""


class Walk:
    """One walk through chains; it remembers what decided and what could not be decided."""

    def __init__(self, sources: Sources) -> None:
        """Begin with nothing decided."""
        self.sources = sources
        self._decisions: list[Decision] = []
        self.doubts: dict[str, int] = {}
        self._ended: list[tuple[Kind, Packet]] = []
        self._accepted: list[Packet] = []
        self._asked: list[tuple[str, int]] = []
        self.told_apart: Sequence[int] = ()
        """Where the ranges of destinations begin that rules and routes tell apart."""

    @property
    def decisions(self) -> list[Decision]:
        """Everything that decided, in order."""
        return self._decisions

    def keep_to(self, packet: Packet, ports: Range) -> None:
        """Note that a packet fares so for certain ports alone; a walk that is asked will say."""

    def base(self, table: Table, chain: Chain, packets: Iterable[Packet]) -> Outcome:
        """Run packets through a chain of a hook, to its policy."""
        self._ended, self._accepted = [], []
        assert chain.base is not None  # noqa: S101 - the caller chose it by its hook
        for packet in self._chain(table, chain, list(packets), 0):
            self._decide(
                Place(table.family, table.name, chain.name, None), chain.base.policy, packet
            )
        return Outcome(merged(self._accepted), self._ended)

    # --- chains and rules --------------------------------------------------------------------

    def _chain(self, table: Table, chain: Chain, packets: list[Packet], depth: int) -> list[Packet]:
        """Run packets through a chain and return those that come out at its end."""
        out: list[Packet] = []
        for rule in chain.rules:
            if not packets:
                break
            place = Place(table.family, table.name, chain.name, rule)
            on: list[Packet] = []
            for packet in packets:
                self._rule(table, place, rule, packet, depth, on, out)
            packets = on if len(on) == 1 else merged(on)
        return merged([*out, *packets])

    def _rule(  # noqa: C901, PLR0913, PLR0917 - the state of one rule, passed instead of an object per rule
        self,
        table: Table,
        place: Place,
        rule: Rule,
        packet: Packet,
        depth: int,
        on: list[Packet],
        out: list[Packet],
    ) -> None:
        """Run one packet through one rule; on: goes to the next rule, out: leaves the chain."""
        self._asked = []
        for step in rule.steps:
            if isinstance(step, Test | Chance | Opaque):
                must, may = self._condition(table, step, packet)
            elif isinstance(step, Assign | Untrack):
                self._settle(packet.live)
                changed = self._changed(step, packet)
                if changed is None:
                    break
                packet = changed
                continue
            elif isinstance(step, Translate):
                self._settle(packet.live)
                packet = self._translate(table, place, step, packet)
                break
            elif isinstance(step, Verdict):
                self._settle(packet.live)
                self._verdict(table, place, step, packet, depth, on, out)
                return
            else:
                self._settle(packet.live)
                packet = self._dispatch(table, place, step, packet, depth, on, out)
                if not packet.live:
                    return
                continue
            if packet.live & ~must:
                on.append(packet.part(packet.live & ~must))
            packet = packet.part(may)
            if not may:
                return
        if packet.live:
            on.append(packet)

    def _verdict(  # noqa: PLR0913, PLR0917 - as _rule
        self,
        table: Table,
        place: Place,
        verdict: Verdict,
        packet: Packet,
        depth: int,
        on: list[Packet],
        out: list[Packet],
    ) -> None:
        if verdict.kind == Kind.CONTINUE:
            on.append(packet)
        elif verdict.kind == Kind.RETURN:
            out.append(packet)
        elif verdict.kind in {Kind.JUMP, Kind.GOTO}:
            target = self._target(table, verdict.chain)
            if target is None or depth >= MAX_DEPTH:
                self._doubt(f"chain {verdict.chain}", packet.live)
                on.append(packet)
                return
            back = self._chain(table, target, [packet], depth + 1)
            (on if verdict.kind == Kind.JUMP else out).extend(back)
        else:
            self._decide(place, verdict.kind, packet)

    def _decide(self, place: Place, kind: Kind, packet: Packet) -> None:
        self._decisions.append(Decision(place, kind, packet.live))
        self._end(kind, packet)

    def _end(self, kind: Kind, packet: Packet) -> None:
        if kind == Kind.ACCEPT:
            self._accepted.append(packet)
        else:
            self._ended.append((kind, packet))

    def _dispatch(  # noqa: PLR0913, PLR0917 - as _rule
        self,
        table: Table,
        place: Place,
        step: Dispatch,
        packet: Packet,
        depth: int,
        on: list[Packet],
        out: list[Packet],
    ) -> Packet:
        """Send each source where the map says; return what the map has no entry for."""
        entries, doubt = step.entries, ""
        if isinstance(entries, SetName):
            known = table.sets.get(entries.name, Elements(dynamic=True))
            doubt = f"the changing map {entries.name}" if known.dynamic else ""
            entries = known.verdicts
        left = packet.live
        for row, verdict in self._alike(step.parts, entries, packet):
            must, may = self._row(step.parts, row, packet)
            self._settle(may & left)
            if may & left:
                self._verdict(table, place, verdict, packet.part(may & left), depth, on, out)
                left &= ~must
        if doubt:
            self._doubt(doubt, packet.live)
        return packet.part(left)

    def _translate(self, table: Table, place: Place, step: Translate, packet: Packet) -> Packet:
        """Change the destination; the chain ends there as with an accept."""
        if step.family is not None and packet.fields["nfproto"] != _NFPROTO[step.family]:
            return packet
        if step.kind in OF_SOURCE:
            self._decide(place, Kind.ACCEPT, packet.changed({"source translated": 1}))
            return packet.part(0)
        choices, left = self._choices(table, step, packet)
        if len(step.targets) > 1 or any(_wide(target) for target, _ in choices):
            self._doubt(f"which of several destinations {step.kind} takes", packet.live)
        for target, live in choices:
            for address in self._addresses(target, packet.fields["daddr"]):
                for port in _ports(target, packet.fields["dport"]):
                    changed = packet.part(live).changed(
                        {"translated": step.kind, "daddr": address, "dport": port}
                    )
                    self._decide(place, Kind.ACCEPT, changed)
        return packet.part(left)

    def _addresses(self, target: Target, daddr: Value) -> Iterable[Value]:
        """Return the addresses that a packet may be sent to; of many, one of each kind."""
        if target.address is None:
            return [daddr]
        first, last = target.address
        if last - first < MANY_TARGETS:
            return range(first, last + 1)
        return [first, *(start for start in self.told_apart if first < start <= last)]

    def _choices(
        self, table: Table, step: Translate, packet: Packet
    ) -> tuple[list[tuple[Target, int]], int]:
        """Return who may be sent where, and those for whom the map has nothing."""
        if not step.parts:
            return [(target, packet.live) for target in step.targets], 0
        entries = step.entries
        if isinstance(entries, SetName):
            entries = table.sets.get(entries.name, Elements()).targets
        choices: list[tuple[Target, int]] = []
        left = packet.live
        for row, target in self._alike(step.parts, entries, packet):
            must, may = self._row(step.parts, row, packet)
            self._settle(may & left)
            if may & left:
                choices.append((target, may & left))
                left &= ~must
        return choices, left

    # --- conditions -------------------------------------------------------------------------------

    def _condition(
        self, table: Table, step: Test | Chance | Opaque, packet: Packet
    ) -> tuple[int, int]:
        """Return the sources for which a condition holds for certain, and for which it may."""
        if isinstance(step, Test):
            return self._test(table, step, packet)
        self._asked.append((step.name, packet.live))
        return 0, packet.live

    def _test(self, table: Table, test: Test, packet: Packet) -> tuple[int, int]:
        """Return the sources that pass a test for certain, and those that may."""
        rows = test.rows
        if any(value(part, packet.fields) is None for part in test.parts):
            return 0, 0  # a field that the packet does not have ends the rule, negated or not
        if isinstance(rows, SetName):
            known = table.sets.get(rows.name)
            if known is None or known.dynamic:
                self._asked.append((f"the changing set {rows.name}", packet.live))
                return 0, packet.live
            rows = known.rows
        asked, self._asked = self._asked, []
        must = may = 0
        for row in self._alike_rows(test.parts, rows, packet):
            certain, possible = self._row(test.parts, row, packet)
            must |= certain
            may |= possible
            if must == packet.live:
                break
        for name, live in self._asked:
            if live & may & ~must:
                asked.append((name, live & may & ~must))
        self._asked = asked
        return (packet.live & ~may, packet.live & ~must) if test.negated else (must, may)

    def _row(self, parts: tuple[Part, ...], row: Row, packet: Packet) -> tuple[int, int]:
        must = may = packet.live
        why: list[str] = []
        for part, values in zip(parts, row, strict=False):
            found = value(part, packet.fields)
            if isinstance(found, Undecided):
                why.append(found.why)
                must = 0
            elif isinstance(found, Spread):
                bits = found.bits(values)
                must &= bits
                may &= bits
            elif found is None or not has(values, found):
                return 0, 0
            if not may:
                return 0, 0
        self._asked += [(name, may) for name in why]
        return must, may

    # --- what an index answers faster ---------------------------------------------------------

    def _target(self, table: Table, name: str) -> Chain | None:
        """Return the chain of a jump."""
        return table.chain(name)

    def _alike(
        self,
        parts: tuple[Part, ...],  # noqa: ARG002 - for an index
        entries: tuple[tuple[Row, T], ...],
        packet: Packet,  # noqa: ARG002 - for an index
    ) -> Iterable[tuple[Row, T]]:
        """Return the entries of a map that a packet may have, in their order."""
        return entries

    def _alike_rows(
        self,
        parts: tuple[Part, ...],  # noqa: ARG002 - for an index
        rows: tuple[Row, ...],
        packet: Packet,  # noqa: ARG002 - for an index
    ) -> Iterable[Row]:
        """Return the elements of a set that a packet may have."""
        return rows

    # --- packets and doubts -------------------------------------------------------------------

    @staticmethod
    def _changed(step: Assign | Untrack, packet: Packet) -> Packet | None:
        """Return the packet with another mark, or untracked; None: the rule ends there."""
        if isinstance(step, Untrack):
            known = packet.fields["ct state"] != INVALID  # the connection, before the rule
            return packet if known else packet.changed({"ct state": UNTRACKED})
        if value(step.source, packet.fields) is None:
            return None  # without a connection its mark cannot be read
        if packet.fields.get(step.field.name, 0) is None:
            return packet  # there is no connection to mark
        source = 0 if step.keep == 0 else value(step.source, packet.fields)
        old = 0 if step.stay == 0 else value(step.field, packet.fields)
        new: Value = Undecided(step.field.name)
        if isinstance(source, int) and isinstance(old, int):
            new = (source & step.keep) ^ (old & step.stay) ^ step.flip
        return packet.changed({step.field.name: new})

    def _settle(self, live: int) -> None:
        """Keep what could not be decided about those that a rule came to act on."""
        for name, bits in self._asked:
            if bits & live:
                self._doubt(name, bits & live)
        self._asked = []

    def _doubt(self, name: str, live: int) -> None:
        self.doubts[name] = self.doubts.get(name, 0) | live


def value(part: Part, fields: Fields) -> Value:
    """Return what a packet has there."""
    if isinstance(part, Field):
        return fields.get(part.name, Undecided(part.name))
    if isinstance(part, Opaque):
        return Undecided(part.name)
    found = fields.get(part.of.name, Undecided(part.of.name))
    if isinstance(found, int):
        return (found & part.mask) ^ part.flip
    if isinstance(found, Spread):
        return found.masked(part.mask, part.flip)
    return found


def has(values: Values, found: int | str) -> bool:
    """Say whether a value is one of several."""
    if isinstance(values, Names):
        return isinstance(found, str) and values.has(found)
    return isinstance(found, int) and any(first <= found <= last for first, last in values)


def merged(packets: list[Packet]) -> list[Packet]:
    """Join packets that are alike but for their sources."""
    if len(packets) < 2:  # noqa: PLR2004 - nothing to join
        return packets
    alike: list[Packet] = []
    for packet in packets:
        for index, other in enumerate(alike):
            if other.fields is packet.fields or other.fields == packet.fields:
                alike[index] = other.part(other.live | packet.live)
                break
        else:
            alike.append(packet)
    return alike


def _ports(target: Target, dport: Value) -> list[Value]:
    """Return the ports that a packet to one may be translated to (nf_nat_core.c)."""
    if target.port is None or not isinstance(dport, int):
        return [dport]
    first, last = target.port
    if first <= dport <= last:
        return [dport]  # a port of the range stays
    if last - first >= MANY_TARGETS:
        return [Undecided("which port of a range translation takes")]
    return list(range(first, last + 1))


def _wide(target: Target) -> bool:
    return any(span is not None and span[0] != span[1] for span in (target.address, target.port))
