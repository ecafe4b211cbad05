"""Rules that never decide anything: they contradict themselves, or an earlier rule is before them.

Only what is certain is told: a rule is shadowed where one earlier rule of its chain takes every
packet that it could match, with no limit, no named set (they change while rules stay) and nothing
that is not understood in it. Several rules that only together shadow another are not searched for.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from portward.reach.ruleset import (
    Assign,
    Bits,
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
    Rule,
    Ruleset,
    SetName,
    Table,
    Test,
    Translate,
    Untrack,
    Values,
    Verdict,
)

INCOMING = frozenset({"ingress", "prerouting", "input", "forward"})
"""Hooks on the way of a packet that comes from outside."""

_MOST = 2_000
"""A rule is compared with so many earlier ones of the same kind, or with its equals among all."""

_FAMILIES = {"ip": 2, "ip6": 10}
_LEAVING = frozenset({Kind.ACCEPT, Kind.DROP, Kind.REJECT, Kind.QUEUE, Kind.RETURN, Kind.GOTO})


class Idle(NamedTuple):
    """A rule that decides nothing."""

    place: Place
    by: Place | None
    """The earlier rule that takes its packets; None: it contradicts itself."""


class _Claim(NamedTuple):
    """What a test asks of one part of a packet."""

    part: Part
    values: Values
    negated: bool


class _Box(NamedTuple):
    """A rule as what it asks for."""

    place: Place
    claims: tuple[_Claim, ...]
    parts: frozenset[Part]
    hull: Range
    """The lowest and highest value of the part that its kind of rules is sorted by."""


def idle(ruleset: Ruleset) -> Iterator[Idle]:
    """Yield the idle rules of all chains on the way of incoming packets, in the chains' order."""
    changing = _changed(ruleset)
    for table in ruleset.tables:
        for chain in _met(table):
            yield from _of_chain(table, chain, changing)


def _met(table: Table) -> list[Chain]:
    """Return the chains that an incoming packet may come to, in the table's order."""
    waiting = [chain for chain in table.chains if chain.base and chain.base.hook in INCOMING]
    met = {chain.name for chain in waiting}
    named = {chain.name: chain for chain in table.chains}
    while waiting:
        for name in _targets(waiting.pop(), table):
            if name in named and name not in met:
                met.add(name)
                waiting.append(named[name])
    return [chain for chain in table.chains if chain.name in met]


def _targets(chain: Chain, table: Table) -> Iterator[str]:
    for rule in chain.rules:
        for step in rule.steps:
            if isinstance(step, Verdict):
                yield step.chain
            elif isinstance(step, Dispatch):
                entries = step.entries
                if isinstance(entries, SetName):
                    entries = table.sets.get(entries.name, Elements()).verdicts
                yield from (verdict.chain for _, verdict in entries)


def _changed(ruleset: Ruleset) -> frozenset[str]:
    """Name the fields that rules change: what an earlier rule saw may differ from a later one."""
    found = set()
    for table in ruleset.tables:
        for chain in table.chains:
            for rule in chain.rules:
                for step in rule.steps:
                    if isinstance(step, Assign):
                        found.add(step.field.name)
                    elif isinstance(step, Untrack):
                        found.add("ct state")
    return frozenset(found)


def _of_chain(table: Table, chain: Chain, changing: frozenset[str]) -> Iterator[Idle]:
    earlier: dict[frozenset[Part], list[_Box]] = {}
    equal: dict[tuple[_Claim, ...], _Box] = {}
    for rule in chain.rules:
        box = _box(table, chain, rule)
        by = equal.get(box.claims) or _taker(box, earlier)
        if by is not None:
            yield Idle(box.place, by.place)
        elif _looks_at(box, changing):
            continue
        elif _is_contradiction(box.claims, table):
            yield Idle(box.place, None)
        elif _takes_all(rule):
            equal[box.claims] = box
            alike = earlier.setdefault(box.parts, [])
            if len(alike) < _MOST:
                alike.append(box)


def _box(table: Table, chain: Chain, rule: Rule) -> _Box:
    claims = tuple(dict.fromkeys(claim for step in rule.steps for claim in _claims(step)))
    parts = frozenset(claim.part for claim in claims)
    place = Place(table.family, table.name, chain.name, rule)
    return _Box(place, claims, parts, _hull(claims, _key(parts)))


