"""Sets of source addresses, as bits of one Python integer.

All sources that no ruleset can tell apart are one class: the ranges that the ruleset, the routes
and the addresses of the machine mention cut the address space into intervals, and bit i stands
for interval i. Union, intersection and complement are then single operations on integers, exact
and fast for any number of addresses.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence

from portward.reach.ruleset import Range

FEW = 8
"""So many ranges are joined one by one."""


class Sources:
    """A partition of the addresses 0 .. 2**width-1 into intervals."""

    def __init__(self, width: int, ranges: Iterable[Range]) -> None:
        """Cut at both ends of every range; one beyond the width is of another address family."""
        self.end = 1 << width
        cuts = {0}
        for first, last in ranges:
            cuts.add(first)
            cuts.add(last + 1)
        self.starts = sorted(cut for cut in cuts if cut < self.end)
        self.all = (1 << len(self.starts)) - 1
        self._whole = True

    @classmethod
    def of_points(cls, points: Iterable[int]) -> "Sources":
        """Return a universe of single addresses, bit i for the i-th in ascending order."""
        universe = cls.__new__(cls)
        universe.end = -1
        universe.starts = sorted(set(points))
        universe.all = (1 << len(universe.starts)) - 1
        universe._whole = False  # noqa: SLF001 - a second way to make one of its own kind
        return universe

    @property
    def exact(self) -> bool:
        """Every bit is one single address, so that any question about it has an answer."""
        return not self._whole

    def bits(self, first: int, last: int) -> int:
        """Return the classes that lie in a range; the universe was cut at its ends."""
        low = bisect_left(self.starts, first)
        high = bisect_right(self.starts, last)
        return (1 << high) - (1 << low) if high > low else 0

    def union(self, ranges: Sequence[Range]) -> int:
        """Return the classes that lie in any of several ranges."""
        if len(ranges) <= FEW:
            found = 0
            for first, last in ranges:
                found |= self.bits(first, last)
            return found
        # One bit where a run of classes begins and one behind its end; what lies between has an
        # odd number of them below it. Doubling the shift sums them up in a few operations.
        edges = bytearray(len(self.starts) // 8 + 1)
        reached = 0
        for first, last in sorted(ranges):
            low = max(reached, bisect_left(self.starts, first))
            high = bisect_right(self.starts, last)
            if high > low:
                edges[low >> 3] ^= 1 << (low & 7)
                edges[high >> 3] ^= 1 << (high & 7)
                reached = high
        odd, shift = int.from_bytes(edges, "little"), 1
        while shift <= len(self.starts):
            odd ^= odd << shift
            shift <<= 1
        return odd & self.all

    def ranges(self, bits: int) -> list[Range]:
        """Return a set as the fewest ranges, ascending."""
        found: list[Range] = []
        while bits:
            low = (bits & -bits).bit_length() - 1
            run = ((bits >> low) + 1) & ~(bits >> low)
            high = low + run.bit_length() - 1
            last = self.starts[high - 1]
            if self._whole:
                last = (self.starts[high] if high < len(self.starts) else self.end) - 1
            found.append((self.starts[low], last))
            bits &= -1 << high
        return found
