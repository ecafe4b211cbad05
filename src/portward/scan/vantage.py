"""A place outside of this machine, made on this machine: two networks of its own, and a cable.

    place outside --- router --- cable (a veth pair) --- this machine

The machine sees real packets from whichever source address is wanted. They come in by the cable, or
as another interface receives them. The router is there so that nobody has to ask this machine for
hardware addresses: its rules about such questions are not what is looked at.

Nothing stays: the networks exist as long as threads of this process live in them, and with them go
the cable, its routes and what passes packets on, also when the process is killed.
"""

import contextlib
import ctypes
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
from typing import Self, TypeVar

from portward.bpf.loader import UnavailableError
from portward.bpf.objects import Programs
from portward.model.errors import ScanError
from portward.scan import links

T = TypeVar("T")
_CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h
_SECONDS = 10
_WHERE = "a vantage on this machine"
_OUT, _UP, _DOWN = "outside", "uplink", "downlink"
"""The interface of the place outside, and the two of the router."""
_ROUTER = {4: "169.254.0.1", 6: "fe80::1"}
"""The router's addresses, which only the place outside knows; of links (RFC 3927, RFC 4291)."""
_FORWARDING = ("ipv4/ip_forward", "ipv6/conf/all/forwarding")


class Vantage:
    """A place outside, from which this machine's addresses are reached.

    Raises ScanError where it cannot be made: that needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN)
    and the command ip.
    """

    def __init__(self, sources: Iterable[str], targets: Iterable[str], entrance: str = "") -> None:
        """Take the addresses that packets shall come from, and those that they may go to.

        And the interface that they shall come in by, as if it had received them; without one, or
        where that cannot be had, they come in by the cable.
        """
        self._sources = tuple(sources)
        self._targets = tuple(targets)
        self.device = f"pw-{os.urandom(4).hex()}"
        """This machine's end of the cable."""
        self.entrance = entrance or self.device
        """The interface that packets come in by."""
        self.why_by_the_cable = ""
        """Why not by the interface that was wanted; empty: they do, or none was."""
        self._place = _Network()
        self._router = _Network()
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Make the networks, and plug in the cable."""
        try:
            self._undo.enter_context(self._place)
            self._undo.enter_context(self._router)
            self._join()
            self._plug_in()
            if self.entrance != self.device:
                self._enter_by_it()
        except OSError as error:
            self._undo.close()
            why = f"cannot be made: {error.strerror}"
            raise ScanError(why, where=_WHERE, mend="run as root") from None
        except BaseException:
            self._undo.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Leave nothing behind."""
        self._undo.close()

    def inside(self, work: Callable[[], T]) -> T:
        """Do something out there and return what it returns."""
        return self._place.do(work)

    def stand_at(self, source: str) -> None:
        """Let everything that is sent from now on come from one of the sources."""
        self.inside(lambda: _ip(f"route replace {_way_out(source)} src {source}"))

    def _join(self) -> None:
        """Join the place outside with its router."""
        self._router.do(
            lambda: _ip(
                f"link add {_UP} type veth peer name {_OUT} netns {self._place.path}",
                f"link set {_UP} addrgenmode none",
                f"link set {_UP} up",
                f"address add {_ROUTER[4]}/32 dev {_UP}",
                *((f"address add {_ROUTER[6]}/64 dev {_UP} nodad",) if self._has_ipv6 else ()),
                *(f"route add {_host(one)} dev {_UP}" for one in self._sources),
            )
        )
        self.inside(
            lambda: _ip(
                "link set lo up",
                f"link set {_OUT} addrgenmode none",
                f"link set {_OUT} up",
                *(
                    f"address add {_host(one)} dev {_OUT}{' nodad' if ':' in one else ''}"
                    for one in self._sources
                ),
                *(f"route add {way}" for way in dict.fromkeys(map(_way_out, self._sources))),
            )
        )
        self._router.do(_forward)

    def _plug_in(self) -> None:
        """Join the router with this machine, each of which is told who is at the other end."""
        # What shall come in by an interface must be for its own hardware address.
        wanted = links.hardware_address(self.entrance)
        near = wanted.hex(":") if wanted else _random_mac()
        far = _random_mac()
        _ip(
            f"link add {self.device} address {near} type veth "
            f"peer name {_DOWN} address {far} netns {self._router.path}",
        )
        # At once, as the kernel takes its time to end networks that nobody lives in.
        self._undo.callback(_unplug, self.device)
        _ip(
            # Without an address, so that this machine has no new one to be reached at.
            f"link set {self.device} addrgenmode none",
            f"link set {self.device} up",
            *(f"route add {_host(one)} dev {self.device}" for one in self._sources),
            *(
                f"neigh add {one} lladdr {far} dev {self.device} nud permanent"
                for one in self._sources
            ),
        )
        self._router.do(
            lambda: _ip(
                f"link set {_DOWN} addrgenmode none",
                f"link set {_DOWN} up",
                *(f"route add {_host(one)} dev {_DOWN}" for one in self._targets),
                *(
                    f"neigh add {one} lladdr {near} dev {_DOWN} nud permanent"
                    for one in self._targets
                ),
            )
        )
        for source in self._sources:
            self._expect_answers(source)

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

    def _enter_by_it(self) -> None:
        """Let packets come in by the other interface, as far as this kernel and its settings do."""
        wanted, self.entrance = self.entrance, self.device
        if links.hardware_address(wanted) is None:
            self.why_by_the_cable = f"{wanted} is no Ethernet device"
        elif _is_strict(wanted):
            self.why_by_the_cable = f"{wanted} takes only what it has a route back to (rp_filter)"
        else:
            try:
                programs = Programs("enter", {})
                self._undo.callback(programs.close)
                index = struct.pack("=I", socket.if_nametoindex(wanted))
                programs.write("entrance", bytes(4), index)
                here = socket.if_nametoindex(self.device)
                self._undo.callback(os.close, programs.attach(programs.program("enter"), here))
            except UnavailableError as error:
                self.why_by_the_cable = str(error)
            else:
                self.entrance = wanted

    @property
    def _has_ipv6(self) -> bool:
        return any(":" in one for one in self._sources)


