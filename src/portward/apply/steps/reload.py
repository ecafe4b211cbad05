"""A running service that reads its configuration again."""

from msgspec import Struct

from portward.apply.systemd import is_running, systemctl
from portward.model.plan import ReloadUnit


class Saved(Struct, frozen=True, kw_only=True, tag="reload", tag_field="of"):
    """Nothing: the configuration itself is another step's."""


def save(_step: ReloadUnit) -> Saved:
    """Save nothing."""
    return Saved()


def do(step: ReloadUnit, _saved: Saved) -> None:
    """Let it read its files."""
    if is_running(step.unit):
        systemctl("reload-or-restart", step.unit)


def undo(step: ReloadUnit, saved: Saved) -> None:
    """Let it read them once more."""
    do(step, saved)


def holds(step: ReloadUnit) -> str | None:
    """Say whether it runs."""
    return None if is_running(step.unit) else f"{step.unit} does not run"
