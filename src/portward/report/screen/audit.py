"""The screen of ``portward audit``: what is wrong, why, and what to type."""

from collections import Counter

from portward.model.finding import Audit, Confidence, Finding, Severity, Undecided
from portward.model.unknown import Unknown
from portward.model.words import printable, where
from portward.report.screen import (
    Block,
    Commands,
    Fields,
    Heading,
    Listing,
    Paragraph,
    Screen,
    Span,
    Spans,
    Tone,
)
from portward.report.screen.head import gaps, head, plural

_SHOWN = 8
"""So many facts of a finding are shown, and the first of them say most: a machine may wait for
hundreds of updates."""
_TONES = {severity: Tone(severity) for severity in Severity}


def audit(audit: Audit) -> Screen:
    """Show the findings, the worst first, and what could not be judged."""
    faults = [finding for finding in audit.findings if finding.severity != Severity.INFO]
    notes = [finding for finding in audit.findings if finding.severity == Severity.INFO]
    groups = (
        head(audit.case),
        (Paragraph((verdict(audit), (" ".join(["", *remarks(audit)]), Tone.PLAIN))),),
        *map(_finding, sorted(faults, key=lambda finding: finding.severity.rank)),
        _notes(notes),
        _undecided(audit.undecided),
        gaps(audit.case),
    )
    return [group for group in groups if group]


def counts(findings: list[Finding]) -> str:
    """Write ``2 critical, 3 high``."""
    by_severity = Counter(finding.severity for finding in findings)
    return ", ".join(
        f"{by_severity[severity]} {severity}" for severity in Severity if by_severity[severity]
    )


def verdict(audit: Audit) -> Span:
    """Say in a sentence how it ended."""
    faults = [finding for finding in audit.findings if finding.severity != Severity.INFO]
    if faults:
        words = f"{plural(len(faults), 'finding')}: {counts(faults)}."
        return words, _TONES[min(faults, key=lambda finding: finding.severity.rank).severity]
    if isinstance(audit.case.snapshot.listeners, Unknown):
        reason = printable(audit.case.snapshot.listeners.reason)
        return f"Could not judge: the open ports are unknown ({reason}).", Tone.UNKNOWN
    if audit.undecided:
        return "No fault found, but not everything could be judged.", Tone.UNKNOWN
    return "Nothing to close.", Tone.ALLOWED


def remarks(audit: Audit) -> list[str]:
    """Say what else there is, a short sentence each."""
    notes = sum(finding.severity == Severity.INFO for finding in audit.findings)
    sentences = []
    if len(audit.findings) == notes and not audit.undecided:
        sentences.append(f"{plural(len(audit.checks), 'check')} passed.")
    if notes:
        sentences.append(f"{plural(notes, 'note')} below.")
    if audit.suppressed:
        sentences.append(f"{len(audit.suppressed)} suppressed by the policy.")
    if audit.undecided:
        sentences.append(f"{len(audit.undecided)} could not be judged.")
    return sentences


def _finding(finding: Finding) -> tuple[Block, ...]:
    tone = _TONES[finding.severity]
    title: Spans = (
        (f"{finding.severity.upper()}", tone),
        ("  ", Tone.PLAIN),
        (printable(finding.title), Tone.TITLE),
    )
    pairs: list[tuple[str, Spans]] = []
    if finding.listener:
        pairs.append(("where", ((printable(where(finding.listener)), Tone.PLAIN),)))
    hidden = len(finding.evidence) - _SHOWN
    shown = finding.evidence[:_SHOWN] if hidden > 1 else finding.evidence
    for index, evidence in enumerate(shown):
        source: Spans = (
            ((f"  [{printable(evidence.where)}]", Tone.QUIET),) if evidence.where else ()
        )
        pairs.append(("" if index else "seen", ((printable(evidence.text), Tone.PLAIN), *source)))
    if hidden > 1:
        how: Span = (f"  [portward explain {finding.id}]", Tone.QUIET)
        pairs.append(("", ((f"and {hidden} more", Tone.PLAIN), how)))
    pairs.append(("why", ((printable(finding.why), Tone.PLAIN),)))
    pairs.append(("do", ((printable(finding.remedy.summary), Tone.PLAIN),)))
    blocks: list[Block] = [Heading(tone, title)]
    if finding.remedy.caution:
        pairs.append(("mind", ((printable(finding.remedy.caution), Tone.PARTLY),)))
    blocks.append(Fields(tuple(pairs)))
    if finding.remedy.commands:
        blocks.append(Commands(tuple(map(printable, finding.remedy.commands))))
    blocks.append(Fields((("id", _id(finding)),)))
    return tuple(blocks)


def _id(finding: Finding) -> Spans:
    sure = "" if finding.confidence == Confidence.CERTAIN else f", {finding.confidence}"
    return (finding.id, Tone.PLAIN), (f"  {printable(finding.check)}{sure}", Tone.QUIET)


def _notes(notes: list[Finding]) -> tuple[Block, ...]:
    if not notes:
        return ()
    items = tuple(
        ((printable(note.title), Tone.PLAIN), (f"  {note.id}", Tone.QUIET)) for note in notes
    )
    return Paragraph((("Worth knowing:", Tone.TITLE),)), Listing(items, indent=2)


def _undecided(undecided: tuple[Undecided, ...]) -> tuple[Block, ...]:
    if not undecided:
        return ()
    items = tuple(
        (
            (printable(f"{one.subject}: {one.reason}"), Tone.PLAIN),
            (printable(f"; {one.mend}" if one.mend else ""), Tone.PLAIN),
            (f"  [{printable(one.check)}]", Tone.QUIET),
        )
        for one in undecided
    )
    return Paragraph((("Could not tell:", Tone.UNKNOWN),)), Listing(items, indent=2)
