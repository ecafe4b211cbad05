import contextlib
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portward.model.net import Protocol
from portward.survey.kernel_sockets import kernel_sockets, listen_ports, parse_portlist, tunnels
from portward.survey.namespaces import inside, namespaces
from portward.survey.netlink import NetlinkError, attribute

NAMESPACE = "portward-kernel-sockets"


def ip(*arguments: str) -> bool:
    command = ["ip", "-n", NAMESPACE, *arguments]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.fixture
def namespace() -> Iterator[str]:
    subprocess.run(["ip", "netns", "add", NAMESPACE], check=True)
    yield NAMESPACE
    subprocess.run(["ip", "netns", "delete", NAMESPACE], check=True)


def look() -> dict[tuple[Protocol, int], str]:
    (there,) = (one for one in namespaces()[0] if one.mounted == NAMESPACE)
    return inside(there, kernel_sockets)


@pytest.mark.root
@pytest.mark.usefixtures("namespace")
def test_tunnels_name_their_ports() -> None:
    made = {
        (Protocol.UDP, port): kind
        for kind, port, arguments in (
            ("vxlan", 4790, ("id", "7", "dstport", "4790")),
            ("geneve", 6082, ("id", "7", "remote", "127.0.0.9", "dstport", "6082")),
        )
        if ip("link", "add", f"{kind}0", "type", kind, *arguments)
    }
    assert made, "this kernel has neither vxlan nor geneve"
    assert look() == made


def test_wireguard_names_its_port() -> None:
    def answer(port: int) -> bytes:
        attributes = attribute(2, b"wg0\0") + attribute(6, struct.pack("=H", port))
        body = struct.pack("=BBxx", 0, 1) + attribute(1, b"\7\0\0\0") + attributes
        return struct.pack("=IHHII", 16 + len(body), 0x1D, 2, 1, 0) + body

    # A second message of the same interface (it has many peers) does not repeat the port.
    assert list(listen_ports([answer(51820), answer(0)])) == [51820]


@pytest.mark.root
@pytest.mark.usefixtures("namespace")
def test_an_interface_without_ports_names_none() -> None:
    assert ip("link", "add", "br0", "type", "bridge")
    assert look() == {}


def write(root: Path, path: str, text: str = "") -> None:
    place = root / path.lstrip("/")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def test_servers_in_the_kernel(tmp_path: Path) -> None:
    write(tmp_path, "/proc/fs/nfsd/portlist", "rdma 20049\nudp 2049\ntcp 2049\n")
    write(tmp_path, "/proc/sys/fs/nfs/nlm_tcpport", "32803\n")
    write(tmp_path, "/proc/sys/fs/nfs/nlm_udpport", "0\n")
    target = "/sys/kernel/config/target/iscsi/iqn.2026-01.example:disk/tpgt_1/np"
    (tmp_path / target.lstrip("/") / "0.0.0.0:3260").mkdir(parents=True)
    write(tmp_path, "/sys/kernel/config/nvmet/ports/1/addr_trtype", "tcp\n")
    write(tmp_path, "/sys/kernel/config/nvmet/ports/1/addr_trsvcid", "4420\n")
    found = {port: name for port, name in kernel_sockets(tmp_path).items() if name != "vxlan"}
    assert found == {
        (Protocol.UDP, 2049): "nfsd",
        (Protocol.TCP, 2049): "nfsd",
        (Protocol.TCP, 32803): "lockd",
        (Protocol.TCP, 3260): "iscsi target",
        (Protocol.TCP, 4420): "nvme target",
    }


@given(st.text())
def test_any_portlist_is_read(text: str) -> None:
    list(parse_portlist(text))


@given(st.lists(st.binary(max_size=200)))
def test_damaged_netlink_is_a_netlink_error(datagrams: list[bytes]) -> None:
    for read in (tunnels, listen_ports):
        with contextlib.suppress(NetlinkError):
            list(read(datagrams))
