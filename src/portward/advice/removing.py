"""Whether a package may go: not what the machine, its administrators or its roles need.

The package database says most of it: what it protects, its priority, and who needs whom. Names
say the rest (advice/software.py): no database knows that this machine boots by grub and is entered
by sudo.
"""

from collections.abc import Iterable

from portward.advice.needs import needed
from portward.advice.software import needed_for, removal
from portward.model.case import Case
from portward.model.finding import Remedy
from portward.model.host import Package
from portward.model.unknown import Unknown

_BASE = {"required", "important"}
"""Debian's priorities of what is expected on any machine of its kind (Debian Policy, 2.5)."""

_MANY = 4
"""So many dependents are named."""


def why_kept(package: str, case: Case) -> str:
    """Say why a package must not be removed; empty where it may, with all that goes with it.

    The reason is a clause: "the policy allows 22/tcp, which it holds".
    """
    known = _installed(case)
    if package not in known:
        return "the package manager is not known to have it"
    found = first_kept((package, *_dependents(package, known)), case)
    if found is None:
        return ""
    name, reason = found
    return reason if name == package else f"{name} needs it, and {reason}"


def first_kept(packages: Iterable[str], case: Case) -> tuple[str, str] | None:
    """Name the first of some packages that must stay for its own sake, and say why."""
    known, wanted = _installed(case), _wanted(case)
    reasons = ((name, _reason(name, known.get(name), wanted)) for name in packages)
    return next(((name, reason) for name, reason in reasons if reason), None)


def goes_along(packages: Iterable[str], case: Case) -> tuple[str, ...]:
    """Name the other packages that go when these do, because they need one of them."""
    known, going = _installed(case), tuple(packages)
    found = dict.fromkeys(one for name in going for one in _dependents(name, known))
    return tuple(name for name in found if name not in going)


def command(packages: Iterable[str], case: Case) -> str:
    """Return the command that removes packages; empty where one must stay, or none is known."""
    going = tuple(packages)
    kept = any(why_kept(name, case) for name in going)
    return "" if kept else removal(" ".join(going), case.snapshot.machine)


def instead(package: object, case: Case) -> str:
    """Offer to remove a package, with a space before the sentence; empty where it must stay."""
    if not isinstance(package, str) or not (words := command([package], case)):
        return ""
    along = _listed(goes_along([package], case))
    with_it = f" (with {along}, which cannot be without it)" if along else ""
    return f" If nothing needs it, remove the package instead: {words}{with_it}."


def remove(packages: tuple[str, ...], case: Case) -> Remedy:
    """Say how to remove packages, and which of them must stay and why."""
    kept = {name: reason for name in packages if (reason := why_kept(name, case))}
    going = tuple(name for name in packages if name not in kept)
    summary = [f"Leave {name} installed: {reason}." for name, reason in kept.items()]
    if kept:
        summary.append("See that nothing of it starts at boot.")
    if not going:
        return Remedy(summary=" ".join(summary))
    along = _listed(goes_along(going, case))
    with_it = f"; {along} cannot be without it and would go too" if along else ""
    words = removal(" ".join(going), case.snapshot.machine)
    return Remedy(
        summary=" ".join([f"Remove {', '.join(going)}{with_it}.", *summary]),
        commands=(words,) if words else (),
        caution="Look at what else would be removed with it before you agree.",
    )


def _reason(name: str, package: Package | None, wanted: dict[str, str]) -> str:
    """Say why a package must stay for its own sake."""
    if package and package.protected:
        return "the package manager protects it"
    if package and package.priority in _BASE:
        return f"the distribution counts it as {package.priority}"
    return wanted.get(name) or needed_for(name)


def _wanted(case: Case) -> dict[str, str]:
    """Map the packages that the policy has a use for to what that is."""
    found: dict[str, str] = {}
    for one in case.exposures:
        if one.allowance and isinstance(one.listener.package, str):
            port = f"{one.listener.port}/{one.listener.protocol}"
            found.setdefault(one.listener.package, f"the policy allows {port}, which it holds")
    wanted = needed(case)
    for service in case.catalogue.services.values():
        for name in {*service.debian.packages, *service.fedora.packages}:
            if service.name in wanted:
                found.setdefault(name, f"the policy allows {service.name}")
            elif service.essential:
                found.setdefault(name, "it is part of the machine's own housekeeping")
    return found


def _installed(case: Case) -> dict[str, Package]:
    known = case.snapshot.packages
    return {} if isinstance(known, Unknown) else {one.name: one for one in known}


def _dependents(name: str, known: dict[str, Package]) -> tuple[str, ...]:
    """Name all that cannot stay without a package, near ones first; unknown ones stay unnamed."""
    found: dict[str, None] = {}
    waiting = [name]
    while waiting:
        package = known.get(waiting.pop(0))
        needing = package.required_by if package else ()
        for one in () if isinstance(needing, Unknown) else needing:
            if one not in found and one in known and one != name:
                found[one] = None
                waiting.append(one)
    return tuple(found)


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _MANY} more" if len(names) > _MANY else ""
    return ", ".join(names[:_MANY]) + more
