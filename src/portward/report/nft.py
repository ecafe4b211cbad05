"""The firewall of a plan as text for nft, to read or to keep."""

from portward.model.plan import Plan
from portward.report import Look
from portward.report.screen.plan import rules


def plan(made: Plan, _look: Look) -> str:
    """Write the table that the plan loads; empty where it changes none."""
    return rules(made)
