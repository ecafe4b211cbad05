"""Packages that nobody needs, removed."""

from msgspec import Struct

from portward.advice.needs import needed
from portward.advice.software import is_indispensable
from portward.model.case import Case
from portward.model.plan import Change, Remove, Risk
from portward.model.unknown import Maybe, Unknown
from portward.plan.parts import Part
from portward.plan.services import is_needless


class Removal(Struct, frozen=True, kw_only=True):
    """A package, and what the package manager says would go along."""

    package: str
    along: Maybe[tuple[str, ...]]
    """All that would be removed, the package among them."""


def candidates(case: Case) -> tuple[str, ...]:
    """Return the packages of services that no role needs and that are to be stopped."""
    names = dict.fromkeys(
        package
        for one in case.exposures
        if is_needless(one, case) and one.recognition is not None
        for package in (_package(one.listener.package),)
        if package and not _why_not((package,), case)
    )
    return tuple(names)


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
        elif why := _why_not(one.along, case):
            notes.append(f"{one.package} is not removed: {why} would go with it.")
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


def _why_not(names: tuple[str, ...], case: Case) -> str:
    """Name a package among these that must stay; "" where there is none."""
    wanted = needed(case)
    kept = {
        package
        for service in case.catalogue.services.values()
        if service.name in wanted
        for package in (*service.debian.packages, *service.fedora.packages)
    }
    kept |= {
        package
        for one in case.exposures
        if one.allowance
        for package in (_package(one.listener.package),)
        if package
    }
    return next((name for name in names if name in kept or is_indispensable(name)), "")


def _package(found: Maybe[str | None]) -> str | None:
    return found if isinstance(found, str) else None
