"""Text without colour, for pipes and files: quick, and made of one line a row."""

from portward.model.case import Case
from portward.model.explanation import Explanation
from portward.model.finding import Audit
from portward.report import Look
from portward.report.screen import Screen
from portward.report.screen import audit as audit_screen
from portward.report.screen import explain as explain_screen
from portward.report.screen import status as status_screen
from portward.report.screen.layout import ASCII_MARKS, UNICODE_MARKS, lines


def status(case: Case, look: Look) -> str:
    """Write what is open."""
    return _paint(status_screen.status(case), look)


def audit(audit: Audit, look: Look) -> str:
    """Write what is wrong."""
    return _paint(audit_screen.audit(audit), look)


def explain(explanation: Explanation, look: Look) -> str:
    """Write what is known."""
    return _paint(explain_screen.explain(explanation), look)


def _paint(screen: Screen, look: Look) -> str:
    marks = UNICODE_MARKS if look.unicode else ASCII_MARKS
    return "".join(
        "".join([text for text, _ in line]).rstrip() + "\n"
        for line in lines(screen, look.width, marks)
    )
