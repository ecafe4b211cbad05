"""Interfaces that belong to a bridge or a bond bring in packets in its name."""

from msgspec.structs import replace

from portward.model.net import Family
from portward.reach import offline
from portward.reach.host import host

FILE = b'{"interfaces": [{"name": "br0"}, {"name": "veth1"}, {"name": "eth0"}]}'


def test_members_of_a_bridge_are_no_way_in() -> None:
    snapshot = offline.host(FILE, "file")
    assert isinstance(snapshot.interfaces, tuple)
    bridge, member, other = snapshot.interfaces
    parts = (replace(bridge, kind="bridge"), replace(member, master="br0"), other)
    found = host(replace(snapshot, interfaces=parts), Family.IPV4)
    assert found.devices == ("br0", "eth0")


def test_members_of_a_vrf_keep_their_names() -> None:
    snapshot = offline.host(FILE, "file")
    assert isinstance(snapshot.interfaces, tuple)
    vrf, member, other = snapshot.interfaces
    parts = (replace(vrf, kind="vrf"), replace(member, master="br0"), other)
    found = host(replace(snapshot, interfaces=parts), Family.IPV4)
    assert found.devices == ("br0", "veth1", "eth0")
