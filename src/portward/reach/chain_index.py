"""What is known of chains before any packet: which rules are for which packets at all.

A rule that asks for another port, protocol or interface than a packet has need not be visited.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TypeVar

from portward.reach.contexts import Context, Item, KnownChain, KnownRule
from portward.reach.cuts import elements, jumps
from portward.reach.port_spans import LAST, common, edges, ports_of
from portward.reach.rows import Rows
from portward.reach.ruleset import (
    Assign,
    Bits,
    Chain,
    Chance,
    Dispatch,
    Field,
    Names,
    Opaque,
    Part,
    Place,
    Row,
    Rule,
    SetName,
    Step,
    Table,
    Test,
    Translate,
    Untrack,
    Verdict,
)
from portward.reach.sources import Sources
from portward.reach.walk import Fields, Spread, Undecided, Value, has, value

T = TypeVar("T")

PORT, SENT_TO = "dport", "original dport"
"""The fields by which a chain sorts its rules; all others make a context."""

_PORT_ALONE = (Field(PORT),)
_SOURCE_ALONE = (Field("saddr"),)

FEW = 8
"""So many values of a test are compared with those of others."""


class Index:
    """What walks through one ruleset, with one partition of the sources, have in common."""

    def __init__(self, sources: Sources) -> None:
        """Know nothing yet; chains are read when a packet first comes to them."""
        self.sources = sources
        self._tables: dict[int, tuple[Table, dict[str, Chain]]] = {}
        self._chains: dict[int, tuple[Chain, KnownChain]] = {}
        self._tests: dict[Test, Test] = {}
        self._rows: dict[int, tuple[object, dict[int, Rows]]] = {}

    def target(self, table: Table, name: str) -> Chain | None:
        """Return a chain of a table by its name."""
        if id(table) not in self._tables:
            self._tables[id(table)] = (table, {chain.name: chain for chain in table.chains})
        return self._tables[id(table)][1].get(name)

    def chain(self, table: Table, chain: Chain) -> KnownChain:
        """Return what is known of a chain."""
        known = self._chains.get(id(chain))
        if known is None:
            self._read(table, chain)
            known = self._chains[id(chain)]
        return known[1]

    def rows(self, rows: tuple[T, ...], key: Callable[[T], Row], part: int) -> "Rows":
        """Return the index of a set's or a map's elements by one of its parts."""
        known = self._rows.setdefault(id(rows), (rows, {}))[1]
        if part not in known:
            known[part] = Rows([key(one)[part] for one in rows])
        return known[part]

    def same(self, test: Test) -> Test:
        """Return one object for all tests that are alike, unless comparing them takes long."""
        if isinstance(test.rows, tuple) and sum(map(_size, test.rows)) > FEW:
            return test
        return self._tests.setdefault(test, test)

    def _read(self, table: Table, chain: Chain) -> None:
        """Read a chain and all that it jumps to, without recursion into a circle."""
        known = KnownChain()
        self._chains[id(chain)] = (chain, known)
        reading = _Reading(self, table, known)
        for rule in chain.rules:
            known.rules.append(reading.rule(chain, rule))
        reading.end()

    # --- contexts ----------------------------------------------------------------------------

    def context(self, table: Table, known: KnownChain, fields: Fields) -> Context:
        """Return the rules of a chain that are for packets like this."""
        port = fields.get(PORT, Undecided(PORT))
        by_port = isinstance(port, int)
        key = (
            True if by_port else port,
            *(_key(name, fields.get(name, Undecided(name)), known) for name in known.fields),
        )
        found = known.contexts.get(key)
        if found is None:
            items = list(_items(table, known, fields))
            found = known.contexts[key] = Context(fields, items, by_port=by_port)
        return found


def _items(table: Table, known: KnownChain, fields: Fields) -> Iterator[Item]:
    """Yield the rules of a chain whose guards a packet passes, or may pass."""
    has_port = fields.get(PORT, "") is not None
    passed: dict[int, bool | None] = {}
    for index, rule in enumerate(known.rules):
        if not has_port and rule.ports is not None:
            continue
        certain = True
        for test in rule.guards:
            if id(test) not in passed:
                passed[id(test)] = _passes(table, test, fields)
            passes = passed[id(test)]
            if passes is False:
                break
            certain = certain and passes is True
        else:
            yield Item(index, rule, certain=certain)


def _passes(table: Table, test: Test, fields: Fields) -> bool | None:
    """Say whether a packet passes a test; None where its fields alone do not decide."""
    if len(test.parts) == 1 and isinstance(test.rows, tuple):
        only = value(test.parts[0], fields)
        if only is None:
            return False
        if not isinstance(only, int | str):
            return None
        return any(has(row[0], only) for row in test.rows) != test.negated
    found = [value(part, fields) for part in test.parts]
    if None in found:
        return False
    if any(not isinstance(one, int | str) for one in found):
        return None
    rows = elements(test.rows, table).rows if isinstance(test.rows, SetName) else test.rows
    inside = any(
        all(
            isinstance(one, int | str) and has(values, one)
            for one, values in zip(found, row, strict=False)
        )
        for row in rows
    )
    return inside != test.negated


class _Reading:
    """A chain that is being read."""

    def __init__(self, index: Index, table: Table, known: KnownChain) -> None:
        self._index = index
        self._table = table
        self._known = known
        self._fields: set[str] = set()
        self._ports: set[int] = {0}
        self._sent_to: set[int] = {0}

    def rule(self, chain: Chain, rule: Rule) -> KnownRule:
        """Read the next rule."""
        place = Place(self._table.family, self._table.name, chain.name, rule)
        known = KnownRule(rule, place)
        cuts = {0}
        before = True
        for step in rule.steps:
            if isinstance(step, Test):
                self._test(known, step, cuts, before=before)
            else:
                self._act(known, step, cuts)
                before = False
        known.cuts = sorted(cuts)
        known.plain = known.plain and known.pure and not known.by_port
        known.learn_jump()
        return known

    def end(self) -> None:
        """Sum up the chain."""
        known = self._known
        known.pure = all(rule.pure for rule in known.rules)
        known.fields = tuple(sorted(self._fields - {PORT}))
        known.ports = sorted(self._ports)
        known.by_port = len(known.ports) > 1
        known.sent_to = sorted(self._sent_to)

    def _test(self, known: KnownRule, test: Test, cuts: set[int], *, before: bool) -> None:
        names = self._looked_at(test, test.parts)
        static = _static(test, self._table)
        if before and static and test.parts == _PORT_ALONE:
            known.ports = common(known.ports, ports_of(test, self._table))
            return
        if PORT in names:
            known.by_port = True
            cuts |= edges(test, self._table, PORT)
        if before and static and PORT not in names and "saddr" not in names:
            known.guards.append(self._index.same(test))
        elif test.parts != _SOURCE_ALONE:
            known.plain = False

    def _act(self, known: KnownRule, step: Step, cuts: set[int]) -> None:
        known.plain = known.plain and (
            isinstance(step, Chance | Opaque) or (isinstance(step, Verdict) and not step.chain)
        )
        if isinstance(step, Dispatch | Translate) and PORT in self._looked_at(step, step.parts):
            known.by_port = True
            cuts |= edges(step, self._table, PORT)
        if isinstance(step, Assign):
            self._fields |= {step.field.name, name_of(step.source)}
            if name_of(step.source) == PORT:
                cuts |= {*range(LAST + 1)}
        if isinstance(step, Assign | Translate | Untrack):
            known.pure = False
        for name in jumps(step, self._table):
            chain = self._index.target(self._table, name)
            if chain is not None:
                self._below(known, self._index.chain(self._table, chain))

    def _below(self, known: KnownRule, below: KnownChain) -> None:
        """Take what a chain asks for that a rule jumps to."""
        self._fields |= {*below.fields}
        self._ports |= {*below.ports}
        self._sent_to |= {*below.sent_to}
        self._known.height = max(self._known.height, below.height + 1)
        known.by_port = known.by_port or below.by_port
        known.pure = known.pure and below.pure

    def _looked_at(self, step: Step, parts: tuple[Part, ...]) -> set[str]:
        """Note what a step looks at, and which ports it tells apart."""
        names = {name_of(part) for part in parts}
        self._fields |= names
        if PORT in names:
            self._ports |= edges(step, self._table, PORT)
        if SENT_TO in names:
            self._sent_to |= edges(step, self._table, SENT_TO)
        return names


def name_of(part: Part) -> str:
    """Return the field that a part of a test looks at."""
    return part.of.name if isinstance(part, Bits) else part.name


def _size(row: Row) -> int:
    return sum(len(one.names) if isinstance(one, Names) else len(one) for one in row)


def _static(test: Test, table: Table) -> bool:
    """Say whether the values that a test asks for are known before any packet."""
    if not isinstance(test.rows, SetName):
        return True
    known = table.sets.get(test.rows.name)
    return known is not None and not known.dynamic


def _key(name: str, found: Value, known: KnownChain) -> object:
    if name == SENT_TO and isinstance(found, int):
        return bisect_right(known.sent_to, found)
    return id(found) if isinstance(found, Spread) else found
