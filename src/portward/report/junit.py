"""JUnit XML, for continuous integration: one test case for each check."""

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from portward.model.finding import Audit, Finding, Severity, Undecided
from portward.model.words import where
from portward.report import Look

# What XML 1.0 cannot hold in any form (section 2.2), and the C1 controls, which no one can read.
_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def audit(audit: Audit, _look: Look) -> str:
    """Write what is wrong: a check with a finding fails, one that could not tell is skipped."""
    faults = [finding for finding in audit.findings if finding.severity != Severity.INFO]
    failed = {finding.check for finding in faults}
    skipped = {one.check for one in audit.undecided} - failed
    ids = sorted({*audit.checks, *failed, *skipped})
    snapshot = audit.case.snapshot
    suite: dict[str, str | int] = {
        "name": f"portward {snapshot.machine.hostname}",
        "tests": len(ids),
        "failures": len(failed),
        "errors": 0,
        "skipped": len(skipped),
        "time": 0,
        "timestamp": snapshot.taken.strftime("%Y-%m-%dT%H:%M:%S"),
        "hostname": snapshot.machine.hostname,
    }
    totals = {key: suite[key] for key in ("name", "tests", "failures", "errors", "time")}
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    lines += [f"<testsuites{_attributes(totals)}>", f"  <testsuite{_attributes(suite)}>"]
    for check in ids:
        lines += _case(
            check,
            [finding for finding in faults if finding.check == check],
            [one for one in audit.undecided if one.check == check],
        )
    if snapshot.sight.gaps:
        lines.append(f"    <system-out>{_text(chr(10).join(snapshot.sight.gaps))}</system-out>")
    lines += ["  </testsuite>", "</testsuites>", ""]
    return "\n".join(lines)


def _case(check: str, faults: list[Finding], undecided: list[Undecided]) -> Iterator[str]:
    name = _attributes({"classname": "portward", "name": check, "time": 0})
    unclear = "\n".join(f"{one.subject}: {one.reason}" for one in undecided)
    if faults:
        worst = min(faults, key=lambda finding: finding.severity.rank)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        failure = _attributes({"message": worst.title + more, "type": str(worst.severity)})
        yield f"    <testcase{name}>"
        yield f"      <failure{failure}>{_text(chr(10).join(map(_finding, faults)))}</failure>"
        if unclear:
            yield f"      <system-out>{_text('Could not tell: ' + unclear)}</system-out>"
        yield "    </testcase>"
    elif undecided:
        yield f"    <testcase{name}>"
        yield f"      <skipped{_attributes({'message': 'Could not tell: ' + unclear})}/>"
        yield "    </testcase>"
    else:
        yield f"    <testcase{name}/>"


def _finding(finding: Finding) -> str:
    remedy = finding.remedy
    lines = [f"{finding.id} {finding.severity}: {finding.title}"]
    if finding.listener:
        lines.append(f"  where: {where(finding.listener)}")
    lines += [
        f"  seen: {one.text} [{one.where}]" if one.where else f"  seen: {one.text}"
        for one in finding.evidence
    ]
    lines += [f"  why: {finding.why}", f"  do: {remedy.summary}"]
    lines += [f"  mind: {remedy.caution}"] if remedy.caution else []
    lines += [f"    {command}" for command in remedy.commands]
    return "\n".join(lines) + "\n"


def _attributes(values: dict[str, str | int]) -> str:
    return "".join(f" {key}={quoteattr(_legal(str(value)))}" for key, value in values.items())


def _text(text: str) -> str:
    return escape(_legal(text))


def _legal(text: str) -> str:
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
