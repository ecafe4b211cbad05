"""Machines that real tools set up let in exactly whom the model says: replayed from captures."""

from pathlib import Path

import msgspec
import pytest

from portward.model.unknown import Unknown
from portward.reach import load
from reach.captures import Capture, disagreements, misstatements

MACHINES = Path(__file__).parent.parent / "captures" / "machines"
CAPTURES = sorted(MACHINES.glob("*.json"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_model_says_what_the_kernel_did(path: Path) -> None:
    capture = msgspec.json.decode(path.read_bytes(), type=Capture)
    assert disagreements(capture) == []


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_status_says_what_the_kernel_did(path: Path) -> None:
    capture = msgspec.json.decode(path.read_bytes(), type=Capture)
    assert misstatements(capture) == []


def test_every_tool_was_captured() -> None:
    tools = {
        tool
        for path in CAPTURES
        for tool in msgspec.json.decode(path.read_bytes(), type=Capture).tools
    }
    assert tools >= {"ufw", "firewalld", "docker.io", "libvirt-daemon", "fail2ban", "nftables"}
    assert tools >= {"podman", "netavark", "containernetworking-plugins"}


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_no_match_of_a_real_tool_is_unknown(path: Path) -> None:
    snapshot = msgspec.json.decode(path.read_bytes(), type=Capture).snapshot
    assert not isinstance(snapshot.firewall, Unknown)
    ruleset = load.ruleset(snapshot.firewall)
    assert not isinstance(ruleset, Unknown)
    assert "Opaque(" not in repr(ruleset)
    assert ruleset.tables or path.stem == "bare"


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_a_capture_has_open_and_closed_ports(path: Path) -> None:
    capture = msgspec.json.decode(path.read_bytes(), type=Capture)
    closed = {None in knock.reached for knock in capture.knocks}
    assert closed == ({False} if path.stem == "bare" else {True, False})
