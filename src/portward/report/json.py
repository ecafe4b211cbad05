"""JSON for programs, versioned; docs/json.md documents every field."""

import re
from json import dumps
from types import ModuleType
from typing import TYPE_CHECKING, Any

import msgspec

from portward.model.case import Case
from portward.model.finding import Audit
from portward.report import Look
from portward.report.views import UnknownFact
from portward.report.views import audit as audit_view
from portward.report.views import listener as listener_view
from portward.report.views import status as status_view

if TYPE_CHECKING:
    from portward.model.applied import Applied, History
    from portward.model.explanation import Explanation
    from portward.model.plan import Plan
    from portward.model.reaching import Difference, Matrix, PacketReach, PortReach
    from portward.model.scan import Scan, ScanDifference, ScannedHost, ScannedPort
    from portward.model.verification import Verification

_BEYOND_ASCII = re.compile(r"[^\n -~]")


def status(case: Case, _look: Look) -> str:
    """Write what is open."""
    return _write(status_view.view(case))


def audit(audit: Audit, _look: Look) -> str:
    """Write what is wrong."""
    return _write(audit_view.view(audit))


def explain(explanation: "Explanation", _look: Look) -> str:
    """Write what is known of a topic."""
    from portward.report.views import explain as explain_view  # noqa: PLC0415 - status does not need it

    return _write(explain_view.view(explanation))


def reach(answer: "PortReach", _look: Look) -> str:
    """Write who can reach a port."""
    return _write(_reach_views().port(answer))


def trace(answer: "PacketReach", _look: Look) -> str:
    """Write what happens to a packet."""
    return _write(_reach_views().packet(answer))


def matrix(matrix: "Matrix", _look: Look) -> str:
    """Write what every class of sources can reach."""
    return _write(_reach_views().matrix(matrix))


def difference(difference: "Difference", _look: Look) -> str:
    """Write what opens and what closes."""
    return _write(_reach_views().difference(difference))


def plan(plan: "Plan", _look: Look) -> str:
    """Write what would change."""
    from portward.report.views import plan as plan_view  # noqa: PLC0415 - status does not need it

    return _write(plan_view.view(plan))


def applied(applied: "Applied", _look: Look) -> str:
    """Write what became of an apply."""
    return _answer("portward-applied/1", applied)


def history(history: "History", _look: Look) -> str:
    """Write every apply."""
    return _answer("portward-history/1", history)


def scan(scan: "Scan", _look: Look) -> str:
    """Write what was seen from outside."""
    return _answer("portward-scan/1", scan)


def changes(found: "ScanDifference", _look: Look) -> str:
    """Write what changed between two scans."""
    return _answer("portward-scan-difference/1", found)


def verification(found: "Verification", _look: Look) -> str:
    """Write whether inside and outside agree."""
    return _answer("portward-verification/1", found)


def scan_port(address: str, port: "ScannedPort") -> str:
    """Write one port that was found open, as one line."""
    return _line({"port": {"address": address, **msgspec.structs.asdict(port)}})


def scan_host(host: "ScannedHost") -> str:
    """Write one host that is done with, as one line."""
    return _line({"host": host})


def scan_end(scan: "Scan") -> str:
    """Write the scan without its hosts, as the last line."""
    fields = msgspec.structs.asdict(scan)
    del fields["hosts"]
    return _line({"scan": {"schema": "portward-scan/1", **fields}})


def _line(view: object) -> str:
    return _clean(msgspec.json.encode(view).decode()) + "\n"


def line(answer: "PacketReach") -> str:
    """Write what happens to one packet of a batch, as one line."""
    return _line(_reach_views().packet(answer))


def _reach_views() -> ModuleType:
    """Import what status and audit do not need."""
    from portward.report.views import reach as views  # noqa: PLC0415 - see above

    return views


def documents() -> dict[str, type[msgspec.Struct]]:
    """Return the documents that have a schema, by name, with their types."""
    from portward.report.views import explain as explain_view  # noqa: PLC0415 - status does not need it

    views = _reach_views()
    return {
        "status": status_view.StatusView,
        "audit": audit_view.AuditView,
        "explanation": explain_view.ExplanationView,
        "reach": views.PortReachView,
        "reach-packet": views.PacketView,
        "reach-matrix": views.MatrixView,
        "reach-difference": views.DifferenceView,
    }


_COMMANDS = {
    "explanation": "explain",
    "reach": "reach PORT",
    "reach-packet": "reach PORT --from ADDRESS",
    "reach-matrix": "reach --matrix",
    "reach-difference": "reach --diff OLD NEW",
}
"""What writes a document, where it is not its name."""


def command(document: str) -> str:
    """Return the command that writes a document."""
    return f"portward {_COMMANDS.get(document, document)}"


def schema(document: str) -> dict[str, Any]:
    """Return the JSON Schema of a document, by its name in documents()."""
    root = documents()[document]
    types = [root]
    if document in {"status", "audit"}:
        # The holders of a socket: the type of that field does not tell msgspec of them.
        types += [listener_view.ProcessView, listener_view.KernelView, UnknownFact]
    _, parts = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"{command(document)} --format json",
        "$ref": f"#/$defs/{root.__name__}",
        "$defs": parts,
    }


def _answer(name: str, answer: msgspec.Struct) -> str:
    return _write({"schema": name, **msgspec.structs.asdict(answer)})


def _write(view: object) -> str:
    text = msgspec.json.format(msgspec.json.encode(view), indent=2).decode()
    return _clean(text) + "\n"


def _clean(text: str) -> str:
    return _BEYOND_ASCII.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    """Write what a terminal would obey as an escape of JSON; the rest is data in any script."""
    return match[0] if match[0].isprintable() else dumps(match[0])[1:-1]
