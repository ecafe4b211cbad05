"""Roles proposed from what runs."""

from pathlib import Path

import pytest

import build
from portward.knowledge import catalogue
from portward.model.host import Container, Listener
from portward.model.unknown import NEEDS_ROOT, NOT_LOOKED_UP
from portward.policy.guess import guess

KNOWN = catalogue.load(Path("/nonexistent"))


def program(port: str, unit: str, address: str = "0.0.0.0") -> Listener:
    return build.listener(port, address, unit=unit, package=None, exe="/opt/x")


SSH = build.listener("22/tcp")
HTTP = program("80/tcp", "nginx.service")
HTTPS = program("443/tcp", "nginx.service")
SMTP = program("25/tcp", "postfix.service")
IMAPS = program("993/tcp", "dovecot.service")
DNS = program("53/udp", "unbound.service")
SMB = program("445/tcp", "smbd.service")
NETBIOS = program("139/tcp", "smbd.service")
RPCBIND = program("111/tcp", "rpcbind.service")
LDAP = program("389/tcp", "slapd.service")
POSTGRESQL = program("5432/tcp", "postgresql@15-main.service")
MDNS = program("5353/udp", "avahi-daemon.service")
TELNET = program("23/tcp", "telnet.service")


def roles(*listeners: Listener, **facts: object) -> list[str]:
    return [one.role for one in guess(build.snapshot(*listeners, **facts), KNOWN).roles]


@pytest.mark.parametrize(
    ("listeners", "expected"),
    [
        ((), ["isolated"]),
        ((program("5432/tcp", "postgresql@15-main.service", "127.0.0.1"),), ["isolated"]),
        ((SSH,), ["remote-admin"]),
        ((SSH, HTTP, HTTPS), ["web-server"]),
        ((HTTPS,), ["web-server"]),
        ((HTTP,), ["web-server"]),
        ((IMAPS,), ["mail-server"]),
        ((MDNS, SSH), ["remote-admin"]),
        ((SMTP, IMAPS, SSH), ["mail-server"]),
        ((DNS,), ["dns-resolver"]),
        ((SMB,), ["file-server"]),
        ((LDAP, SMB), ["directory-server"]),
        ((SMB, NETBIOS, RPCBIND), ["file-server"]),
        ((RPCBIND,), []),
        ((POSTGRESQL, SSH), ["database-server"]),
        ((HTTPS, POSTGRESQL), ["database-server", "web-server"]),
        ((TELNET,), []),
    ],
)
def test_few_roles_that_explain_most(listeners: tuple[Listener, ...], expected: list[str]) -> None:
    assert sorted(roles(*listeners)) == expected
    assert roles(*listeners) == roles(*reversed(listeners))


def test_a_running_unit_shows_a_role_that_opens_no_port() -> None:
    assert roles(SSH, running=("docker.service",)) == ["container-host"]


def test_an_older_snapshot_says_with_its_units_what_runs() -> None:
    docker = build.unit("docker.service", active="active")
    stopped = build.unit("libvirtd.service", active="inactive")
    facts = {"running": NOT_LOOKED_UP, "units": (docker, stopped)}
    assert roles(SSH, **facts) == ["container-host"]


def test_a_running_container_shows_its_host() -> None:
    shop = Container(name="shop", id="1", engine="podman", image=None, published=())
    assert roles(SSH, containers=(shop,)) == ["container-host"]


def test_what_no_role_explains_is_named() -> None:
    found = guess(build.snapshot(SSH, HTTPS, TELNET, program("4711/tcp", "my.service")), KNOWN)
    assert [one.listener.port for one in found.unexplained] == [23, 4711]
    assert found.roles[0].reasons == (
        f"{KNOWN.services['https'].title} on 443/tcp on all addresses (IPv4).",
        "SSH on 22/tcp on all addresses (IPv4).",
    )


def test_what_runs_in_a_container_is_the_container_s() -> None:
    inside = build.listener("443/tcp", unit="nginx.service", namespace="shop", container="shop")
    assert roles(inside) == ["isolated"]


def test_a_number_alone_proposes_nothing() -> None:
    unseen = build.listener("443/tcp", process=NEEDS_ROOT, unit=NEEDS_ROOT, package=NEEDS_ROOT)
    assert roles(unseen) == []


def test_what_could_not_be_seen_is_said_and_is_no_isolated_machine() -> None:
    found = guess(build.snapshot(listeners=NEEDS_ROOT, running=NEEDS_ROOT), KNOWN)
    assert found.roles == ()
    assert found.gaps == (
        "The open ports are not known: needs root.",
        "The units that run are not known: needs root.",
    )
