"""Inside and outside, with real rules, real servers and real packets in networks of their own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from own_network import in_own_network, run

pytestmark = pytest.mark.root

SRC = Path(__file__).parents[2] / "src"
PORTWARD = (sys.executable, "-c", "from portward.faces.cli import main; main()")
US, SIX = "198.51.100.7", "2001:db8:1::7"
PATIENCE = 30

POLICY = """
roles = ["web-server"]
[networks]
admin = ["192.0.2.0/24"]
[[allow]]
service = "ssh"
from = "admin"
"""
RULES = """
table inet test {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iif lo accept
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
        tcp dport 80 accept
        ip saddr 192.0.2.0/24 tcp dport 22 accept
        MORE
    }
}
"""


def portward(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PORTWARD, *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SRC), "PORTWARD_TRACEBACK": "1"},
        check=False,
        timeout=120,
    )


def outcomes(printed: str) -> dict[tuple[int, str], str]:
    """By port and by whom the source stands for, or the source itself."""
    found = json.loads(printed)
    names = {view["source"]: view["stands_for"] or view["source"] for view in found["views"]}
    return {(one["port"], names[one["source"]]): one["outcome"] for one in found["ports"]}


@contextlib.contextmanager
def servers(*ports: int, udp: tuple[int, ...] = ()) -> Iterator[None]:
    """Listen on ports; whoever connects is let in by the kernel."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            stack.enter_context(socket.create_server(("0.0.0.0", port), backlog=64))
        for port in udp:
            one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            one.bind(("0.0.0.0", port))
        yield


def machine(rules: str) -> None:
    """Make this network that of a machine with one address and these rules."""
    run(
        "ip link set lo up",
        "ip link add eth0 type veth peer name far0",
        # Or the kernel adds addresses in its own time, which would look like traces.
        "ip link set eth0 addrgenmode none",
        "ip link set far0 addrgenmode none",
        "ip link set eth0 up",
        "ip link set far0 up",
        f"ip address add {US}/24 dev eth0",
        "ip route add default via 198.51.100.1",
    )
    if Path("/proc/sys/net/ipv6").exists():
        run(f"ip address add {SIX}/64 dev eth0 nodad", "ip -6 route add default via 2001:db8:1::1")
    run("nft -f -", text=rules)


@pytest.fixture
def policy(tmp_path: Path) -> str:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    return str(file)


def state() -> tuple[str, ...]:
    """Everything that a vantage could leave behind."""
    return tuple(
        run(command)
        for command in (
            "ip -o link",
            "ip -o address",
            "ip route show table all",
            "ip -6 route show table all",
            "ip neigh",
            "nft list ruleset",
            "ip rule",
        )
    )


def test_a_firewall_that_is_right_lets_every_attempt_fail(policy: str) -> None:
    def work() -> tuple[subprocess.CompletedProcess[str], set[str]]:
        machine(RULES.replace("MORE", ""))
        with servers(22, 80, 5432):
            before = state()
            done = portward("verify", "--policy", policy, "--format", "json")
            return done, set(state()) - set(before)

    done, left = in_own_network(work)
    assert done.returncode == 0, done.stdout + done.stderr
    assert left == set()
    assert outcomes(done.stdout) == {
        (22, "everyone"): "closed as intended",
        (22, "private networks"): "closed as intended",
        (22, "192.0.2.0/24 of the policy"): "exposed as intended",
        **dict.fromkeys(
            (
                (80, "everyone"),
                (80, "private networks"),
                (80, "192.0.2.0/24 of the policy"),
            ),
            "exposed as intended",
        ),
        **dict.fromkeys(
            (
                (5432, "everyone"),
                (5432, "private networks"),
                (5432, "192.0.2.0/24 of the policy"),
            ),
            "closed as intended",
        ),
    }
    found = json.loads(done.stdout)
    assert found["gaps"] == []
    four = [view for view in found["views"] if view["address"] == US]
    assert [(view["must_fail"], view["failed"]) for view in four] == [
        (65_534, 65_534),
        (65_534, 65_534),
        (65_533, 65_533),
    ]
    assert all(view["must_succeed"] == view["succeeded"] for view in found["views"])


