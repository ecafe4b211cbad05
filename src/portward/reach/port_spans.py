"""Sets of ports as sorted ranges, and where a step of a rule tells ports apart."""

from bisect import bisect_right

from portward.reach.cuts import asked, elements
from portward.reach.ruleset import Names, Range, SetName, Step, Table, Test

LAST = 65_535


def ports_of(test: Test, table: Table) -> list[Range]:
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


def common(ours: list[Range] | None, theirs: list[Range]) -> list[Range]:
    """Return what two sets have in common; None: all ports."""
    if ours is None:
        return theirs
    return [
        (max(low, first), min(high, last))
        for low, high in ours
        for first, last in theirs
        if max(low, first) <= min(high, last)
    ]


def inside(ports: list[Range], port: int) -> bool:
    """Say whether a port is in a set."""
    at = bisect_right(ports, (port, 1 << 129)) - 1
    return at >= 0 and port <= ports[at][1]


def edges(step: Step, table: Table, field: str) -> set[int]:
    """Return where the classes of a field's values begin that a step tells apart."""
    return {
        edge
        for values in asked(step, table, field)
        if not isinstance(values, Names)
        for low, high in values
        for edge in (low, high + 1)
    }


def interval(starts: list[int], found: int) -> Range:
    """Return the interval between two starts in which a value lies."""
    at = bisect_right(starts, found)
    return starts[at - 1], starts[at] - 1 if at < len(starts) else LAST
