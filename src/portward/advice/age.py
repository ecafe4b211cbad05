"""Whether what has to be fetched again and again is fresh enough."""

from datetime import datetime, timedelta

from portward.model.finding import Evidence

OLDEST = timedelta(days=7)
"""A machine that is switched off over a long weekend stays below."""


def too_old(fetched: datetime | None, taken: datetime) -> str:
    """Say how old it is at the time of the survey; empty where that is fresh enough.

    fetched: None where it never was.
    """
    if fetched is None:
        return "missing"
    age = taken - fetched
    return f"{age.days} days old" if age > OLDEST else ""


def evidence(fetched: datetime | None) -> Evidence:
    """Say when it was last fetched."""
    return Evidence(f"last fetched {fetched:%Y-%m-%d}" if fetched else "never fetched")
