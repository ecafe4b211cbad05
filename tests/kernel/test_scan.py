"""Scans of real hosts in namespaces, each engine, beside nmap as the judge."""

import contextlib
import ctypes
import json
import os
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest

from kernel.scan_net import SCANNER, SCANNER6, TARGET, TARGET6, Namespace, link
from own_network import in_own_network, run
from portward.bpf.loader import UnavailableError
from portward.bpf.objects import Programs
from portward.model.net import MAX_PORT, Protocol
from portward.model.scan import PortState, Scan, ScannedHost
from portward.scan import links, look, targets, wire
from portward.scan import ports as words_of_ports

pytestmark = pytest.mark.root

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1))\nfrom portward.faces.cli import main; main()"
)
ENGINES = ("bpf", "ring", "connect")
ALL = tuple(range(1, MAX_PORT + 1))
OPEN = tuple(sorted(random.Random(7).sample(ALL, 20)))  # noqa: S311 - no secret
FEW = OPEN[:5]
ENTRY = "add table inet t\nadd chain inet t in { type filter hook input priority 0; }\n"
EXIT = "add chain inet t out { type filter hook output priority 0; }\n"


def scan(
    *hosts: str,
    ports: tuple[int, ...] = ALL,
    engine: str = "auto",
    udp: tuple[int, ...] = (),
    **more: Any,
) -> Scan:
    wanted = {Protocol.TCP: ports} if ports else {}
    if udp:
        wanted[Protocol.UDP] = udp
    asked = look.Asked(
        hosts=tuple(look.Host(targets.packed(host)) for host in hosts),
        ports=wanted,
        engine=engine,
        **more,
    )
    return look.look(asked, look.Listener())


def only(found: Scan) -> ScannedHost:
    (host,) = found.hosts
    return host


def ports_in(host: ScannedHost, state: PortState) -> set[int]:
    return {port.port for port in host.ports if port.state == state}


def count(host: ScannedHost, state: PortState) -> int:
    return len(ports_in(host, state)) + sum(others.get(state, 0) for others in host.others.values())


def with_target(work: Callable[[Namespace], None]) -> None:
    """Do work in a new namespace that has a link to a target."""

    def inside() -> None:
        with link() as target:
            work(target)

    in_own_network(inside)


def nmap(host: str, *options: str) -> set[int]:
    """Return the ports that nmap finds open."""
    six = ["-6"] if ":" in host else []
    command = ["nmap", *six, "-n", "-Pn", "-T4", "-oG", "-", *options, host]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {int(port) for port in re.findall(r"(\d+)/open/", printed)}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("host", [TARGET, TARGET6])
def test_every_port_of_a_host(engine: str, host: str) -> None:
    def work(target: Namespace) -> None:
        target.listen(OPEN)
        found = scan(host, engine=engine)
        seen = only(found)
        assert found.engine == engine
        assert found.complete
        assert found.source == (SCANNER6 if ":" in host else SCANNER,)
        assert ports_in(seen, PortState.OPEN) == set(OPEN) == nmap(host, "-p-")
        assert count(seen, PortState.CLOSED) == MAX_PORT - len(OPEN)
        assert seen.asked == {"tcp": "1-65535"}
        assert not seen.unknown
        for port in seen.ports:
            assert port.reason == "syn-ack"
            assert port.rtt is not None
            assert 0 < port.rtt < 1
            assert port.ttl == (None if engine == "connect" else 64)

    with_target(work)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_host_that_drops(engine: str) -> None:
    def work(target: Namespace) -> None:
        target.listen(OPEN)
        allowed = ", ".join(map(str, FEW))
        target.nft(
            f"{ENTRY}add rule inet t in tcp dport {{ {allowed} }} accept\n"
            "add rule inet t in meta l4proto tcp drop\n"
        )
        found = scan(TARGET, engine=engine)
        assert ports_in(only(found), PortState.OPEN) == set(FEW)
        assert count(only(found), PortState.FILTERED) == MAX_PORT - len(FEW)
        assert found.rounds is not None
        assert found.rounds >= 3

    with_target(work)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("host", [TARGET, TARGET6])
