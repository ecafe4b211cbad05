"""Commands that change software, as each family of distributions writes them."""

import re

from portward.model.host import Machine, Unit
from portward.model.unknown import Maybe, Unknown

_DEBIAN = {"debian", "ubuntu"}
_FEDORA = {"fedora", "rhel", "centos"}

_INETD_UNITS = ("inetutils-inetd.service", "openbsd-inetd.service", "inetd.service")


_INDISPENSABLE = re.compile(
    # Interpreters and run-time libraries: other programs end with them.
    r"(lib)?(python|perl|ruby|php|nodejs|openjdk|java|lua|tcl|guile|mono|dotnet)[-0-9.]"
    r"|(python3?|perl|ruby|php|nodejs?|lua|tcl|libc6|glibc|libpam|libssl|libsystemd)(-|\d|$)"
    # What a boot needs: kernel, loader, devices, file systems, the manager.
    r"|(linux-(image|base)|grub|shim|systemd-boot|initramfs-tools|dracut|firmware)(-|$)"
    r"|(systemd(-sysv)?|init|sysvinit-core|udev|kmod|dbus|e2fsprogs|xfsprogs|btrfs-progs|lvm2"
    r"|cryptsetup|mdadm|mount|dpkg|apt|rpm|dnf|yum)$"
    # What an administrator comes in by and works with.
    r"|(openssh-server|openssh-client|dropbear(-bin)?|tinysshd|sudo|doas|login|passwd|shadow-utils"
    r"|adduser|util-linux|bash|dash|busybox|coreutils|sed|grep|gawk|mawk|tar|gzip|procps)$"
    # The network itself.
    r"|(ifupdown|network-manager|NetworkManager|netplan(\.io)?|isc-dhcp-client|dhcpcd(-base)?"
    r"|iproute2?|iputils-ping|nftables|iptables|ca-certificates|cloud-init|qemu-guest-agent)$"
)
"""What no machine can be without, or would not be reached without, by name: package managers would
remove most of it when told to."""


def is_indispensable(package: str) -> bool:
    """Say whether no advice and no plan may remove a package."""
    return bool(_INDISPENSABLE.match(package))


def removal(package: str, machine: Machine) -> str:
    """Return the command that removes a package, or several with spaces between.

    Empty on a system that is not known, and for what other programs need to run at all.
    """
    names = {machine.os_id, *machine.os_like}
    if any(map(is_indispensable, package.split())):
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
