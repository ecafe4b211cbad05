"""The JSON document of ``portward audit``."""

from collections import Counter
from datetime import date, datetime
from typing import Annotated, Literal

from msgspec import Struct

from portward.model.case import Case
from portward.model.finding import Audit, Confidence, Finding, Severity, Suppressed
from portward.model.host import Listener
from portward.model.status import Exposure, Reach, Scope, Verdict
from portward.report.views import listener as listeners
from portward.report.views import says
from portward.report.views.status import HostView, PolicyView, host_view, policy_view


class EvidenceView(Struct, frozen=True, kw_only=True):
    """One fact that a finding rests on."""

    text: Annotated[str, says("The fact, in a sentence.")]
    where: Annotated[str | None, says("Where a person can see it: a file and line, a path.")]


class RemedyView(Struct, frozen=True, kw_only=True):
    """What to do about it."""

    summary: Annotated[str, says("What to do, in a sentence.")]
    commands: Annotated[tuple[str, ...], says("What to type as root, in order.")]
    caution: Annotated[str | None, says("What it breaks, or what to make sure of before.")]


class FindingView(Struct, frozen=True, kw_only=True):
    """Something wrong."""

    id: Annotated[str, says("The same for the same fault on the same machine.")]
    check: Annotated[str, says("Id of the check that found it.")]
    subject: Annotated[str, says("What it is about, the same from run to run.")]
    severity: Annotated[Severity, says("How bad it is if it is true.")]
    confidence: Annotated[Confidence, says("How sure it is that it is true.")]
    title: Annotated[str, says("What is wrong, in a sentence.")]
    why: Annotated[str, says("Why it matters.")]
    listener: Annotated[
        listeners.ListenerView | None, says("The port it is about; null where it is about none.")
    ]
    evidence: Annotated[tuple[EvidenceView, ...], says("What it rests on.")]
    remedy: Annotated[RemedyView, says("What to do about it.")]


class SuppressedView(Struct, frozen=True, kw_only=True):
    """A finding that a person has accepted."""

    finding: Annotated[FindingView, says("The finding.")]
    reason: Annotated[str, says("Why it was accepted.")]
    until: Annotated[date, says("The last day that it is.")]
    origin: Annotated[str, says("File and line of the policy that say so.")]


class UndecidedView(Struct, frozen=True, kw_only=True):
    """What a check could not tell."""

    check: Annotated[str, says("Id of the check.")]
    subject: Annotated[str, says("What it is about.")]
    reason: Annotated[str, says("Why it could not tell.")]
    mend: Annotated[str | None, says("How to make it tell.")]


class SummaryView(Struct, frozen=True, kw_only=True):
    """How many there are of each."""

    critical: Annotated[int, says("Findings of this severity.")]
    high: Annotated[int, says("Findings of this severity.")]
    medium: Annotated[int, says("Findings of this severity.")]
    low: Annotated[int, says("Findings of this severity.")]
    info: Annotated[int, says("Findings of this severity; they do not make an audit fail.")]
    suppressed: Annotated[int, says("Findings that a person has accepted.")]
    undecided: Annotated[int, says("Things that could not be judged.")]


class AuditView(Struct, frozen=True, kw_only=True):
    """A machine judged against a policy."""

    schema: Annotated[Literal["portward-audit/1"], says("Name and version of this document.")]
    portward: Annotated[str, says("Version of the portward that surveyed the machine.")]
    taken: Annotated[datetime, says("When it did.")]
    host: Annotated[HostView, says("The machine.")]
    policy: Annotated[PolicyView, says("What it is judged by.")]
    summary: Annotated[SummaryView, says("How many there are of each.")]
    findings: Annotated[tuple[FindingView, ...], says("What is wrong, the worst first.")]
    suppressed: Annotated[tuple[SuppressedView, ...], says("What is wrong and accepted.")]
    undecided: Annotated[tuple[UndecidedView, ...], says("What could not be judged.")]
    checks: Annotated[tuple[str, ...], says("Ids of all checks that ran.")]
    gaps: Annotated[
        tuple[str, ...], says("What could not be seen, each a sentence with its reason.")
    ]


def view(audit: Audit) -> AuditView:
    """Write what is wrong."""
    snapshot = audit.case.snapshot
    severities = Counter(finding.severity for finding in audit.findings)
    return AuditView(
        schema="portward-audit/1",
        portward=snapshot.portward,
        taken=snapshot.taken,
        host=host_view(audit.case),
        policy=policy_view(audit.case.policy),
        summary=SummaryView(
            critical=severities[Severity.CRITICAL],
            high=severities[Severity.HIGH],
            medium=severities[Severity.MEDIUM],
            low=severities[Severity.LOW],
            info=severities[Severity.INFO],
            suppressed=len(audit.suppressed),
            undecided=len(audit.undecided),
        ),
        findings=tuple(_finding(finding, audit.case) for finding in audit.findings),
        suppressed=tuple(_suppressed(one, audit.case) for one in audit.suppressed),
        undecided=tuple(
            UndecidedView(
                check=one.check, subject=one.subject, reason=one.reason, mend=one.mend or None
            )
            for one in audit.undecided
        ),
        checks=audit.checks,
        gaps=snapshot.sight.gaps,
    )


def _finding(finding: Finding, case: Case) -> FindingView:
    names = case.snapshot.port_names
    return FindingView(
        id=finding.id,
        check=finding.check,
        subject=finding.subject,
        severity=finding.severity,
        confidence=finding.confidence,
        title=finding.title,
        why=finding.why,
        listener=listeners.view(_exposure(finding.listener, case), names)
        if finding.listener
        else None,
        evidence=tuple(
            EvidenceView(text=one.text, where=one.where or None) for one in finding.evidence
        ),
        remedy=RemedyView(
            summary=finding.remedy.summary,
            commands=finding.remedy.commands,
            caution=finding.remedy.caution or None,
        ),
    )


def _exposure(listener: Listener, case: Case) -> Exposure:
    for exposure in case.exposures:
        if exposure.listener == listener:
            return exposure
    return Exposure(
        listener=listener,
        recognition=None,
        reach=Reach(scope=Scope.UNKNOWN, reason="not judged"),
        verdict=Verdict.UNKNOWN,
        allowance=None,
    )


def _suppressed(suppressed: Suppressed, case: Case) -> SuppressedView:
    return SuppressedView(
        finding=_finding(suppressed.finding, case),
        reason=suppressed.by.reason,
        until=suppressed.by.until,
        origin=suppressed.by.origin,
    )
