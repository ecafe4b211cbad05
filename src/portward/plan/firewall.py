"""The firewall: portward's own table, loaded now and at every boot before the network is up."""

import json

from portward.backends.nftables import OwnTable
from portward.model.case import Case
from portward.model.errors import UsageError
from portward.model.host import Firewall
from portward.model.plan import (
    TABLE,
    Change,
    Enabling,
    LoadTable,
    SetUnits,
    UnitState,
    WriteFile,
)
from portward.model.plan import Step as PlanStep
from portward.model.unknown import Unknown
from portward.plan.boot import CHOICE, FILE, UNIT, UNIT_FILE, UNIT_TEXT
from portward.plan.parts import Part
from portward.plan.units import are_managed
from portward.reach import nft_json
from portward.reach.ruleset import (
    Elements,
    Names,
    Rule,
    Ruleset,
    Step,
    Table,
    Test,
    Values,
)


def firewall(case: Case, own: OwnTable) -> Part:
    """Load the table that the policy means, unless the kernel has it, and keep it for boots."""
    found = case.snapshot.firewall
    steps: list[PlanStep] = []
    files = case.snapshot.files
    managed = are_managed(case)
    if managed and files.get(FILE) != own.text:
        steps.append(WriteFile(path=FILE, text=own.text, mode=0o600))
    if CHOICE in files:
        steps.append(WriteFile(path=CHOICE, text=None))
    if isinstance(found, Unknown) or not is_loaded(found, own):
        steps.append(LoadTable(rules=own.text))
    if managed and not (files.get(UNIT_FILE) == UNIT_TEXT and _is_enabled(case)):
        steps.append(WriteFile(path=UNIT_FILE, text=UNIT_TEXT))
        loading = UnitState(unit=UNIT, active=True, enabling=Enabling.ENABLED)
        steps.append(SetUnits(units=(loading,)))
    notes = (
        ()
        if managed
        else ("systemd does not run here: the firewall has to be loaded again after a restart.",)
    )
    if not steps:
        return Part(notes=notes)
    return Part(
        (
            Change(
                subject="firewall",
                title="Drop everything that the policy does not allow",
                why="A port that opens tomorrow, by mistake or malice, is closed already.",
                steps=tuple(steps),
            ),
        ),
        notes,
    )


def is_loaded(found: Firewall, own: OwnTable) -> bool:
    """Say whether the kernel has exactly the rules of a table, whatever their handles."""
    if not isinstance(found.nft, str):
        return False
    try:
        loaded = nft_json.read(found.nft)
        meant = nft_json.read(json.dumps({"nftables": own.listing}))
    except UsageError:
        return False
    here, there = _own(loaded), _own(meant)
    return here is not None and there is not None and _plain(here) == _plain(there)


def _own(ruleset: Ruleset) -> Table | None:
    return next((one for one in ruleset.tables if one.name == TABLE), None)


def _plain(table: Table) -> object:
    """Return what a table does, without what differs between two loads of it."""

    def rule(one: Rule) -> object:
        return tuple(map(_in_order, one.steps)), one.comment

    chains = sorted(
        ((chain.name, chain.base, tuple(map(rule, chain.rules))) for chain in table.chains),
        key=lambda chain: chain[0],
    )
    sets = {name: _filled(elements) for name, elements in table.sets.items()}
    return table.family, chains, sets


def _in_order(step: Step) -> object:
    """Return a step whose values, of which any may hold, stand in an order that is always so."""
    if not isinstance(step, Test) or not isinstance(step.rows, tuple):
        return step
    rows = frozenset(tuple(frozenset(_values(one)) for one in row) for row in step.rows)
    return step.parts, rows, step.negated


def _values(values: Values) -> tuple[object, ...]:
    return values.names if isinstance(values, Names) else values


def _filled(elements: Elements) -> object:
    """Return what a set holds, in any order; what packets have added does not count."""
    if elements.dynamic:
        return None
    return tuple(
        frozenset(held)
        for held in (elements.rows, elements.verdicts, elements.targets, elements.values)
    )


def _is_enabled(case: Case) -> bool:
    units = () if isinstance(case.snapshot.units, Unknown) else case.snapshot.units
    return any(one.name == UNIT and one.state == "enabled" for one in units)
