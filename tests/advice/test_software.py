"""Commands that change software."""

import pytest

import build
from portward.advice.software import is_indispensable, removal

NEEDED = [
    "apt",
    "base-files",
    "bash",
    "busybox",
    "cryptsetup-initramfs",
    "dbus",
    "dropbear-bin",
    "firmware-linux",
    "grub-efi-amd64-signed",
    "grub2-pc",
    "ifupdown",
    "initramfs-tools-core",
    "init-system-helpers",
    "kernel-core",
    "libc-bin",
    "libc6",
    "libc6:amd64",
    "libnss-systemd",
    "libpam-modules",
    "libpam0g",
    "libpython3.11-stdlib",
    "libssl3t64",
    "libstdc++6",
    "linux-image-6.1.0-18-amd64",
    "lvm2",
    "netplan.io",
    "network-manager",
    "nftables",
    "nodejs",
    "openjdk-17-jre-headless",
    "openssh-server",
    "perl-base",
    "php8.2-cli",
    "python3.11-minimal",
    "ruby3.1",
    "samba libc6",
    "samba openssh-server",
    "samba python3.11",
    "samba udev",
    "shim-signed",
    "sudo",
    "systemd",
    "systemd-sysv",
    "udev",
    "ufw",
]
SERVERS = [
    "apt-cacher-ng",
    "avahi-daemon",
    "cups-daemon",
    "kerneloops",
    "libreswan",
    "libvirt-daemon",
    "samba",
    "systemd-journal-remote",
    "systemd-resolved",
    "telnetd",
]


@pytest.mark.parametrize("package", NEEDED)
def test_what_others_need_is_never_to_be_removed(package: str) -> None:
    assert not removal(package, build.snapshot().machine)


@pytest.mark.parametrize("package", SERVERS)
def test_a_server_may_be_removed(package: str) -> None:
    assert removal(package, build.snapshot().machine) == f"apt purge {package}"


def test_of_several_packages_those_are_told_apart_that_are_needed() -> None:
    assert [name for name in ("telnetd", "sudo", "udev") if is_indispensable(name)] == [
        "sudo",
        "udev",
    ]
