"""Metrics in the text format of Prometheus, for the node exporter's textfile collector.

What could not be learned has no sample: a number that is not known is never 0.
"""

from collections import Counter
from collections.abc import Iterable

from portward.model.case import Case
from portward.model.finding import Audit, Severity
from portward.model.unknown import Unknown
from portward.report import Look

_Labels = dict[str, str]


def status(case: Case, _look: Look) -> str:
    """Write what is open, as numbers."""
    return "".join(_status(case))


def audit(audit: Audit, _look: Look) -> str:
    """Write what is open and what is wrong, as numbers."""
    severities = Counter(finding.severity for finding in audit.findings)
    findings = [({"severity": str(one)}, severities[one]) for one in Severity]
    each: list[tuple[_Labels, int]] = [
        (
            {
                "id": finding.id,
                "check": finding.check,
                "severity": str(finding.severity),
                "confidence": str(finding.confidence),
                "subject": finding.subject,
            },
            1,
        )
        for finding in audit.findings
    ]
    taken = int(audit.case.snapshot.taken.timestamp())
    return "".join(
        (
            *_status(audit.case),
            _gauge("findings", "Findings of the audit, by severity.", findings),
            _gauge("finding", "A finding of the audit.", each),
            _gauge(
                "findings_suppressed",
                "Findings that the policy accepts.",
                [({}, len(audit.suppressed))],
            ),
            _gauge("undecided", "Things that could not be judged.", [({}, len(audit.undecided))]),
            _gauge(
                "audit_timestamp_seconds",
                "When the machine was surveyed for this audit.",
                [({}, taken)],
            ),
        )
    )


def _status(case: Case) -> Iterable[str]:
    snapshot = case.snapshot
    known = not isinstance(snapshot.listeners, Unknown)
    yield _gauge(
        "survey_timestamp_seconds",
        "When the machine was surveyed.",
        [({}, int(snapshot.taken.timestamp()))],
    )
    yield _gauge("survey_gaps", "Things that could not be seen.", [({}, len(snapshot.sight.gaps))])
    yield _gauge("listeners_known", "1 if the open ports could be listed.", [({}, int(known))])
    if known:
        counts = Counter(
            (str(one.listener.protocol), str(one.reach.scope), str(one.verdict))
            for one in case.exposures
        )
        samples = [
            ({"protocol": protocol, "reach": scope, "verdict": verdict}, count)
            for (protocol, scope, verdict), count in sorted(counts.items())
        ]
        yield _gauge(
            "listeners", "Listeners, by who can reach them and what the policy says.", samples
        )


def _gauge(name: str, text: str, samples: list[tuple[_Labels, int]]) -> str:
    lines = [f"# HELP portward_{name} {text}\n", f"# TYPE portward_{name} gauge\n"]
    lines += [f"portward_{name}{_labels(labels)} {value}\n" for labels, value in samples]
    return "".join(lines)


def _labels(labels: _Labels) -> str:
    if not labels:
        return ""
    pairs = ",".join(f'{name}="{_escape(value)}"' for name, value in labels.items())
    return "{" + pairs + "}"


def _escape(value: str) -> str:
    r"""Escape a label value: only ``\``, ``"`` and line feed are special in the format."""
    # printable() would double its own escapes; a carriage return ends a line for some parsers.
    legal = "".join(
        char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}"
        for char in value
    )
    return legal.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
