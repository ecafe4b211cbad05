"""The ruleset of a machine: nft's listing and the tables of iptables, joined.

nft shows the rules of iptables-nft without the values of their matches, which iptables-save knows.
Both list a chain's rules in the same order, so they are joined one by one, and each keeps the
handle that nft gives it.

The readers take 4 ms to import, so that is left to where there are rules to read.
"""

# ruff: noqa: PLC0415
from typing import TYPE_CHECKING

from portward.model.errors import UsageError
from portward.model.host import Firewall
from portward.model.unknown import Maybe, Unknown
from portward.reach.ruleset import (
    Assign,
    Chain,
    Dispatch,
    Opaque,
    Rule,
    Ruleset,
    Step,
    Table,
    Test,
    Translate,
)

if TYPE_CHECKING:
    from portward.reach.ipsets import IpSets


def ruleset(firewall: Firewall) -> Maybe[Ruleset]:
    """Read everything that filters or translates; Unknown where a part of it is not known.

    Where iptables-save alone is missing, nft's rules stay, and what they do not tell is Opaque.
    """
    for part in (firewall.nft, firewall.iptables_legacy, firewall.ip6tables_legacy):
        if isinstance(part, Unknown):
            return part
    try:
        return Ruleset(tables=(*_tables(firewall), *_legacy(firewall)))
    except UsageError as error:
        return Unknown(str(error))


def _tables(firewall: Firewall) -> tuple[Table, ...]:
    if not isinstance(firewall.nft, str):
        return ()
    from portward.reach import nft_json, xtables

    sets = _ipsets(firewall)
    saved = {
        (table.family, table.name): table
        for text, family in ((firewall.iptables, "ip"), (firewall.ip6tables, "ip6"))
        if isinstance(text, str)
        for table in xtables.read(text, family, f"{family}tables-save", sets=sets)
    }
    return tuple(
        join(table, saved[key]) if (key := (table.family, table.name)) in saved else table
        for table in nft_json.read(firewall.nft, "nft").tables
    )


def _legacy(firewall: Firewall) -> tuple[Table, ...]:
    dumps = ((firewall.iptables_legacy, "ip"), (firewall.ip6tables_legacy, "ip6"))
    saved = [(text, family) for text, family in dumps if isinstance(text, str)]
    if not saved:
        return ()
    from portward.reach import xtables

    sets = _ipsets(firewall)
    return tuple(
        table
        for text, family in saved
        for table in xtables.read(
            text, family, f"{family}tables-legacy-save", legacy=True, sets=sets
        )
    )


def _ipsets(firewall: Firewall) -> "IpSets":
    """Read the sets that rules of iptables ask; none where they are not known."""
    from portward.reach import ipsets

    dumps = (
        *(firewall.iptables, firewall.ip6tables),
        *(firewall.iptables_legacy, firewall.ip6tables_legacy),
    )
    changing = ipsets.changed_by("\n".join(one for one in dumps if isinstance(one, str)))
    try:
        known = ipsets.read(firewall.ipsets) if isinstance(firewall.ipsets, str) else {}
    except ValueError:
        known = {}
    return ipsets.IpSets(known, changing)


def join(listed: Table, saved: Table) -> Table:
    """Put what iptables-save says of a table's rules into what nft lists."""
    return Table(
        family=listed.family,
        name=listed.name,
        chains=tuple(_joined(chain, saved.chain(chain.name)) for chain in listed.chains),
        sets=listed.sets,
    )


def _joined(listed: Chain, saved: Chain | None) -> Chain:
    """Join two chains; as they changed between the two listings, nft's stays as it is."""
    if saved is None or len(saved.rules) != len(listed.rules):
        return listed
    rules = tuple(map(_rule, listed.rules, saved.rules))
    return Chain(name=listed.name, base=listed.base, rules=rules)


def _rule(listed: Rule, saved: Rule) -> Rule:
    """Take iptables' reading, unless nft alone understands the rule."""
    steps = saved.steps if _known(saved.steps) or not _known(listed.steps) else listed.steps
    return Rule(steps=steps, handle=listed.handle, text=saved.text, comment=saved.comment)


def _known(steps: tuple[Step, ...]) -> bool:
    return not any(unknown(step) for step in steps)


def unknown(step: Step) -> str:
    """Name what is not understood of a step; empty where all of it is."""
    parts: tuple[object, ...] = (step,)
    if isinstance(step, Test | Dispatch | Translate):
        parts = step.parts
    elif isinstance(step, Assign):
        parts = (step.source,)
    return next((part.name for part in parts if isinstance(part, Opaque)), "")
