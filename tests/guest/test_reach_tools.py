"""What real firewall tools set up in a guest lets in exactly whom the model says.

With PORTWARD_CAPTURE=FOLDER the machines are kept there, for the tests that need no guest.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from guest.conftest import OFFLINE, install_clone
from guest.machine import Guest, image
from guest.scenes import PACKAGES, SCENES, Net, knock, prepare, reset
from portward.model.host import HOST, Snapshot
from portward.model.unknown import NOT_SURVEYED
from reach.captures import Capture, Knock, disagreements, misstatements

pytestmark = [pytest.mark.guest, pytest.mark.root]

SETTINGS = ("rp_filter", "route_localnet", "forwarding", "ip_forward")
"""Sysctls that decide a packet's way."""


@pytest.fixture(scope="module")
def net() -> Iterator[Net]:
    with Guest(image(*PACKAGES)) as guest:
        install_clone(guest)
        prepare(guest)
        guest.boot()
        net = Net(guest)
        try:
            yield net
        finally:
            net.close()


def take_snapshot(guest: Guest) -> Snapshot:
    """Let portward look at the guest from inside; keep what decides who reaches what."""
    words = ("snapshot", "--force", "--output", "/root/taken.json")
    guest.run("/root/portward/portward", *words, env=OFFLINE)
    whole = msgspec.json.decode((guest.tree / "root/taken.json").read_bytes(), type=Snapshot)
    assert isinstance(whole.listeners, tuple)
    assert isinstance(whole.sysctls, tuple)
    return msgspec.structs.replace(
        whole,
        listeners=tuple(
            msgspec.structs.replace(
                one, process=NOT_SURVEYED, unit=NOT_SURVEYED, package=NOT_SURVEYED, inodes=()
            )
            for one in whole.listeners
            if one.namespace == HOST
        ),
        namespaces=NOT_SURVEYED,
        inetd=NOT_SURVEYED,
        units=NOT_SURVEYED,
        packages=NOT_SURVEYED,
        updates=NOT_SURVEYED,
        antivirus=NOT_SURVEYED,
        sysctls=tuple(one for one in whole.sysctls if one.key.endswith(SETTINGS)),
    )


def versions(guest: Guest, packages: tuple[str, ...]) -> dict[str, str]:
    if not packages:
        return {}
    shown = guest.run("dpkg-query", "--show", "--showformat=${Package} ${Version}\n", *packages)
    return dict(line.split() for line in shown.stdout.splitlines())


def test_the_published_ports_of_podman_are_those_that_it_says(net: Net) -> None:
    guest = net.guest
    reset(guest)
    SCENES["podman"].set_up(guest, net)
    containers = take_snapshot(guest).containers
    assert isinstance(containers, tuple)
    found = {}
    for one in containers:
        assert isinstance(one.published, tuple)
        (shown,) = json.loads(guest.run("podman", "inspect", one.name).stdout)
        bindings = shown["NetworkSettings"]["Ports"]
        assert {
            (f"{port.container_port}/{port.protocol}", port.address, str(port.port))
            for port in one.published
        } == {
            (inside, outer["HostIp"] or "0.0.0.0", outer["HostPort"])
            for inside, outers in bindings.items()
            for outer in outers or ()
        }
        found[one.name] = len(one.published)
    assert found == {"web": 2, "idle": 0}


@pytest.mark.parametrize("name", SCENES)
def test_the_model_says_what_the_kernel_does(net: Net, name: str) -> None:
    scene, guest = SCENES[name], net.guest
    reset(guest)
    stands, goals = scene.set_up(guest, net)
    snapshot = take_snapshot(guest)
    knocks = msgspec.convert(knock(guest, [*net.stands, *stands], goals), tuple[Knock, ...])
    capture = Capture(tools=versions(guest, scene.tools), snapshot=snapshot, knocks=knocks)
    folder = os.environ.get("PORTWARD_CAPTURE")
    if folder:
        text = msgspec.json.format(msgspec.json.encode(capture), indent=1)
        Path(folder, f"{name}.json").write_bytes(text + b"\n")
    assert disagreements(capture) == []
    assert misstatements(capture) == []
    limited = [one for one in knocks if one.limited]
    assert not limited or any(len(one.reached) > 1 for one in limited)
