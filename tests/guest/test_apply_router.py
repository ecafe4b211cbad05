"""A router with two machines behind it: they come out, nobody comes in, and it has few ports."""

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from guest.applying import portward
from guest.conftest import install_clone
from guest.machine import Guest, image
from guest.scenes import PACKAGES, prepare, serve

pytestmark = [pytest.mark.guest, pytest.mark.root]

NETWORK = "192.168.50"
BEHIND = ("pwone", "pwtwo")
POLICY = """\
roles = ["router"]
[[allow]]
service = "ssh"
from = "private"
"""


def host(command: str) -> None:
    subprocess.run(command.split(), check=True, capture_output=True)


@contextmanager
def machines(guest: Guest) -> Iterator[None]:
    """Put two network namespaces behind a bridge of the guest, which routes for them."""
    for command in (
        "ip link add br-lan type bridge",
        f"ip addr add {NETWORK}.1/24 dev br-lan",
        "ip link set br-lan up",
        "sysctl -qw net.ipv4.ip_forward=1",
    ):
        guest.run(*command.split())
    try:
        for number, name in enumerate(BEHIND, 2):
            host(f"ip netns add {name}")
            host(f"ip link add lan{number} netns {guest.name} type veth peer eth0 netns {name}")
            guest.run(*f"ip link set lan{number} master br-lan up".split())
            host(f"ip -n {name} addr add {NETWORK}.{number}/24 dev eth0")
            host(f"ip -n {name} link set eth0 up")
            host(f"ip -n {name} link set lo up")
            host(f"ip -n {name} route add default via {NETWORK}.1")
            guest.wait_for("grep", "-q", "3", f"/sys/class/net/lan{number}/brport/state")
        # The world knows no way to private networks; here it gets one, to see that it is shut.
        host(f"ip route add {NETWORK}.0/24 via {guest.address}")
        yield
    finally:
        for name in BEHIND:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        route = ["ip", "route", "del", f"{NETWORK}.0/24"]
        subprocess.run(route, check=False, capture_output=True)


@pytest.fixture(scope="module")
def guest() -> Iterator[Guest]:
    with Guest(image(*PACKAGES)) as guest:
        install_clone(guest)
        prepare(guest)
        guest.boot()
        (guest.tree / "root/policy.toml").write_text(POLICY)
        serve(guest, "22/tcp", "53/tcp", "53/udp", "8000/tcp", "445/tcp")
        with machines(guest):
            yield guest


def reaches(name: str | None, address: str, port: int) -> bool:
    """Say whether a TCP connection comes through, from a namespace or from the host."""
    code = f"import socket; socket.create_connection(({address!r}, {port}), 3)"
    enter = [] if name is None else ["ip", "netns", "exec", name]
    done = subprocess.run([*enter, "python3", "-c", code], check=False, capture_output=True)
    return done.returncode == 0


@contextmanager
def world(guest: Guest) -> Iterator[tuple[socket.socket, int]]:
    """A server outside, that sees who comes."""
    with socket.create_server((guest.gateway, 0)) as server:
        server.settimeout(5)
        yield server, server.getsockname()[1]


def test_those_behind_come_out_and_nobody_comes_in(guest: Guest) -> None:
    assert reaches(None, guest.address, 8000)
    made = json.loads(
        portward(guest, "plan", "--policy", "/root/policy.toml", "--format", "json", expect=1)
    )
    assert not made["refusals"]
    portward(guest, "apply", "--policy", "/root/policy.toml", "--yes", "--confirm-within", "300")
    portward(guest, "confirm")
    try:
        with world(guest) as (server, port):
            for name in BEHIND:
                assert reaches(name, guest.gateway, port)
                link, (source, _) = server.accept()
                link.close()
                assert source == guest.address  # translated
        # Behind the router: its own services, and each other; but not what no role names.
        for name in BEHIND:
            assert reaches(name, f"{NETWORK}.1", 53)
            assert reaches(name, f"{NETWORK}.1", 22)
            assert not reaches(name, f"{NETWORK}.1", 8000)
        # From the world: nothing but SSH from a private network, and nobody behind.
        assert reaches(None, guest.address, 22)
        for port in (445, 8000):
            assert not reaches(None, guest.address, port)
        with subprocess.Popen(
            ["ip", "netns", "exec", BEHIND[0], "python3", "-m", "http.server", "8080"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as server_behind:
            try:
                assert _soon(lambda: reaches(BEHIND[1], f"{NETWORK}.2", 8080))
                assert not reaches(None, f"{NETWORK}.2", 8080)
            finally:
                server_behind.kill()
    finally:
        portward(guest, "rollback")
    assert reaches(None, guest.address, 8000)


def _soon(holds: Callable[[], bool]) -> bool:
    return any(holds() for _ in range(20))
