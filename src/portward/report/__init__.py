"""One file, one output format; pure.

A module of this package is a format; it is found by its name. It has any of the functions
``status(case, look)``, ``audit(audit, look)`` and ``explain(explanation, look)``, each of which
returns the whole text. What several formats share lives in the packages ``screen`` (what a
person sees, as data) and ``views`` (what a program reads, as types).
"""

import pkgutil
from importlib import import_module

from msgspec import Struct

from portward.model.case import Case
from portward.model.errors import UsageError
from portward.model.explanation import Explanation
from portward.model.finding import Audit

UNBOUNDED = 1_000_000
"""The width of a pipe or file: nothing is wrapped and no column falls away."""


class Look(Struct, frozen=True, kw_only=True):
    """What the place that the text is written to can show."""

    width: int = 80
    """In cells; UNBOUNDED for a pipe."""
    colour: bool = False
    unicode: bool = False
    """It can show more than ASCII, so symbols may be prettier."""


def formats(document: str) -> list[str]:
    """List the formats that can render a document: "status", "audit" or "explain"."""
    return [name for name in _names() if hasattr(import_module(f"{__name__}.{name}"), document)]


def render(name: str, document: Case | Audit | Explanation, look: Look) -> str:
    """Write a document in a format; raise UsageError where there is no such format for it."""
    kind = _KINDS[type(document)]
    writer = getattr(import_module(f"{__name__}.{name}"), kind, None) if name in _names() else None
    if writer is None:
        known = ", ".join(formats(kind))
        raise UsageError(f'{kind} has no format "{name}"', mend=f"choose from: {known}")
    return str(writer(document, look))


_KINDS: dict[type, str] = {Case: "status", Audit: "audit", Explanation: "explain"}


def _names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.ispkg)
