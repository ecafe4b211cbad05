"""Executes long chains fast, with the same outcome as ``walk``.

Two things make it fast. A rule that asks for another port, protocol or interface than a packet has
is not visited: an index of the chain says which rules are. And what a rule does that changes no
field of a packet, it does to each source by itself; so ``Walk`` finds that effect once, for all
sources, and here it is cut down to those that come to the rule. Effects of rules in a row, and of
a whole chain, are effects again.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, TypeVar

from portward.reach.cuts import asked, elements, jumps
from portward.reach.host import Host
from portward.reach.path import Paths
from portward.reach.ruleset import (
    Assign,
    Bits,
    Chain,
    Dispatch,
    Field,
    Kind,
    Names,
    Part,
    Place,
    Range,
    Row,
    Rule,
    Ruleset,
    SetName,
    Step,
    Table,
    Test,
    Translate,
    Untrack,
    Values,
    Verdict,
)
from portward.reach.sources import Sources
from portward.reach.walk import (
    MAX_DEPTH,
    Decision,
    Fields,
    Packet,
    Spread,
    Undecided,
    Value,
    Walk,
    has,
    merged,
    value,
)

T = TypeVar("T")

PORT, SENT_TO = "dport", "original dport"
"""The fields by which a chain sorts its rules; all others make a context."""

LAST = 65_535

NARROW = 64
"""A rule is listed under each of so many classes of ports; one with more is tried for all."""

FEW = 8
"""So many elements of a set are looked at one by one."""


class Effect(NamedTuple):
    """What a rule, rules in a row or a chain do to every source that comes there."""

    on: int
    """Those who go on behind it."""
    out: int
    """Those who leave the chain."""
    ended: tuple[tuple[Kind, int], ...]
    doubts: tuple[tuple[str, int], ...]
    decisions: tuple["Decision | Share", ...]

    @property
    def touched(self) -> int:
        """Those about whom something decides."""
        found = 0
        for _, bits in self.ended:
            found |= bits
        return found

    def then(self, other: "Effect") -> "Effect":
        """Return the effect of this and the other behind it."""
        ended, doubts = dict(self.ended), dict(self.doubts)
        for kind, bits in other.ended:
            ended[kind] = ended.get(kind, 0) | (bits & self.on)
        for name, bits in other.doubts:
            doubts[name] = doubts.get(name, 0) | (bits & self.on)
        return Effect(
            self.on & other.on,
            self.out | (self.on & other.out),
            tuple(ended.items()),
            tuple(doubts.items()),
            (Share(self, -1), Share(other, self.on)),
        )


class Share(NamedTuple):
    """An effect on some sources."""

    effect: Effect
    live: int


def told(shares: Iterable[Decision | Share], live: int) -> Iterator[Decision]:
    """Yield the decisions about some sources, in order."""
    for one in shares:
        left = live & one.live
        if not left:
            continue
        if isinstance(one, Decision):
            yield Decision(one.place, one.kind, left)
        else:
            yield from told(one.effect.decisions, left)


class _Rule:
    """What is known of a rule before any packet."""

    __slots__ = ("by_port", "cuts", "guards", "jump", "place", "ports", "pure", "rule")

    def __init__(  # noqa: PLR0913, PLR0917 - a plain record, made in one place
        self,
        rule: Rule,
        place: Place,
        guards: list[Test],
        ports: list[Range] | None,
        by_port: bool,  # noqa: FBT001 - as above
        cuts: list[int],
        pure: bool,  # noqa: FBT001 - as above
    ) -> None:
        self.rule = rule
        self.place = place
        self.guards = guards
        """Tests that decide whether the rule is for a packet at all."""
        self.ports = ports
        """None: all."""
        self.by_port = by_port
        """Its effect on a packet that it is for may yet depend on the port."""
        self.cuts = cuts
        """Where the classes of ports begin that the rule itself tells apart, besides `ports`."""
        self.pure = pure
        last = rule.steps[-1] if rule.steps else None
        is_plain = len(cuts) == 1 and all(isinstance(step, Test) for step in rule.steps[:-1])
        jumps = isinstance(last, Verdict) and last.kind in {Kind.JUMP, Kind.GOTO}
        self.jump = last if isinstance(last, Verdict) and jumps and is_plain and pure else None
        """Where it goes, if all before it are tests that no port decides."""


class _Chain:
    """What is known of a chain before any packet."""

    def __init__(self, rules: list[_Rule]) -> None:
        self.rules = rules
        self.pure = all(rule.pure for rule in rules)
        self.fields: tuple[str, ...] = ()
        """Everything that it and the chains it jumps to ask for, but for the port."""
        self.ports: list[int] = []
        """Where the classes of ports begin that it and those chains tell apart."""
        self.sent_to: list[int] = []
        """The same for the port that a packet was sent to, before any translation."""
        self.by_port = False
        self.height = 0
        self.contexts: dict[tuple[object, ...], _Context] = {}


class _Item:
    """A rule of a chain that is for the packets of a context."""

    __slots__ = ("effect", "effects", "entered", "index", "rule")

    def __init__(self, index: int, rule: _Rule) -> None:
        self.index = index
        self.rule = rule
        self.effect: Effect | None = None
        self.effects: dict[int, tuple[Effect, Range]] = {}
        self.entered: _Entered | None = None

    @property
    def fixed(self) -> bool:
        """Say whether it does the same for all ports, and only to sources."""
        return self.rule.pure and self.rule.ports is None and not self.rule.by_port


class _Entered(NamedTuple):
    """Who goes where by a rule that jumps."""

    must: int
    may: int
    doubts: tuple[tuple[str, int], ...]
    chain: _Chain
    context: "_Context"


class _Context:
    """The rules of a chain that are for packets which differ in nothing but port and source."""

    def __init__(self, fields: Fields, items: list[_Item], *, by_port: bool) -> None:
        self.fields = fields
        """Of one such packet; it keeps alive what is known by its id."""
        self.whole: dict[int, tuple[Effect, Range]] = {}
        """The effect of the whole chain by class of ports."""
        self.narrow: dict[int, list[_Item]] = {}
        self.always: list[_Item] = []
        self._nodes: dict[tuple[int, int], Effect | None] = {}
        starts = {0}
        if by_port:
            for item in items:
                for low, high in item.rule.ports or ():
                    starts |= {low, high + 1}
        self.starts = sorted(starts)
        for item in items:
            classes = self._classes(item.rule.ports) if by_port else None
            if classes is None:
                self.always.append(item)
            else:
                for one in classes:
                    self.narrow.setdefault(one, []).append(item)
        self.positions = [item.index for item in self.always]

    def _classes(self, ports: list[Range] | None) -> list[int] | None:
        """Return the few classes of ports that a rule is for; None where they are many."""
        if ports is None:
            return None
        found: list[int] = []
        for low, high in ports:
            first, last = bisect_left(self.starts, low), bisect_left(self.starts, high + 1)
            if len(found) + last - first > NARROW:
                return None
            found += range(first, last)
        return found

    def only(self, port: Value) -> tuple[list[_Item], Range]:
        """Return the rules that are for this port and few others, and which ports fare alike."""
        if not isinstance(port, int):
            return [], (0, LAST)
        number = bisect_right(self.starts, port) - 1
        return self.narrow.get(number, []), _class(self.starts, port)

    def row(
        self, first: int, end: int, found: Callable[[_Item], Effect]
    ) -> tuple[Effect | None, int]:
        """Return the joint effect of the longest row known from here on, and how many rules."""
        level = 0
        best = self._node(0, first, found)
        while best is not None:
            size = 2 << level
            if first % size or first + size > end:
                break
            wider = self._node(level + 1, first >> (level + 1), found)
            if wider is None:
                break
            best, level = wider, level + 1
        return best, 1 << level

    def _node(self, level: int, number: int, found: Callable[[_Item], Effect]) -> Effect | None:
        key = (level, number)
        if key in self._nodes:
            return self._nodes[key]
        effect: Effect | None = None
        if level == 0:
            item = self.always[number]
            effect = found(item) if item.fixed else None
        else:
            first = self._node(level - 1, 2 * number, found)
            second = first and self._node(level - 1, 2 * number + 1, found)
            if first is not None and second is not None:
                effect = first.then(second)
        self._nodes[key] = effect
        return effect


class Index:
    """What walks through one ruleset, with one partition of the sources, have in common."""

    def __init__(self, sources: Sources) -> None:
        """Know nothing yet; chains are read when a packet first comes to them."""
        self.sources = sources
        self._tables: dict[int, tuple[Table, dict[str, Chain]]] = {}
        self._chains: dict[int, tuple[Chain, _Chain]] = {}
        self._tests: dict[Test, Test] = {}
        self._rows: dict[int, tuple[object, dict[int, _Rows]]] = {}

    def target(self, table: Table, name: str) -> Chain | None:
        """Return a chain of a table by its name."""
        if id(table) not in self._tables:
            self._tables[id(table)] = (table, {chain.name: chain for chain in table.chains})
        return self._tables[id(table)][1].get(name)

    def chain(self, table: Table, chain: Chain) -> _Chain:
        """Return what is known of a chain."""
        known = self._chains.get(id(chain))
        if known is None:
            self._read(table, chain)
            known = self._chains[id(chain)]
        return known[1]

    def rows(self, rows: tuple[T, ...], key: Callable[[T], Row], part: int) -> "_Rows":
        """Return the index of a set's or a map's elements by one of its parts."""
        known = self._rows.setdefault(id(rows), (rows, {}))[1]
        if part not in known:
            known[part] = _Rows([key(one)[part] for one in rows])
        return known[part]

    # --- reading chains ------------------------------------------------------------------------

    def _read(self, table: Table, chain: Chain) -> None:
        """Read a chain and all that it jumps to, without recursion into a circle."""
        known = _Chain([])
        self._chains[id(chain)] = (chain, known)
        fields: set[str] = set()
        ports: set[int] = {0}
        sent_to: set[int] = {0}
        for rule in chain.rules:
            place = Place(table.family, table.name, chain.name, rule)
            known.rules.append(self._rule(table, rule, place, known, fields, ports, sent_to))
        known.pure = all(rule.pure for rule in known.rules)
        known.fields = tuple(sorted(fields - {PORT}))
        known.ports = sorted(ports)
        known.by_port = len(known.ports) > 1
        known.sent_to = sorted(sent_to)

    def _rule(  # noqa: C901, PLR0913, PLR0917 - one branch a kind of step
        self,
        table: Table,
        rule: Rule,
        place: Place,
        known: _Chain,
        fields: set[str],
        ports: set[int],
        sent_to: set[int],
    ) -> _Rule:
        guards: list[Test] = []
        own_ports: list[Range] | None = None
        by_port = False
        cuts = {0}
        pure, before = True, True
        for step in rule.steps:
            names: set[str] = set()
            own: set[int] = set()
            if isinstance(step, Test | Dispatch | Translate):
                names = {_name(part) for part in step.parts}
                fields |= names
            if PORT in names:
                own = _edges(step, table, PORT)
                ports |= own
            if SENT_TO in names:
                sent_to |= _edges(step, table, SENT_TO)
            if isinstance(step, Test):
                static = _static(step, table)
                if before and static and step.parts == (Field(PORT),):
                    own_ports = _both(own_ports, _ports(step, table))
                    continue
                by_port = by_port or PORT in names
                cuts |= own
                if before and static and PORT not in names and "saddr" not in names:
                    guards.append(self._same(step))
                continue
            before = False
            by_port = by_port or PORT in names
            cuts |= own
            if isinstance(step, Assign):
                fields |= {step.field.name, _name(step.source)}
                if PORT in fields and _name(step.source) == PORT:
                    cuts |= {*range(LAST + 1)}
            pure = pure and not isinstance(step, Assign | Translate | Untrack)
            for name in jumps(step, table):
                chain = self.target(table, name)
                if chain is None:
                    continue
                below = self.chain(table, chain)
                fields |= {*below.fields}
                by_port = by_port or below.by_port
                ports |= {*below.ports}
                sent_to |= {*below.sent_to}
                pure = pure and below.pure
                known.height = max(known.height, below.height + 1)
        return _Rule(rule, place, guards, own_ports, by_port, sorted(cuts), pure)

    def _same(self, test: Test) -> Test:
        """Return one object for all tests that are alike, unless comparing them takes long."""
        if isinstance(test.rows, tuple) and sum(map(_size, test.rows)) > FEW:
            return test
        return self._tests.setdefault(test, test)

    # --- contexts ----------------------------------------------------------------------------

    def context(self, table: Table, known: _Chain, fields: Fields) -> _Context:
        """Return the rules of a chain that are for packets like this."""
        port = fields.get(PORT, Undecided(PORT))
        by_port = isinstance(port, int)
        key = (
            True if by_port else port,
            *(_key(name, fields.get(name, Undecided(name)), known) for name in known.fields),
        )
        found = known.contexts.get(key)
        if found is None:
            passed: dict[int, bool] = {}
            items = [
                _Item(index, rule)
                for index, rule in enumerate(known.rules)
                if (port is not None or rule.ports is None)
                and all(self._passes(table, test, fields, passed) for test in rule.guards)
            ]
            found = known.contexts[key] = _Context(fields, items, by_port=by_port)
        return found

    def _passes(self, table: Table, test: Test, fields: Fields, known: dict[int, bool]) -> bool:
        """Say whether a packet may pass a test, as far as its fields alone decide."""
        if id(test) not in known:
            known[id(test)] = self._may_pass(table, test, fields)
        return known[id(test)]

    def _may_pass(self, table: Table, test: Test, fields: Fields) -> bool:
        found = [value(part, fields) for part in test.parts]
        if None in found:
            return False
        if any(not isinstance(one, int | str) for one in found):
            return True
        rows = elements(test.rows, table).rows if isinstance(test.rows, SetName) else test.rows
        inside = any(
            all(
                isinstance(one, int | str) and has(values, one)
                for one, values in zip(found, row, strict=False)
            )
            for row in rows
        )
        return inside != test.negated


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
        self, table: Table, known: _Chain, context: _Context, packet: Packet, depth: int
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
        context: _Context,
        packet: Packet,
        position: int,
        depth: int,
        waiting: dict[int, list[Packet]],
        out: list[Packet],
    ) -> None:
        """Run a packet up to the next rule that changes it, or to the end of the chain."""

        def found(item: _Item) -> Effect:
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
        item: _Item,
        packet: Packet,
        depth: int,
        waiting: dict[int, list[Packet]],
        out: list[Packet],
    ) -> tuple[Packet, int]:
        """Run a packet through one rule; return what goes on, and who leaves the chain."""
        port = packet.fields.get(PORT)
        rule = item.rule
        if rule.ports is not None and isinstance(port, int) and not _inside(rule.ports, port):
            return packet, 0
        if rule.jump is not None and (entered := self._entered(table, item, rule.jump, packet)):
            return self._jumped(table, entered, rule.jump, packet, depth)
        if rule.pure:
            on, left = self._apply(self._effect(table, item, packet, depth), packet)
            return packet.part(on), left
        self._narrow(packet, _class(rule.cuts, port) if isinstance(port, int) else (0, LAST))
        going: list[Packet] = []
        self._rule(table, rule.place, rule.rule, packet, depth, going, out)
        going = merged(going)
        if len(going) == 1 and going[0].fields is packet.fields:
            return going[0], 0
        waiting.setdefault(item.index + 1, []).extend(going)
        return packet.part(0), 0

    def _entered(self, table: Table, item: _Item, jump: Verdict, packet: Packet) -> _Entered | None:
        """Return who takes a jump, found once for all packets of a context."""
        if item.entered is None:
            target = self._target(table, jump.chain)
            if target is None:
                return None
            must = may = self.sources.all
            kept, self._asked = self._asked, []
            for step in item.rule.rule.steps[:-1]:
                assert isinstance(step, Test)  # noqa: S101 - _Rule.jump says so
                certain, may = self._test(table, step, packet.part(may))
                must &= certain
            doubts = tuple((name, bits & may) for name, bits in self._asked if bits & may)
            self._asked = kept
            known = self._index.chain(table, target)
            context = self._index.context(table, known, packet.fields)
            item.entered = _Entered(must, may, doubts, known, context)
        return item.entered

    def _jumped(
        self, table: Table, entered: _Entered, jump: Verdict, packet: Packet, depth: int
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

    def _effect(self, table: Table, item: _Item, packet: Packet, depth: int) -> Effect:
        """Return what a rule does to packets like this."""
        rule = item.rule
        port = packet.fields.get(PORT)
        if not (isinstance(port, int) and rule.by_port):
            if item.effect is None:
                item.effect = self._observed(self._running(table, rule, packet, depth))[0]
            return item.effect
        if port not in item.effects:
            effect, (low, high) = self._observed(self._running(table, rule, packet, depth))
            first, last = _class(rule.cuts, port)
            item.effects[port] = effect, (max(low, first), min(high, last))
        effect, span = item.effects[port]
        self._narrow(packet, span)
        return effect

    def _running(
        self, table: Table, rule: _Rule, packet: Packet, depth: int
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

    def _sent_to(self, packet: Packet, known: _Chain) -> None:
        port = packet.fields.get(SENT_TO)
        if isinstance(port, int) and len(known.sent_to) > 1 and not self._observing:
            low, high = _class(known.sent_to, port)
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
        number = max(known, key=lambda one: _name(parts[one]) == PORT)
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
        return IndexedWalk(self.sources, self._index)


class _Rows:
    """The elements of a set or map by the value of one part."""

    def __init__(self, values: list[Values]) -> None:
        self._exact: dict[int | str, list[int]] = {}
        self._wide: list[int] = []
        for number, one in enumerate(values):
            if isinstance(one, Names):
                singles: list[int | str] = [*one.names]
                wide = any(name.endswith("*") for name in one.names)
            else:
                singles = [low for low, _ in one]
                wide = any(low != high for low, high in one)
            if wide:
                self._wide.append(number)
            else:
                for single in dict.fromkeys(singles):
                    self._exact.setdefault(single, []).append(number)

    def with_value(self, found: int | str) -> list[int]:
        """Return the numbers of the elements that may have a value, ascending."""
        return sorted([*self._exact.get(found, ()), *self._wide])


def _name(part: Part) -> str:
    return part.of.name if isinstance(part, Bits) else part.name


def _size(row: Row) -> int:
    return sum(len(one.names) if isinstance(one, Names) else len(one) for one in row)


def _static(test: Test, table: Table) -> bool:
    """Say whether the values that a test asks for are known before any packet."""
    if not isinstance(test.rows, SetName):
        return True
    known = table.sets.get(test.rows.name)
    return known is not None and not known.dynamic


def _ports(test: Test, table: Table) -> list[Range]:
    """Return the ports that pass a test."""
    rows = elements(test.rows, table).rows if isinstance(test.rows, SetName) else test.rows
    spans = sorted(span for row in rows if not isinstance(row[0], Names) for span in row[0])
    joined: list[Range] = []
    for low, high in spans:
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    if not test.negated:
        return joined
    gaps: list[Range] = []
    start = 0
    for low, high in joined:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    return [*gaps, (start, 1 << 128)]


def _both(ours: list[Range] | None, theirs: list[Range]) -> list[Range]:
    if ours is None:
        return theirs
    return [
        (max(low, first), min(high, last))
        for low, high in ours
        for first, last in theirs
        if max(low, first) <= min(high, last)
    ]


def _inside(ports: list[Range], port: int) -> bool:
    at = bisect_right(ports, (port, 1 << 129)) - 1
    return at >= 0 and port <= ports[at][1]


def _edges(step: Step, table: Table, field: str) -> set[int]:
    """Return where the classes of a field's values begin that a step tells apart."""
    return {
        edge
        for values in asked(step, table, field)
        if not isinstance(values, Names)
        for low, high in values
        for edge in (low, high + 1)
    }


def _class(starts: list[int], found: int) -> Range:
    """Return the interval between two starts in which a value lies."""
    at = bisect_right(starts, found)
    return starts[at - 1], starts[at] - 1 if at < len(starts) else LAST


def _key(name: str, found: Value, known: _Chain) -> object:
    if name == SENT_TO and isinstance(found, int):
        return bisect_right(known.sent_to, found)
    return id(found) if isinstance(found, Spread) else found


def _all(packets: list[Packet]) -> int:
    found = 0
    for packet in packets:
        found |= packet.live
    return found
