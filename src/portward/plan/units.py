"""Units that are stopped for good, with all that would start them again."""

from collections.abc import Iterable

from portward.advice.closing import with_triggers
from portward.model.case import Case
from portward.model.host import Unit
from portward.model.plan import Enabling, SetUnit
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


def stopping(names: Iterable[str], case: Case) -> tuple[SetUnit, ...]:
    """Return the steps that stop units and keep them from starting, what starts them first."""
    known = {unit.name: unit for unit in _known(case)}
    everything = [name for name in with_triggers(names, case) if not is_kept(name)]
    everything.sort(key=lambda name: not name.endswith(_STARTERS))
    steps = (_stop(name, known.get(name)) for name in everything)
    return tuple(step for step in steps if step)


def _stop(name: str, unit: Unit | None) -> SetUnit | None:
    if unit is None or unit.state == "transient":
        return SetUnit(unit=name, active=False)
    own = (unit.file or "").startswith(_ADMINISTRATORS)
    if "@." in name:  # a template is never active
        return SetUnit(unit=name, enabling=Enabling.MASKED) if not own else None
    enabling = Enabling.DISABLED if own else Enabling.MASKED
    if unit.active == "inactive" and unit.state == enabling:
        return None
    return SetUnit(unit=name, active=False, enabling=enabling)


def _known(case: Case) -> tuple[Unit, ...]:
    return () if isinstance(case.snapshot.units, Unknown) else case.snapshot.units
