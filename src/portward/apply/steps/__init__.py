"""One file, one kind of step.

Each has four functions:

``save(step)``         what is there now, exact enough for the undo; nothing is changed
``do(step, saved)``    make it so
``undo(step, saved)``  make it as it was; as good when the step was done in part, or not at all
``holds(step)``        read it back: why it is not so, or None where it is
"""

from types import ModuleType
from typing import TypeAlias

from portward.apply.steps import (
    file,
    firewalld,
    install,
    manage,
    reload,
    remove,
    sysctl,
    table,
    ufw,
    units,
)
from portward.model.plan import (
    Install,
    LoadTable,
    Manage,
    ReloadUnit,
    Remove,
    SetFirewalld,
    SetSysctl,
    SetUfw,
    SetUnits,
    Step,
    WriteFile,
)

Saved: TypeAlias = (
    file.Saved
    | firewalld.Saved
    | install.Saved
    | manage.Saved
    | remove.Saved
    | reload.Saved
    | sysctl.Saved
    | table.Saved
    | ufw.Saved
    | units.Saved
)
"""What any kind of step saves; the journal keeps it."""

_KINDS: dict[type[Step], ModuleType] = {
    WriteFile: file,
    SetUnits: units,
    ReloadUnit: reload,
    SetSysctl: sysctl,
    LoadTable: table,
    Remove: remove,
    Install: install,
    Manage: manage,
    SetUfw: ufw,
    SetFirewalld: firewalld,
}


def save(step: Step) -> Saved:
    """Return what is there now."""
    saved: Saved = _KINDS[type(step)].save(step)
    return saved


def do(step: Step, saved: Saved) -> None:
    """Make it so; raises ApplyError or OSError."""
    _KINDS[type(step)].do(step, saved)


def undo(step: Step, saved: Saved) -> None:
    """Make it as it was; raises ApplyError or OSError."""
    _KINDS[type(step)].undo(step, saved)


def holds(step: Step) -> str | None:
    """Say why the step's state does not hold; None where it does."""
    why: str | None = _KINDS[type(step)].holds(step)
    return why
