"""Connections live on while the table is loaded; each kind of blocked packet is told once."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

import build
from own_network import in_own_network, run
from portward.backends.nftables import table

pytestmark = pytest.mark.root
OWN, PEER, PORT = "10.77.0.1", "10.77.0.2", 443
LONGEST = 1.0
"""Seconds; a pause that TCP itself would not notice."""
CALLS = """
import socket, sys
with socket.create_connection((sys.argv[1], 443)) as one:
    while True:
        one.sendall(b"x")
        one.recv(1)
"""
"""It has every byte answered."""
IS_CALLED = """
import socket, sys, time
with socket.create_server((sys.argv[1], 443)) as server:
    print("ready", flush=True)
    one, _ = server.accept()
    while True:
        one.sendall(b"x")
        time.sleep(0.001)
"""
"""It sends without end and is never answered."""


def text(addresses: int) -> str:
    """The table of a policy that lets the peer in, and so many others."""
    others = tuple(f"{20 + (n >> 16)}.{n >> 8 & 255}.{n & 255}.7/32" for n in range(addresses))
    allowed = build.allowance(f"{PORT}/tcp", sources=build.sources((*others, f"{PEER}/32"), "some"))
    return table(build.policy(allowed), build.snapshot(), build.DAY).text


@contextmanager
def neighbour() -> Iterator[str]:
    """Give the beginning of commands that run in the network at the other end of eth0."""
    with subprocess.Popen(["unshare", "--net", "sleep", "60"]) as other:
        try:
            time.sleep(0.3)
            there = f"nsenter --net=/proc/{other.pid}/ns/net"
            run(
                f"ip link add eth0 type veth peer name eth0 netns {other.pid}",
                f"ip address add {OWN}/24 dev eth0",
                "ip link set eth0 up",
                f"{there} ip address add {PEER}/24 dev eth0",
                f"{there} ip link set eth0 up",
            )
            yield there
        finally:
            other.terminate()


@contextmanager
def connection(there: str, *, called: bool) -> Iterator[socket.socket]:
    """Give a connection that the neighbour opened, or that was opened to it."""
    script, address = (CALLS, OWN) if called else (IS_CALLED, PEER)
    command = [*there.split(), sys.executable, "-c", script, address]
    with (
        socket.create_server((OWN, PORT)) as server,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as peer,
    ):
        try:
            if called:
                one, _ = server.accept()
            else:
                assert peer.stdout
                peer.stdout.readline()
                one = socket.create_connection((PEER, PORT))
            with one:
                one.settimeout(3)
                yield one
        finally:
            peer.terminate()


def longest_pause(one: socket.socket, *, answer: bool) -> float:
    """Load a large table while bytes flow; return the longest pause from then on."""
    with subprocess.Popen(["nft", "-f", "-"], stdin=subprocess.PIPE) as loading:
        assert loading.stdin
        loading.stdin.write(text(20_000).encode())
        loading.stdin.close()
        end = None
        last, longest = time.monotonic(), 0.0
        while end is None or time.monotonic() < end:
            data = one.recv(64)
            assert data
            now = time.monotonic()
            last, longest = now, max(longest, now - last)
            if answer:
                one.sendall(data)
            if end is None and loading.poll() is not None:
                assert loading.returncode == 0
                end = now + 1
    return longest


@pytest.mark.parametrize(
    ("called", "tracked"),
    [(True, True), (True, False), (False, True)],
    ids=["to this host", "to this host, not tracked before", "from this host"],
)
def test_bytes_flow_while_a_large_table_is_loaded(*, called: bool, tracked: bool) -> None:
    def work() -> float:
        with neighbour() as there:
            if tracked:
                run("nft -f -", text=text(0))
            with connection(there, called=called) as one:
                return longest_pause(one, answer=called)

    assert in_own_network(work) < LONGEST


def test_each_kind_of_blocked_packet_is_told_once_and_all_are_dropped() -> None:
    def work() -> tuple[int, int]:
        with neighbour() as there:
            run("nft -f -", text=text(0))
            shout = (
                "import socket; one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
                f"[one.sendto(b'x', ('{OWN}', 1000 + n % 3)) for n in range(3000)]"
            )
            subprocess.run([*there.split(), sys.executable, "-c", shout], check=True)
            time.sleep(0.2)
            remembered = run("nft list set inet portward seen_v4").count("udp . ")
            counted = run("nft list chain inet portward refused").partition("packets ")[2]
            return remembered, int(counted.split()[0])

    assert in_own_network(work) == (3, 3000)
