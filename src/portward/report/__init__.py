"""One file, one output format; pure.

A module of this package is a format; it is found by its name. It has any of the functions
``status(case, look)``, ``audit(audit, look)``, ``explain(explanation, look)``, and ``reach``,
``trace``, ``matrix`` and ``difference`` of an answer about reach, each of which returns the whole
text. What several formats share lives in the packages ``screen`` (what a person sees, as data) and
``views`` (what a program reads, as types).
"""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct

from portward.model.case import Case
from portward.model.errors import UsageError
from portward.model.explanation import Explanation
from portward.model.finding import Audit

if TYPE_CHECKING:
    from portward.model.applied import Applied, History
    from portward.model.plan import Plan
    from portward.model.reaching import Difference, Matrix, PacketReach, PortReach
    from portward.model.scan import Scan, ScanDifference
    from portward.model.verification import Verification

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
    """List the formats that can render a document: "status", "audit", "reach"..."""
    import pkgutil  # noqa: PLC0415 - slow to import, and only a question or an error needs it

    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [name for name in names if _writer(name, document)]


Document: TypeAlias = (
    "Case | Audit | Explanation | PortReach | PacketReach | Matrix | Difference | Plan | Applied"
    "| History | Scan | ScanDifference | Verification"
)


def render(name: str, document: Document, look: Look) -> str:
    """Write a document in a format; raise UsageError where there is no such format for it."""
    return expect(name, _KINDS[type(document).__name__])(document, look)


def expect(name: str, kind: str) -> Callable[[Any, Look], str]:
    """Return what writes a kind of document in a format; UsageError where nothing does."""
    writer = _writer(name, kind)
    if not writer:
        known = ", ".join(formats(kind))
        raise UsageError(f'{kind} has no format "{name}"', mend=f"choose from: {known}")
    return writer


_KINDS = {
    "Case": "status",
    "Audit": "audit",
    "Explanation": "explain",
    "PortReach": "reach",
    "PacketReach": "trace",
    "Matrix": "matrix",
    "Difference": "difference",
    "Plan": "plan",
    "Applied": "applied",
    "History": "history",
    "Scan": "scan",
    "ScanDifference": "changes",
    "Verification": "verification",
}
"""By the name of the type, so that no command imports the types of another's documents."""


def _writer(name: str, kind: str) -> Callable[[Any, Look], str] | None:
    """Find the function of a format; packages are what formats share, and none themselves."""
    where = f"{__name__}.{name}"
    if not name.isidentifier() or not (found := find_spec(where)):
        return None
    return None if found.submodule_search_locations else getattr(import_module(where), kind, None)
