"""Commands that change software, as each family of distributions writes them."""

import re

from portward.model.host import Machine, Unit
from portward.model.unknown import Maybe, Unknown

_DEBIAN = {"debian", "ubuntu"}
_FEDORA = {"fedora", "rhel", "centos"}

_INETD_UNITS = ("inetutils-inetd.service", "openbsd-inetd.service", "inetd.service")

_NEEDED_FOR = {
    # Essential, or of the priorities required and important, in Debian 12 and 13; Fedora's base.
    "no machine works without it": """
        adduser apt apt-utils base-files base-passwd bash bsdextrautils bsdutils coreutils cpio cron
        cron-daemon-common dash debconf debconf-i18n debian-archive-keyring debianutils diffutils
        dmidecode dmsetup dpkg e2fsprogs fdisk findutils gpgv grep gzip hostname init
        init-system-helpers iproute2 iputils-ping kmod less login login.defs logrotate logsave mawk
        mount nano ncurses-base ncurses-bin netbase passwd procps readline-common sed sensible-utils
        sqv systemd systemd-sysv sysvinit-core sysvinit-utils tar tzdata udev util-linux
        util-linux-extra whiptail
        alternatives authselect basesystem chkconfig crypto-policies cronie dnf dnf5 filesystem
        glibc grubby initscripts iproute iputils microdnf pam policycoreutils procps-ng rpm
        selinux-policy selinux-policy-targeted setup shadow-utils systemd-udev util-linux-core yum
    """,
    "the machine may need it to boot": """
        amd64-microcode btrfs-progs busybox console-setup cryptsetup cryptsetup-bin
        cryptsetup-initramfs device-mapper-multipath dosfstools dracut efibootmgr extlinux
        flash-kernel intel-microcode iscsi-initiator-utils kbd keyboard-configuration linux-base
        lvm2 mdadm microcode_ctl multipath-tools open-iscsi raspi-firmware syslinux systemd-boot
        xfsprogs zfs zfs-dkms zfsutils-linux
    """,
    "it may be what connects the machine, or keeps others out": """
        NetworkManager dhclient dhcp-client dhcpcd dhcpcd-base dhcpcd5 firewalld ifupdown
        ifupdown-ng ifupdown2 iptables iptables-nft iptables-persistent isc-dhcp-client
        isc-dhcp-common iwd libnetplan1 net-tools netfilter-persistent netplan.io network-manager
        nftables resolvconf systemd-networkd udhcpc ufw wpa_supplicant wpasupplicant
    """,
    "it may be your own way in": """
        dropbear dropbear-bin openssh openssh-clients openssh-server openssh-sftp-server tinysshd
    """,
    "administrators, updates or management may work through it": """
        amazon-ssm-agent ca-certificates cloud-init dbus dbus-broker dbus-daemon doas gnupg gpg
        nslcd open-vm-tools opendoas openssl pkexec policykit-1 polkit polkitd qemu-guest-agent
        sssd sudo sudo-ldap sudo-rs ubuntu-keyring waagent walinuxagent
    """,
}
"""What a machine needs packages for, and their names."""

_REASONS = {name: reason for reason, names in _NEEDED_FOR.items() for name in names.split()}

_FAMILIES = {
    # kernels, their modules, first file systems and what they unlock, boot loaders and firmware
    "the machine may need it to boot": re.compile(
        r"(linux-(image|modules|firmware|generic|virtual|signed)|kernel|proxmox-kernel|pve-kernel"
        r"|initramfs-tools|dracut|clevis|grub2?|shim|systemd-boot|u-boot|firmware)(-.*)?$"
    ),
    "other programs may be written for it": re.compile(
        r"(lib)?(python|perl|ruby|php|nodejs|openjdk|java|lua|tcl|guile|mono|dotnet)[-0-9.]"
        r"|(python3?|perl|ruby|php|nodejs?|lua|tcl|guile|busybox(-static)?)$"
    ),
    # libc6, libc-bin, libssl3t64, libpam0g, libstdc++6; and Fedora's
    "other programs may need it": re.compile(
        r"lib[-+.a-z0-9]*[0-9][a-z]?(t64)?$"
        r"|(libc|libpam|libnss|glibc|openssl-libs|systemd-libs|dbus|sssd)-.*$"
    ),
}
"""The same for packages whose names have versions in them, or that come in parts."""


def needed_for(package: str) -> str:
    """Say what a machine, or what else runs on it, may need the package for, whatever its role is.

    A clause, or nothing. Where a name is in doubt it counts as needed: a server can be stopped too.
    """
    name = package.partition(":")[0]  # libc6:amd64
    families = (reason for reason, pattern in _FAMILIES.items() if pattern.match(name))
    return _REASONS.get(name) or next(families, "")


def is_indispensable(package: str) -> bool:
    """Say whether its name alone tells that a package has to stay."""
    return bool(needed_for(package))


def removal(package: str, machine: Machine) -> str:
    """Return the command that removes a package, or several with spaces between.

    Empty on a system that is not known, and where one of them is indispensable. What else speaks
    against it: advice/removing.py.
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
