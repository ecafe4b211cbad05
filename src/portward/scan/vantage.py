"""A place outside of this machine, made on this machine: a network of its own, joined by one cable.

The machine sees real packets come in by the cable (a veth pair), from whichever source address is
wanted. Nothing stays: the network exists as long as a thread of this process lives in it, and with
the network goes the cable, its routes and its addresses, also when the process is killed.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self, TypeVar

from portward.model.errors import ScanError

if TYPE_CHECKING:
    from portward.bpf.objects import Programs

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
_SECONDS = 10
_FAR_END = "outside"
_ROUTER = "fe80::1"
"""This machine, on the cable; the only address that it gets."""
_ETHERNET = 1
"""ARPHRD_ETHER (include/uapi/linux/if_arp.h)."""
_SIOCGIFHWADDR, _IFNAMSIZ, _IFREQ = 0x8927, 16, 40
"""netdevice(7)."""
_WHERE = "a vantage on this machine"


class Vantage:
    """A network outside, from which this machine's addresses are reached by one cable.

    Raises ScanError where it cannot be made: that needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN)
    and the command ip.
    """

    def __init__(self, sources: Iterable[str], targets: Iterable[str], entrance: str = "") -> None:
        """Take the addresses that packets shall come from, and those that they may go to.

        And the interface that they shall come in by, as if they had been received there; without
        one, or where that cannot be had, they come in by the cable.
        """
        self._sources = tuple(sources)
        self._targets = tuple(targets)
        self.device = f"pw-{os.urandom(4).hex()}"
        """This machine's end of the cable."""
        self.entrance = entrance or self.device
        """The interface that packets come in by."""
        self.why_by_the_cable = ""
        """Why not by the interface that was wanted; empty: they do, or none was."""
        self._redirect: Programs | None = None
        self._link = -1
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def __enter__(self) -> Self:
        """Make the network, and plug in the cable."""
        entered: Future[int] = Future()
        # A daemon, so that nothing waits for it where the process ends at once.
        self._thread = threading.Thread(target=self._live, args=(entered,), daemon=True)
        self._thread.start()
        try:
            self._plug_in(entered.result(_SECONDS))
        except OSError as error:
            self.__exit__()
            raise ScanError(
                f"cannot be made: {error.strerror}", where=_WHERE, mend="run as root"
            ) from None
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind."""
        if self._redirect:
            with contextlib.suppress(OSError):
                os.close(self._link)
            self._redirect.close()
        # At once, as the kernel takes its time to end a network that nobody lives in.
        if any(name == self.device for _, name in socket.if_nameindex()):
            _ip(f"link delete {self.device}")
        self._work.put(None)
        self._thread.join(_SECONDS)

    @property
    def _has_ipv6(self) -> bool:
        return any(":" in one for one in self._sources)

    def inside(self, work: Callable[[], T]) -> T:
        """Do something out there and return what it returns."""
        done: Future[T] = Future()

        def do() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
                done.set_exception(error)

        self._work.put(do)
        return done.result()

    def stand_at(self, source: str) -> None:
        """Let everything that is sent from now on come from one of the sources."""
        self.inside(lambda: _ip(f"route replace {_way(source)} src {source}"))

    def _live(self, entered: Future[int]) -> None:
        """Live in the network, and do there what comes."""
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET):
            number = ctypes.get_errno()
            entered.set_exception(OSError(number, os.strerror(number)))
            return
        entered.set_result(threading.get_native_id())
        while work := self._work.get():
            work()

    def _plug_in(self, thread: int) -> None:
        """Join both networks, with routes for the sources here and for everything there."""
        there = f"/proc/{os.getpid()}/task/{thread}/ns/net"
        # What is passed on to another interface must be for its own hardware address.
        near = _mac_of(self.entrance) or _random_mac()
        far = _random_mac()
        _ip(
            f"link add {self.device} address {near} type veth "
            f"peer name {_FAR_END} address {far} netns {there}",
            f"link set {self.device} addrgenmode none",
            f"link set {self.device} up",
            # For IPv6 a neighbour must answer, and none does for an address of another link.
            *((f"address add {_ROUTER}/64 dev {self.device} nodad",) if self._has_ipv6 else ()),
        )
        self.inside(
            lambda: _ip(
                "link set lo up", f"link set {_FAR_END} addrgenmode none", f"link set {_FAR_END} up"
            )
        )
        # Neighbours are told to each other as far as possible: rules about ARP and neighbour
        # discovery are not what is asked about.
        self.inside(
            lambda: _ip(
                *(
                    f"address add {_host(one)} dev {_FAR_END}{_without_check(one)}"
                    for one in self._sources
                ),
                *(f"route add {way}" for way in dict.fromkeys(map(_way, self._sources))),
                *(
                    f"neigh add {one} lladdr {near} dev {_FAR_END} nud permanent"
                    for one in self._targets
                ),
            )
        )
        _ip(
            *(f"route add {_host(one)} dev {self.device}" for one in self._sources),
            *(
                f"neigh add {one} lladdr {far} dev {self.device} nud permanent"
                for one in self._sources
            ),
        )
        for source in self._sources:
            self._expect_answers(source)
        if self.entrance != self.device:
            self._enter_by_it()

    def _enter_by_it(self) -> None:
        """Let packets come in by the other interface, as far as this kernel and its settings do."""
        from portward.bpf.loader import UnavailableError  # noqa: PLC0415 - only where wanted
        from portward.bpf.objects import Programs  # noqa: PLC0415

        wanted, self.entrance = self.entrance, self.device
        if not _mac_of(wanted):
            self.why_by_the_cable = f"{wanted} is no Ethernet device"
        elif _is_strict(wanted):
            self.why_by_the_cable = f"{wanted} takes only what it has a route back to (rp_filter)"
        else:
            try:
                self._redirect = Programs("enter", {})
                index = struct.pack("=I", socket.if_nametoindex(wanted))
                self._redirect.write("entrance", bytes(4), index)
                here = socket.if_nametoindex(self.device)
                self._link = self._redirect.attach(self._redirect.program("enter"), here)
                self.entrance = wanted
            except UnavailableError as error:
                self.why_by_the_cable = str(error)

    def _expect_answers(self, source: str) -> None:
        """Make sure that answers come back, whatever rules of routing this machine has."""
        for target in self._targets:
            if (":" in target) != (":" in source):
                continue
            printed = _ip(f"-j route get {source} from {target}", batch=False)
            if json.loads(printed)[0].get("dev") != self.device:
                raise ScanError(
                    f"what {target} sends to {source} goes elsewhere, by a rule of routing",
                    where=_WHERE,
                    mend="scan from another machine: --from-outside or --via",
                )
            return


def _ip(*commands: str, batch: bool = True) -> str:
    """Run ip(8) on some commands, all in one process."""
    if not commands:
        return ""
    words = ["ip", "-batch", "-"] if batch else ["ip", *commands[0].split()]
    try:
        done = subprocess.run(  # noqa: S603 - words of our own, and addresses that were parsed
            words,
            input="\n".join(commands) if batch else None,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise ScanError("needs the command ip", where=_WHERE, mend="install iproute2") from None
    except subprocess.TimeoutExpired:
        raise ScanError("ip does not end", where=_WHERE) from None
    if done.returncode:
        said = done.stderr.strip().splitlines()
        why = said[0].removeprefix("RTNETLINK answers: ") if said else f"status {done.returncode}"
        mend = "run as root" if "not permitted" in why else ""
        raise ScanError(f"cannot be made: {why}", where=_WHERE, mend=mend)
    return done.stdout


def _way(source: str) -> str:
    """Return the route to everything of a family."""
    if ":" in source:
        return f"::/0 via {_ROUTER} dev {_FAR_END}"
    return f"0.0.0.0/0 dev {_FAR_END}"


def _host(address: str) -> str:
    return f"{address}/128" if ":" in address else f"{address}/32"


def _without_check(address: str) -> str:
    """Skip the search for others with the same address (DAD), for which nobody is there."""
    return " nodad" if ":" in address else ""


def _mac_of(device: str) -> str:
    """Return the hardware address of an Ethernet device; empty for another, or none."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as any_one:
            answer = fcntl.ioctl(any_one, _SIOCGIFHWADDR, device.encode().ljust(_IFREQ, b"\0"))
    except OSError:
        return ""
    kind, address = struct.unpack_from("=H6s", answer, _IFNAMSIZ)
    return address.hex(":") if kind == _ETHERNET and any(address) else ""


def _is_strict(device: str) -> bool:
    """Say whether a device drops what it has no route back to (ip-sysctl: the higher of two)."""
    try:
        modes = [
            Path(f"/proc/sys/net/ipv4/conf/{name}/rp_filter").read_text("ascii").strip()
            for name in ("all", device)
        ]
    except OSError:
        return False
    return max(modes) == "1"


def _random_mac() -> str:
    """Make an address that is ours to give: local, and of one station (IEEE 802)."""
    return ":".join(f"{one:02x}" for one in (0x02, *os.urandom(5)))
