from portward.model.host import Facing
from portward.survey.interfaces import join
from portward.survey.rtnetlink import AF_INET, IFF_UP, Address, Hop, Link


def link(ifindex: int, name: str, kind: str = "physical", master: int | None = None) -> Link:
    return Link(ifindex, name, kind, IFF_UP, master, promiscuous=False, xdp=False)


def test_a_port_faces_what_its_bridge_faces() -> None:
    default = Hop(AF_INET, b"", 0, 254, 9, bytes([8, 8, 8, 1]), None)
    port, bridge = join(
        [link(2, "eth0", master=9), link(9, "br0", "bridge")],
        [Address(9, bytes([8, 8, 8, 8]), 24)],
        [default],
    )
    assert (bridge.facing, port.facing) == (Facing.INTERNET, Facing.INTERNET)
    assert port.facing_reason == f"a port of br0: {bridge.facing_reason}"
    assert port.master == "br0"


def test_a_bridge_of_the_local_network_is_no_bridge_to_containers() -> None:
    port, bridge = join(
        [link(2, "eth1", master=9), link(9, "br-lan", "bridge")],
        [Address(9, bytes([192, 168, 1, 1]), 24)],
        [],
    )
    assert (bridge.facing, port.facing) == (Facing.PRIVATE, Facing.PRIVATE)


def test_a_master_that_vanished_meanwhile() -> None:
    (port,) = join([link(2, "eth0", master=9)], [], [])
    assert port.master is None
    assert port.facing == Facing.PRIVATE
