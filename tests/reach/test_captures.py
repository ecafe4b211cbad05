"""Machines that real tools set up let in exactly whom the model says: replayed from captures."""

from pathlib import Path

import msgspec
import pytest

from reach.captures import Capture, disagreements

MACHINES = Path(__file__).parent.parent / "captures" / "machines"
CAPTURES = sorted(MACHINES.glob("*.json"))


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_the_model_says_what_the_kernel_did(path: Path) -> None:
    capture = msgspec.json.decode(path.read_bytes(), type=Capture)
    assert disagreements(capture) == []


def test_every_tool_was_captured() -> None:
    tools = {
        tool
        for path in CAPTURES
        for tool in msgspec.json.decode(path.read_bytes(), type=Capture).tools
    }
    assert tools >= {"ufw", "firewalld", "docker.io", "podman", "libvirt-daemon", "fail2ban"}


@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_a_capture_has_open_and_closed_ports(path: Path) -> None:
    capture = msgspec.json.decode(path.read_bytes(), type=Capture)
    closed = {None in knock.reached for knock in capture.knocks}
    assert closed == ({False} if path.stem == "bare" else {True, False})
