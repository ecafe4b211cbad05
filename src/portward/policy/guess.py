"""Propose roles for a machine from what runs on it; pure.

Conservative: as few roles as explain what others can reach, the narrower of two that explain the
same, and none for a service that every second role has (SSH, a node exporter) or that nothing but
the number of its port speaks for. What is left is named, for a person to close or to allow.
"""

from collections.abc import Iterator

from msgspec import Struct

from portward.knowledge.recognise import recognise
from portward.model.host import HOST, Listener, Snapshot
from portward.model.net import is_loopback
from portward.model.service import Audience, Catalogue, Role
from portward.model.status import Basis, Recognition
from portward.model.unknown import NOT_LOOKED_UP, Maybe, Unknown
from portward.model.words import where

NOTHING = "isolated"
"""The role of a machine on which nothing listens for others."""


class GuessedRole(Struct, frozen=True, kw_only=True):
    """A role that a machine seems to have."""

    role: str
    reasons: tuple[str, ...]
    """What was seen, each a sentence."""


class Unexplained(Struct, frozen=True, kw_only=True):
    """An open port that none of the guessed roles needs."""

    listener: Listener
    recognition: Recognition | None


class Guess(Struct, frozen=True, kw_only=True):
    """The roles that a machine seems to have, and what they leave unexplained."""

    roles: tuple[GuessedRole, ...]
    unexplained: tuple[Unexplained, ...]
    gaps: tuple[str, ...]
    """What could not be seen, each a sentence: the guess may miss something."""


def guess(snapshot: Snapshot, catalogue: Catalogue) -> Guess:
    """Propose roles for the machine of a snapshot; the same snapshot gives the same roles."""
    gaps: list[str] = []
    if isinstance(snapshot.listeners, Unknown):
        gaps.append(f"The open ports are not known: {snapshot.listeners.reason}.")
    running = _running(snapshot)
    if isinstance(running, Unknown):
        gaps.append(f"The units that run are not known: {running.reason}.")
    found = list(_reachable(snapshot, catalogue))
    seen: dict[str, list[str]] = {}
    for listener, recognition in found:
        if recognition is not None and recognition.basis != Basis.PORT:
            title = recognition.service.title
            seen.setdefault(recognition.service.name, []).append(f"{title} on {where(listener)}.")
    guessed = list(_by_work(snapshot, catalogue))
    guessed += _by_services(seen, [catalogue.roles[one.role] for one in guessed], catalogue)
    if not found and not guessed and not gaps:
        guessed = [GuessedRole(role=NOTHING, reasons=("Nothing listens for other machines.",))]
    explained = set().union(*(_offers(catalogue.roles[one.role]) for one in guessed))
    return Guess(
        roles=tuple(guessed),
        unexplained=tuple(
            Unexplained(listener=listener, recognition=recognition)
            for listener, recognition in found
            if recognition is None or recognition.service.name not in explained
        ),
        gaps=tuple(gaps),
    )


def _reachable(
    snapshot: Snapshot, catalogue: Catalogue
) -> Iterator[tuple[Listener, Recognition | None]]:
    """Yield what others can send to: not on loopback, not in a container, no housekeeping."""
    for listener in () if isinstance(snapshot.listeners, Unknown) else snapshot.listeners:
        if listener.namespace != HOST or is_loopback(listener.address):
            continue
        recognition = recognise(listener, catalogue)
        if recognition is None or not recognition.service.essential:
            yield listener, recognition


def _by_work(snapshot: Snapshot, catalogue: Catalogue) -> Iterator[GuessedRole]:
    """Yield the roles that a running unit or container shows."""
    running = _running(snapshot)
    active = frozenset[str]() if isinstance(running, Unknown) else running
    containers = () if isinstance(snapshot.containers, Unknown) else snapshot.containers
    for role in catalogue.roles.values():
        reasons = [f"{unit} is running." for unit in role.units if unit in active]
        if role.containers and containers and not reasons:  # one sign is enough
            first = containers[0]
            reasons = [f"Container {first.name} is running ({first.engine})."]
        if reasons:
            yield GuessedRole(role=role.name, reasons=tuple(reasons))


def _running(snapshot: Snapshot) -> Maybe[frozenset[str]]:
    """Name the units that run; an older snapshot has them with the units alone."""
    running = snapshot.running
    if running == NOT_LOOKED_UP:
        units = snapshot.units
        if isinstance(units, Unknown):
            return units
        return frozenset(unit.name for unit in units if unit.active == "active")
    return running if isinstance(running, Unknown) else frozenset(running)


def _by_services(
    seen: dict[str, list[str]], known: list[Role], catalogue: Catalogue
) -> Iterator[GuessedRole]:
    """Yield the roles that explain the services seen, the one that explains most first."""
    marks = _marks(catalogue)
    left = set(seen).difference(*(_offers(role) for role in known))
    while True:
        fitting = [name for name, services in marks.items() if left & services]
        if not fitting:
            return
        best = min((catalogue.roles[name] for name in fitting), key=lambda role: _rank(role, left))
        services = sorted(left & _offers(best).keys())
        reasons = tuple(reason for service in services for reason in seen[service])
        yield GuessedRole(role=best.name, reasons=reasons)
        left -= set(services)


def _rank(role: Role, left: set[str]) -> tuple[int, int, int, int, str]:
    """Order roles: explains most, by services it cannot be without, narrowest, simplest."""
    offers = _offers(role)
    explained = left & offers.keys()
    required = sum(need.service in left and not need.optional for need in role.needs)
    width = sum(list(Audience).index(offers[service]) for service in explained)
    return -len(explained), -required, width, len(role.needs), role.name


def _offers(role: Role) -> dict[str, Audience]:
    """Return the services that a role has for other machines, and for whom."""
    return {
        need.service: need.audience
        for need in role.needs
        if need.audience in {Audience.PRIVATE, Audience.ANYONE}
    }


def _marks(catalogue: Catalogue) -> dict[str, set[str]]:
    """Return for each role the services by which it is known, of those that may be its mark.

    What it requires, and what it alone has; or, where it requires nothing, what no other role
    requires and not every second role has. A role that units show is not known by its services:
    a server that answers mDNS is no workstation.
    """
    roles = catalogue.roles.values()
    required = {
        role.name: {need.service for need in role.needs if not need.optional} for role in roles
    }
    all_required = set().union(*required.values())
    offered = [service for role in roles for service in _offers(role)]
    common = {service for service in offered if 2 * offered.count(service) > len(roles)}
    alone = {service for service in offered if offered.count(service) == 1}
    return {
        role.name: (
            required[role.name] | (_offers(role).keys() & alone)
            if required[role.name]
            else _offers(role).keys() - all_required - common
        ).difference(need.service for need in role.needs if not need.mark)
        for role in roles
        if not role.units
    }
