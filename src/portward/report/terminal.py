"""The screen of a person: coloured by exposure and severity where the terminal has colour."""

from io import StringIO
from typing import TYPE_CHECKING

from portward.model.case import Case
from portward.model.explanation import Explanation
from portward.model.finding import Audit
from portward.report import Look, plain
from portward.report.screen import Screen, Tone
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

STYLES = {
    Tone.PLAIN: "",
    Tone.TITLE: "bold",
    Tone.QUIET: "dim",
    Tone.COMMAND: "cyan",
    Tone.EXPOSED: "bold red",
    Tone.PARTLY: "yellow",
    Tone.ALLOWED: "green",
    Tone.LOCAL: "dim",
    Tone.UNKNOWN: "magenta",
    Tone.CRITICAL: "bold red",
    Tone.HIGH: "red",
    Tone.MEDIUM: "yellow",
    Tone.LOW: "blue",
    Tone.INFO: "dim",
}
"""In the sixteen colours that a person has chosen for the terminal."""


def status(case: Case, look: Look) -> str:
    """Write what is open."""
    return _paint(status_screen.status(case), look) if look.colour else plain.status(case, look)


def audit(audit: Audit, look: Look) -> str:
    """Write what is wrong."""
    return _paint(audit_screen.audit(audit), look) if look.colour else plain.audit(audit, look)


def explain(explanation: Explanation, look: Look) -> str:
    """Write what is known."""
    if not look.colour:
        return plain.explain(explanation, look)
    return _paint(explain_screen.explain(explanation), look)


def reach(answer: "PortReach", look: Look) -> str:
    """Write who can reach a port."""
    from portward.report.screen import reach as screen  # noqa: PLC0415 - status does not need it

    return _paint(screen.reach(answer), look) if look.colour else plain.reach(answer, look)


def trace(answer: "PacketReach", look: Look) -> str:
    """Write what happens to a packet."""
    from portward.report.screen import trace as screen  # noqa: PLC0415 - status does not need it

    return _paint(screen.trace(answer), look) if look.colour else plain.trace(answer, look)


def matrix(matrix: "Matrix", look: Look) -> str:
    """Write what every class of sources can reach."""
    from portward.report.screen import matrix as screen  # noqa: PLC0415 - status does not need it

    return _paint(screen.matrix(matrix), look) if look.colour else plain.matrix(matrix, look)


def difference(difference: "Difference", look: Look) -> str:
    """Write what opens and what closes."""
    from portward.report.screen import matrix as screen  # noqa: PLC0415 - status does not need it

    return (
        _paint(screen.difference(difference), look)
        if look.colour
        else plain.difference(difference, look)
    )


def plan(plan: "Plan", look: Look) -> str:
    """Write what would change."""
    from portward.report.screen import plan as screen  # noqa: PLC0415 - status does not need it

    return _paint(screen.plan(plan), look) if look.colour else plain.plan(plan, look)


def applied(applied: "Applied", look: Look) -> str:
    """Write what became of an apply."""
    from portward.report.screen import history as screen  # noqa: PLC0415 - as above

    return _paint(screen.applied(applied), look) if look.colour else plain.applied(applied, look)


def history(history: "History", look: Look) -> str:
    """Write every apply."""
    from portward.report.screen import history as screen  # noqa: PLC0415 - as above

    return _paint(screen.history(history), look) if look.colour else plain.history(history, look)


def scan(scan: "Scan", look: Look) -> str:
    """Write what is open from outside."""
    from portward.report.screen import scan as screen  # noqa: PLC0415 - as above

    return _paint(screen.scan(scan), look) if look.colour else plain.scan(scan, look)


def changes(found: "ScanDifference", look: Look) -> str:
    """Write what changed between two scans."""
    from portward.report.screen import changes as screen  # noqa: PLC0415 - as above

    return _paint(screen.changes(found), look) if look.colour else plain.changes(found, look)


def verification(found: "Verification", look: Look) -> str:
    """Write whether inside and outside agree."""
    from portward.report.screen import verification as screen  # noqa: PLC0415 - as above

    return (
        _paint(screen.verification(found), look) if look.colour else plain.verification(found, look)
    )


def _paint(screen: Screen, look: Look) -> str:
    # Only here, so that a pipe does not pay for it: the import takes longer than a survey.
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console(
        file=StringIO(),
        force_terminal=True,
        color_system="standard",
        width=look.width,
        no_color=False,
    )
    with console.capture() as capture:
        for line in lines(screen, look.width, UNICODE_MARKS if look.unicode else ASCII_MARKS):
            text = Text.assemble(*((part, STYLES[tone]) for part, tone in line))
            text.rstrip()
            # The lines are broken already, and a command to copy must stay in one piece.
            console.print(text, soft_wrap=True)
    return capture.get()
