"""Services that no role needs, and that run or would start: stopped for good."""

from collections.abc import Iterable, Iterator

from portward.advice.closing import SSH, allowed_besides, units_behind
from portward.advice.groups import Group, grouped
from portward.advice.matters import (
    is_exposed,
    is_firewalled,
    is_housekeeping,
    is_port,
    is_published,
    meant_for_another,
)
from portward.checks.unneeded_enabled import unneeded
from portward.model.case import Case
from portward.model.plan import Change, Risk, SetUnits, UnitState
from portward.model.status import Exposure, Scope
from portward.model.unknown import Unknown
from portward.plan.parts import Part
from portward.plan.units import are_managed, is_kept, stopping, together


def services(case: Case) -> Part:
    """Stop what the catalogue knows and no role needs; say what is left running and why."""
    groups = grouped(one for one in case.exposures if is_needless(one, case))
    if not are_managed(case):
        names = ", ".join(group.name for group in groups)
        left = f" These keep running: {names}." if names else ""
        return Part(notes=(f"systemd does not run here, so no service is stopped.{left}",))
    changes: list[Change] = []
    notes: list[str] = []
    for group in groups:
        if why := _left_alone(group, case):
            notes.append(f"{group.name} keeps running: {why}.")
        elif not group.first.inetd:
            changes += _stopped(group, case)
    stopped = {one.unit for change in changes for one in _units(change)}
    changes += _not_started(case, stopped)
    notes += _local(case)
    return Part(tuple(changes), tuple(notes))


def is_needless(exposure: Exposure, case: Case) -> bool:
    """Say whether nothing allows a port that others reach, or would without the firewall."""
    return (
        is_port(exposure)
        and exposure.allowance is None
        and (is_exposed(exposure) or is_firewalled(exposure))
        and not is_housekeeping(exposure)
        and not is_published(exposure.listener, case.snapshot)
    )


def _left_alone(group: Group, case: Case) -> str:
    """Say why a service is not stopped, though the firewall closes its ports; "" where it is."""
    reasons = (
        group.service is not None and group.service.name == SSH and "SSH may be the way in",
        any(meant_for_another(one, case) for one in group.exposures)
        and "the policy means its port for another program; see portward audit",
        group.first.inetd is None and _unit_stays(group, case),
    )
    return next((reason for reason in reasons if reason), "")


def _unit_stays(group: Group, case: Case) -> str:
    """Say why the unit behind a service is not stopped; "" where it is."""
    units = units_behind(group, case)
    known = () if isinstance(case.snapshot.units, Unknown) else case.snapshot.units
    script = next((one.file for one in known if one.manager == "rc" and one.name in units), None)
    kept = [name for name in units if is_kept(name)]
    shared = allowed_besides(group, case)
    reasons = (
        group.first.unit_user
        and f"it belongs to the user {group.first.unit_user}, who may stop it",
        group.service is None
        and "the catalogue does not know it, and other programs of this host may need it",
        shared and f"it also holds {', '.join(shared)}, which the policy allows",
        script and f"{script} starts it, and what else it starts would end too; take it out there",
        not units and "no unit holds it; portward audit says who does",
        kept and f"{kept[0]} is never stopped by a plan",
    )
    return next((reason for reason in reasons if reason), "")


def _stopped(group: Group, case: Case) -> Iterator[Change]:
    states = stopping(units_behind(group, case), case)
    if states:
        yield Change(
            subject=f"unit {states[0].unit}",
            title=f"Stop {group.name} for good",
            why=f"{_reached(group)}, and no role needs it.",
            steps=together(states),
            risk=Risk.ENDS,
        )


def _reached(group: Group) -> str:
    if group.scope == Scope.NOBODY:
        return "It listens behind the firewall"
    return "It is open to others than this host"


def _not_started(case: Case, stopped: set[str]) -> Iterator[Change]:
    """Disable what does not listen now and would at the next boot or connection."""
    for members in unneeded(case).values():
        names = [unit.name for unit, _ in members if not is_kept(unit.name)]
        states = tuple(one for one in stopping(names, case) if one.unit not in stopped)
        if states:
            yield Change(
                subject=f"unit {names[0]}",
                title=f"Keep {members[0][1].title} ({', '.join(names)}) from starting",
                why="It would open a port at boot, and no role needs it.",
                steps=together(states),
            )


def _local(case: Case) -> Iterator[str]:
    """Name the services that only this host reaches: closed to all others, and left alone."""
    found = dict.fromkeys(
        group.name
        for group in grouped(
            one
            for one in case.exposures
            if is_port(one)
            and one.allowance is None
            and one.reach.scope == Scope.HOST
            and not is_housekeeping(one)
        )
    )
    if found:
        yield f"Left alone, as only this host reaches them: {_shown(found)}."


def _shown(names: Iterable[str]) -> str:
    return ", ".join(names)


def _units(change: Change) -> Iterator[UnitState]:
    return (one for step in change.steps if isinstance(step, SetUnits) for one in step.units)
