"""The rules of a chain that are for packets which differ in nothing but port and source."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from typing import NamedTuple

from portward.reach.effects import Effect
from portward.reach.port_spans import LAST, interval
from portward.reach.ruleset import (
    Kind,
    Place,
    Range,
    Rule,
    Test,
    Verdict,
)
from portward.reach.walk import Fields, Value

NARROW = 64
"""A rule is listed under each of so many classes of ports; one with more is tried for all."""


class KnownRule:
    """What is known of a rule before any packet."""

    __slots__ = (
        *("by_port", "cuts", "effect", "guards", "jump"),
        *("place", "plain", "ports", "pure", "rule"),
    )

    def __init__(self, rule: Rule, place: Place) -> None:
        """Know nothing yet but where it stands."""
        self.rule = rule
        self.place = place
        self.guards: list[Test] = []
        """Tests that decide whether the rule is for a packet at all."""
        self.ports: list[Range] | None = None
        """None: all."""
        self.by_port = False
        """Its effect on a packet that it is for may yet depend on the port."""
        self.cuts: list[int] = [0]
        """Where the classes of ports begin that the rule itself tells apart, besides `ports`."""
        self.pure = True
        """It changes no field of a packet."""
        self.jump: Verdict | None = None
        """Where it goes, if all before it are tests that no port decides."""
        self.plain = True
        """Beside its guards and ports it asks for the source alone, and then it decides."""
        self.effect: Effect | None = None
        """What it does to sources wherever its guards hold for certain, if it is plain."""

    def learn_jump(self) -> None:
        """See whether it jumps, once all else is known."""
        last = self.rule.steps[-1] if self.rule.steps else None
        jumps = isinstance(last, Verdict) and last.kind in {Kind.JUMP, Kind.GOTO}
        tests = all(isinstance(step, Test) for step in self.rule.steps[:-1])
        if isinstance(last, Verdict) and jumps and tests and len(self.cuts) == 1 and self.pure:
            self.jump = last


class KnownChain:
    """What is known of a chain before any packet."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.rules: list[KnownRule] = []
        self.pure = True
        self.fields: tuple[str, ...] = ()
        """Everything that it and the chains it jumps to ask for, but for the port."""
        self.ports: list[int] = []
        """Where the classes of ports begin that it and those chains tell apart."""
        self.sent_to: list[int] = []
        """The same for the port that a packet was sent to, before any translation."""
        self.by_port = False
        self.height = 0
        self.contexts: dict[tuple[object, ...], Context] = {}


class Item:
    """A rule of a chain that is for the packets of a context."""

    __slots__ = ("certain", "effect", "effects", "entered", "index", "rule")

    def __init__(self, index: int, rule: KnownRule, *, certain: bool) -> None:
        """Take the number of the rule; certain: its guards hold, not only may hold."""
        self.index = index
        self.rule = rule
        self.certain = certain
        self.effect: Effect | None = None
        self.effects: dict[int, tuple[Effect, Range]] = {}
        self.entered: Entered | None = None

    @property
    def fixed(self) -> bool:
        """Say whether it does the same for all ports, and only to sources."""
        return self.rule.pure and self.rule.ports is None and not self.rule.by_port


class Entered(NamedTuple):
    """Who goes where by a rule that jumps."""

    must: int
    may: int
    doubts: tuple[tuple[str, int], ...]
    chain: KnownChain
    context: "Context"


class Context:
    """The rules of a chain that are for packets which differ in nothing but port and source."""

    def __init__(self, fields: Fields, items: list[Item], *, by_port: bool) -> None:
        """Sort the rules: those for few ports by class of ports, and the others."""
        self.fields = fields
        """Of one such packet; it keeps alive what is known by its id."""
        self.whole: dict[int, tuple[Effect, Range]] = {}
        """The effect of the whole chain by class of ports."""
        self.narrow: dict[int, list[Item]] = {}
        self.always: list[Item] = []
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

    def only(self, port: Value) -> tuple[list[Item], Range]:
        """Return the rules that are for this port and few others, and which ports fare alike."""
        if not isinstance(port, int):
            return [], (0, LAST)
        number = bisect_right(self.starts, port) - 1
        return self.narrow.get(number, []), interval(self.starts, port)

    def row(
        self, first: int, end: int, found: Callable[[Item], Effect]
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

    def _node(self, level: int, number: int, found: Callable[[Item], Effect]) -> Effect | None:
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