def test_what_a_firewall_says_is_said(engine: str, host: str) -> None:
    def work(target: Namespace) -> None:
        target.listen([80])
        target.nft(
            f"{ENTRY}add rule inet t in tcp dport 81 reject with icmpx admin-prohibited\n"
            "add rule inet t in tcp dport 82 reject with icmpx port-unreachable\n"
            "add rule inet t in tcp dport 83 reject with tcp reset\n"
            "add rule inet t in tcp dport 84 drop\n"
        )
        seen = {
            port.port: (port.state, port.reason)
            for port in only(scan(host, ports=(80, 81, 82, 83, 84, 85), engine=engine)).ports
        }
        prohibited, unreachable = ("1/1", "1/4") if ":" in host else ("3/13", "3/3")
        name = "icmpv6" if ":" in host else "icmp"
        assert seen == {
            80: (PortState.OPEN, "syn-ack"),
            81: (PortState.REFUSED, f"{name} {prohibited} from {host}"),
            82: (PortState.REFUSED, f"{name} {unreachable} from {host}"),
            83: (PortState.CLOSED, "rst"),
            84: (PortState.FILTERED, "no answer"),
            85: (PortState.CLOSED, "rst"),
        }

    with_target(work)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_path_that_loses_packets_both_ways(engine: str) -> None:
    def work(target: Namespace) -> None:
        target.listen(OPEN)
        target.nft(
            f"{ENTRY}{EXIT}add rule inet t in meta l4proto tcp numgen random mod 100 < 5 drop\n"
            "add rule inet t out meta l4proto tcp numgen random mod 100 < 5 drop\n"
        )
        ports = tuple(sorted({*OPEN, *range(1, 8000)}))
        seen = only(scan(TARGET, ports=ports, engine=engine))
        assert ports_in(seen, PortState.OPEN) == set(OPEN)
        assert count(seen, PortState.FILTERED) <= 1
        assert count(seen, PortState.CLOSED) >= len(ports) - len(OPEN) - 1

    with_target(work)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_host_that_can_take_only_so_much(engine: str) -> None:
    def work(target: Namespace) -> None:
        target.listen(OPEN)
        target.nft(
            f"{ENTRY}add rule inet t in meta l4proto tcp"
            " limit rate over 20000/second burst 200 packets drop\n"
        )
        seen = only(scan(TARGET, engine=engine))
        assert ports_in(seen, PortState.OPEN) == set(OPEN)
        assert count(seen, PortState.CLOSED) == MAX_PORT - len(OPEN)

    with_target(work)


@pytest.mark.parametrize("engine", ["bpf", "ring"])
@pytest.mark.parametrize("refusal", ["tcp reset", "icmpx admin-prohibited"])
def test_a_host_that_rations_its_refusals(engine: str, refusal: str) -> None:
    def work(target: Namespace) -> None:
        target.listen(OPEN)
        allowed = ", ".join(map(str, OPEN))
        target.nft(
            f"{ENTRY}add rule inet t in tcp dport {{ {allowed} }} accept\n"
            f"add rule inet t in meta l4proto tcp limit rate 1000/second reject with {refusal}\n"
            "add rule inet t in meta l4proto tcp drop\n"
        )
        found = scan(TARGET, engine=engine)
        assert ports_in(only(found), PortState.OPEN) == set(OPEN)
        assert count(only(found), PortState.FILTERED) > MAX_PORT / 2
        said = [one.reason for one in only(found).unknown]
        assert any("rations" in one for one in said) == (refusal == "tcp reset")

    with_target(work)


