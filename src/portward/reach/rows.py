"""Elements of a set or a map, found by a value."""

from portward.reach.ruleset import Names, Values


class Rows:
    """The elements of a set or map by the value of one part."""

    def __init__(self, values: list[Values]) -> None:
        """Sort them: those with single values, and those with ranges or wildcards."""
        self._exact: dict[int | str, list[int]] = {}
        self._wide: list[int] = []
        for number, one in enumerate(values):
            if isinstance(one, Names):
                singles: list[int | str] = [*one.names]
                wide = any(name.endswith("*") for name in one.names)
            else:
                singles = [low for low, _ in one]
                wide = any(low != high for low, high in one)
            if wide:
                self._wide.append(number)
            else:
                for single in dict.fromkeys(singles):
                    self._exact.setdefault(single, []).append(number)

    def with_value(self, found: int | str) -> list[int]:
        """Return the numbers of the elements that may have a value, ascending."""
        return sorted([*self._exact.get(found, ()), *self._wide])
