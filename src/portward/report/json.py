"""JSON for programs, versioned; docs/json.md documents every field."""

import re
from json import dumps
from typing import Any

import msgspec

from portward.model.case import Case
from portward.model.finding import Audit
from portward.report import Look
from portward.report.views import UnknownFact
from portward.report.views import audit as audit_view
from portward.report.views import listener as listener_view
from portward.report.views import status as status_view

DOCUMENTS = {"status": status_view.StatusView, "audit": audit_view.AuditView}
_BEYOND_ASCII = re.compile(r"[^\n -~]")


def status(case: Case, _look: Look) -> str:
    """Write what is open."""
    return _write(status_view.view(case))


def audit(audit: Audit, _look: Look) -> str:
    """Write what is wrong."""
    return _write(audit_view.view(audit))


def schema(document: str) -> dict[str, Any]:
    """Return the JSON Schema of a document: "status" or "audit"."""
    root = DOCUMENTS[document]
    # The holders of a socket are named: the type of that field does not tell msgspec of them.
    types = (root, listener_view.ProcessView, listener_view.KernelView, UnknownFact)
    _, parts = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"portward {document} --format json",
        "$ref": f"#/$defs/{root.__name__}",
        "$defs": parts,
    }


def _write(view: object) -> str:
    text = msgspec.json.format(msgspec.json.encode(view), indent=2).decode()
    return _BEYOND_ASCII.sub(_escape, text) + "\n"


def _escape(match: re.Match[str]) -> str:
    """Write what a terminal would obey as an escape of JSON; the rest is data in any script."""
    return match[0] if match[0].isprintable() else dumps(match[0])[1:-1]
