"""Which values of a field a ruleset tells apart; two that it does not fare alike."""

from collections.abc import Iterable, Iterator

from portward.reach.ruleset import (
    Bits,
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
    Test,
    Translate,
    Values,
)


def cuts(ruleset: Ruleset, field: str) -> set[Range]:
    """Return every range of a field's values that some rule asks for."""
    found: set[Range] = set()
    for table in ruleset.tables:
        for chain in table.chains:
            for rule in chain.rules:
                for step in rule.steps:
                    for values in _asked(step, table, field):
                        found.update(() if isinstance(values, Names) else values)
    return found


def target_ports(ruleset: Ruleset) -> set[Range]:
    """Return the ports that packets are translated to."""
    found: set[Range] = set()
    for table in ruleset.tables:
        targets = [target for known in table.sets.values() for _, target in known.targets]
        for chain in table.chains:
            for rule in chain.rules:
                for step in rule.steps:
                    if isinstance(step, Translate):
                        targets += step.targets
                        entries = () if isinstance(step.entries, SetName) else step.entries
                        targets += [target for _, target in entries]
        found.update(target.port for target in targets if target.port)
    return found


def representatives(ranges: Iterable[Range], last: int) -> list[int]:
    """Return one value of each interval that the ranges cut 0 .. last into."""
    starts = {0}
    for low, high in ranges:
        if low <= last:
            starts.add(low)
        if high < last:
            starts.add(high + 1)
    return sorted(starts)


def _asked(step: Step, table: Table, field: str) -> Iterator[Values]:
    if isinstance(step, Test):
        rows: tuple[Row, ...] = (
            _elements(step.rows, table).rows if isinstance(step.rows, SetName) else step.rows
        )
    elif isinstance(step, Dispatch):
        entries = step.entries
        if isinstance(entries, SetName):
            entries = _elements(entries, table).verdicts
        rows = tuple(row for row, _ in entries)
    elif isinstance(step, Translate):
        targets = step.entries
        if isinstance(targets, SetName):
            targets = _elements(targets, table).targets
        rows = tuple(row for row, _ in targets)
    else:
        return
    for index, part in enumerate(step.parts):
        if _is(part, field):
            for row in rows:
                yield row[index] if isinstance(part, Field) else _seen(part, row[index])


def _elements(name: SetName, table: Table) -> Elements:
    return table.sets.get(name.name, Elements())


def _is(part: Part, field: str) -> bool:
    return (part.of.name if isinstance(part, Bits) else part.name) == field


def _seen(part: Part, values: Values) -> Values:
    """Return what a masked field looks like where the mask is a prefix; else nothing to cut at."""
    if not isinstance(part, Bits) or isinstance(values, Names):
        return ()
    rest = part.mask & -part.mask
    return tuple((low ^ part.flip, (high ^ part.flip) | (rest - 1)) for low, high in values)