@pytest.mark.parametrize("engine", ["bpf", "ring"])
def test_a_syn_proxy_is_recognised(engine: str) -> None:
    def work(target: Namespace) -> None:
        target.listen([80])
        target.nft(
            "add table ip p\n"
            "add chain ip p pre { type filter hook prerouting priority raw; }\n"
            "add rule ip p pre tcp flags syn notrack\n"
            "add chain ip p in { type filter hook input priority 0; }\n"
            "add rule ip p in ct state invalid,untracked synproxy mss 1460 wscale 7 timestamp"
            " sack-perm\n"
        )
        target.run("sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0")
        for ports in (ALL, (22, 80, 443)):
            seen = only(scan(TARGET, ports=ports, engine=engine))
            assert not ports_in(seen, PortState.OPEN)
            assert count(seen, PortState.UNCERTAIN) == len(ports)
            (why,) = seen.unknown
            assert "SYN proxy" in why.reason

    with_target(work)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_network_behind_a_router(engine: str) -> None:
    def work(target: Namespace) -> None:
        # No default route: only the route to this network, whose addresses the router has.
        run(f"ip route add 10.88.0.0/24 via {TARGET}", f"ip route add fd88::/64 via {TARGET6}")
        target.run(
            "ip route add local 10.88.0.0/24 dev lo",
            "ip addr add fd88::5 dev lo nodad",
            "ip addr add fd88::6 dev lo nodad",
        )
        target.listen([22], addresses=["10.88.0.7", "10.88.0.200", "fd88::5"])
        found = scan(
            *(f"10.88.0.{one}" for one in range(256)), "fd88::5", "fd88::6",
            ports=(22, 80), engine=engine,
        )  # fmt: skip
        opened = {host.address for host in found.hosts if ports_in(host, PortState.OPEN)}
        assert opened == {"10.88.0.7", "10.88.0.200", "fd88::5"}
        assert len(found.hosts) == 258
        assert all(count(host, PortState.CLOSED) for host in found.hosts)

    with_target(work)


@pytest.mark.parametrize("engine", ["bpf", "ring"])
def test_a_network_on_the_link_where_most_are_missing(engine: str) -> None:
    def work(target: Namespace) -> None:
        target.run("ip addr add 10.77.0.9/24 dev pwt0")
        target.listen([22])
        found = scan(*(f"10.77.0.{one}" for one in range(2, 20)), ports=(22,), engine=engine)
        seen = {host.address: host for host in found.hosts}
        assert len(seen) == 18
        for address, host in seen.items():
            if address in ("10.77.0.2", "10.77.0.9"):
                assert ports_in(host, PortState.OPEN) == {22}
            else:
                assert not host.asked
                assert "nobody answers" in host.unknown[0].reason

    with_target(work)


def test_a_link_that_is_silent_and_a_host_without_a_route() -> None:
    def work(target: Namespace) -> None:
        target.run("ip link set pwt0 arp off")
        found = scan(TARGET, "198.51.100.1", ports=(22,))
        seen = {host.address: host for host in found.hosts}
        assert "nobody answers" in seen[TARGET].unknown[0].reason
        assert "no route" in seen["198.51.100.1"].unknown[0].reason
        assert found.engine == "none"

    with_target(work)


@pytest.mark.parametrize("engine", ["ring", "connect"])
@pytest.mark.parametrize("host", ["127.0.0.1", SCANNER, "::1", SCANNER6])
def test_this_machine_itself(engine: str, host: str) -> None:
    def work(_: Namespace) -> None:
        ports = OPEN[:3]
        held = [socket.create_server((host, port), family=_family(host)) for port in ports]
        try:
            seen = only(scan(host, engine=engine))
        finally:
            for one in held:
                one.close()
        assert ports_in(seen, PortState.OPEN) == set(ports)
        assert count(seen, PortState.CLOSED) == MAX_PORT - len(ports)

    with_target(work)


def _family(host: str) -> Any:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def test_the_best_engine_is_chosen_and_said() -> None:
    def work(target: Namespace) -> None:
        target.listen([22])
        found = scan(TARGET, "127.0.0.1", ports=(22,))
        assert found.engine == "bpf and ring"
        assert found.engine_reason == "no BPF: the host is this machine"

    with_target(work)


def test_before_tcx_a_packet_socket_is_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise UnavailableError("no TCX")

    monkeypatch.setattr(Programs, "attach", refuse)

    def work(target: Namespace) -> None:
        target.listen(OPEN)
        for host in (TARGET, TARGET6):
            seen = only(scan(host, engine="bpf"))
            assert ports_in(seen, PortState.OPEN) == set(OPEN)
            assert count(seen, PortState.CLOSED) == MAX_PORT - len(OPEN)

    with_target(work)


