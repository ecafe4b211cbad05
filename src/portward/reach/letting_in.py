"""Which of the rules and policies that accept a packet on its way are worth telling.

A packet meets several accepts. Told are the rules among them; where there is none, the policies of
the chains that filter. What only translates elsewhere says nothing about who gets in.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple, TypeVar

from portward.reach.ruleset import Place, Ruleset, Translate
from portward.reach.walk import OF_SOURCE

T = TypeVar("T")

_FILTERS = frozenset({"input", "forward"})


class _Hook(NamedTuple):
    """A base chain and what it is for."""

    family: str
    table: str
    chain: str
    type: str
    hook: str


class LettingIn:
    """Tells the accepts of one ruleset apart."""

    def __init__(self, ruleset: Ruleset) -> None:
        """Take the ruleset; it is looked through once."""
        self._ruleset = ruleset

    def those(self, accepts: Iterable[tuple[Place, T]]) -> list[T]:
        """Return what belongs to the places that let a packet in, in the same order."""
        known = [(place, one) for place, one in accepts if self.matters(place)]
        rules = [one for place, one in known if place.rule is not None]
        return rules or [one for place, one in known if place[:3] in self._filtering]

    def matters(self, place: Place) -> bool:
        """Say whether an accept counts: where all is translation, that of the destination does."""
        if (place.family, place.table) not in self._translating:
            return True
        return place.rule is not None and any(
            isinstance(step, Translate) and step.kind not in OF_SOURCE for step in place.rule.steps
        )

    @cached_property
    def _hooks(self) -> list[_Hook]:
        return [
            _Hook(table.family, table.name, chain.name, chain.base.type, chain.base.hook)
            for table in self._ruleset.tables
            for chain in table.chains
            if chain.base is not None
        ]

    @cached_property
    def _filtering(self) -> set[tuple[str, str, str]]:
        return {(one.family, one.table, one.chain) for one in self._hooks if one.hook in _FILTERS}

    @cached_property
    def _translating(self) -> set[tuple[str, str]]:
        types: dict[tuple[str, str], set[str]] = {}
        for one in self._hooks:
            types.setdefault((one.family, one.table), set()).add(one.type)
        return {table for table, found in types.items() if found == {"nat"}}
