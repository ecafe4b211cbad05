"""Makes the plan: the changes of every kind in their order, proven on what would be."""

from collections.abc import Iterator
from itertools import chain

from msgspec import Struct

from portward import __version__
from portward.backends import nftables
from portward.model.case import Case
from portward.model.host import Snapshot
from portward.model.plan import Plan, Refusal
from portward.model.unknown import Unknown
from portward.plan.after import after
from portward.plan.effects import cuts, effects, left_open, narrowed
from portward.plan.firewall import firewall
from portward.plan.inetd import inetd
from portward.plan.managers import managers
from portward.plan.parts import Part
from portward.plan.removal import Removal, removal
from portward.plan.services import services
from portward.plan.settings import settings
from portward.plan.through import PORTWARD, Driven, chosen, through
from portward.plan.updates import updates
from portward.plan.ways import Way, refusals, ways_in
from portward.reach import load
from portward.reach.site import Site


class Wish(Struct, frozen=True, kw_only=True):
    """What a person asks of a plan besides the policy."""

    ways: tuple[Way, ...] = ()
    """Ways in that have to stay open."""
    removals: tuple[Removal, ...] | None = None
    """Packages to remove, with what would go along; None: nothing is removed."""
    through: str | None = None
    """Who shall be in charge of the firewall: "ufw", "firewalld", or "portward" with its own table;
    None: who is by an earlier plan."""


def make(case: Case, wish: Wish) -> Plan:
    """Return what to change on a machine so that it is what its policy says.

    The firewall comes first: whatever happens later, the machine is closed by then and the way
    in is open. Whoever was in charge before is retired after that, never before.
    """
    own = nftables.table(case.policy, case.snapshot, case.day)
    tool = wish.through or chosen(case)
    told = Driven(firewall(case, own)) if tool == PORTWARD else through(case, tool)
    # Nobody is sent away for a tool that is not there.
    retired = Part() if told.refusals else managers(case, tool)
    first = (told.part, retired, settings(case), services(case), inetd(case))
    parts = [*first, updates(case)]
    if wish.removals is not None:
        parts.append(removal(case, wish.removals))
    changes = tuple(chain.from_iterable(part.changes for part in parts))
    later = after(case.snapshot, changes, own)
    ways = ways_in(wish.ways, later, _site(later))
    return Plan(
        portward=__version__,
        made=case.snapshot.taken,
        hostname=case.snapshot.machine.hostname,
        policy=case.policy,
        options=_options(wish),
        effects=effects(case, later),
        changes=changes,
        cuts=cuts(case, later),
        way_in=ways,
        refusals=(
            *told.refusals,
            *(() if tool == PORTWARD or told.refusals else _left_open(case, later, tool)),
            *refusals(ways),
            *_refusals(case, later, own),
        ),
        notes=tuple(_notes(case, parts, own)),
    )


def _options(wish: Wish) -> tuple[str, ...]:
    """Return how it was asked for, as on the command line and without the dashes."""
    found = [f"through={wish.through}"] if wish.through else []
    return (*found, *(["remove"] if wish.removals is not None else []))


def _left_open(case: Case, later: Snapshot, tool: str) -> Iterator[Refusal]:
    """Refuse to leave open, through another tool, what portward's own table would close."""
    for port, who, rule in dict.fromkeys(left_open(case, later)):
        decides = f" by {rule}" if rule else ""
        yield Refusal(
            what=f"{port} would stay open to {who}{decides}, about which {tool} is not asked",
            mend="allow it in the policy, take that rule away, publish the port on 127.0.0.1, or"
            " let portward's own table in with --through portward",
        )


def _site(snapshot: Snapshot) -> Site:
    found = snapshot.firewall
    rules = found if isinstance(found, Unknown) else load.ruleset(found)
    return Site(rules, snapshot)


def _refusals(case: Case, later: Snapshot, own: nftables.OwnTable) -> Iterator[Refusal]:
    """Refuse to shut what the policy allows, and to judge what was not seen."""
    if isinstance(case.snapshot.listeners, Unknown):
        yield Refusal(
            what=f"the open ports are not known: {case.snapshot.listeners.reason}",
            mend="make the plan as root on the running machine",
        )
    if case.policy.recognised:
        yield Refusal(
            what="the roles are a guess from what runs, and a guess closes nothing",
            mend='write a policy with "portward init", or name the roles with --role',
        )
    for one in narrowed(case, later):
        if any((one.listener.protocol, one.listener.port) in ports for ports in own.kept_off):
            continue  # our own doing, and noted
        yield Refusal(
            what=f"{one.listener.port}/{one.listener.protocol}, which the policy allows, would be"
            " shut by the rules of another tool",
            mend="see portward reach for the rule that decides, and take it away",
        )


def _notes(case: Case, parts: list[Part], own: nftables.OwnTable) -> Iterator[str]:
    yield from case.policy.notes
    yield from own.notes
    yield from dict.fromkeys(chain.from_iterable(part.notes for part in parts))
