"""What the table of a policy makes of packets that are passed on, and that this host sends."""

import socket
import subprocess
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path

import pytest

import build
from kernel.intents import KNOWN, facing
from kernel.oracle import Oracle, World
from kernel.probes import Answer, Group
from own_network import in_own_network, run
from portward.backends.nftables import table
from portward.model.host import Facing, Snapshot
from portward.model.net import Protocol
from portward.model.plan import TABLE
from portward.policy.file import parse
from portward.reach import load
from portward.reach.exposure import Exposer
from portward.reach.question import port as who_reaches
from portward.reach.site import Site

pytestmark = pytest.mark.root
CAPTURES = Path(__file__).parents[1] / "captures/rulesets"
TCP, UDP, SYN = 6, 17, 2
PUBLISHED = """
table ip engine {
    chain prerouting {
        type nat hook prerouting priority -100; policy accept;
        tcp dport 8080 dnat to 172.16.0.9:80
        tcp dport 8081 dnat to 172.16.0.9:80
        tcp dport 8082 redirect to :9000
        tcp dport 8083 redirect to :9000
    }
}
"""


def in_scene(work: "Callable[[Scene], None]", text: str, others: str = "", **meant: Facing) -> None:
    """Run work with a machine of its own."""

    def inside() -> None:
        oracle = Oracle()
        try:
            work(Scene(oracle, text, others, meant))
        finally:
            oracle.close()

    in_own_network(inside)


def policy_table(snapshot: Snapshot, text: str) -> str:
    return table(parse(text, "policy.toml", KNOWN), snapshot, build.DAY).text


class Scene:
    """A machine between eth0 (outside) and dmz0, with a policy's table and others' beside it."""

    def __init__(self, oracle: Oracle, text: str, others: str, meant: dict[str, Facing]) -> None:
        self.oracle = oracle
        self.oracle.enter(World())
        found, routes, sysctls = self.oracle.survey()
        self.snapshot = build.snapshot(
            interfaces=facing(found, meant), routes=routes, sysctls=sysctls, containers=()
        )
        listing = self.oracle.load(others + policy_table(self.snapshot, text))
        self.snapshot = build.snapshot(
            interfaces=self.snapshot.interfaces,
            routes=routes,
            sysctls=sysctls,
            firewall=build.firewall(nft=listing),
        )

    def send(self, device: str, source: str, to: str, port: int, protocol: int = TCP) -> str:
        """Send the first packet of a connection; return what became of it."""
        bits = ip_address(source).max_prefixlen
        group = Group(
            bits,
            device,
            protocol,
            int(ip_address(to)),
            50_000,
            port,
            SYN,
            (int(ip_address(source)),),
        )
        ((answer,),) = self.oracle.ask([group])
        return _said(answer)

    def reached(self, port: int) -> list[str]:
        """Return who reaches a port of this machine, as reach says it."""
        rules = load.ruleset(build.firewall(nft=self.oracle.nft.listing()))
        answer = who_reaches(Site(rules, self.snapshot), Protocol.TCP, port)
        return [
            f"{one.answer} {one.interface} {one.words}"
            for one in answer.sources
            if one.family == "ipv4" and one.interface != "wg0"
        ]


def _said(answer: Answer) -> str:
    return f"to {answer.device}" if answer.kind == "forward" else answer.kind


CONTAINERS = """
roles = ["container-host"]
[networks]
friends = "203.0.113.0/24"
[[allow]]
port = "8080/tcp"
from = "friends"
[[allow]]
port = "8082/tcp"
from = "any"
"""


def test_a_published_port_passes_where_the_policy_allows_its_own_number() -> None:
    def work(scene: Scene) -> None:
        friend, stranger = "203.0.113.9", "198.51.100.9"
        assert scene.send("eth0", friend, "10.0.0.1", 8080) == "to dmz0"
        assert scene.send("eth0", stranger, "10.0.0.1", 8080) == "drop"
        assert scene.send("eth0", friend, "10.0.0.1", 8081) == "drop"
        assert scene.send("eth0", friend, "172.16.0.9", 80) == "drop"
        assert scene.send("dmz0", "172.16.0.9", "198.51.100.7", 443) == "to eth0"
        assert scene.send("dmz0", "172.16.0.9", "172.16.0.1", 53, UDP) == "input"
        assert scene.send("dmz0", "172.16.0.9", "172.16.0.1", 5432) == "drop"
        # What stays here is asked about as it was sent, too.
        assert scene.send("eth0", stranger, "10.0.0.1", 8082) == "input"
        assert scene.send("eth0", stranger, "10.0.0.1", 8083) == "drop"
        assert scene.send("eth0", stranger, "10.0.0.1", 9000) == "drop"
        assert scene.reached(8080) == ["yes eth0 203.0.113.0/24", "yes dmz0 everyone"]
        assert scene.reached(8081) == ["yes dmz0 everyone"]
        assert [one for one in scene.reached(8082) if "eth0" in one] == ["yes eth0 everyone"]

    in_scene(work, CONTAINERS, PUBLISHED, eth0=Facing.INTERNET, dmz0=Facing.BRIDGE)


