"""Judging: one file, one check; pure.

A check is a module of this package. Its docstring is its documentation: the first line is the
title, then come sections, each a heading at the margin with its text indented below. The module
has one function, ``check(case)``, which yields a Finding for each fault and an Undecided for
what it could not tell. No list of checks is kept anywhere; a new file is a new check.
"""

import difflib
import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple, cast

from portward.model.case import Case
from portward.model.errors import UsageError
from portward.model.explanation import Explanation, Section
from portward.model.finding import Audit, Finding, Suppressed, Undecided
from portward.model.policy import Suppression


class Check(NamedTuple):
    """A check and its documentation."""

    id: str
    title: str
    documentation: str
    run: Callable[[Case], Iterator[Finding | Undecided]]


@cache
def checks() -> dict[str, Check]:
    """Find all checks, by id: the name of the file with dashes."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return {check.id: check for check in map(_load, names)}


def judge(case: Case) -> Audit:
    """Run every check and set aside what the policy says a person has accepted."""
    findings: list[Finding] = []
    suppressed: list[Suppressed] = []
    undecided: list[Undecided] = []
    for check in checks().values():
        for result in check.run(case):
            if isinstance(result, Undecided):
                undecided.append(result)
            elif accepted := _suppression(result, case):
                suppressed.append(Suppressed(finding=result, by=accepted))
            else:
                findings.append(result)
    return Audit(
        case=case,
        findings=tuple(sorted(findings, key=_order)),
        suppressed=tuple(sorted(suppressed, key=lambda one: _order(one.finding))),
        undecided=tuple(undecided),
        checks=tuple(checks()),
    )


def explain(check_id: str) -> Explanation:
    """Say what a check looks for, from its docstring; raise UsageError where there is none."""
    check = checks().get(check_id)
    if check is None:
        near = difflib.get_close_matches(check_id, checks(), n=1)
        mend = f'did you mean "{near[0]}"?' if near else ""
        raise UsageError(f'there is no check "{check_id}"', mend=mend)
    return Explanation(
        topic=f"check {check.id}",
        summary=check.title,
        sections=tuple(_sections(check.documentation)),
    )


def explain_finding(finding: Finding) -> Explanation:
    """Say everything about one finding, and what its check looks for."""
    documented = explain(finding.check)
    evidence = (
        f"- {one.text}" + (f" ({one.where})" if one.where else "") for one in finding.evidence
    )
    remedy = finding.remedy
    caution = (f"Caution: {remedy.caution}",) if remedy.caution else ()
    commands = tuple(f"- {command}" for command in remedy.commands)
    return Explanation(
        topic=f"finding {finding.id}",
        summary=f"{finding.title} ({finding.severity}, {finding.confidence}).",
        sections=(
            Section("Why", (finding.why,)),
            Section("Evidence", tuple(evidence)),
            Section("Remedy", (remedy.summary, *commands, *caution)),
            Section(f"Check {finding.check}", (documented.summary,)),
            *documented.sections,
        ),
    )


def _load(name: str) -> Check:
    module = importlib.import_module(f"{__name__}.{name}")
    title, _, documentation = cast("str", module.__doc__).partition("\n")
    return Check(name.replace("_", "-"), title.rstrip("."), documentation.strip("\n"), module.check)


def _suppression(finding: Finding, case: Case) -> Suppression | None:
    """Return what accepts the finding today."""
    named = {finding.id, finding.check}
    accepting = (one for one in case.policy.suppressions if one.finding in named)
    return next((one for one in accepting if case.day <= one.until), None)


def _order(finding: Finding) -> tuple[int, str, str]:
    return finding.severity.rank, finding.subject, finding.check


def _sections(documentation: str) -> Iterator[Section]:
    """Read headings at the margin and their indented text, one line for each paragraph or item."""
    heading, lines, fresh = "", list[str](), True
    for line in documentation.splitlines():
        text = line.strip()
        if text and not line[0].isspace():
            if heading:
                yield Section(heading, tuple(lines))
            heading, lines, fresh = text, [], True
        elif not text or fresh or text.startswith("- "):
            lines += [text] * bool(text)
            fresh = not text
        else:
            lines[-1] += f" {text}"
    if heading:
        yield Section(heading, tuple(lines))