class _Network:
    """A network namespace without a name, for as long as a thread lives in it."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._entered: Future[int] = Future()
        # A daemon, so that nothing waits for it where the process ends at once.
        self._thread = threading.Thread(target=self._live, daemon=True)

    def __enter__(self) -> Self:
        """Make it; OSError without the right to."""
        self._thread.start()
        self.path = f"/proc/{os.getpid()}/task/{self._entered.result(_SECONDS)}/ns/net"
        return self

    def __exit__(self, *_: object) -> None:
        self._work.put(None)
        self._thread.join(_SECONDS)

    def do(self, work: Callable[[], T]) -> T:
        """Do something in it and return what it returns."""
        done: Future[T] = Future()

        def doing() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001 - raised again in the calling thread
                done.set_exception(error)

        self._work.put(doing)
        return done.result()

    def _live(self) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET):
            number = ctypes.get_errno()
            self._entered.set_exception(OSError(number, os.strerror(number)))
            return
        self._entered.set_result(threading.get_native_id())
        while work := self._work.get():
            work()


def _forward() -> None:
    """Pass packets on, in the network of the calling thread."""
    for name in _FORWARDING:
        file = Path("/proc/sys/net") / name
        if file.exists():  # there may be no IPv6
            file.write_text("1", "ascii")


def _unplug(device: str) -> None:
    if any(name == device for _, name in socket.if_nameindex()):
        _ip(f"link delete {device}")


def _ip(*commands: str, batch: bool = True) -> str:
    """Run ip(8) on some commands, all in one process."""
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


def _way_out(source: str) -> str:
    """Return the route to everything of a family, from the place outside."""
    if ":" in source:
        return f"::/0 via {_ROUTER[6]} dev {_OUT}"
    return f"0.0.0.0/0 via {_ROUTER[4]} dev {_OUT} onlink"


def _host(address: str) -> str:
    return f"{address}/128" if ":" in address else f"{address}/32"


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
