"""Packages that nobody needs, removed."""

from msgspec import Struct

from portward.advice.removing import first_kept
from portward.model.case import Case
from portward.model.plan import Change, Remove, Risk
from portward.model.service import Service
from portward.model.unknown import Maybe, Unknown
from portward.plan.parts import Part
from portward.plan.services import is_needless


class Removal(Struct, frozen=True, kw_only=True):
    """A package, and what the package manager says would go along."""

    package: str
    along: Maybe[tuple[str, ...]]
    """All that would be removed, the package among them."""


def candidates(case: Case) -> tuple[str, ...]:
    """Return the packages of services that no role needs and that are to be stopped.

    Not those that are installed for their client as well: stopped, they serve nobody.
    """
    names = dict.fromkeys(
        package
        for one in case.exposures
        if is_needless(one, case) and one.recognition is not None
        for package in (_package(one.listener.package),)
        if package and package not in _clients(one.recognition.service)
    )
    return tuple(name for name in names if first_kept((name,), case) is None)


def removal(case: Case, removals: tuple[Removal, ...]) -> Part:
    """Remove each package with which nothing goes that the machine or its policy needs."""
    changes = []
    notes = []
    gone: set[str] = set()
    for one in removals:
        if one.package in gone:
            continue
        if isinstance(one.along, Unknown):
            notes.append(f"{one.package} is not removed: {one.along.reason}.")
        elif kept := first_kept(one.along, case):
            name, reason = kept
            notes.append(f"{one.package} is not removed: {name} would go with it ({reason}).")
        else:
            gone.update(one.along)
            others = [name for name in one.along if name != one.package]
            along = f", and with it {', '.join(others)}" if others else ""
            changes.append(
                Change(
                    subject=f"package {one.package}",
                    title=f"Remove {one.package}{along}",
                    why="No role needs it, and what is not there cannot be started.",
                    steps=(Remove(packages=tuple(sorted(one.along))),),
                    risk=Risk.ENDS,
                )
            )
    return Part(tuple(changes), tuple(notes))


def _clients(service: Service) -> tuple[str, ...]:
    return (*service.debian.clients, *service.fedora.clients)


def _package(found: Maybe[str | None]) -> str | None:
    return found if isinstance(found, str) else None