def forge(to: str, mac: bytes, first: int) -> bytes:
    """Return a frame that says a port is open, in the name of the target, with a guessed cookie."""
    number = int.from_bytes(os.urandom(4), "big")
    packet = bytearray(wire.syn(targets.packed(TARGET), targets.packed(to), 4444, first, 1))
    struct.pack_into("!I", packet, 28, number)
    packet[33] = wire.SYN | wire.ACK
    return mac + b"\x02\0\0\0\0\1\x08\0" + bytes(packet)


@pytest.mark.parametrize("engine", ["bpf", "ring"])
def test_answers_without_the_cookie_never_count(engine: str) -> None:
    def work(target: Namespace) -> None:
        target.listen([80])
        target.nft(f"{ENTRY}add rule inet t in tcp dport 4444 drop\n")
        mac = links.hardware_address("pws0")
        assert mac is not None
        stop = threading.Event()

        def flood() -> None:
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as line:
                line.bind(("pwt0", 0))
                while not stop.is_set():
                    for own in range(61000, 61008):
                        line.send(forge(SCANNER, mac, own))
                        line.send(forge(SCANNER, mac, own)[: 14 + own % 40])

        target.background(flood)
        try:
            seen = only(scan(TARGET, ports=(80, 4444), engine=engine, rate=20))
        finally:
            stop.set()
        assert ports_in(seen, PortState.OPEN) == {80}
        assert ports_in(seen, PortState.FILTERED) == {4444}

    with_target(work)


@pytest.mark.parametrize("host", [TARGET, TARGET6])
def test_udp(host: str) -> None:
    def work(target: Namespace) -> None:
        family = _family(host)

        def serve() -> None:
            echo, silent, other = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(3))
            for one, port in ((echo, 53), (silent, 514), (other, 69)):
                one.bind((host, port))
                one.settimeout(20)
            ready.set()
            while not stop.is_set():
                for one in select.select([echo, other], [], [], 0.1)[0]:
                    data, peer = one.recvfrom(100)
                    if one is echo and data == b"greeting":
                        echo.sendto(b"hello", peer)
                    if one is other:
                        with socket.socket(family, socket.SOCK_DGRAM) as transfer:
                            transfer.bind((host, 0))
                            transfer.sendto(b"data", peer)
            for one in (echo, silent, other):
                one.close()

        ready, stop = threading.Event(), threading.Event()
        target.background(serve)
        ready.wait()
        target.nft(
            f"{ENTRY}add rule inet t in udp dport 81 reject with icmpx admin-prohibited\n"
            "add rule inet t in udp dport 82 drop\n"
        )
        udp = (53, 69, 81, 82, 83, 514)
        try:
            found = scan(host, ports=(), udp=udp, greetings={53: (b"wrong", b"greeting")})
        finally:
            stop.set()
        seen = {port.port: (port.state, port.reason) for port in only(found).ports}
        name, prohibited, closed = (
            ("icmpv6", "1/1", "1/4") if ":" in host else ("icmp", "3/13", "3/3")
        )
        assert seen == {
            53: (PortState.OPEN, "answer"),
            69: (PortState.OPEN, "answer"),
            81: (PortState.REFUSED, f"{name} {prohibited} from {host}"),
            82: (PortState.SILENT, "no answer"),
            83: (PortState.CLOSED, f"{name} {closed} from {host}"),
            514: (PortState.SILENT, "no answer"),
        }
        assert all(port.ttl == 64 for port in only(found).ports if port.port in (53, 69))
        assert only(found).asked == {"udp": "53,69,81-83,514"}

    with_target(work)


# --- the command ---------------------------------------------------------------------------------


def start(*words: str, user: bool = False, **more: Any) -> subprocess.Popen[str]:
    """Start ``portward scan`` in the calling thread's namespace."""
    command = [sys.executable, "-I", "-c", START, str(ROOT / "src"), "scan", *words]
    if user:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def finished(process: subprocess.Popen[str]) -> tuple[int, Scan]:
    printed, complaint = process.communicate(timeout=60)
    assert not complaint
    return process.returncode, msgspec.json.decode(printed, type=Scan)


