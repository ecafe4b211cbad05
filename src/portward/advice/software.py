"""Commands that change software, as each family of distributions writes them."""

import re

from portward.model.host import Machine, Unit
from portward.model.unknown import Maybe, Unknown

_DEBIAN = {"debian", "ubuntu"}
_FEDORA = {"fedora", "rhel", "centos"}

_INETD_UNITS = ("inetutils-inetd.service", "openbsd-inetd.service", "inetd.service")


_NEEDED_BY_OTHERS = re.compile(
    r"(lib)?(python|perl|ruby|php|nodejs|openjdk|java|lua|tcl|guile|mono|dotnet)[-0-9.]"
    r"|(python3?|perl|ruby|php|nodejs?|lua|tcl|bash|dash|busybox|coreutils|util-linux|systemd|init"
    r"|dpkg|apt|rpm|dnf|libc6|glibc|openssh-server|login|passwd|mount|procps|iproute2?)$"
)
"""Interpreters, and what no machine can be without: other programs end with them."""


def removal(package: str, machine: Machine) -> str:
    """Return the command that removes a package, or several with spaces between.

    Empty on a system that is not known, and for what other programs need to run at all.
    """
    names = {machine.os_id, *machine.os_like}
    if any(map(_NEEDED_BY_OTHERS.match, package.split())):
        return ""
    if names & _DEBIAN:
        return f"apt purge {package}"
    return f"dnf remove {package}" if names & _FEDORA else ""


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
