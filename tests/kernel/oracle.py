"""The kernel as judge: rulesets are loaded, packets injected, and their fate is read.

The calling thread has a network namespace of its own (``in_own_network``). eth0 is an Ethernet,
wg0 and dmz0 are point-to-point; all end in this process, which is the rest of the world. What
gets past the input hook is read from raw sockets, what is passed on or refused from the devices.
"""

import fcntl
import os
import socket
import struct
from pathlib import Path
from typing import NamedTuple

from kernel.libnftables import Nft
from kernel.probes import (
    DROPPED,
    HOPS,
    ICMP,
    ICMPV6,
    REJECTED,
    TCP,
    UDP,
    Answer,
    Group,
    delivered,
    is_reset,
    left,
)
from own_network import run
from portward.model.host import Interface, Route, Sysctl
from portward.model.unknown import Unknown
from portward.survey.interfaces import interfaces, routes
from portward.survey.sysctls import sysctls

_TUNSETIFF = 0x400454CA
_TUN, _TAP, _NO_PI = 1, 2, 0x1000
_SO_RCVBUFFORCE = 33
_ETHERNET = bytes.fromhex("02000000000102000000000f")
_KINDS = {"eth0": _TAP, "wg0": _TUN, "dmz0": _TUN}
_ADDRESSES = {
    "eth0": ("10.0.0.1/24", "fd00::1/64", "192.0.2.5/28"),
    "wg0": ("10.8.0.1/24", "fd08::1/64"),
    "dmz0": ("172.16.0.1/24", "fd16::1/64"),
}
BATCH = 60_000
"""No more packets at once than the field for their number can tell apart."""


class World(NamedTuple):
    """What of the machine decides besides its ruleset; each is one variant under test."""

    rp_filter: int = 0
    forwarding: int = 1
    default: bool = True