def test_a_rule_too_many_is_found_by_a_packet(policy: str) -> None:
    def work() -> subprocess.CompletedProcess[str]:
        machine(RULES.replace("MORE", "ip saddr 10.0.0.0/8 tcp dport 5432 accept"))
        with servers(22, 80, 5432):
            return portward("verify", "--policy", policy, "--format", "json")

    done = in_own_network(work)
    assert done.returncode == 1, done.stderr
    found = outcomes(done.stdout)
    assert found[5432, "private networks"] == "exposed, not intended"
    assert found[5432, "everyone"] == "closed as intended"


def test_silence_of_udp_is_not_taken_for_a_firewall(policy: str) -> None:
    def work() -> subprocess.CompletedProcess[str]:
        machine(RULES.replace("MORE", ""))
        with servers(80, udp=(1161,)):
            return portward("verify", "--policy", policy, "--format", "json", "-p", "80,U:1161")

    done = in_own_network(work)
    assert done.returncode == 3, done.stderr
    assert outcomes(done.stdout)[1161, "everyone"] == "not told"


def test_a_process_that_is_killed_leaves_nothing_behind(policy: str) -> None:
    def work() -> tuple[bool, bool]:
        machine(RULES.replace("MORE", ""))
        with servers(22, 80):
            before = state()
            with subprocess.Popen(
                [*PORTWARD, "verify", "--policy", policy],
                env={**os.environ, "PYTHONPATH": str(SRC)},
                stdout=subprocess.DEVNULL,
            ) as process:
                seen = wait(lambda: " pw-" in run("ip -o link") and "203.0.113." in run("ip route"))
                process.send_signal(signal.SIGKILL)
            # The kernel ends a network that nobody lives in a moment later.
            return seen, wait(lambda: state() == before)

    assert in_own_network(work) == (True, True)


