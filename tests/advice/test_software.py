"""Commands that change software."""

import pytest

import build
from portward.advice.software import removal

NEEDED = [
    "bash",
    "busybox",
    "libc6",
    "libpython3.11-stdlib",
    "nodejs",
    "openjdk-17-jre-headless",
    "openssh-server",
    "perl-base",
    "php8.2-cli",
    "python3.11-minimal",
    "ruby3.1",
    "samba openssh-server",
    "samba python3.11",
    "systemd",
    *("udev", "sudo", "openssh-client", "grub-pc", "linux-image-6.1.0-18-amd64", "ifupdown"),
    *("dbus", "initramfs-tools", "login", "network-manager", "libssl3", "nftables"),
]
SERVERS = [
    "systemd-journal-remote",
    "busybox-syslogd",
    "apt-cacher-ng",
    "cups-daemon",
    "samba",
    "systemd-resolved",
    "telnetd",
]


@pytest.mark.parametrize("package", NEEDED)
def test_what_others_need_is_never_to_be_removed(package: str) -> None:
    assert not removal(package, build.snapshot().machine)


@pytest.mark.parametrize("package", SERVERS)
def test_a_server_may_be_removed(package: str) -> None:
    assert removal(package, build.snapshot().machine) == f"apt purge {package}"
