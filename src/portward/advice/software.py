"""Commands that change software, as each family of distributions writes them."""

import re

from portward.model.host import Machine, Unit
from portward.model.unknown import Maybe, Unknown

_DEBIAN = {"debian", "ubuntu"}
_FEDORA = {"fedora", "rhel", "centos"}

_INETD_UNITS = ("inetutils-inetd.service", "openbsd-inetd.service", "inetd.service")


_NEEDED_FOR = {
    "the base of Debian 12 and 13: essential, or of the priorities required and important": """
        adduser apt apt-utils base-files base-passwd bash bsdextrautils bsdutils coreutils cpio cron
        cron-daemon-common dash debconf debconf-i18n debian-archive-keyring debianutils diffutils
        dmidecode dmsetup dpkg e2fsprogs fdisk findutils gpgv grep gzip hostname ifupdown init
        init-system-helpers iproute2 iputils-ping isc-dhcp-client isc-dhcp-common kmod less login
        login.defs logrotate logsave mawk mount nano ncurses-base ncurses-bin netbase nftables
        passwd procps readline-common sed sensible-utils sqv systemd systemd-sysv sysvinit-core
        sysvinit-utils tar tzdata udev util-linux util-linux-extra whiptail
    """,
    "the base of Fedora and its relatives": """
        alternatives authselect basesystem chkconfig crypto-policies cronie dnf dnf5 filesystem
        glibc grubby initscripts iproute iputils microdnf pam policycoreutils procps-ng rpm
        selinux-policy selinux-policy-targeted setup shadow-utils systemd-udev util-linux-core yum
    """,
    "starting: disks, and what unlocks or assembles them": """
        amd64-microcode btrfs-progs busybox console-setup cryptsetup cryptsetup-bin
        cryptsetup-initramfs dosfstools dracut efibootmgr extlinux flash-kernel intel-microcode kbd
        keyboard-configuration linux-base lvm2 mdadm microcode_ctl multipath-tools open-iscsi
        raspi-firmware syslinux systemd-boot xfsprogs zfs-dkms zfsutils-linux
    """,
    "the network, and keeping others out": """
        NetworkManager dhcp-client dhcpcd dhcpcd-base dropbear dropbear-bin firewalld
        ifupdown-ng ifupdown2 iptables iptables-nft iptables-persistent iwd libnetplan1 net-tools
        netfilter-persistent netplan.io network-manager openssh openssh-clients openssh-server
        openssh-sftp-server resolvconf systemd-networkd tinysshd udhcpc ufw wpa_supplicant
        wpasupplicant
    """,
    "logging in, becoming root, fetching updates, being managed from outside": """
        amazon-ssm-agent ca-certificates cloud-init dbus dbus-broker dbus-daemon doas gnupg gpg
        nslcd open-vm-tools opendoas openssl pkexec policykit-1 polkit polkitd qemu-guest-agent
        sssd sudo sudo-ldap sudo-rs ubuntu-keyring waagent walinuxagent
    """,
}
"""What a machine needs packages for, and their names."""

_INDISPENSABLE = frozenset(" ".join(_NEEDED_FOR.values()).split())

_INDISPENSABLE_FAMILIES = re.compile(
    # kernels, their modules, first file systems, boot loaders and firmware
    r"(linux-(image|modules|firmware|generic|virtual|signed)|kernel|proxmox-kernel|pve-kernel"
    r"|initramfs-tools|dracut|grub2?|shim|systemd-boot|u-boot|firmware)(-.*)?$"
    # programs that others are written for
    r"|(lib)?(python|perl|ruby|php|nodejs|openjdk|java|lua|tcl|guile|mono|dotnet)[-0-9.]"
    r"|(python3?|perl|ruby|php|nodejs?|lua|tcl|guile|busybox(-static)?)$"
    # libraries: libc6, libc-bin, libssl3t64, libpam0g, libstdc++6; and Fedora's
    r"|lib[-+.a-z0-9]*[0-9][a-z]?(t64)?$"
    r"|(libc|libpam|libnss|glibc|openssl-libs|systemd-libs|dbus|sssd)-.*$"
)


def is_indispensable(package: str) -> bool:
    """Say whether a machine, or what else runs on it, needs the package whatever its role is.

    Where a name is in doubt it counts as needed: a server can also be stopped.
    """
    name = package.partition(":")[0]  # libc6:amd64
    return name in _INDISPENSABLE or bool(_INDISPENSABLE_FAMILIES.match(name))


def removal(package: str, machine: Machine) -> str:
    """Return the command that removes a package, or several with spaces between.

    Empty on a system that is not known, and where one of them is indispensable.
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