def _claims(step: object) -> Iterator[_Claim]:
    """Yield what a step certainly asks for; steps that ask for more leave it out."""
    if not isinstance(step, Test) or isinstance(step.rows, SetName):
        return
    rows = step.rows
    if len(step.parts) == 1:
        ranges: list[Range] = []
        names: list[str] = []
        for (values,) in rows:
            if isinstance(values, Names):
                names += values.names
            else:
                ranges += values
        yield _Claim(step.parts[0], Names(tuple(names)) if names else _joined(ranges), step.negated)
    elif len(rows) == 1 and not step.negated:
        for part, values in zip(step.parts, rows[0], strict=False):
            yield _Claim(part, values if isinstance(values, Names) else _joined(values), False)  # noqa: FBT003


def _joined(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Sort ranges, and join those that touch."""
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def _takes_all(rule: Rule) -> bool:
    """Say whether every packet that the claims fit leaves the chain here."""
    for step in rule.steps:
        if isinstance(step, Verdict):
            return step.kind in _LEAVING
        if isinstance(step, Test):
            if not _is_whole(step):
                return False
        elif isinstance(step, Translate):
            return not step.parts
        elif isinstance(step, Chance | Opaque | Dispatch):
            return False
    return False


def _is_whole(test: Test) -> bool:
    """Say whether the claims tell all that a test asks for."""
    if isinstance(test.rows, SetName) or any(isinstance(part, Opaque) for part in test.parts):
        return False
    return len(test.parts) == 1 or (len(test.rows) == 1 and not test.negated)


def _looks_at(box: _Box, changing: frozenset[str]) -> bool:
    """Say whether it asks for something that rules change on the way."""
    return any(
        (part.of.name if isinstance(part, Bits) else part.name) in changing for part in box.parts
    )


# --- one within the other --------------------------------------------------------------------


def _key(parts: frozenset[Part]) -> Part | None:
    """Return the part by which rules that look at these parts are told apart best."""
    fields = [part for part in parts if isinstance(part, Field)]
    order = ("saddr", "dport", "daddr", "sport")
    return next((part for name in order for part in fields if part.name == name), None)


def _hull(claims: Iterable[_Claim], key: Part | None) -> Range:
    """Return the span of a part's values; all there may be where nothing bounds it."""
    low, high = 0, 1 << 128
    for part, values, negated in claims:
        if part == key and not negated and values and not isinstance(values, Names):
            low, high = max(low, values[0][0]), min(high, values[-1][1])
    return low, high


def _taker(box: _Box, earlier: dict[frozenset[Part], list[_Box]]) -> _Box | None:
    """Return an earlier rule that takes all packets of a rule."""
    for parts, others in earlier.items():
        if not parts <= box.parts:
            continue
        low, high = _hull(box.claims, _key(parts))
        for other in others:
            if other.hull[0] <= low and high <= other.hull[1] and _covers(other, box):
                return other
    return None


def _covers(other: _Box, box: _Box) -> bool:
    return all(
        any(_implies(mine, theirs) for mine in box.claims if mine.part == theirs.part)
        for theirs in other.claims
    )


def _implies(mine: _Claim, theirs: _Claim) -> bool:
    """Say whether whatever one claim fits the other fits as well."""
    if mine.negated:
        return theirs.negated and _within(theirs.values, mine.values)
    return (
        _disjoint(mine.values, theirs.values)
        if theirs.negated
        else _within(mine.values, theirs.values)
    )


def _within(inner: Values, outer: Values) -> bool:
    if isinstance(inner, Names) or isinstance(outer, Names):
        if not (isinstance(inner, Names) and isinstance(outer, Names)):
            return False
        return all(
            any(
                one == wide or (wide.endswith("*") and one.startswith(wide[:-1]))
                for wide in outer.names
            )
            for one in inner.names
        )
    return all(any(low <= first and last <= high for low, high in outer) for first, last in inner)


def _disjoint(one: Values, other: Values) -> bool:
    """Say whether two sets of values certainly have none in common."""
    if isinstance(one, Names) or isinstance(other, Names):
        if not (isinstance(one, Names) and isinstance(other, Names)):
            return False
        plain = not any(name.endswith("*") for name in one.names)
        return plain and not any(map(other.has, one.names))
    return not any(low <= last and first <= high for low, high in one for first, last in other)


def _is_contradiction(claims: tuple[_Claim, ...], table: Table) -> bool:
    """Say whether no packet can fit all claims."""
    family = _FAMILIES.get(table.family)
    if family:
        number = ((family, family),)
        claims = (*claims, _Claim(Field("nfproto"), number, False))  # noqa: FBT003
    return any(
        mine.part == theirs.part
        and not mine.negated
        and (
            _within(mine.values, theirs.values)
            if theirs.negated
            else _disjoint(mine.values, theirs.values)
        )
        for index, mine in enumerate(claims)
        for theirs in claims[:index] + claims[index + 1 :]
    )
