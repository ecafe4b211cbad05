"""SARIF 2.1.0 (OASIS), for code scanning and security dashboards.

A listener is no file, so it stands as a logical location; evidence from a file is a related
location. Suppressed findings are results with a suppression, as the standard wants them.
"""

import re
from typing import Any

import msgspec

from portward.checks import checks
from portward.model.finding import Audit, Evidence, Finding, Severity, Suppressed
from portward.model.words import where
from portward.report import Look

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_FILE_AND_LINE = re.compile(r"(/[^\0]*?)(?::(\d+))?")

_Json = dict[str, Any]


def audit(audit: Audit, _look: Look) -> str:
    """Write what is wrong."""
    snapshot = audit.case.snapshot
    rules = {check: index for index, check in enumerate(_rule_ids(audit))}
    results = [_result(finding, rules, audit) for finding in audit.findings]
    results += [_suppressed(one, rules, audit) for one in audit.suppressed]
    notes = [
        {
            "level": "warning",
            "message": {"text": f"{one.subject}: {one.reason}"},
            "associatedRule": {"id": one.check, "index": rules[one.check]},
        }
        for one in audit.undecided
    ]
    notes += [{"level": "warning", "message": {"text": gap}} for gap in snapshot.sight.gaps]
    run = {
        "tool": {
            "driver": {
                "name": "portward",
                "version": snapshot.portward,
                "rules": [_rule(check) for check in rules],
            }
        },
        "automationDetails": {"id": f"portward/{snapshot.machine.hostname}"},
        "invocations": [
            {
                "executionSuccessful": True,
                "endTimeUtc": snapshot.taken.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "toolExecutionNotifications": notes,
            }
        ],
        "results": results,
        "columnKind": "unicodeCodePoints",
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode() + "\n"


def _rule_ids(audit: Audit) -> list[str]:
    """List the checks that ran, and any other that a finding names."""
    named = (
        *audit.checks,
        *(finding.check for finding in audit.findings),
        *(one.finding.check for one in audit.suppressed),
        *(one.check for one in audit.undecided),
    )
    return list(dict.fromkeys(named))


def _rule(check: str) -> _Json:
    known = checks().get(check)
    if not known:
        return {"id": check}
    return {
        "id": check,
        "shortDescription": {"text": known.title},
        "fullDescription": {"text": known.documentation},
        "help": {"text": f"{known.documentation}\n\nMore: portward explain {check}"},
    }


def _result(finding: Finding, rules: dict[str, int], audit: Audit) -> _Json:
    remedy = finding.remedy
    parts = [finding.title + ".", finding.why, remedy.summary, remedy.caution, *remedy.commands]
    host = audit.case.snapshot.machine.hostname
    about = where(finding.listener) if finding.listener else finding.subject
    result: _Json = {
        "ruleId": finding.check,
        "ruleIndex": rules[finding.check],
        "kind": "fail",
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n".join(filter(None, parts))},
        "locations": [
            {
                "logicalLocations": [
                    {
                        "name": about,
                        "fullyQualifiedName": f"{host}/{finding.subject}",
                        "kind": "resource",
                    }
                ]
            }
        ],
        "partialFingerprints": {"portward/v1": finding.id},
        "properties": {
            "id": finding.id,
            "severity": str(finding.severity),
            "confidence": str(finding.confidence),
            "evidence": [
                f"{one.text} [{one.where}]" if one.where else one.text for one in finding.evidence
            ],
        },
    }
    related = [place for one in finding.evidence if (place := _file(one))]
    if related:
        result["relatedLocations"] = [{"id": i, **place} for i, place in enumerate(related)]
    return result


def _file(evidence: Evidence) -> _Json | None:
    """Write a place like ``/etc/inetd.conf:12``, or None where it is no file."""
    from urllib.parse import quote  # noqa: PLC0415 - slow to import, and seldom needed

    match = _FILE_AND_LINE.fullmatch(evidence.where)
    if not match:
        return None
    path, line = match.groups()
    place: _Json = {"artifactLocation": {"uri": "file://" + quote(path, errors="replace")}}
    if line and int(line) > 0:
        place["region"] = {"startLine": int(line)}
    return {"physicalLocation": place, "message": {"text": evidence.text}}


def _suppressed(one: Suppressed, rules: dict[str, int], audit: Audit) -> _Json:
    justification = f"{one.by.reason} (until {one.by.until}, {one.by.origin})"
    return {
        **_result(one.finding, rules, audit),
        "suppressions": [
            {"kind": "external", "status": "accepted", "justification": justification}
        ],
    }
