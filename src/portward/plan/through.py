"""Through another tool: ufw or firewalld stays in charge, and lets in what the policy allows.

Which one that is stays in a file, so that a later plan does not silently put portward's own table
in its place.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from portward.backends import firewalld, ufw
from portward.backends.allowed import Groups, Opening, openings
from portward.backends.doors import DHCP_SERVER
from portward.backends.grants import PROTOCOL_NAMES
from portward.backends.nftables import has_table
from portward.backends.sides import Sides, present, sides
from portward.model.case import Case
from portward.model.host import Firewall, Interface
from portward.model.net import Ports, Protocol
from portward.model.plan import (
    Change,
    Enabling,
    LoadTable,
    Refusal,
    SetFirewalld,
    SetUfw,
    SetUnits,
    Step,
    UnitState,
    WriteFile,
)
from portward.model.unknown import Unknown
from portward.plan.boot import CHOICE, FILE, UNIT, UNIT_FILE
from portward.plan.parts import Part
from portward.plan.units import are_managed

PORTWARD, UFW, FIREWALLD = "portward", ufw.NAME, firewalld.NAME
CHOICES = (UFW, FIREWALLD, PORTWARD)

_MOST_RULES = 500
"""Each is a command of ufw's, which takes a third of a second."""
_PROTOCOLS = {
    UFW: {Protocol.TCP, Protocol.UDP},
    FIREWALLD: {Protocol.TCP, Protocol.UDP, Protocol.SCTP, Protocol.DCCP},
}
_FOR_OTHERS = frozenset({"container-host", "hypervisor"})
"""Roles that forward what their engines' own rules pass on."""
_MENDS = {
    UFW: "start it with ufw enable, or plan without --through",
    FIREWALLD: "start it with systemctl start firewalld, or plan without --through",
}
_LEAVE = "leave out --through, or let portward's own table in again with --through portward"


class Driven(NamedTuple):
    """What a tool is told, and what speaks against it."""

    part: Part
    refusals: tuple[Refusal, ...] = ()


def chosen(case: Case) -> str:
    """Return who is in charge on a machine by an earlier plan: a tool, or portward's own table."""
    return case.snapshot.files.get(CHOICE, "").strip() or PORTWARD


def through(case: Case, tool: str) -> Driven:
    """Tell a tool what to let in, and take portward's own table away."""
    if tool not in CHOICES:
        what = f'{CHOICE} names "{tool}", which is no tool that portward works through'
        return Driven(Part(), (Refusal(what=what, mend="name one with --through"),))
    found = case.snapshot.firewall
    if isinstance(found, Unknown):
        what = f"whether {tool} is active is not known: {found.reason}"
        mend = "make the plan as root on the running machine"
        return Driven(Part(), (Refusal(what=what, mend=mend),))
    managers = () if isinstance(found.managers, Unknown) else found.managers
    manager = next((one for one in managers if one.name == tool), None)
    if manager is None or manager.active is not True:
        return Driven(Part(), (Refusal(what=f"{tool} is not active here", mend=_MENDS[tool]),))
    around = sides(case.policy, case.snapshot)
    opened = openings(case.policy.allowances, case.day, Groups())
    told = (_ufw if tool == UFW else _firewalld)(case, found, opened, around)
    boots = manager.enabled is True
    steps = [] if told.is_so and boots else [told.step]
    if not boots and are_managed(case):
        unit = UnitState(unit=f"{tool}.service", enabling=Enabling.ENABLED)
        steps.append(SetUnits(units=(unit,)))
    if chosen(case) != tool:
        steps.append(WriteFile(path=CHOICE, text=f"{tool}\n"))
    change = Change(
        subject="firewall",
        title=f"Have {tool} let in what the policy allows, and nothing else",
        why="A port that opens tomorrow, by mistake or malice, is closed already.",
        steps=tuple(steps),
    )
    changes = (*([change] if steps else []), *_without_own(case, found, tool))
    notes = (*_choice_notes(case, tool), *told.notes, *_notes(case, tool))
    return Driven(Part(changes, notes), (*_refusals(case, tool, opened, around), *told.refusals))


# --- what each is told -------------------------------------------------------------------------


class _Told(NamedTuple):
    step: Step
    is_so: bool
    notes: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def _ufw(case: Case, found: Firewall, opened: tuple[Opening, ...], around: Sides) -> _Told:
    ipv6 = bool(ufw.filters(found, 6))
    names = [one.name for one in present(around, case.snapshot)]
    rules = ufw.rules(opened, around, names, ipv6=ipv6)
    is_so = ufw.are_kept(case.snapshot.files, rules) and all(
        ufw.are_loaded(text, rules, family)
        for family in (4, 6)
        if (text := ufw.filters(found, family))
    )
    notes = (
        *(() if ipv6 else ("ufw does not filter IPv6 here, and lets nothing in by it: IPV6=no.",)),
        *_besides(ufw.besides(found)),
        "The rules of ufw for what this machine sends stay as they are.",
    )
    refusals = []
    if not ufw.filters(found, 4):
        what = "the rules of ufw in the kernel are not known"
        refusals.append(Refusal(what=what, mend="see that iptables-save is there, and runs"))
    if len(rules) > _MOST_RULES:
        what = f"ufw has no sets of networks, and the policy takes {len(rules)} rules of it"
        refusals.append(Refusal(what=what, mend=f"{_MOST_RULES} at most: {_LEAVE}"))
    return _Told(SetUfw(rules=rules), is_so, notes, tuple(refusals))


