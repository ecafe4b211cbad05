"""Which values of a field a ruleset tells apart; two that it does not fare alike."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise

from portward.reach.ruleset import (
    MANY_TARGETS,
    Bits,
    Chain,
    Dispatch,
    Elements,
    Field,
    Names,
    Part,
    Range,
    Row,
    Ruleset,
    SetName,
    Step,
    Table,
    Target,
    Test,
    Translate,
    Values,
    Verdict,
)

MAX_PORT = 65_535
_PORTS = frozenset({"dport", "original dport", "sport", "original sport"})
_BEFORE_ROUTING = frozenset({"ingress", "prerouting"})
_OF_ANSWERS = frozenset({"output", "forward", "postrouting"})
_OF_DESTINATION = frozenset({"dnat", "redirect"})


def cuts(ruleset: Ruleset, field: str) -> set[Range]:
    """Return every range of a field's values that some rule asks for.

    Answers to a port come from it.
    """
    found = ranges_of(asked_values(ruleset, field))
    if field == "dport":
        found |= ranges_of(asked_values(of_answers(ruleset), "sport"))
    return found


def asked_by_field(ruleset: Ruleset) -> dict[str, list[Values]]:
    """Return the values that rules ask for, of every field, in one look through the rules."""
    found: dict[str, list[Values]] = defaultdict(list)
    for table, step in steps(ruleset):
        if not isinstance(step, Test | Dispatch | Translate):
            continue
        for field in {part.of.name if isinstance(part, Bits) else part.name for part in step.parts}:
            found[field] += asked(step, table, field)
    return found


def ranges_of(values: Iterable[Values]) -> set[Range]:
    """Return every range among values, without the names."""
    return {span for one in values if not isinstance(one, Names) for span in one}


def asked_values(ruleset: Ruleset, field: str) -> Iterator[Values]:
    """Yield the values of a field that each step of a ruleset asks for."""
    for table, step in steps(ruleset):
        yield from asked(step, table, field)


def steps(ruleset: Ruleset) -> Iterator[tuple[Table, Step]]:
    """Yield every step of every rule, with its table."""
    for table in ruleset.tables:
        for chain in table.chains:
            for rule in chain.rules:
                for step in rule.steps:
                    yield table, step


def target_ports(ruleset: Ruleset) -> set[Range]:
    """Return the ports that packets are translated to."""
    found: set[Range] = set()
    for target in targets(ruleset):
        if target.port is not None:
            first, last = target.port
            # Each port that a walk may come to is one of its own.
            found.add(target.port)
            if last - first < MANY_TARGETS:
                found.update((port, port) for port in range(first, last + 1))
    return found


def targets(ruleset: Ruleset) -> Iterator[Target]:
    """Yield everything that packets may be translated to."""
    for table in ruleset.tables:
        for known in table.sets.values():
            yield from (target for _, target in known.targets)
    for _, step in steps(ruleset):
        if isinstance(step, Translate):
            yield from step.targets
            entries = () if isinstance(step.entries, SetName) else step.entries
            yield from (target for _, target in entries)


def translating(ruleset: Ruleset) -> Ruleset:
    """Return what decides whether and where destinations are translated; nothing if none are.

    That is done before routing alone, so only rules there count. All kinds of chains do: one may
    set a mark that a chain of translation asks for.
    """
    found = []
    translates = False
    for table in ruleset.tables:
        is_bridge = table.family == "bridge"
        chains = _reached(table, _BEFORE_ROUTING | {"input"} if is_bridge else _BEFORE_ROUTING)
        translates = translates or any(
            isinstance(step, Translate) and step.kind in _OF_DESTINATION
            for chain in chains
            for rule in chain.rules
            for step in rule.steps
        )
        found.append(Table(family=table.family, name=table.name, chains=chains, sets=table.sets))
    return Ruleset(tables=tuple(found)) if translates else Ruleset()


def of_answers(ruleset: Ruleset, hooks: frozenset[str] = _OF_ANSWERS) -> Ruleset:
    """Return the rules that answers meet, at some hooks."""
    return Ruleset(
        tables=tuple(
            Table(
                family=table.family,
                name=table.name,
                chains=_reached(table, hooks),
                sets=table.sets,
            )
            for table in ruleset.tables
        )
    )


def _reached(table: Table, hooks: frozenset[str]) -> tuple[Chain, ...]:
    """Return the chains of a table that packets may meet at some hooks."""
    named = {chain.name: chain for chain in table.chains}
    waiting = [one for one in table.chains if one.base and one.base.hook in hooks]
    found: dict[str, Chain] = {}
    while waiting:
        chain = waiting.pop()
        if chain.name in found:
            continue
        found[chain.name] = chain
        for rule in chain.rules:
            for step in rule.steps:
                waiting += (named[name] for name in jumps(step, table) if name in named)
    return tuple(found.values())


def jumps(step: Step, table: Table) -> Iterator[str]:
    """Yield the chains that a step may jump to."""
    if isinstance(step, Verdict) and step.chain:
        yield step.chain
    elif isinstance(step, Dispatch):
        entries = step.entries
        if isinstance(entries, SetName):
            entries = elements(entries, table).verdicts
        for name in dict.fromkeys(verdict.chain for _, verdict in entries):
            if name:
                yield name


def representatives(ranges: Iterable[Range], last: int) -> list[int]:
    """Return one value of each interval that the ranges cut 0 .. last into."""
    starts = {0}
    for low, high in ranges:
        if low <= last:
            starts.add(low)
        if high < last:
            starts.add(high + 1)
    return sorted(starts)


def least_named(ranges: Iterable[Range], last: int) -> int:
    """Return a value that is in the fewest of the ranges; of several the one most others are like.

    Never 0 where there is a choice: as a port it means "any".
    """
    spans = list(ranges)
    change: dict[int, int] = {0: 0}
    for low, high in spans:
        change[low] = change.get(low, 0) + 1
        change[high + 1] = change.get(high + 1, 0) - 1
    starts = sorted(start for start in change if start <= last)
    named = 0
    best: tuple[int, int, int] | None = None
    for start, following in pairwise([*starts, last + 1]):
        named += change[start]
        size = following - start
        if best is None or (named, -size) < best[:2]:
            best = named, -size, following - 1
    return best[2] if best else last


def asked(step: Step, table: Table, field: str) -> Iterator[Values]:
    """Yield the values of a field that a step asks for."""
    if isinstance(step, Test):
        rows: tuple[Row, ...] = (
            elements(step.rows, table).rows if isinstance(step.rows, SetName) else step.rows
        )
    elif isinstance(step, Dispatch):
        entries = step.entries
        if isinstance(entries, SetName):
            entries = elements(entries, table).verdicts
        rows = tuple(row for row, _ in entries)
    elif isinstance(step, Translate):
        targets = step.entries
        if isinstance(targets, SetName):
            targets = elements(targets, table).targets
        rows = tuple(row for row, _ in targets)
    else:
        return
    for index, part in enumerate(step.parts):
        if _is(part, field):
            for row in rows:
                yield row[index] if isinstance(part, Field) else _seen(part, row[index])


def elements(name: SetName, table: Table) -> Elements:
    """Return what a named set holds; one that is not listed holds nothing."""
    return table.sets.get(name.name, Elements())


def _is(part: Part, field: str) -> bool:
    return (part.of.name if isinstance(part, Bits) else part.name) == field


def _seen(part: Part, values: Values) -> Values:
    """Return which values look through a mask as asked for.

    For an address only where the mask is a prefix; any other makes the answer undecided.
    """
    if not isinstance(part, Bits) or isinstance(values, Names):
        return ()
    if part.of.name in _PORTS and not _is_prefix(part.mask):
        return tuple(
            (port, port)
            for port in range(MAX_PORT + 1)
            if any(low <= (port & part.mask) ^ part.flip <= high for low, high in values)
        )
    rest = part.mask & -part.mask
    return tuple((low ^ part.flip, (high ^ part.flip) | (rest - 1)) for low, high in values)


def _is_prefix(mask: int) -> bool:
    """Say whether a mask keeps the upper bits of a port."""
    return MAX_PORT + 1 - (mask & -mask) == mask