def wait(condition: Any) -> bool:
    """Wait until something holds; say whether it came to hold."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


@contextlib.contextmanager
def network() -> Iterator[int]:
    """One more network; the process that lives in it."""
    with subprocess.Popen(
        ["unshare", "--net", "sh", "-c", "echo; exec sleep 600"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield process.pid
        finally:
            process.kill()


def within(pid: int, *commands: str, text: str | None = None) -> str:
    return run(*(f"nsenter -t {pid} -n {command}" for command in commands), text=text)


ROUTER = """
table ip router {
    chain prerouting {
        type nat hook prerouting priority -100;
        tcp dport 9999 redirect to :7777
        tcp dport 5432 dnat to 198.51.100.7:80
    }
    chain forward {
        type filter hook forward priority 0;
        tcp dport 443 drop
    }
}
"""


@contextlib.contextmanager
def outsider(tmp_path: Path) -> Iterator[int]:
    """Somebody behind a router that answers one port itself, redirects one, and drops one."""
    with network() as router, network() as far:
        run(
            f"ip link set far0 netns {router}",
            f"ip link add up0 netns {router} type veth peer name eth0 netns {far}",
        )
        within(
            router,
            "ip link set lo up",
            "ip link set far0 up",
            "ip link set up0 up",
            "ip address add 198.51.100.1/24 dev far0",
            "ip address add 203.0.113.1/24 dev up0",
            "sysctl -qw net.ipv4.ip_forward=1",
        )
        within(router, "nft -f -", text=ROUTER)
        within(
            far,
            "ip link set eth0 up",
            "ip address add 203.0.113.9/24 dev eth0",
            "ip route add default via 203.0.113.1",
        )
        listening = tmp_path / "listening.py"
        listening.write_text(
            "import socket, time\n"
            "s = socket.create_server(('0.0.0.0', 7777))\nprint(flush=True)\ntime.sleep(600)\n"
        )
        with subprocess.Popen(
            ["nsenter", "-t", str(router), "-n", sys.executable, str(listening)],
            stdout=subprocess.PIPE,
        ) as answering:
            assert answering.stdout
            answering.stdout.readline()
            try:
                yield far
            finally:
                answering.kill()


def test_what_somebody_in_between_does_is_found(policy: str, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "scan.json", tmp_path / "nmap.xml"
    ports = "22,80,443,5432,9999,10000"

    def work() -> list[subprocess.CompletedProcess[str]]:
        machine(RULES.replace("MORE", "tcp dport 443 accept"))
        with servers(22, 80, 443, 5432), outsider(tmp_path) as far:
            enter = ("nsenter", "-t", str(far), "-n")
            done = subprocess.run(
                [*enter, *PORTWARD, "scan", US, "-p", ports, "--format", "json"],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": str(SRC)},
                check=False,
                timeout=60,
            )
            ours.write_bytes(done.stdout)
            within(far, f"nmap -n -Pn -sS -p {ports} -oX {theirs} {US}")
            shared = ("verify", "--policy", policy, "--format", "json", "--from-outside")
            return [
                portward(*shared, str(ours)),
                portward(*shared, str(theirs), "--source", "203.0.113.9"),
            ]

    for done in in_own_network(work):
        assert done.returncode == 1, done.stderr
        found = outcomes(done.stdout)
        source = "203.0.113.9"
        assert found == {
            (9999, source): "open, though nothing listens",
            (5432, source): "open, though the rules say no",
            (443, source): "closed, though the rules say yes",
            (80, source): "exposed as intended",
            (22, source): "closed as intended",
        }


def test_a_place_outside_needs_root() -> None:
    def work() -> subprocess.CompletedProcess[str]:
        machine(RULES.replace("MORE", ""))
        with servers(80):
            command = ["setpriv", "--reuid=65534", "--clear-groups", *PORTWARD, "verify"]
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONPATH": str(SRC)},
                check=False,
                timeout=60,
            )

    done = in_own_network(work)
    assert done.returncode == 2
    assert done.stderr.startswith("portward: a vantage on this machine: cannot be made: ")
    assert "(run as root)" in done.stderr


BY_INTERFACE = """
table arp neighbours {
    chain input {
        type filter hook input priority 0; policy drop;
    }
}
table inet test {
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established,related accept
        iif lo accept
        iifname "eth0" tcp dport 80 accept
        iifname "pw-*" tcp dport 5432 accept
    }
}
"""


def by_interface(*words: str, policy: str, strict: bool = False) -> dict[str, Any]:
    """Verify a machine whose rules ask for interfaces, and answer no question of neighbours."""

    def work() -> subprocess.CompletedProcess[str]:
        machine(BY_INTERFACE)
        if strict:
            run("sysctl -qw net.ipv4.conf.all.rp_filter=1")
        with servers(80, 5432):
            return portward(
                *("verify", "--policy", policy, "--address", US, "--format", "json"),
                *("-p", "80,5432", *words),
            )

    done = in_own_network(work)
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_packets_come_in_as_the_real_interface_receives_them(policy: str) -> None:
    found = by_interface(policy=policy)
    assert {view["interface"] for view in found["views"]} == {"eth0"}
    assert {(one["port"], one["outcome"]) for one in found["ports"]} == {
        (80, "exposed as intended"),
        (5432, "closed as intended"),
    }
    assert "as eth0 receives them" in found["notes"][1]


def test_by_the_cable_rules_about_the_cable_are_met(policy: str) -> None:
    found = by_interface("--interface", "cable", policy=policy)
    assert all(view["interface"].startswith("pw-") for view in found["views"])
    assert {(one["port"], one["outcome"]) for one in found["ports"]} == {
        (80, "closed, though intended"),
        (5432, "exposed, not intended"),
    }
    assert "were not among those proven" in found["notes"][1]


def test_an_interface_that_wants_a_route_back_is_not_pretended(policy: str) -> None:
    found = by_interface(policy=policy, strict=True)
    assert all(view["interface"].startswith("pw-") for view in found["views"])
    assert "eth0 takes only what it has a route back to (rp_filter)" in found["notes"][1]


def test_a_rule_of_routing_that_sends_answers_elsewhere_is_said(policy: str) -> None:
    def work() -> subprocess.CompletedProcess[str]:
        machine(RULES.replace("MORE", ""))
        run("ip route add default via 198.51.100.1 table 7", f"ip rule add from {US} table 7")
        with servers(80):
            before = state()
            done = portward("verify", "--policy", policy, "--address", US)
            assert state() == before
            return done

    done = in_own_network(work)
    assert done.returncode == 2
    assert "goes elsewhere, by a rule of routing" in done.stderr