def test_a_host_that_does_not_route_passes_nothing_on() -> None:
    def work(scene: Scene) -> None:
        assert scene.send("eth0", "203.0.113.9", "10.0.0.1", 8080) == "drop"
        assert scene.send("dmz0", "172.16.0.9", "198.51.100.7", 443) == "drop"
        assert scene.send("eth0", "203.0.113.9", "10.0.0.1", 443) == "input"

    in_scene(work, 'roles = ["web-server"]', PUBLISHED, eth0=Facing.INTERNET)


def test_a_router_lets_its_networks_out_and_nobody_in() -> None:
    def work(scene: Scene) -> None:
        for inside, outside in (("172.16.0.9", "198.51.100.7"), ("fd16::9", "2001:db8::7")):
            assert scene.send("dmz0", inside, outside, 443) == "to eth0"
            assert scene.send("dmz0", inside, outside, 445) == "drop"
            assert scene.send("eth0", outside, inside, 443) == "drop"
        assert scene.send("dmz0", "172.16.0.9", "10.8.0.7", 443) == "to wg0"
        assert scene.send("eth0", "198.51.100.7", "10.0.0.1", 53, UDP) == "drop"
        assert scene.send("dmz0", "172.16.0.9", "172.16.0.1", 53, UDP) == "input"
        assert "masquerade" in scene.oracle.nft.run("list table inet portward")

    in_scene(work, 'roles = ["router"]', eth0=Facing.INTERNET, dmz0=Facing.PRIVATE, wg0=Facing.VPN)


OUTGOING = """
roles = ["router"]
[networks]
mirror = ["198.51.100.0/28", "2001:db8:1::/64"]
[[outgoing]]
service = "dns"
to = "any"
[[outgoing]]
port = "443/tcp"
to = "mirror"
reason = "packages"
"""


def test_outgoing_is_denied_but_for_what_is_named() -> None:
    def work(scene: Scene) -> None:
        inside = "172.16.0.9"
        assert scene.send("dmz0", inside, "198.51.100.7", 443) == "to eth0"
        assert scene.send("dmz0", inside, "198.51.100.99", 443) == "drop"
        assert scene.send("dmz0", inside, "8.8.8.8", 53, UDP) == "to eth0"
        assert scene.send("dmz0", inside, "8.8.8.8", 80) == "drop"
        assert scene.send("dmz0", "fd16::9", "2001:db8:1::7", 443) == "to eth0"
        assert scene.send("dmz0", "fd16::9", "2001:db8:2::7", 443) == "drop"
        # This host's own: a refusal comes at once, what may be sent leaves.
        assert sends("8.8.8.8", 53)
        assert not sends("8.8.8.8", 123)
        assert sends("2001:db8:1::7", 53)
        assert not sends("2001:db8:1::7", 123)
        assert sends("127.0.0.1", 9)

    in_scene(work, OUTGOING, eth0=Facing.INTERNET, dmz0=Facing.PRIVATE)


def sends(to: str, port: int) -> bool:
    """Say whether a packet that a program here sends leaves."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as one:
        try:
            one.sendto(b"?", (to, port))
        except (PermissionError, OSError):
            return False
    return True


@pytest.mark.parametrize("name", sorted(one.stem for one in CAPTURES.glob("*.iptables")))
def test_what_others_loaded_stays_as_it_was(name: str) -> None:
    def work() -> None:
        subprocess.run(
            ["iptables-nft-restore"],
            input=(CAPTURES / f"{name}.iptables").read_bytes(),
            check=True,
            timeout=60,
        )
        before = run("nft list ruleset")
        own = table(parse(CONTAINERS, "policy.toml", KNOWN), build.snapshot(), build.DAY)
        for _ in range(2):
            run("nft -f -", text=own.text)
        assert run("nft list ruleset").startswith(before)
        live = build.firewall(
            nft=run("nft -j list ruleset"),
            iptables=run("iptables-save"),
        )
        exposer = Exposer(build.snapshot(firewall=live))
        scopes = {
            port: str(exposer.reach(build.listener(f"{port}/tcp")).scope) for port in (5432, 9100)
        }
        run(f"nft delete table inet {TABLE}")
        assert run("nft list ruleset") == before
        assert "everyone" not in scopes.values()
        assert scopes[5432] == "nobody"

    in_own_network(work)
