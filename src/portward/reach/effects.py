"""What rules do to every source that comes to them, as values that can be joined.

What a rule does that changes no field of a packet, it does to each source by itself. So its effect
is found once, for all sources, and cut down to those that come to the rule. The effect of rules in
a row, and of a whole chain, is an effect again.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from portward.reach.ruleset import Kind
from portward.reach.walk import Decision


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
