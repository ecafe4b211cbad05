"""Units that are stopped for good, with all that would start them again."""

from collections.abc import Iterable

from portward.advice.stopping import with_triggers
from portward.model.case import Case
from portward.model.host import Unit
from portward.model.plan import Enabling, SetUnits, UnitState
from portward.model.unknown import Unknown

_STARTERS = (".socket", ".path", ".timer", ".automount")
_ADMINISTRATORS = "/etc/systemd/system/"
"""A unit whose own file lies here cannot be masked: the link would have to take its place."""

_KEPT = (
    *("ssh", "sshd", "dropbear", "tinysshd"),
    *("systemd-", "dbus", "networking", "NetworkManager", "wpa_supplicant", "ifup@"),
    *("user@", "getty@", "serial-getty@", "init.scope", "session-", "cloud-"),
    *("portward", "docker", "containerd", "podman", "lxc", "incus", "libvirt"),
)
"""How the names of units begin that no plan stops: the way in, the network itself, the machine's
own keeping, and what would take containers along."""


def are_managed(case: Case) -> bool:
    """Say whether a systemd runs on the machine that can be told something."""
    units = case.snapshot.units
    return not isinstance(units, Unknown) and any(isinstance(unit.active, str) for unit in units)


def is_kept(name: str) -> bool:
    """Say whether a unit is one that no plan may stop."""
    return name.startswith(_KEPT)


def stopping(names: Iterable[str], case: Case) -> tuple[UnitState, ...]:
    """Return what stops units for good, with all that would start them again."""
    known = {unit.name: unit for unit in _known(case)}
    everything = [name for name in with_triggers(names, case.snapshot.units) if not is_kept(name)]
    everything.sort(key=lambda name: name.endswith(_STARTERS))
    states = (_stopped(name, known.get(name)) for name in everything)
    return tuple(state for state in states if state)


def together(states: tuple[UnitState, ...]) -> tuple[SetUnits, ...]:
    """Return the step that sets units, where there is one to set."""
    return (SetUnits(units=states),) if states else ()


def _stopped(name: str, unit: Unit | None) -> UnitState | None:
    if unit is None or unit.state == "transient":
        return UnitState(unit=name, active=False)
    own = (unit.file or "").startswith(_ADMINISTRATORS)
    if "@." in name:  # a template is never active
        return UnitState(unit=name, enabling=Enabling.MASKED) if not own else None
    enabling = Enabling.DISABLED if own else Enabling.MASKED
    if unit.active == "inactive" and unit.state == enabling:
        return None
    return UnitState(unit=name, active=False, enabling=enabling)


def _known(case: Case) -> tuple[Unit, ...]:
    return () if isinstance(case.snapshot.units, Unknown) else case.snapshot.units
