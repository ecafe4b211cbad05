"""What rules ask for of a field, and which packets they may ask at all.

A rule that first asks for another protocol or port tells nothing apart for the packets of a
question, so fewer packets have to be followed.
"""

from collections.abc import Iterable, Iterator
from itertools import takewhile
from typing import NamedTuple

from portward.reach.cuts import asked, ranges_of
from portward.reach.port_spans import common, inside, ports_of
from portward.reach.ruleset import Field, Names, Range, Rule, Ruleset, SetName, Table, Test

MANY = 200
"""So many mentions are looked through for every port; of more all count for all ports."""

_TRANSPORT = (Field("l4proto"),)
_PORT = (Field("dport"),)


class Mention(NamedTuple):
    """Values of a field that one rule asks for."""

    values: frozenset[Range]
    ports: list[Range] | None
    """Of packets that come so far in the rule; None: of all."""


def mentions(ruleset: Ruleset, fields: Iterable[str], protocol: int) -> list[Mention]:
    """Return what rules that may be about a protocol ask for."""
    found = list(_mentions(ruleset, list(fields), protocol))
    if len(found) <= MANY:
        return found
    return [Mention(frozenset(span for one in found for span in one.values), None)]


def _mentions(ruleset: Ruleset, fields: list[str], protocol: int) -> Iterator[Mention]:
    for table in ruleset.tables:
        for chain in table.chains:
            for rule in chain.rules:
                values = {
                    span
                    for step in rule.steps
                    for field in fields
                    for span in ranges_of(asked(step, table, field))
                }
                if values and _may_be_about(rule, protocol):
                    yield Mention(frozenset(values), _ports(rule, table))


def told_apart(found: Iterable[Mention], ports: Iterable[int]) -> set[Range]:
    """Return the values that are told apart for packets to any of some ports."""
    asked_for = list(ports)
    return {
        span
        for one in found
        if one.ports is None or any(inside(one.ports, port) for port in asked_for)
        for span in one.values
    }


def _tests(rule: Rule) -> list[Test]:
    """Return the tests of a rule before it does anything."""
    leading = takewhile(lambda step: isinstance(step, Test), rule.steps)
    return [step for step in leading if isinstance(step, Test)]


def _may_be_about(rule: Rule, protocol: int) -> bool:
    """Say whether a rule asks for no other transport protocol, before it does anything."""
    return not any(
        test.parts == _TRANSPORT
        and not test.negated
        and not isinstance(test.rows, SetName)
        and not any(
            low <= protocol <= high
            for row in test.rows
            if not isinstance(row[0], Names)
            for low, high in row[0]
        )
        for test in _tests(rule)
    )


def _ports(rule: Rule, table: Table) -> list[Range] | None:
    found: list[Range] | None = None
    for test in _tests(rule):
        if test.parts == _PORT and _is_fixed(test, table):
            found = common(found, ports_of(test, table))
    return found


def _is_fixed(test: Test, table: Table) -> bool:
    """Say whether no packet changes what the test asks for."""
    if not isinstance(test.rows, SetName):
        return True
    known = table.sets.get(test.rows.name)
    return known is not None and not known.dynamic
