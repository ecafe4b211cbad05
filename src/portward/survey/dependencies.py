"""Which installed packages need which, from Debian's relation fields; pure (deb-control(5))."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")


class Relations(NamedTuple):
    """What one installed package says of others, as its fields are written."""

    package: str
    depends: str = ""
    pre_depends: str = ""
    provides: str = ""


def required_by(installed: Iterable[Relations]) -> dict[str, tuple[str, ...]]:
    """Map each package to those that lose a dependency without it.

    Versions and architectures are not compared: dpkg let them be installed, so they fit. Where
    two installed packages fulfil a dependency, it needs neither of them alone.
    """
    known = list(installed)
    providers: dict[str, set[str]] = {}
    for one in known:
        for name in (one.package, *_names(one.provides)):
            providers.setdefault(name, set()).add(one.package)
    found: dict[str, dict[str, None]] = {}
    for one in known:
        for alternatives in f"{one.pre_depends},{one.depends}".split(","):
            able = {name for wanted in _choices(alternatives) for name in providers.get(wanted, ())}
            if len(able) == 1 and one.package not in able:
                found.setdefault(able.pop(), {})[one.package] = None
    return {name: tuple(dependents) for name, dependents in found.items()}


def _names(field: str) -> Iterator[str]:
    for relation in field.split(","):
        yield from _choices(relation)


def _choices(alternatives: str) -> Iterator[str]:
    """Read the names of ``default-mta | mail-transport-agent (>= 1) | python3:any``."""
    for choice in alternatives.split("|"):
        if name := _NAME.match(choice.strip()):
            yield name[0]
