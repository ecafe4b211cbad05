"""Ports that the kernel itself holds: no process owns them, so other evidence must name them."""

import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from portward.model.net import MAX_PORT, Protocol
from portward.survey import files
from portward.survey.netlink import (
    NETLINK_ROUTE,
    Netlink,
    NetlinkError,
    attribute,
    attributes,
    messages,
)
from portward.survey.rtnetlink import LINKS, RTM_GETLINK

HERE = Path("/")
Port = tuple[Protocol, int]

_IFINFO_BYTES = 16  # struct ifinfomsg
_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_INFO_KIND, _IFLA_INFO_DATA = 3, 18, 1, 2
_TUNNEL_PORT = {"vxlan": 15, "geneve": 5, "bareudp": 1}
"""Attribute of IFLA_INFO_DATA with the UDP port, big-endian (include/uapi/linux/if_link.h)."""

NETLINK_GENERIC = 16
_GENL_BYTES = 4  # struct genlmsghdr
_GENL_ID_CTRL, _GETFAMILY = 16, 3
_CTRL_ATTR_FAMILY_ID, _CTRL_ATTR_FAMILY_NAME = 1, 2
_WG_CMD_GET_DEVICE, _WGDEVICE_A_IFNAME, _WGDEVICE_A_LISTEN_PORT = 0, 2, 6
"""include/uapi/linux/wireguard.h"""


def kernel_sockets(root: Path = HERE) -> dict[Port, str]:
    """Name what the kernel listens with, in the network namespace of the calling thread.

    Every port is one that the kernel says it uses: in nfsd's port list, a tunnel's settings,
    the targets of configfs. An unowned port that is not among them stays unowned.
    """
    found = dict(_nfsd(root))
    found.update(_targets(root))
    found.update(_tunnels())
    return found


# --- files ----------------------------------------------------------------------------------


def parse_portlist(text: str) -> Iterator[Port]:
    """Read nfsd's portlist: ``tcp 2049``; RDMA has no port of the network's kind."""
    for line in text.splitlines():
        protocol, _, number = line.partition(" ")
        if protocol in {"tcp", "udp"} and number.isascii() and number.isdigit():
            yield Protocol(protocol), int(number)


def _nfsd(root: Path) -> Iterator[tuple[Port, str]]:
    try:
        for port in parse_portlist(files.read_text(root, "/proc/fs/nfsd/portlist")):
            yield port, "nfsd"
    except OSError:
        pass
    for protocol in (Protocol.TCP, Protocol.UDP):
        try:
            number = int(files.read_text(root, f"/proc/sys/fs/nfs/nlm_{protocol}port"))
        except (OSError, ValueError):
            continue
        if 0 < number <= MAX_PORT:  # 0: wherever there is room, and nothing says where
            yield (protocol, number), "lockd"


def _targets(root: Path) -> Iterator[tuple[Port, str]]:
    """Read the portals of iSCSI and NVMe targets from configfs."""
    base = "/sys/kernel/config/target/iscsi"
    for target in _listed(root, base):
        for group in _listed(root, f"{base}/{target}"):
            for portal in _listed(root, f"{base}/{target}/{group}/np"):
                number = portal.rpartition(":")[2]
                if number.isascii() and number.isdigit():
                    yield (Protocol.TCP, int(number)), "iscsi target"
    base = "/sys/kernel/config/nvmet/ports"
    for port in _listed(root, base):
        try:
            if files.read_text(root, f"{base}/{port}/addr_trtype").strip() == "tcp":
                number = files.read_text(root, f"{base}/{port}/addr_trsvcid").strip()
                yield (Protocol.TCP, int(number)), "nvme target"
        except (OSError, ValueError):
            continue


def _listed(root: Path, path: str) -> list[str]:
    try:
        return files.names(root, path)
    except OSError:
        return []


# --- interfaces -----------------------------------------------------------------------------


def _tunnels() -> Iterator[tuple[Port, str]]:
    try:
        with Netlink(NETLINK_ROUTE) as netlink:
            found = list(tunnels(netlink.dump(RTM_GETLINK, LINKS)))
        for kind, _, port in found:
            if port is not None:
                yield (Protocol.UDP, port), kind
        names = [name for kind, name, _ in found if kind == "wireguard"]
        if names:
            yield from _wireguard(names)
    except (OSError, NetlinkError):
        return


def tunnels(datagrams: Iterable[bytes]) -> Iterator[tuple[str, bytes, int | None]]:
    """Yield kind, name and UDP port of each tunnel in the answer to RTM_GETLINK (pure).

    A WireGuard interface does not say its port here. NetlinkError where the answer is damaged.
    """
    for _, body in messages(datagrams):
        link = dict(attributes(body, _IFINFO_BYTES))
        info = dict(attributes(link.get(_IFLA_LINKINFO, b"")))
        kind = bytes(info.get(_IFLA_INFO_KIND, b"")).rstrip(b"\0").decode("ascii", "replace")
        if kind == "wireguard":
            yield kind, bytes(link.get(_IFLA_IFNAME, b"")), None
        elif kind in _TUNNEL_PORT:
            port = dict(attributes(info.get(_IFLA_INFO_DATA, b""))).get(_TUNNEL_PORT[kind])
            if port is not None:
                yield kind, bytes(link.get(_IFLA_IFNAME, b"")), int.from_bytes(port, "big")


def _wireguard(names: list[bytes]) -> Iterator[tuple[Port, str]]:
    """Ask WireGuard for the ports of its interfaces (needs CAP_NET_ADMIN)."""
    with Netlink(NETLINK_GENERIC) as netlink:
        family = _family(netlink, b"wireguard\0")
        if family is None:
            return
        request = struct.pack("=BBxx", _WG_CMD_GET_DEVICE, 1)
        for name in names:
            answer = netlink.dump(family, request + attribute(_WGDEVICE_A_IFNAME, name))
            for port in listen_ports(answer):
                yield (Protocol.UDP, port), "wireguard"


def listen_ports(datagrams: Iterable[bytes]) -> Iterator[int]:
    """Read the answer to WG_CMD_GET_DEVICE; NetlinkError where it is damaged (pure)."""
    for _, body in messages(datagrams):
        port = dict(attributes(body, _GENL_BYTES)).get(_WGDEVICE_A_LISTEN_PORT)
        if port is not None and any(port):
            yield int.from_bytes(port, sys.byteorder)


def _family(netlink: Netlink, name: bytes) -> int | None:
    """Return the number that generic netlink gave a family."""
    for _, body in messages(netlink.dump(_GENL_ID_CTRL, struct.pack("=BBxx", _GETFAMILY, 1))):
        found = dict(attributes(body, _GENL_BYTES))
        if bytes(found.get(_CTRL_ATTR_FAMILY_NAME, b"")) == name and _CTRL_ATTR_FAMILY_ID in found:
            return int.from_bytes(found[_CTRL_ATTR_FAMILY_ID], sys.byteorder)
    return None
