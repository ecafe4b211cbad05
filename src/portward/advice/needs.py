"""Which services the policy has a use for, and whose units and packages they are."""

from portward.model.case import Case
from portward.model.service import Catalogue, Service


def needed(case: Case) -> frozenset[str]:
    """Names of the services that the policy allows today, housekeeping included."""
    allowed = (one for one in case.policy.allowances if one.until is None or case.day <= one.until)
    return frozenset(one.service for one in allowed if one.service)


def services_by_unit(catalogue: Catalogue) -> dict[str, list[Service]]:
    """Map each unit (a template for all its instances) to the services it may be."""
    found: dict[str, list[Service]] = {}
    for service in catalogue.services.values():
        for name in {*service.debian.units, *service.fedora.units}:
            found.setdefault(name, []).append(service)
    return found


def services_by_package(catalogue: Catalogue) -> dict[str, list[Service]]:
    """Map each package to the services it brings."""
    found: dict[str, list[Service]] = {}
    for service in catalogue.services.values():
        for name in {*service.debian.packages, *service.fedora.packages}:
            found.setdefault(name, []).append(service)
    return found


def template(unit: str) -> str:
    """Return the template of an instance: postgresql@.service for postgresql@15-main.service."""
    name, at, instance = unit.partition("@")
    return f"{name}@.{instance.rpartition('.')[2]}" if at else unit
