"""The machine as it would be once a plan is applied: a snapshot that nobody has taken."""

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from portward.backends import firewalld, ufw
from portward.backends.nftables import OwnTable, with_table, without_table
from portward.model.host import HOST, Listener, Snapshot, Sysctl, Unit
from portward.model.plan import (
    Change,
    LoadTable,
    Manage,
    Remove,
    SetFirewalld,
    SetSysctl,
    SetUfw,
    SetUnits,
    Step,
    UnitState,
    WriteFile,
)
from portward.model.unknown import Maybe, Unknown
from portward.plan import settings
from portward.plan.inetd import OFF
from portward.plan.managers import without


def after(snapshot: Snapshot, changes: Iterable[Change], own: OwnTable) -> Snapshot:
    """Return what a survey would find; what no change is about stays as it is."""
    for change in changes:
        for step in change.steps:
            snapshot = _apply(snapshot, step, own)
    return _without_switched_off(snapshot)


def _apply(  # noqa: C901, PLR0911 - one a kind of step
    snapshot: Snapshot, step: Step, own: OwnTable
) -> Snapshot:
    match step:
        case WriteFile(path=path, text=str(text)):
            written = replace(snapshot, files={**snapshot.files, path: text})
            return _booting(written, settings.read(text)) if path == settings.FILE else written
        case WriteFile(path=path, text=None):
            left = {name: text for name, text in snapshot.files.items() if name != path}
            return replace(snapshot, files=left)
        case SetUnits(units=units):
            for unit in units:
                snapshot = _set_unit(snapshot, unit)
            return snapshot
        case SetSysctl(key=key, value=value):
            return _live(snapshot, key, value)
        case LoadTable(rules="") if not isinstance(snapshot.firewall, Unknown):
            return replace(snapshot, firewall=without_table(snapshot.firewall))
        case LoadTable() if not isinstance(snapshot.firewall, Unknown):
            return replace(snapshot, firewall=with_table(snapshot.firewall, own))
        case SetUfw(rules=rules) if not isinstance(snapshot.firewall, Unknown):
            return replace(
                snapshot,
                firewall=ufw.with_rules(snapshot.firewall, rules),
                files=ufw.with_kept(snapshot.files, rules),
            )
        case SetFirewalld(zones=zones) if not isinstance(snapshot.firewall, Unknown):
            return replace(
                snapshot,
                firewall=firewalld.with_zones(snapshot.firewall, zones),
                files=firewalld.with_kept(snapshot.files, zones),
            )
        case Manage(tool=tool):
            return _retired(snapshot, tool)
        case Remove(packages=packages):
            return _removed(snapshot, set(packages))
        case _:
            return snapshot


def _set_unit(snapshot: Snapshot, step: UnitState) -> Snapshot:
    if step.active is False:
        snapshot = _closed(
            snapshot,
            lambda one: (
                one.namespace == HOST
                and not one.unit_user
                and step.unit in {one.unit, one.activates}
            ),
        )
    if isinstance(snapshot.units, Unknown):
        return snapshot
    units = {one.name: one for one in snapshot.units}
    written = units.get(step.unit) or _new(step.unit, snapshot)
    if written is None:
        return snapshot
    units[step.unit] = _set(written, step)
    return replace(snapshot, units=tuple(units.values()))


def _new(name: str, snapshot: Snapshot) -> Unit | None:
    """Return a unit whose file an earlier step has written; None where there is no such."""
    file = f"/etc/systemd/system/{name}"
    if file not in snapshot.files:
        return None
    return Unit(
        name=name, manager="system", state="disabled", active="inactive", file=file, package=None
    )


def _set(unit: Unit, step: UnitState) -> Unit:
    active: Maybe[str] = unit.active
    if step.active is not None:
        active = "active" if step.active else "inactive"
    state = unit.state if step.enabling is None else str(step.enabling)
    return replace(unit, active=active, state=state)


def _closed(snapshot: Snapshot, is_closed: Callable[[Listener], bool]) -> Snapshot:
    if isinstance(snapshot.listeners, Unknown):
        return snapshot
    left = tuple(one for one in snapshot.listeners if not is_closed(one))
    return replace(snapshot, listeners=left)


def _retired(snapshot: Snapshot, tool: str) -> Snapshot:
    if isinstance(snapshot.firewall, Unknown):
        return snapshot
    return replace(snapshot, firewall=without(snapshot.firewall, [tool]))


def _live(snapshot: Snapshot, key: str, value: str) -> Snapshot:
    return _with_sysctls(snapshot, lambda one: replace(one, live=value) if one.key == key else one)


def _booting(snapshot: Snapshot, values: dict[str, str]) -> Snapshot:
    return _with_sysctls(
        snapshot,
        lambda one: (
            replace(one, boot=values[one.key], boot_source=settings.FILE)
            if one.key in values
            else one
        ),
    )


def _with_sysctls(snapshot: Snapshot, change: Callable[[Sysctl], Sysctl]) -> Snapshot:
    if isinstance(snapshot.sysctls, Unknown):
        return snapshot
    return replace(snapshot, sysctls=tuple(map(change, snapshot.sysctls)))


def _removed(snapshot: Snapshot, names: set[str]) -> Snapshot:
    snapshot = _closed(snapshot, lambda one: one.namespace == HOST and one.package in names)
    if not isinstance(snapshot.packages, Unknown):
        left = tuple(one for one in snapshot.packages if one.name not in names)
        snapshot = replace(snapshot, packages=left)
    if not isinstance(snapshot.units, Unknown):
        units = tuple(one for one in snapshot.units if one.package not in names)
        snapshot = replace(snapshot, units=units)
    return snapshot


def _without_switched_off(snapshot: Snapshot) -> Snapshot:
    """Take away the lines of inetd that an edited file has switched off, and their ports."""
    if isinstance(snapshot.inetd, Unknown):
        return snapshot
    off = {
        (line.file, line.service)
        for line in snapshot.inetd
        if _is_off(snapshot.files.get(line.file, ""), line.line)
    }
    left = tuple(line for line in snapshot.inetd if (line.file, line.service) not in off)
    snapshot = replace(snapshot, inetd=left)
    return _closed(
        snapshot,
        lambda one: one.inetd is not None and (one.inetd.file, one.inetd.service) in off,
    )


def _is_off(text: str, line: int) -> bool:
    lines = text.splitlines()
    if not 0 < line <= len(lines):
        return False
    if lines[line - 1].startswith(OFF):
        return True
    block = lines[line - 1 :]
    end = next((at for at, words in enumerate(block) if "}" in words), len(block))
    return any(words.split() == ["disable", "=", "yes"] for words in block[:end])
