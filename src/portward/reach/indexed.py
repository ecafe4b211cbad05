"""Executes long chains fast, with the same outcome as ``walk``.

Two things make it fast: a rule that is not for a packet is not visited (``chain_index``), and what
a rule does to sources is found once for all of them (``effects``).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from typing import TypeVar

from portward.reach.chain_index import PORT, SENT_TO, Index, name_of
from portward.reach.contexts import Context, Entered, Item, KnownChain, KnownRule
from portward.reach.effects import Effect, Share, told
from portward.reach.host import Host
from portward.reach.path import Paths
from portward.reach.port_spans import LAST, inside, interval
from portward.reach.ruleset import (
    Chain,
    Kind,
    Part,
    Place,
    Range,
    Row,
    Ruleset,
    Table,
    Test,
    Verdict,
)
from portward.reach.sources import Sources
from portward.reach.walk import MAX_DEPTH, Decision, Packet, Spread, Walk, merged, value

T = TypeVar("T")

FEW = 8
"""So many elements of a set are looked at one by one."""


class IndexedWalk(Walk):
    """A walk that visits only the rules that are for a packet."""

    def __init__(self, sources: Sources, index: Index) -> None:
        """Use an index made for the same sources."""
        super().__init__(sources)
        self._index = index
        self._shares: list[Decision | Share] = []
        self._observing = False
        self.span: Range = (0, LAST)
        """The ports, around the packet's, for which everything would have been the same."""

    @property
    def decisions(self) -> list[Decision]:
        """Everything that decided, in order."""
        return list(told(self._shares, -1))

    @property
    def shares(self) -> list[Decision | Share]:
        """Everything that decided, not told one by one."""
        return self._shares

    def keep_to(self, packet: Packet, ports: Range) -> None:
        """Note that a packet fares so for certain ports alone."""
        self._narrow(packet, ports)

    def _decide(self, place: Place, kind: Kind, packet: Packet) -> None:
        self._shares.append(Decision(place, kind, packet.live))
        self._end(kind, packet)

    def _chain(self, table: Table, chain: Chain, packets: list[Packet], depth: int) -> list[Packet]:
        known = self._index.chain(table, chain)
        if depth + known.height >= MAX_DEPTH:
            for packet in packets:
                self._narrow(packet, None)
            return super()._chain(table, chain, packets, depth)
        out: list[Packet] = []
        waiting = {0: packets}
        while waiting:
            position = min(waiting)
            for packet in merged(waiting.pop(position)):
                context = self._index.context(table, known, packet.fields)
                self._sent_to(packet, known)
                if known.pure:
                    effect = self._whole(table, known, context, packet, depth)
                    on, left = self._apply(effect, packet)
                    out.append(packet.part(on | left))
                else:
                    self._stretch(table, context, packet, position, depth, waiting, out)
        return [one for one in merged(out) if one.live]

    def _whole(
        self, table: Table, known: KnownChain, context: Context, packet: Packet, depth: int
    ) -> Effect:
        """Return what a chain does to packets like this."""
        port = packet.fields.get(PORT)
        number = bisect_right(known.ports, port) if isinstance(port, int) else 0
        if number not in context.whole:

            def run(_: list[Packet], out: list[Packet]) -> None:
                everyone = packet.part(self.sources.all)
                self._stretch(table, context, everyone, 0, depth, {}, out)

            context.whole[number] = self._observed(run)
        effect, span = context.whole[number]
        self._narrow(packet, span)
        return effect

    def _stretch(  # noqa: PLR0913, PLR0917 - one run through a chain
        self,
        table: Table,
        context: Context,
        packet: Packet,
        position: int,
        depth: int,
        waiting: dict[int, list[Packet]],
        out: list[Packet],
    ) -> None:
        """Run a packet up to the next rule that changes it, or to the end of the chain."""

        def found(item: Item) -> Effect:
            return self._effect(table, item, packet, depth)

        places, always = context.positions, context.always
        port = packet.fields.get(PORT)
        at = bisect_left(places, position)
        gone = 0
        only, span = context.only(port)
        self._narrow(packet, span)
        for item in [*only, None]:
            if item is not None and item.index < position:
                continue
            until = len(always) if item is None else bisect_left(places, item.index, at)
            while at < until and packet.live:
                effect, rules = context.row(at, until, found)
                if effect is None:
                    packet, more = self._one(table, always[at], packet, depth, waiting, out)
                    gone |= more
                else:
                    on, more = self._apply(effect, packet)
                    gone |= more
                    packet = packet.part(on)
                at += rules
            if not packet.live:
                break
            if item is not None:
                packet, more = self._one(table, item, packet, depth, waiting, out)
                gone |= more
        if packet.live | gone:
            out.append(packet.part(packet.live | gone))

    def _one(
        self,
        table: Table,
        item: Item,
        packet: Packet,
        depth: int,
        waiting: dict[int, list[Packet]],
        out: list[Packet],
    ) -> tuple[Packet, int]:
        """Run a packet through one rule; return what goes on, and who leaves the chain."""
        port = packet.fields.get(PORT)
        rule = item.rule
        if rule.ports is not None and isinstance(port, int) and not inside(rule.ports, port):
            return packet, 0
        if rule.jump is not None and (entered := self._entered(table, item, rule.jump, packet)):
            return self._jumped(table, entered, rule.jump, packet, depth)
        if rule.pure:
            on, left = self._apply(self._effect(table, item, packet, depth), packet)
            return packet.part(on), left
        self._narrow(packet, interval(rule.cuts, port) if isinstance(port, int) else (0, LAST))
        going: list[Packet] = []
        self._rule(table, rule.place, rule.rule, packet, depth, going, out)
        going = merged(going)
        if len(going) == 1 and going[0].fields is packet.fields:
            return going[0], 0
        waiting.setdefault(item.index + 1, []).extend(going)
        return packet.part(0), 0

    def _entered(self, table: Table, item: Item, jump: Verdict, packet: Packet) -> Entered | None:
        """Return who takes a jump, found once for all packets of a context."""
        if item.entered is None:
            target = self._target(table, jump.chain)
            if target is None:
                return None
            must = may = self.sources.all
            kept, self._asked = self._asked, []
            for step in item.rule.rule.steps[:-1]:
                assert isinstance(step, Test)  # noqa: S101 - KnownRule.jump says so
                certain, may = self._test(table, step, packet.part(may))
                must &= certain
            doubts = tuple((name, bits & may) for name, bits in self._asked if bits & may)
            self._asked = kept
            known = self._index.chain(table, target)
            context = self._index.context(table, known, packet.fields)
            item.entered = Entered(must, may, doubts, known, context)
        return item.entered

    def _jumped(
        self, table: Table, entered: Entered, jump: Verdict, packet: Packet, depth: int
    ) -> tuple[Packet, int]:
        """Run a packet through the chain of a jump; return what goes on, and who leaves."""
        inside = packet.part(packet.live & entered.may)
        if not inside.live:
            return packet, 0
        for name, bits in entered.doubts:
            if bits & inside.live:
                self._doubt(name, bits & inside.live)
        effect = self._whole(table, entered.chain, entered.context, inside, depth + 1)
        on, left = self._apply(effect, inside)
        past = packet.live & ~entered.must
        if jump.kind == Kind.GOTO:
            return packet.part(past), on | left
        return packet.part(past | on | left), 0

    def _effect(self, table: Table, item: Item, packet: Packet, depth: int) -> Effect:
        """Return what a rule does to packets like this."""
        rule = item.rule
        port = packet.fields.get(PORT)
        known = isinstance(packet.fields.get("saddr"), Spread)  # not so of an answer
        if known and item.certain and rule.plain and (rule.ports is None or isinstance(port, int)):
            if rule.effect is None:
                rule.effect = self._observed(self._running(table, rule, packet, depth))[0]
            return rule.effect
        if not (isinstance(port, int) and rule.by_port):
            if item.effect is None:
                item.effect = self._observed(self._running(table, rule, packet, depth))[0]
            return item.effect
        if port not in item.effects:
            effect, (low, high) = self._observed(self._running(table, rule, packet, depth))
            first, last = interval(rule.cuts, port)
            item.effects[port] = effect, (max(low, first), min(high, last))
        effect, span = item.effects[port]
        self._narrow(packet, span)
        return effect

    def _running(
        self, table: Table, rule: KnownRule, packet: Packet, depth: int
    ) -> Callable[[list[Packet], list[Packet]], None]:
        def run(on: list[Packet], out: list[Packet]) -> None:
            everyone = packet.part(self.sources.all)
            self._rule(table, rule.place, rule.rule, everyone, depth, on, out)

        return run

    def _narrow(self, packet: Packet, span: Range | None) -> None:
        """Keep to the ports that fare as this packet's; None: no other does.

        A port that a translation set is the same for all that were sent elsewhere.
        """
        port = packet.fields.get(PORT)
        sent_to = packet.fields.get(SENT_TO)  # None before connection tracking has seen it
        other = isinstance(sent_to, int) and sent_to != port and not self._observing
        if isinstance(port, int) and not other:
            low, high = span or (port, port)
            self.span = max(self.span[0], low), min(self.span[1], high)

    def _sent_to(self, packet: Packet, known: KnownChain) -> None:
        port = packet.fields.get(SENT_TO)
        if isinstance(port, int) and len(known.sent_to) > 1 and not self._observing:
            low, high = interval(known.sent_to, port)
            self.span = max(self.span[0], low), min(self.span[1], high)

    def _observed(self, run: Callable[[list[Packet], list[Packet]], None]) -> tuple[Effect, Range]:
        """Run something for all sources beside this walk, and return what it did."""
        kept = (self._shares, self.doubts, self._ended, self._accepted, self.span, self._observing)
        self._shares, self.doubts, self._ended, self._accepted = [], {}, [], []
        self.span, self._observing = (0, LAST), True
        on: list[Packet] = []
        out: list[Packet] = []
        run(on, out)
        ended: dict[Kind, int] = {}
        for packet in self._accepted:
            ended[Kind.ACCEPT] = ended.get(Kind.ACCEPT, 0) | packet.live
        for kind, packet in self._ended:
            ended[kind] = ended.get(kind, 0) | packet.live
        effect = Effect(
            _all(on), _all(out), tuple(ended.items()), tuple(self.doubts.items()), (*self._shares,)
        )
        span = self.span
        self._shares, self.doubts, self._ended, self._accepted, self.span, self._observing = kept
        return effect, span

    def _apply(self, effect: Effect, packet: Packet) -> tuple[int, int]:
        """Do to a packet's sources what an effect does; return who goes on and who leaves."""
        live, touched = packet.live, False
        for kind, bits in effect.ended:
            if bits & live:
                touched = True
                self._end(kind, packet.part(bits & live))
        for name, bits in effect.doubts:
            if bits & live:
                self._doubt(name, bits & live)
        if touched:
            self._shares.append(Share(effect, live))
        return live & effect.on, live & effect.out

    # --- what the index answers ----------------------------------------------------------------

    def _target(self, table: Table, name: str) -> Chain | None:
        return self._index.target(table, name)

    def _alike(
        self, parts: tuple[Part, ...], entries: tuple[tuple[Row, T], ...], packet: Packet
    ) -> Iterable[tuple[Row, T]]:
        return self._some(parts, entries, lambda one: one[0], packet)

    def _alike_rows(
        self, parts: tuple[Part, ...], rows: tuple[Row, ...], packet: Packet
    ) -> Iterable[Row]:
        return self._some(parts, rows, lambda one: one, packet)

    def _some(
        self, parts: tuple[Part, ...], rows: tuple[T, ...], key: Callable[[T], Row], packet: Packet
    ) -> Iterable[T]:
        """Leave out the elements that have another value in a part that has just one."""
        if len(rows) <= FEW:
            return rows
        values = [value(part, packet.fields) for part in parts]
        known = [number for number, one in enumerate(values) if isinstance(one, int | str)]
        if not known:
            return rows
        number = max(known, key=lambda one: name_of(parts[one]) == PORT)
        found = values[number]
        assert isinstance(found, int | str)  # noqa: S101 - chosen so
        return [rows[one] for one in self._index.rows(rows, key, number).with_value(found)]


class IndexedPaths(Paths):
    """The ways through a machine for many packets, with the indexes of its chains."""

    def __init__(self, ruleset: Ruleset, machine: Host, sources: Sources) -> None:
        """Know nothing yet."""
        super().__init__(ruleset, machine, sources)
        self._index = Index(sources)

    def walk(self) -> IndexedWalk:
        """Return what executes the chains for one packet."""
        walk = IndexedWalk(self.sources, self._index)
        walk.told_apart = self.told_apart
        return walk


def _all(packets: list[Packet]) -> int:
    found = 0
    for packet in packets:
        found |= packet.live
    return found
