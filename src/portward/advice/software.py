"""Commands that change software, as each family of distributions writes them."""

from collections.abc import Iterable

from portward.model.host import Machine, Unit
from portward.model.unknown import Maybe, Unknown

_DEBIAN = {"debian", "ubuntu"}
_FEDORA = {"fedora", "rhel", "centos"}

_INETD_UNITS = ("inetutils-inetd.service", "openbsd-inetd.service", "inetd.service")


def removal(packages: Iterable[str], machine: Machine) -> str:
    """Return the command that removes packages; empty on a system that is not known.

    Whether they may go is another question: advice/removing.py.
    """
    names = {machine.os_id, *machine.os_like}
    if names & _DEBIAN:
        return f"apt purge {' '.join(packages)}"
    return f"dnf remove {' '.join(packages)}" if names & _FEDORA else ""


def security_upgrade(machine: Machine) -> tuple[str, ...]:
    """Return the commands that install pending updates; none on a system that is not known."""
    names = {machine.os_id, *machine.os_like}
    if names & _DEBIAN:
        return ("apt update", "apt upgrade")
    return ("dnf upgrade --security",) if names & _FEDORA else ()


def reload_inetd(units: Maybe[tuple[Unit, ...]]) -> str:
    """Return the command that makes the installed inetd read its file again."""
    names = set() if isinstance(units, Unknown) else {unit.name for unit in units}
    unit = next((name for name in _INETD_UNITS if name in names), _INETD_UNITS[-1])
    return f"systemctl reload {unit}"
