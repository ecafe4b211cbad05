"""Text without colour, for pipes and files: quick, and made of one line a row."""

from typing import TYPE_CHECKING

from portward.model.case import Case
from portward.model.explanation import Explanation
from portward.model.finding import Audit
from portward.report import Look
from portward.report.screen import Screen
from portward.report.screen import audit as audit_screen
from portward.report.screen import explain as explain_screen
from portward.report.screen import status as status_screen
from portward.report.screen.layout import ASCII_MARKS, UNICODE_MARKS, lines

if TYPE_CHECKING:
    from portward.model.applied import Applied, History
    from portward.model.plan import Plan
    from portward.model.reaching import Difference, Matrix, PacketReach, PortReach
    from portward.model.scan import Scan, ScanDifference
    from portward.model.verification import Verification


def status(case: Case, look: Look) -> str:
    """Write what is open."""
    return _paint(status_screen.status(case), look)


def audit(audit: Audit, look: Look) -> str:
    """Write what is wrong."""
    return _paint(audit_screen.audit(audit), look)


def explain(explanation: Explanation, look: Look) -> str:
    """Write what is known."""
    return _paint(explain_screen.explain(explanation), look)


def reach(answer: "PortReach", look: Look) -> str:
    """Write who can reach a port."""
    from portward.report.screen import reach as screen  # noqa: PLC0415 - status does not need it

    return _paint(screen.reach(answer), look)


def trace(answer: "PacketReach", look: Look) -> str:
    """Write what happens to a packet."""
    from portward.report.screen import trace as screen  # noqa: PLC0415 - status does not need it

    return _paint(screen.trace(answer), look)


def matrix(matrix: "Matrix", look: Look) -> str:
    """Write what every class of sources can reach."""
    from portward.report.screen import matrix as screen  # noqa: PLC0415 - as above

    return _paint(screen.matrix(matrix), look)


def difference(difference: "Difference", look: Look) -> str:
    """Write what opens and what closes."""
    from portward.report.screen import matrix as screen  # noqa: PLC0415 - as above

    return _paint(screen.difference(difference), look)


def plan(plan: "Plan", look: Look) -> str:
    """Write what would change."""
    from portward.report.screen import plan as screen  # noqa: PLC0415 - status does not need it

    return _paint(screen.plan(plan), look)


def applied(applied: "Applied", look: Look) -> str:
    """Write what became of an apply."""
    from portward.report.screen import history as screen  # noqa: PLC0415 - as above

    return _paint(screen.applied(applied), look)


def history(history: "History", look: Look) -> str:
    """Write every apply."""
    from portward.report.screen import history as screen  # noqa: PLC0415 - as above

    return _paint(screen.history(history), look)


def scan(scan: "Scan", look: Look) -> str:
    """Write what is open from outside."""
    from portward.report.screen import scan as screen  # noqa: PLC0415 - as above

    return _paint(screen.scan(scan), look)


def changes(found: "ScanDifference", look: Look) -> str:
    """Write what changed between two scans."""
    from portward.report.screen import changes as screen  # noqa: PLC0415 - as above

    return _paint(screen.changes(found), look)


def verification(found: "Verification", look: Look) -> str:
    """Write whether inside and outside agree."""
    from portward.report.screen import verification as screen  # noqa: PLC0415 - as above

    return _paint(screen.verification(found), look)


def _paint(screen: Screen, look: Look) -> str:
    marks = UNICODE_MARKS if look.unicode else ASCII_MARKS
    return "".join(
        "".join([text for text, _ in line]).rstrip() + "\n"
        for line in lines(screen, look.width, marks)
    )