def _besides(let_in: tuple[str, ...]) -> Iterator[str]:
    if let_in:
        yield (
            f"ufw lets in {', '.join(let_in)} of its own, by before.rules and after.rules in"
            " /etc/ufw, which no command of it changes."
        )


def _firewalld(case: Case, found: Firewall, opened: tuple[Opening, ...], around: Sides) -> _Told:
    bound = firewalld.bound(found)
    if bound is None:
        what = "firewalld works through iptables here, which portward does not read"
        mend = "set FirewallBackend=nftables in /etc/firewalld/firewalld.conf, or plan without"
        refusal = Refusal(what=what, mend=f"{mend} --through")
        return _Told(SetFirewalld(zones=()), is_so=True, refusals=(refusal,))
    inside = present(around, case.snapshot)
    driven = [one for one in bound if not firewalld.is_inner(one, around, inside)]
    zones = firewalld.zones(opened, around, driven)
    is_so = firewalld.are_loaded(found, zones) and firewalld.are_kept(case.snapshot.files, zones)
    refusals = []
    if (most := max((len(one.rules) for one in zones), default=0)) > _MOST_RULES:
        what = f"the policy takes {most} rules in each zone of firewalld"
        refusals.append(Refusal(what=what, mend=f"{_MOST_RULES} at most: {_LEAVE}"))
    left = [one for one in bound if one not in driven]
    notes = (*_zone_notes(left), *_inner_notes(inside, left))
    return _Told(SetFirewalld(zones=zones), is_so, notes, tuple(refusals))


def _zone_notes(left: list[firewalld.Bound]) -> Iterator[str]:
    for one in left:
        by = ", ".join((*one.interfaces, *one.sources))
        whom = "they reach every port of this host" if one.accepts else "what it lets in stays"
        yield f"The zone {one.name} ({by}) is left alone: only containers come by it, and {whom}."


def _inner_notes(inside: Iterable[Interface], left: list[firewalld.Bound]) -> Iterator[str]:
    own = {name for one in left for name in one.interfaces}
    in_them = [one.name for one in inside if one.name not in own]
    if in_them:
        yield (
            f"What comes by {', '.join(in_them)} is asked as if it came from outside, as its zone"
            " is not its own: names and addresses of containers there need an allowance."
        )


# --- portward's own table ----------------------------------------------------------------------


def _without_own(case: Case, found: Firewall, tool: str) -> Iterator[Change]:
    """Take away what an earlier plan has loaded, and written for boots."""
    steps: list[Step] = [LoadTable(rules="")] if has_table(found) else []
    units = () if isinstance(case.snapshot.units, Unknown) else case.snapshot.units
    if any(
        one.name == UNIT and (one.state, one.active) != ("disabled", "inactive") for one in units
    ):
        loading = UnitState(unit=UNIT, active=False, enabling=Enabling.DISABLED)
        steps.append(SetUnits(units=(loading,)))
    if steps:
        yield Change(
            subject="firewall of portward",
            title=f"Take portward's own table away: {tool} is in charge",
            why="A packet would have to pass both, and only one would be told of a change.",
            steps=tuple(steps),
        )
    files = [path for path in (UNIT_FILE, FILE) if path in case.snapshot.files]
    if files:
        yield Change(  # of its own, as it has to be taken back before the unit
            subject="files of portward's firewall",
            title="Remove what loads portward's own table at boot",
            why=f"{tool} loads its own rules.",
            steps=tuple(WriteFile(path=path, text=None) for path in files),
        )


# --- what cannot be said -----------------------------------------------------------------------


def _refusals(
    case: Case, tool: str, opened: tuple[Opening, ...], around: Sides
) -> Iterator[Refusal]:
    """Refuse what would make the plan untrue."""
    if case.policy.outgoing:
        what = f"the policy says what may be sent, and portward does not tell {tool} that"
        yield Refusal(what=what, mend=f"take [[outgoing]] out of the policy, or {_LEAVE}")
    roles = [one.name for one in case.policy.roles if one.forwards and one.name not in _FOR_OTHERS]
    if roles or around.behind:
        what = f"{', '.join(roles)} passes on packets, and portward does not tell {tool} which"
        yield Refusal(what=what, mend=_LEAVE)
    for one in opened:
        known = _PROTOCOLS[tool]
        is_raw = one.protocol == Protocol.RAW
        if (
            (one.first not in PROTOCOL_NAMES and tool == UFW)
            if is_raw
            else one.protocol not in known
        ):
            port = Ports(one.protocol, one.first, one.last)
            yield Refusal(what=f"{tool} has no rule for {port}", mend=_LEAVE)
    if any(
        one.protocol == Protocol.UDP and one.first <= DHCP_SERVER <= one.last and not one.anyone
        for one in opened
    ):
        what = "clients of the DHCP server have no address yet, and would be kept out"
        mend = f'allow "{DHCP_SERVER}/udp" from = "any", or {_LEAVE}'
        yield Refusal(what=what, mend=mend)


def _choice_notes(case: Case, tool: str) -> Iterator[str]:
    if chosen(case) == tool:
        yield f"Through {tool}, as {CHOICE} says; --through portward takes its own table again."


def _notes(case: Case, tool: str) -> Iterator[str]:
    """Say what is less than with portward's own table."""
    yield f"What is refused is told by {tool}'s own log alone."
    containers = case.snapshot.containers
    published = [one for one in case.exposures if not one.listener.inodes]
    if published or isinstance(containers, Unknown) or containers:
        yield (
            f"Ports that containers publish go past {tool}: it is not asked about them, and one"
            " that is published tomorrow is open at once."
        )
    if not are_managed(case):
        yield f"systemd does not run here: {tool} has to be started again after a restart."
