"""Scans of real hosts in namespaces, each engine, beside nmap as the judge."""

import random
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from kernel.scan_net import SCANNER, SCANNER6, TARGET, TARGET6, Namespace, link
from own_network import in_own_network, run
from portward.bpf.loader import UnavailableError
from portward.bpf.objects import Programs
from portward.model.net import MAX_PORT, Protocol
from portward.model.scan import PortState, Scan, ScannedHost
from portward.scan import look, targets

pytestmark = pytest.mark.root

ENGINES = ("bpf", "ring", "connect")
ALL = tuple(range(1, MAX_PORT + 1))
OPEN = tuple(sorted(random.Random(7).sample(ALL, 20)))
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
        import socket

        ports = OPEN[:3]
        held = []
        for port in ports:
            held.append(socket.create_server((host, port), family=_family(host)))
        try:
            seen = only(scan(host, engine=engine))
        finally:
            for one in held:
                one.close()
        assert ports_in(seen, PortState.OPEN) == set(ports)
        assert count(seen, PortState.CLOSED) == MAX_PORT - len(ports)

    with_target(work)


def _family(host: str) -> Any:
    import socket

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