def test_without_privilege_connections_are_made_and_that_is_said() -> None:
    def work(target: Namespace) -> None:
        target.listen(OPEN)
        status, found = finished(start(TARGET, "-p", "-", "--format", "json", user=True))
        assert status == 0
        assert found.engine == "connect"
        assert found.engine_reason == "no raw packets: needs root"
        assert ports_in(only(found), PortState.OPEN) == set(OPEN)
        process = start(TARGET, "-p", "80", "--engine", "bpf", user=True)
        printed, complaint = process.communicate(timeout=60)
        assert process.returncode == 2
        assert not printed
        assert complaint.count("\n") == 1
        assert "--engine bpf cannot be used: needs root" in complaint

    with_target(work)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_an_interrupted_scan_lacks_is_asked_later(engine: str, tmp_path: Path) -> None:
    def work(target: Namespace) -> None:
        target.listen(OPEN)
        words = (TARGET, "-p", "-", "--engine", engine, "--format", "json")
        process = start(*words, "--rate", "20000")
        time.sleep(2)
        process.send_signal(signal.SIGINT)
        status, part = finished(process)
        assert status == 3
        assert not part.complete
        known = set(words_of_ports.read(only(part).asked["tcp"]))
        assert 0 < len(known) < MAX_PORT
        assert ports_in(only(part), PortState.OPEN) == set(OPEN) & known
        file = tmp_path / "part.json"
        file.write_bytes(msgspec.json.encode(part))
        status, whole = finished(start(*words, "--resume", str(file)))
        assert status == 0
        assert whole.complete
        assert only(whole).asked == {"tcp": "1-65535"}
        assert ports_in(only(whole), PortState.OPEN) == set(OPEN)
        assert count(only(whole), PortState.CLOSED) == MAX_PORT - len(OPEN)

    with_target(work)


def test_shards_together_are_the_whole() -> None:
    def work(target: Namespace) -> None:
        target.listen(OPEN)
        parts = [
            only(finished(start(TARGET, "-p-", "--shard", f"{one}/3", "--format", "json"))[1])
            for one in (1, 2, 3)
        ]
        asked = [set(words_of_ports.read(part.asked["tcp"])) for part in parts]
        assert sum(map(len, asked)) == MAX_PORT
        assert set.union(*asked) == set(ALL)
        assert set.union(*(ports_in(part, PortState.OPEN) for part in parts)) == set(OPEN)

    with_target(work)


def test_a_scan_that_is_killed_leaves_nothing_behind() -> None:
    def work(target: Namespace) -> None:
        target.nft(f"{ENTRY}add rule inet t in meta l4proto tcp drop\n")
        libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
        rules, devices = run("nft list ruleset"), run("ip -o link")
        namespaces = run("ip netns list")
        process = start(TARGET, "-p-", "--engine", "bpf", "--rate", "1000")
        try:
            programs = eventually(lambda: programs_of(process.pid))
        finally:
            process.kill()
            process.communicate()
        assert len(programs) >= 2
        eventually(lambda: all(libbpf.bpf_prog_get_fd_by_id(number) < 0 for number in programs))
        assert run("nft list ruleset") == rules
        assert run("ip -o link") == devices
        assert run("ip netns list") == namespaces
        assert "clsact" not in run("tc qdisc show dev pws0")

    with_target(work)


def eventually(question: Callable[[], T]) -> T:
    """Ask until the answer is true."""
    for _ in range(200):
        if answer := question():
            return answer
        time.sleep(0.05)
    raise TimeoutError(question)


def programs_of(pid: int) -> set[int]:
    """Return the numbers of the BPF programs that a process has loaded."""
    found = set()
    for file in Path(f"/proc/{pid}/fdinfo").glob("*"):
        with contextlib.suppress(OSError):
            found |= {int(one) for one in re.findall(r"prog_id:\s*(\d+)", file.read_text())}
    return found if len(found) > 1 else set()


def test_lines_come_while_the_scan_goes_on() -> None:
    def work(target: Namespace) -> None:
        target.listen([80])
        process = start(TARGET, "-p-", "--format", "jsonl", "--rate", "30000")
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert first["port"]["port"] == 80
        assert process.poll() is None
        rest = [json.loads(line) for line in process.communicate(timeout=60)[0].splitlines()]
        assert [next(iter(line)) for line in rest] == ["host", "scan"]
        assert rest[-1]["scan"]["complete"]

    with_target(work)
