"""Guests that several tests look at."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from guest.machine import Guest, image
from guest.wheels import copy_tree, wheels

SHOWCASE = (
    "openssh-server",
    "nginx-light",
    "postgresql",
    "inetutils-telnetd",
    "inetutils-inetd",
    "rpcbind",
    "avahi-daemon",
    "cups",
    "exim4-daemon-light",
    "samba",
    "snmpd",
    "docker.io",
    "iptables",
    "busybox-static",
)
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/root/wheels"}
"""A guest reaches no package index; its pip finds the same packages in a folder."""

SYSCTLS = """\
net.ipv4.conf.all.rp_filter = 1
net.ipv4.conf.default.rp_filter = 1
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.default.accept_redirects = 0
net.ipv6.conf.all.accept_redirects = 0
net.ipv6.conf.default.accept_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.default.send_redirects = 0
net.ipv4.conf.all.accept_source_route = 0
net.ipv4.conf.default.accept_source_route = 0
net.ipv6.conf.all.accept_source_route = 0
net.ipv6.conf.default.accept_source_route = 0
net.ipv4.conf.all.log_martians = 1
net.ipv4.conf.default.log_martians = 1
net.ipv4.tcp_syncookies = 1
net.ipv4.icmp_echo_ignore_broadcasts = 1
net.ipv4.icmp_ignore_bogus_error_responses = 1
"""
RULES = """\
#!/usr/sbin/nft -f
flush ruleset
table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    iif lo accept
    meta l4proto { icmp, ipv6-icmp } accept
    tcp dport { 80, 443 } accept
  }
}
"""


def install_clone(guest: Guest) -> None:
    """Put a fresh clone at /root/portward, and the packages that its first start installs."""
    copy_tree(guest.tree / "root/portward")
    target = guest.tree / "root/wheels"
    target.mkdir()
    for wheel in wheels().iterdir():
        (target / wheel.name).write_bytes(wheel.read_bytes())


@pytest.fixture(scope="session")
def showcase() -> Iterator[Guest]:
    """A web server with much that it does not need, all really running."""
    with crowded(*SHOWCASE) as guest:
        yield guest


@contextmanager
def crowded(*packages: str) -> Iterator[Guest]:
    """Boot a web server with much that it does not need, from an image with these packages."""
    with Guest(image(*packages)) as guest:
        install_clone(guest)
        etc = guest.tree / "etc"
        with (etc / "inetd.conf").open("a") as inetd:
            inetd.write("telnet stream tcp nowait root /usr/sbin/tcpd /usr/sbin/telnetd\n")
        for settings in etc.glob("postgresql/*/main/postgresql.conf"):
            with settings.open("a") as postgresql:
                postgresql.write("listen_addresses = '*'\n")
        snmp = etc / "snmp/snmpd.conf"
        snmp.write_text(snmp.read_text().replace("127.0.0.1,[::1]", "udp:161"))
        guest.boot()
        guest.run("systemctl", "disable", "--now", "ssh.service")
        guest.run("systemctl", "enable", "--now", "ssh.socket")
        guest.allow_containers()
        guest.run("mkdir", "-p", "/root/box/bin")
        guest.run("cp", "/bin/busybox", "/root/box/bin/")
        guest.run("tar", "-C", "/root/box", "-cf", "/root/box.tar", ".")
        guest.run("docker", "import", "/root/box.tar", "box")
        publish = ("-d", "--name", "shop", "-p", "8080:80")
        guest.run("docker", "run", *publish, "box", "/bin/busybox", "httpd", "-f", "-p", "80")
        for port in (23, 25, 80, 445, 5432, 8080):
            guest.wait_for("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}")
        yield guest
        guest.run("docker", "rm", "-f", "shop")


@pytest.fixture(scope="session")
def tidy() -> Iterator[Guest]:
    """A web server that is as it should be."""
    with Guest(image("nginx-light", "ssl-cert", "unattended-upgrades")) as guest:
        install_clone(guest)
        etc = guest.tree / "etc"
        site = etc / "nginx/sites-enabled/default"
        site.unlink()
        site.write_text(
            "server { listen 80; listen [::]:80; return 301 https://$host$request_uri; }\n"
            "server { listen 443 ssl; listen [::]:443 ssl;\n"
            "  ssl_certificate /etc/ssl/certs/ssl-cert-snakeoil.pem;\n"
            "  ssl_certificate_key /etc/ssl/private/ssl-cert-snakeoil.key; }\n"
        )
        (etc / "apt/apt.conf.d/20auto-upgrades").write_text(
            'APT::Periodic::Update-Package-Lists "1";\nAPT::Periodic::Unattended-Upgrade "1";\n'
        )
        for timer in ("apt-daily.timer", "apt-daily-upgrade.timer"):
            # The guest's harness masks them; here they count, and no archive is in reach.
            (etc / "systemd/system" / timer).unlink()
        (etc / "sysctl.d/60-network.conf").write_text(SYSCTLS)
        (etc / "nftables.conf").write_text(RULES)
        link = etc / "systemd/system/sysinit.target.wants/nftables.service"
        link.symlink_to("/lib/systemd/system/nftables.service")
        guest.boot()
        yield guest
