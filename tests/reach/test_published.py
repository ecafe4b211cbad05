"""Ports that rules alone pass on, in rulesets that real engines wrote."""

from pathlib import Path

import pytest

import build
from portward import flow
from portward.model.case import Case
from portward.model.host import Container, Facing, Kernel, Listener, PublishedPort, Snapshot
from portward.model.net import Protocol
from portward.model.status import Exposure, Scope, Verdict
from portward.reach.exposure import Exposer

RULESETS = Path(__file__).parents[1] / "captures/rulesets"
FORWARDS = (build.sysctl("net.ipv4.ip_forward", "1"),)
BRIDGES = tuple(
    build.interface(
        name, addresses=(address,), kind="bridge", facing=Facing.BRIDGE, default_route=False
    )
    for name, address in (("docker0", "172.17.0.1/16"), ("podman0", "10.88.0.1/16"))
)


def machine(name: str, *listeners: Listener, **facts: object) -> Snapshot:
    """A machine with the rules of a capture, and the bridges of the engines."""
    saved = RULESETS / f"{name}.iptables"
    firewall = build.firewall(
        nft=(RULESETS / f"{name}.json").read_text(), iptables=saved.read_text()
    )
    given = {
        "firewall": firewall,
        "interfaces": (build.LOOPBACK, build.interface(), *BRIDGES),
        "sysctls": FORWARDS,
    }
    return build.snapshot(*listeners, **given | facts)


def judged(snapshot: Snapshot, tmp_path: Path) -> Case:
    policy = tmp_path / "policy.toml"
    policy.write_text('roles = ["web-server"]\n')
    return flow.case(snapshot, day=build.DAY, policy_file=policy)


MARKED = """
*mangle
:PREROUTING ACCEPT [0:0]
-A PREROUTING -p tcp --dport 8443 -j MARK --set-mark 1
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
-A PREROUTING -m mark --mark 1 -j DNAT --to-destination 172.17.0.2:443
COMMIT
"""


def test_a_port_that_a_mark_stands_for() -> None:
    snapshot = build.snapshot(
        firewall=build.firewall(iptables_legacy=MARKED),
        interfaces=(build.LOOPBACK, build.interface(), *BRIDGES),
        sysctls=FORWARDS,
    )
    (one,) = Exposer(snapshot).passed_on()
    assert (one.protocol, one.port) == (Protocol.TCP, 8443)


@pytest.mark.parametrize(
    ("name", "port", "as_input"),
    [
        ("docker", 8090, Scope.EVERYONE),
        ("docker_ufw", 8090, Scope.NOBODY),
        ("podman", 8092, Scope.EVERYONE),
        ("podman_inet_input_drop", 8092, Scope.NOBODY),
        ("k8s-like", 30080, Scope.EVERYONE),
    ],
)
def test_a_port_without_a_socket(name: str, port: int, as_input: Scope, tmp_path: Path) -> None:
    (exposure,) = judged(machine(name), tmp_path).exposures
    listener = exposure.listener
    assert (listener.protocol, listener.address, listener.port) == (Protocol.TCP, "0.0.0.0", port)
    assert listener.process == Kernel(name="netfilter")
    assert exposure.reach.scope == Scope.EVERYONE
    assert any("DNAT" in one.rule.words for one in exposure.reach.decided_by)
    assert exposure.verdict == Verdict.NOT_ALLOWED
    assert exposure.unforwarded is not None
    assert exposure.unforwarded.scope == as_input


def test_the_engine_tells_the_container(tmp_path: Path) -> None:
    port = PublishedPort(protocol=Protocol.TCP, address="0.0.0.0", port=8090, container_port=8090)
    shop = Container(name="shop", id="c0ffee", engine="docker", image=None, published=(port,))
    (exposure,) = judged(machine("docker", containers=(shop,)), tmp_path).exposures
    assert exposure.listener.container == "shop"
    assert exposure.reach.scope == Scope.EVERYONE


def test_a_port_that_the_engine_names_and_no_rule_passes_on_is_reached_by_nobody(
    tmp_path: Path,
) -> None:
    port = PublishedPort(protocol=Protocol.TCP, address="0.0.0.0", port=8099, container_port=80)
    shop = Container(name="shop", id="c0ffee", engine="docker", image=None, published=(port,))
    exposures = judged(machine("docker", containers=(shop,)), tmp_path).exposures
    reached: dict[int, Exposure] = {one.listener.port: one for one in exposures}
    assert reached[8099].reach.scope == Scope.NOBODY


def test_the_socket_of_a_proxy_stands_for_its_port(tmp_path: Path) -> None:
    proxy = build.listener("8090/tcp", exe="/usr/bin/docker-proxy", container="shop")
    (exposure,) = judged(machine("docker", proxy), tmp_path).exposures
    assert exposure.listener == proxy
    assert exposure.unforwarded is not None


@pytest.mark.parametrize(
    ("name", "scope"), [("docker_ufw", Scope.NOBODY), ("podman", Scope.EVERYONE)]
)
def test_what_no_rule_names(name: str, scope: Scope) -> None:
    found = Exposer(machine(name)).defaults()
    assert [(one.family, one.protocol) for one in found] == [("ipv4", "tcp"), ("ipv4", "udp")]
    assert {one.reach.scope for one in found} == {scope}


def test_over_an_address_of_the_link_only_neighbours_come() -> None:
    link = build.interface(addresses=("fe80::7/64",))
    routed = build.interface(addresses=("fe80::7/64", "2001:db8::7/64"))
    listener = build.listener("22/tcp", "::")
    for interface, scope, networks in (
        (link, Scope.NETWORKS, ("fe80::/64 (eth0)",)),
        (routed, Scope.EVERYONE, ()),
    ):
        snapshot = build.snapshot(
            listener,
            interfaces=(build.LOOPBACK, interface),
            firewall=build.firewall(nft=None),
        )
        reach = Exposer(snapshot).reach(listener)
        assert (reach.scope, reach.networks) == (scope, networks)