class Oracle:
    """A machine with three interfaces, alone in its namespace."""

    def __init__(self, *, bridged: bool = False) -> None:
        """Bridged: eth0 is the only port of the bridge br0, which has its addresses.

        Without ARP a bridge sends nothing out, so that then only what comes in is judged.
        """
        self.nft = Nft()
        self.bridged = bridged
        self._outer = "br0" if bridged else "eth0"
        self._devices: dict[str, int] = {}
        for name, kind in _KINDS.items():
            device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22x", name.encode(), kind | _NO_PI))
            self._devices[name] = device
        for path in ("ipv6/conf/all", "ipv6/conf/default"):
            for key, value in {"accept_dad": 0, "accept_ra": 0, "router_solicitations": 0}.items():
                _set(f"{path}/{key}", value)
        _set("ipv6/conf/default/addr_gen_mode", 1)
        run("ip link set lo up")
        for key, addresses in _ADDRESSES.items():
            name = self._outer if key == "eth0" else key
            if name == "br0":
                run("ip link add br0 address 02:00:00:00:00:01 type bridge")
                run("ip link set eth0 master br0 up")
            run(
                *(f"ip address add {one} dev {name}{' nodad' * (':' in one)}" for one in addresses),
                f"ip link set {name} address 02:00:00:00:00:01" if key == "eth0" else "true",
                f"ip link set {name} arp off txqueuelen 100000 up",
            )
        _set("ipv4/icmp_ratemask", 0)
        _set("ipv6/icmp/ratelimit", 0)
        Path("/proc/sys/net/ipv6/icmp/ratemask").write_text("\n", encoding="ascii")
        _set("netfilter/nf_conntrack_tcp_loose", 1)
        self._world: World | None = None
        self.resets: set[int] = set()
        self._taps: list[tuple[socket.socket, int]] = []
        for family, protocols in (
            (socket.AF_INET, (TCP, UDP, ICMP)),
            (socket.AF_INET6, (TCP, UDP, ICMPV6)),
        ):
            for protocol in protocols:
                tap = socket.socket(family, socket.SOCK_RAW, protocol)
                tap.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 28)
                if family == socket.AF_INET6:
                    tap.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
                    tap.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
                tap.settimeout(0)
                self._taps.append((tap, protocol))
        self._tracking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)

    def close(self) -> None:
        for device in self._devices.values():
            os.close(device)
        for tap, _ in self._taps:
            tap.close()
        self._tracking.close()
        self.nft.close()

    def enter(self, world: World) -> None:
        """Make the machine another one."""
        if world == self._world:
            return
        _set("ipv4/ip_forward", world.forwarding)
        _set("ipv6/conf/all/forwarding", world.forwarding)
        for name in ("all", "default", self._outer, *_KINDS):
            _set(f"ipv4/conf/{name}/rp_filter", world.rp_filter if name != "all" else 0)
            _set(f"ipv4/conf/{name}/send_redirects", 0)
        for version in ("-4", "-6"):
            if world.default:
                run(f"ip {version} route replace default dev {self._outer}")
            elif self._world is None or self._world.default:
                run(f"ip {version} route flush default")
        if self.bridged:
            # Of some worlds: what the hooks of IP do inside of a bridge is undecided then.
            for key in ("iptables", "ip6tables"):
                Path(f"/proc/sys/net/bridge/bridge-nf-call-{key}").write_text(
                    str(int(world.rp_filter == 1)), encoding="ascii"
                )
        self._world = world

    @staticmethod
    def survey() -> tuple[tuple[Interface, ...], tuple[Route, ...], tuple[Sysctl, ...]]:
        """Return what portward finds here."""
        found, ways, settings = interfaces(), routes(), sysctls(Path("/"))
        assert not isinstance(found, Unknown)
        assert not isinstance(ways, Unknown)
        assert not isinstance(settings, Unknown)
        return found, ways, settings

    def seen(self, group: Group) -> Group:
        """Return packets as they are seen behind a bridge."""
        in_bridge = self.bridged and group.device == "eth0"
        return group._replace(device="br0") if in_bridge else group

    def load(self, text: str) -> str:
        """Load a ruleset and return it as ``nft -j`` lists it; Refused if it is none."""
        self.nft.run("flush ruleset")
        self.nft.load(text)
        return self.nft.listing()

    def ask(self, groups: list[Group]) -> list[list[Answer]]:
        """Inject packets and return what became of each.

        Afterwards ``resets`` has the numbers of those whose sender got a reset, counted from 1.
        """
        self._forget()
        first = 1
        for group in groups:
            device = self._devices[group.device]
            head = b""
            if _KINDS[group.device] == _TAP:
                head = _ETHERNET + (b"\x08\x00" if group.bits == 32 else b"\x86\xdd")
            for packet in group.packets(first):
                os.write(device, head + packet)
            first += len(group.sources)
        assert first < BATCH
        answers = [DROPPED] * first
        self.resets = set()
        self._read_devices(answers)
        self._read_taps(answers)
        split, at = [], 1
        for group in groups:
            split.append(answers[at : at + len(group.sources)])
            at += len(group.sources)
        return split

    def _read_devices(self, answers: list[Answer]) -> None:
        for name, device in self._devices.items():
            skip = 14 if _KINDS[name] == _TAP else 0
            for _ in range(2 * BATCH):
                try:
                    data = os.read(device, 2048)[skip:]
                except BlockingIOError:
                    break
                found = left(data, name)
                if found and 0 < found[0] < len(answers):
                    number, answer = found
                    if is_reset(data):
                        self.resets.add(number)
                    if answer != REJECTED or answers[number] == DROPPED:
                        answers[number] = answer

    def _read_taps(self, answers: list[Answer]) -> None:
        for tap, protocol in self._taps:
            for _ in range(2 * BATCH):
                try:
                    if tap.family == socket.AF_INET:
                        data = tap.recv(2048)
                        if data[8] != HOPS:  # what the kernel sent to itself
                            continue
                        number, answer = delivered(data, None, protocol)
                    else:
                        data, extra, _, _ = tap.recvmsg(2048, 128)
                        more = {kind: body for _, kind, body in extra}
                        if more[socket.IPV6_HOPLIMIT][0] != HOPS:
                            continue
                        daddr = int.from_bytes(more[socket.IPV6_PKTINFO][:16], "big")
                        number, answer = delivered(data, daddr, protocol)
                except BlockingIOError:
                    break
                if 0 < number < len(answers):
                    answers[number] = answer

    def _forget(self) -> None:
        """Flush connection tracking (IPCTNL_MSG_CT_DELETE), and what was read by nobody."""
        head = struct.pack("=IHHII", 20, 0x0102, 5, 1, 0)
        for family in (socket.AF_INET, socket.AF_INET6):
            self._tracking.send(head + struct.pack("=BBH", family, 0, 0))
            self._tracking.recv(4096)
        sink = [DROPPED]
        self._read_devices(sink)
        self._read_taps(sink)


def _set(path: str, value: int) -> None:
    Path(f"/proc/sys/net/{path}").write_text(str(value), encoding="ascii")
