"""JSON for programs, versioned; docs/json.md documents every field."""

import re
from json import dumps
from typing import TYPE_CHECKING, Any

import msgspec

from portward.model.case import Case
from portward.model.explanation import Explanation
from portward.model.finding import Audit
from portward.report import Look
from portward.report.views import UnknownFact
from portward.report.views import audit as audit_view
from portward.report.views import explain as explain_view
from portward.report.views import listener as listener_view
from portward.report.views import status as status_view

if TYPE_CHECKING:
    from portward.model.reaching import Difference, Matrix, PacketReach, PortReach

DOCUMENTS = {
    "status": status_view.StatusView,
    "audit": audit_view.AuditView,
    "explain": explain_view.ExplanationView,
}
_BEYOND_ASCII = re.compile(r"[^\n -~]")


def status(case: Case, _look: Look) -> str:
    """Write what is open."""
    return _write(status_view.view(case))


def audit(audit: Audit, _look: Look) -> str:
    """Write what is wrong."""
    return _write(audit_view.view(audit))


def explain(explanation: Explanation, _look: Look) -> str:
    """Write what is known of a topic."""
    return _write(explain_view.view(explanation))


def reach(answer: "PortReach", _look: Look) -> str:
    """Write who can reach a port."""
    return _answer("portward-reach/1", answer)


def trace(answer: "PacketReach", _look: Look) -> str:
    """Write what happens to a packet."""
    return _answer("portward-reach-packet/1", answer)


def matrix(matrix: "Matrix", _look: Look) -> str:
    """Write what every class of sources can reach."""
    return _answer("portward-reach-matrix/1", matrix)


def difference(difference: "Difference", _look: Look) -> str:
    """Write what opens and what closes."""
    return _answer("portward-reach-difference/1", difference)


def line(answer: "PacketReach") -> str:
    """Write what happens to one packet of a batch, as one line."""
    return _clean(msgspec.json.encode(answer).decode()) + "\n"


def _answer(name: str, answer: msgspec.Struct) -> str:
    return _write({"schema": name, **msgspec.structs.asdict(answer)})


def schema(document: str) -> dict[str, Any]:
    """Return the JSON Schema of one of the DOCUMENTS."""
    root = DOCUMENTS[document]
    # The holders of a socket are named: the type of that field does not tell msgspec of them.
    holders = (listener_view.ProcessView, listener_view.KernelView, UnknownFact)
    types = (root,) if document == "explain" else (root, *holders)
    _, parts = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"portward {document} --format json",
        "$ref": f"#/$defs/{root.__name__}",
        "$defs": parts,
    }


def _write(view: object) -> str:
    text = msgspec.json.format(msgspec.json.encode(view), indent=2).decode()
    return _clean(text) + "\n"


def _clean(text: str) -> str:
    return _BEYOND_ASCII.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    """Write what a terminal would obey as an escape of JSON; the rest is data in any script."""
    return match[0] if match[0].isprintable() else dumps(match[0])[1:-1]
