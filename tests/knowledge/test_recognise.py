"""Which service a listener is, sign by sign."""

from typing import Any

import pytest

import build
from portward.knowledge.recognise import is_interpreter, recognise
from portward.model.host import InetdLine, Kernel
from portward.model.net import Protocol
from portward.model.service import Distribution
from portward.model.status import Basis
from portward.model.unknown import NEEDS_ROOT

KNOWN = build.catalogue(
    build.service("dhcp-client", "68/udp", programs=("dhclient",), essential=True),
    build.service("echo", "7/tcp", "7/udp"),
    build.service(
        "http",
        "80/tcp",
        programs=("nginx",),
        debian=Distribution(packages=("nginx",), units=("nginx.service",)),
    ),
    build.service(
        "https",
        "443/tcp",
        programs=("nginx", "python3"),
        debian=Distribution(packages=("nginx",), units=("nginx.service",)),
    ),
    build.service(
        "netbios-ns",
        "137/udp",
        programs=("nmbd",),
        debian=Distribution(packages=("samba",), units=("nmbd.service",)),
    ),
    build.service("nfs", "2049/tcp", programs=("nfsd",)),
    build.service(
        "postgresql",
        "5432/tcp",
        debian=Distribution(packages=("postgresql-15",), units=("postgresql@.service",)),
    ),
    build.service(
        "smb",
        "445/tcp",
        programs=("smbd",),
        debian=Distribution(packages=("samba",), units=("smbd.service",)),
    ),
    build.service(
        "ssh",
        "22/tcp",
        programs=("sshd",),
        debian=Distribution(packages=("openssh-server",), units=("ssh.service", "ssh.socket")),
    ),
    build.service(
        "telnet", "23/tcp", programs=("in.telnetd",), debian=Distribution(packages=("telnetd",))
    ),
    build.service("vnc", "5900-5910/tcp"),
    build.service("wireguard", "51820/udp"),
    build.service("x11", "5909-5910/tcp"),
)


def inetd(service: str, program: str, package: str | None) -> InetdLine:
    return InetdLine(
        file="/etc/inetd.conf",
        line=1,
        service=service,
        protocol=Protocol.TCP,
        port=None,
        user="root",
        program=program,
        package=package,
    )


def other(**facts: Any) -> dict[str, Any]:
    return {"unit": None, "package": None, "exe": "/opt/x"} | facts


@pytest.mark.parametrize(
    ("port", "facts", "expected"),
    [
        ("22/tcp", {}, ("ssh", Basis.UNIT, True)),
        ("2222/tcp", {}, ("ssh", Basis.UNIT, False)),
        ("22/tcp", other(package="openssh-server"), ("ssh", Basis.PACKAGE, True)),
        ("22/tcp", other(exe="/usr/sbin/sshd"), ("ssh", Basis.PROGRAM, True)),
        ("2222/tcp", other(exe="/usr/sbin/sshd"), ("ssh", Basis.PROGRAM, False)),
        ("22/tcp", other(), ("ssh", Basis.PORT, True)),
        ("2222/tcp", other(), None),
        (
            "22/tcp",
            other(unit=NEEDS_ROOT, package=NEEDS_ROOT, process=NEEDS_ROOT),
            ("ssh", Basis.PORT, True),
        ),
        ("22/tcp", other(process=None), ("ssh", Basis.PORT, True)),
        # Of several services the port decides, then the program, then what is nearest.
        ("443/tcp", other(unit="nginx.service"), ("https", Basis.UNIT, True)),
        ("8443/tcp", other(unit="nginx.service"), ("https", Basis.UNIT, False)),
        ("8080/tcp", other(unit="nginx.service"), ("http", Basis.UNIT, False)),
        (
            "999/udp",
            other(package="samba", exe="/usr/sbin/nmbd"),
            ("netbios-ns", Basis.PACKAGE, False),
        ),
        ("999/udp", other(package="samba"), None),
        # A program where its unit does not expect it is what it is.
        ("22/tcp", other(unit="nginx.service", exe="/usr/sbin/sshd"), ("ssh", Basis.PROGRAM, True)),
        ("4444/tcp", other(unit="postgresql@15-main.service"), ("postgresql", Basis.UNIT, False)),
        # systemd holds the port of a socket unit.
        (
            "22/tcp",
            other(unit="ssh.socket", exe="/usr/lib/systemd/systemd"),
            ("ssh", Basis.UNIT, True),
        ),
        ("22/tcp", other(unit="my.socket", activates="ssh.service"), ("ssh", Basis.UNIT, True)),
        ("9/tcp", other(unit="my.socket", package="telnetd"), None),
        # An interpreter is no identity.
        ("443/tcp", other(exe="/usr/bin/python3"), ("https", Basis.PORT, True)),
        ("444/tcp", other(exe="/usr/bin/python3"), None),
        # inetd holds it for another.
        (
            "23/tcp",
            {"inetd": inetd("telnet", "/usr/sbin/in.telnetd", None)},
            ("telnet", Basis.INETD, True),
        ),
        (
            "24/tcp",
            {"inetd": inetd("x", "/usr/sbin/tcpd", "telnetd")},
            ("telnet", Basis.INETD, False),
        ),
        ("7/tcp", {"inetd": inetd("echo", "internal", None)}, ("echo", Basis.INETD, True)),
        ("99/tcp", {"inetd": inetd("x", "/opt/y", None)}, None),
        # The kernel itself.
        ("2049/tcp", other(process=Kernel(name="nfsd")), ("nfs", Basis.KERNEL, True)),
        ("4711/udp", other(process=Kernel(name="wireguard")), ("wireguard", Basis.KERNEL, False)),
        ("80/tcp", other(process=Kernel(name="tux")), ("http", Basis.PORT, True)),
        # By number alone: the narrower range.
        ("5905/tcp", other(), ("vnc", Basis.PORT, True)),
        ("5910/tcp", other(), ("x11", Basis.PORT, True)),
        ("5910/udp", other(), None),
        # Sockets without a port.
        ("1/raw", other(), None),
        ("2048/packet", other(exe="/usr/sbin/dhclient"), ("dhcp-client", Basis.PROGRAM, False)),
    ],
)
def test_what_it_is_and_by_what(
    port: str, facts: dict[str, Any], expected: tuple[str, Basis, bool] | None
) -> None:
    found = recognise(build.listener(port, **facts), KNOWN)
    assert (found and (found.service.name, found.basis, found.usual_port)) == expected


def test_another_catalogue_is_not_answered_from_the_last_one() -> None:
    ssh = build.listener()
    assert recognise(ssh, KNOWN)
    assert recognise(ssh, build.catalogue()) is None


@pytest.mark.parametrize("exe", ["/usr/bin/python3.11", "/usr/bin/perl", "node", "/usr/bin/php8.2"])
def test_interpreters(exe: str) -> None:
    assert is_interpreter(exe)


@pytest.mark.parametrize("exe", ["/usr/sbin/php-fpm8.2", "/usr/sbin/sshd", "/opt/javad", ""])
def test_no_interpreters(exe: str) -> None:
    assert not is_interpreter(exe)
