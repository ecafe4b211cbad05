"""Applied where other tools are at work: closed to the world, and nothing of theirs breaks."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest

from guest.applying import portward
from guest.conftest import install_clone
from guest.machine import Guest, image
from guest.scenes import PACKAGES, SCENES, Goal, Net, Stand, knock, prepare, reset
from guest.test_reach_tools import take_snapshot
from reach.captures import Capture, Knock, disagreements

pytestmark = [pytest.mark.guest, pytest.mark.root]

POLICY = """\
roles = ["web-server", "container-host"]
[[allow]]
port = "8082/tcp"
from = "any"
reason = "what a container publishes, and is meant"
"""
ANYONE = {80, 443, 8082}
INSIDE = {22, 9100}
"""For private networks."""
BESIDE = (
    *("bare", "ufw", "firewalld", "fail2ban", "libvirt", "podman"),
    *("docker", "docker-and-ufw", "docker-and-firewalld"),
)
Row = dict[str, Any]


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    with Guest(image(*PACKAGES)) as guest:
        install_clone(guest)
        prepare(guest)
        guest.boot()
        net = Net(guest)
        (guest.tree / "root/policy.toml").write_text(POLICY)
        try:
            yield net
        finally:
            net.close()


def answered(rows: list[Row]) -> dict[tuple[object, ...], bool]:
    """Return for each knock whether anybody answered; what a limit decides is left out."""
    return {
        (row["device"], row["source"], row["address"], row["port"], row["protocol"]): any(
            row["reached"]
        )
        for row in rows
        if not row["limited"]
    }


def settled(guest: Guest, places: list[Stand], goals: list[Goal]) -> dict[tuple[object, ...], bool]:
    """Knock until two rounds are alike: servers and docker's answer to firewalld take a moment."""
    found = answered(knock(guest, places, goals))
    for _ in range(5):
        again = answered(knock(guest, places, goals))
        if again == found:
            break
        found = again
    return found


@pytest.mark.parametrize("name", BESIDE)
def test_a_machine_of_other_tools_is_closed_works_on_and_comes_back(net: Net, name: str) -> None:
    guest = net.guest
    reset(guest)
    stands, goals = SCENES[name].set_up(guest, net)
    places: list[Stand] = [*net.stands, *stands]
    before = settled(guest, places, goals)
    portward(guest, "apply", "--policy", "/root/policy.toml", "--yes", "--confirm-within", "300")
    try:
        rows = knock(guest, places, goals)
        after = answered(rows)
        capture = Capture(
            tools={},
            snapshot=take_snapshot(guest),
            knocks=msgspec.convert(rows, tuple[Knock, ...]),
        )
        assert disagreements(capture) == []
        outside = {stand.device for stand in net.stands}
        for key, reached in after.items():
            device, source, address, port, _ = key
            if reached and device in outside:
                private = ip_address(str(source)).is_private
                assert port in (ANYONE | INSIDE if private else ANYONE), key
            # What the policy allows goes on, and what containers and machines do among themselves
            # and towards the world.
            own = address in {*net.own, *net.own_lan, f"{net.behind}.1"}
            if before[key] and (port in ANYONE if device in outside else not own):
                assert reached or (device in outside and not own), key
    finally:
        portward(guest, "rollback")
    assert settled(guest, places, goals) == before
    assert "portward" not in guest.run("nft", "list", "tables").stdout
