"""One self-contained page that a person would forward to their manager."""

from typing import Any

from portward.model.case import Case
from portward.model.finding import Audit, Severity
from portward.model.words import printable, where
from portward.report import Look
from portward.report.screen import audit as audit_screen
from portward.report.screen import status as status_screen
from portward.report.screen.head import policy_words
from portward.report.screen.ports import open_ports


def status(case: Case, _look: Look) -> str:
    """Write what is open."""
    verdict, tone = status_screen.verdict(case)
    return _page(case, verdict=verdict, tone=tone, lines=[status_screen.count(case)])


def audit(audit: Audit, _look: Look) -> str:
    """Write what is wrong and what is open."""
    verdict, tone = audit_screen.verdict(audit)
    faults = [finding for finding in audit.findings if finding.severity != Severity.INFO]
    return _page(
        audit.case,
        audit=audit,
        verdict=verdict,
        tone=tone,
        lines=[status_screen.count(audit.case), " ".join(audit_screen.remarks(audit))],
        faults=sorted(faults, key=lambda finding: finding.severity.rank),
        notes=[finding for finding in audit.findings if finding.severity == Severity.INFO],
    )


def _page(case: Case, **words: Any) -> str:  # noqa: ANN401 - the names of a template
    from importlib.resources import files  # noqa: PLC0415 - slow to import, as is jinja2

    from jinja2 import Environment, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    template = environment.from_string(files(__package__).joinpath("html.jinja").read_text("utf-8"))
    rows = open_ports(case)
    return template.render(
        snapshot=case.snapshot,
        policy="".join(text for text, _ in policy_words(case.policy)) + ".",
        rows=rows,
        places=any(row.place for row in rows),
        where=where,
        **{"audit": None, **words},
    )
